"""The one thread of a process that touches the state file, and the batches that bring it work.

Operations that one round of the event loop asked for make a batch; batches that wait make a transaction, with one
commit, and are answered when the commit is done. Whoever asked waits until the deadline and no longer. The queue is
first in, first out, and that is what makes giving up safe: to undo a charge is one more operation, which runs after
the charge or after it was dropped, never before.
"""

import os
import queue
import sqlite3
import threading
import time
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from paravent.effects import StoreDown
from paravent.stores.sqlite_books import Books, Operation, Told
from paravent.stores.sqlite_schema import StateFileError, open_state_file

MOST_IN_ONE_COMMIT: Final = 64
"""Enough that a busy worker commits rarely; at 0.05 ms each, few enough that other workers get their turn."""

LOCK_RETRY_S: Final = 0.0005
"""Between two tries for the file's lock. SQLite's own waiting backs off to 100 ms a try: too coarse here."""

REST_S: Final = 1.0
"""With nothing to do for so long, the writer brings the tables up to date, so that the log holds nobody for longer."""


class Ticket:
    """One operation on its way to the writer, and its answer on the way back."""

    __slots__ = ("_answer", "_future", "abandoned", "operation", "started")

    def __init__(self, operation: Operation, loop: AbstractEventLoop | None) -> None:
        """On the loop's thread. Without a loop nobody waits for the answer."""
        self.operation = operation
        self.abandoned = False
        """Nobody waits any more: not to be started. Set on the loop's thread before it reads `started`."""
        self.started = False
        """It may have run. Set on the writer's thread before it reads `abandoned`; so one of the two sees the other."""
        self._answer: Told | StoreDown | Exception = StoreDown.UNAVAILABLE
        self._future: Future[Told | StoreDown] | None = None if loop is None else loop.create_future()

    @property
    def future(self) -> Future[Told | StoreDown]:
        """Wait here for the answer. Raises RuntimeError when nobody was to wait: a bug."""
        if self._future is None:
            raise RuntimeError("an operation that nobody waits for was waited for")
        return self._future

    @property
    def is_waited_for(self) -> bool:
        """Not yet told how it ended, and to be told."""
        return self._future is not None and not self._future.done()

    def start(self) -> bool:
        """Whether somebody still wants it done. On the writer's thread."""
        self.started = True
        return not self.abandoned

    def run(self, books: Books) -> None:
        """Perform the operation, keep its answer until the commit. On the writer's thread."""
        self._answer = books.perform(self.operation)

    def fail(self, why: StoreDown | Exception) -> None:
        """There was no commit. On the writer's thread."""
        self._answer = why

    def give_up(self) -> None:
        """The deadline passed. On the loop's thread, as `resolve`: the first of the two counts."""
        if self._future is not None and not self._future.done():
            self.abandoned = True
            self._future.set_result(StoreDown.UNAVAILABLE)

    def resolve(self) -> None:
        """Hand over the answer to whoever still waits. On the loop's thread."""
        if self._future is None or self._future.done():
            return
        if isinstance(self._answer, Exception):
            self._future.set_exception(self._answer)
        else:
            self._future.set_result(self._answer)


class Batch:
    """What one round of the event loop asked for."""

    __slots__ = ("_gate", "_open", "deadline_s", "finished", "loop", "tickets", "watched")

    def __init__(self, tickets: Sequence[Ticket], loop: AbstractEventLoop, deadline_s: float) -> None:
        """`deadline_s` on the monotonic clock."""
        self.tickets = tickets
        self.loop = loop
        self.deadline_s = deadline_s
        self.finished = False
        self.watched = False
        """The loop's thread stands aside and will look at `finished` next: it needs no call to wake up."""
        self._gate = threading.Lock()
        self._gate.acquire()
        self._open = False

    @property
    def is_waited_for(self) -> bool:
        """Somebody is told how it ends."""
        return any(ticket.is_waited_for for ticket in self.tickets)

    def wait(self, timeout_s: float) -> bool:
        """Leave the interpreter to the writer's thread until it needs it no more for this batch, at most `timeout_s`.
        Whether that is so: the batch is finished, or waits for another process to release the file."""
        let_through = self._gate.acquire(timeout=timeout_s)
        if let_through:
            self._gate.release()
        return let_through

    def let_through(self) -> None:
        """Nobody needs to stand aside. On the writer's thread."""
        if not self._open:
            self._open = True
            self._gate.release()

    def finish(self) -> None:
        """The commit is done, or failed. On the writer's thread."""
        self.finished = True
        self.let_through()
        if not self.watched:  # read after `finished` was set; the loop's thread clears it before it looks at that
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                self.loop.call_soon_threadsafe(self.resolve)

    def resolve(self) -> None:
        """Wake everybody who waits. On the loop's thread; a second time does nothing."""
        for ticket in self.tickets:
            ticket.resolve()

    def give_up(self) -> None:
        """The deadline passed."""
        for ticket in self.tickets:
            ticket.give_up()


