"""The one thread of a process that touches the state file, and the tickets that bring it work.

An operation waits in the queue, runs together with whatever else waits (one transaction, one commit), and is answered
when the commit is done. Whoever asked waits until the deadline and no longer. The queue is first in, first out, and
that is what makes giving up safe: to undo a charge is one more operation, which runs after the charge or after it was
dropped, never before.
"""

import queue
import sqlite3
import threading
import time
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from paravent.effects import StoreDown
from paravent.stores.sqlite_books import Books
from paravent.stores.sqlite_schema import StateFileError, open_state_file

MOST_IN_ONE_COMMIT: Final = 64
"""Enough that a busy worker commits rarely; at 0.1 to 0.2 ms each, few enough that other workers get their turn."""

LOCK_RETRY_S: Final = 0.0005
"""Between two tries for the file's lock. SQLite's own waiting backs off to 100 ms a try: too coarse here."""


class Ticket[Reply]:
    """One operation on its way to the writer, and its answer on the way back."""

    __slots__ = ("_answer", "_future", "_operation", "abandoned", "deadline_s", "loop", "started")

    def __init__(self, operation: Callable[[Books], Reply], loop: AbstractEventLoop, deadline_s: float) -> None:
        """`deadline_s` on the monotonic clock. To be made on the loop's thread."""
        self.loop = loop
        self.deadline_s = deadline_s
        self.abandoned = False
        """Nobody waits any more: not to be started. Set on the loop's thread before it reads `started`."""
        self.started = False
        """It may have run. Set on the writer's thread before it reads `abandoned`; so one of the two sees the other."""
        self._operation = operation
        self._answer: Reply | StoreDown | Exception = StoreDown.UNAVAILABLE
        self._future: Future[Reply | StoreDown] = loop.create_future()

    async def answer(self) -> Reply | StoreDown:
        """Wait for the answer."""
        return await self._future

    def give_up(self) -> None:
        """The deadline passed. On the loop's thread, as `resolve`: the first of the two counts."""
        if not self._future.done():
            self.abandoned = True
            self._future.set_result(StoreDown.UNAVAILABLE)

    def run(self, books: Books) -> None:
        """Perform the operation, unless nobody waits; keep its answer until the commit. On the writer's thread."""
        self.started = True
        if not self.abandoned:
            self._answer = self._operation(books)

    def fail(self, why: StoreDown | Exception) -> None:
        """There was no commit. On the writer's thread."""
        self._answer = why

    def resolve(self) -> None:
        """Hand over the answer to whoever still waits. On the loop's thread."""
        if self._future.done():
            return
        if isinstance(self._answer, Exception):
            self._future.set_exception(self._answer)
        else:
            self._future.set_result(self._answer)


type AnyTicket = Ticket[Any]


class Writer:
    """Owns the connection. `submit` from any thread; everything else happens on its own thread."""

    def __init__(self, path: Path, retention_s: int) -> None:
        """Opens the file, so that what is wrong with it is known before the first request. Raises StateFileError."""
        self._path = path
        self._retention_s = retention_s
        self._connection: sqlite3.Connection | None = open_state_file(path)
        self._books = Books(self._connection, retention_s)
        self._queue: queue.SimpleQueue[AnyTicket | None] = queue.SimpleQueue()
        self._at_rest = threading.Event()
        self.well = True
        """The file took the last commit that was tried. A lock held by another process is not the file's fault."""
        self._thread = threading.Thread(target=self._run, name="paravent-state", daemon=True)
        self._thread.start()

    @property
    def depth(self) -> int:
        """How many operations wait."""
        return self._queue.qsize()

    def submit(self, ticket: AnyTicket) -> None:
        """Hand over an operation. Never blocks."""
        self._at_rest.clear()
        self._queue.put(ticket)

    def stand_aside(self, timeout_s: float) -> bool:
        """Leave the interpreter to the writer's thread until it needs it no more, at most `timeout_s`. Whether that is
        so: nothing is queued, or all that is queued waits for another process to release the file."""
        return self._at_rest.wait(timeout_s)

    def stop(self, timeout_s: float) -> None:
        """Run what was submitted before, then close the file. Waits for that, but no longer than `timeout_s`."""
        self._queue.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        stopping = False
        try:
            while not stopping:
                tickets, stopping = self._take()
                self._transact(tickets)
                _deliver(tickets)
                self._at_rest.set()
                if not self._queue.empty():  # asked after, not before: `submit` may come between the two
                    self._at_rest.clear()
        finally:
            self._disconnect()
            self._at_rest.set()

    def _take(self) -> tuple[list[AnyTicket], bool]:
        """Everything that waits, up to a commit's worth; whether to stop after it."""
        tickets: list[AnyTicket] = []
        with suppress(queue.Empty):
            while len(tickets) < MOST_IN_ONE_COMMIT:
                ticket = self._queue.get(block=not tickets)
                if ticket is None:
                    return tickets, True
                tickets.append(ticket)
        return tickets, False

    def _transact(self, tickets: list[AnyTicket]) -> None:
        if all(ticket.abandoned for ticket in tickets):
            return
        try:
            self._commit(tickets)
        except (sqlite3.Error, StateFileError) as error:
            self._recover(error)
            for ticket in tickets:
                ticket.fail(StoreDown.UNAVAILABLE)
        except Exception as error:
            # A bug is for its asker to see. The others did nothing wrong: each has its turn alone.
            self._rollback()
            if len(tickets) == 1:
                tickets[0].fail(error)
            else:
                for ticket in tickets:
                    self._transact([ticket])

    def _commit(self, tickets: list[AnyTicket]) -> None:
        connection = self._connect()
        self._lock(connection, max(ticket.deadline_s for ticket in tickets))
        self._books.begin()
        for ticket in tickets:
            ticket.run(self._books)
        self._books.finish()
        connection.execute("COMMIT")
        self.well = True

    def _lock(self, connection: sqlite3.Connection, deadline_s: float) -> None:
        """Take the write lock that all processes on this file share. Raises OperationalError at the deadline."""
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() >= deadline_s:
                    raise
                self._at_rest.set()
                time.sleep(LOCK_RETRY_S)
            else:
                self._at_rest.clear()
                return

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = open_state_file(self._path)
            self._books = Books(self._connection, self._retention_s)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _recover(self, error: Exception) -> None:
        """Another process held the lock: try again next time. Anything else: start from a new connection."""
        if _is_busy(error):
            self._rollback()
        else:
            self.well = False
            self._disconnect()

    def _rollback(self) -> None:
        if self._connection is not None and self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                self._disconnect()


def _deliver(tickets: list[AnyTicket]) -> None:
    """Wake each event loop once, with all its answers."""
    by_loop: dict[AbstractEventLoop, list[AnyTicket]] = {}
    for ticket in tickets:
        by_loop.setdefault(ticket.loop, []).append(ticket)
    for loop, mine in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(_resolve, mine)


def _resolve(tickets: list[AnyTicket]) -> None:
    for ticket in tickets:
        ticket.resolve()


def _is_busy(error: Exception) -> bool:
    # Extended codes (SQLITE_BUSY_RECOVERY, SQLITE_BUSY_SNAPSHOT) keep the primary code in the low byte.
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