class Writer:
    """Owns the connection. `submit` from any thread; everything else happens on its own thread."""

    def __init__(self, path: Path, retention_s: int) -> None:
        """Opens the file, so that what is wrong with it is known before the first request. Raises StateFileError."""
        self._path = path
        self._retention_s = retention_s
        self._connection: sqlite3.Connection | None = open_state_file(path)
        self._file = _identity(path)
        self._books = Books(self._connection, retention_s)
        self._begun = False
        """A transaction is under way, or has failed, and the books may believe what it did."""
        self._queue: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._resting = False
        self.taken = 0
        """How many operations the writer has begun with, since the start."""
        self._well = True
        """The file took the last commit that was tried. A lock held by another process is not the file's fault."""
        self._thread = threading.Thread(target=self._run, name="paravent-state", daemon=True)
        self._thread.start()

    @property
    def well(self) -> bool:
        """The thread lives, and the file took the last commit that was tried."""
        return self._well and self._thread.is_alive()

    def submit(self, batch: Batch) -> None:
        """Hand over operations. Never blocks."""
        self._queue.put(batch)

    def stop(self, timeout_s: float) -> None:
        """Run what was submitted before, then close the file. Waits for that, but no longer than `timeout_s`."""
        self._queue.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        stopping = False
        try:
            while not stopping:
                batches, stopping = self._take()
                if batches:
                    self._transact(batches)
                    for batch in batches:
                        batch.finish()
                    if self._queue.empty():
                        self._tidy()
                elif not stopping:
                    self._rest()
            while not self._rest():
                pass
        finally:
            self._disconnect()

    def _take(self) -> tuple[list[Batch], bool]:
        """Everything that waits, up to a commit's worth; whether to stop after it. Nothing: there is time to rest."""
        batches: list[Batch] = []
        count = 0
        with suppress(queue.Empty):
            while count < MOST_IN_ONE_COMMIT:
                if batches:
                    batch = self._queue.get_nowait()
                else:
                    batch = self._queue.get(timeout=None if self._resting else REST_S)
                if batch is None:
                    return batches, True
                batches.append(batch)
                count += len(batch.tickets)
        self.taken += count
        self._resting = False
        return batches, False

    def _transact(self, batches: Sequence[Batch]) -> None:
        tickets = [ticket for batch in batches for ticket in batch.tickets if ticket.start()]
        if tickets:
            self._try(tickets, batches)

    def _try(self, tickets: list[Ticket], batches: Sequence[Batch]) -> None:
        try:
            self._commit(tickets, batches)
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
                    self._try([ticket], batches)

    def _commit(self, tickets: list[Ticket], batches: Sequence[Batch]) -> None:
        connection = self._connect()
        self._lock(connection, batches)
        self._books.begin([ticket.operation for ticket in tickets])
        for ticket in tickets:
            ticket.run(self._books)
        self._books.finish()
        self._end(connection)
        self._well = True

    def _tidy(self) -> None:
        """Everybody was answered, and nobody asks at this moment: what must be done now and then is done here. Where it
        fails, the next transaction shows what is wrong to whoever waits for it."""
        if self._books.is_untidy:
            with suppress(Exception):
                self._by_the_way(Books.tidy)

    def _rest(self) -> bool:
        """Nothing is asked for: write what waits in the log to the tables, a little at a time. Whether that is done, or
        cannot be done: another process has the file, and will do it, or the file is ill, or memory is short. The thread
        goes on: whoever asks next is shown what is wrong."""
        try:
            self._resting = self._by_the_way(Books.rest)
        except Exception:
            return True
        return self._resting

    def _by_the_way[Done](self, work: Callable[[Books], Done]) -> Done:
        """A transaction of our own, if the file can be had at once. Raises sqlite3.Error, StateFileError."""
        try:
            connection = self._connect()
            self._begin(connection)
            self._books.begin(())
            done = work(self._books)
            self._end(connection)
        except BaseException:
            self._rollback()
            raise
        return done

    def _begin(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        self._begun = True

    def _end(self, connection: sqlite3.Connection) -> None:
        connection.execute("COMMIT")
        self._begun = False

    def _lock(self, connection: sqlite3.Connection, batches: Sequence[Batch]) -> None:
        """Take the write lock that all processes on this file share. Raises OperationalError at the deadline."""
        deadline_s = max(batch.deadline_s for batch in batches)
        while True:
            try:
                self._begin(connection)
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() >= deadline_s:
                    raise
                for batch in batches:
                    batch.let_through()
                time.sleep(LOCK_RETRY_S)
            else:
                return

    def _connect(self) -> sqlite3.Connection:
        """The file under our path. One that was taken away is not begun anew: that would be everybody's full budget."""
        there = _identity(self._path)
        if there != self._file:
            self._disconnect()
            self._file = there
        if self._connection is None:
            self._connection = open_state_file(self._path)
            self._books = Books(self._connection, self._retention_s)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
            self._begun = False

    def _recover(self, error: Exception) -> None:
        """Another process held the lock: try again next time. Anything else: start from a new connection."""
        if _is_busy(error):
            self._rollback()
        else:
            self._well = False
            self._disconnect()

    def _rollback(self) -> None:
        """Undo a transaction, and what the books believe because of it: also where SQLite has undone it by itself, as
        it does when the disk is full (sqlite.org/lang_transaction.html section 3)."""
        if self._connection is None or not self._begun:
            return
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._books = Books(self._connection, self._retention_s)
            self._begun = False
        except Exception:
            self._disconnect()


def _identity(path: Path) -> tuple[int, int]:
    """Which file a path leads to. Raises StateFileError when it leads to none: what is written to a file without a name
    is lost with its process."""
    try:
        found = os.stat(path)
    except OSError:
        raise StateFileError("the file is gone") from None
    return found.st_dev, found.st_ino


def _is_busy(error: Exception) -> bool:
    # Extended codes (SQLITE_BUSY_RECOVERY, SQLITE_BUSY_SNAPSHOT) keep the primary code in the low byte.
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
