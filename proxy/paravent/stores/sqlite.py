"""The embedded ledger: one SQLite file, shared by all workers of a machine.

Exact for practitioners and establishments, bucketed for wider scopes; atomic across processes; survives kill -9 at any
moment. Answers as `stores.memory` does; one contract suite holds both to it. The event loop waits neither for the disk
nor for other processes: operations go to the one thread that owns the connection (`sqlite_writer`), and come back
within the deadline as an answer or as StoreDown. What a timeout leaves behind:

    a charge that did not run yet      is dropped
    a charge that ran all the same     is undone right after, except its request
    a settlement that did not run yet  is dropped: its persons and its miss stay charged until their windows end
    a settlement that ran all the same stands: its persons count, their answer is withheld
    the process dies in between        what was charged stays charged until its windows end

So a failure can make somebody count who was not disclosed, never the reverse.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from paravent.effects import Charge, Charged, OverBudget, ProofSeen, Settle, StoreDown
from paravent.stores.memory import RETENTION_S
from paravent.stores.sqlite_books import Books
from paravent.stores.sqlite_writer import Ticket, Writer

CLOSE_TIMEOUT_S: Final = 5.0

STAND_ASIDE_S: Final = 0.0005
"""How long the event loop rests in each of its rounds while operations are under way. A charge takes 0.2 to 0.5 ms.

Each statement gives up the interpreter's lock and must win it back, and CPython is not fair: beside a loop that never
waits, the writer's thread was measured to need a quarter of a second for one charge, which is the whole deadline.
Standing aside gives it its turn, and is bounded: a disk that hangs slows the loop's rounds, for as long as somebody
waits for an answer, and stops none of them.
"""


class SqliteLedger:
    """`paravent.ports.Ledger` on a file. One per process, opened after any fork."""

    def __init__(self, writer: Writer, deadline_ms: int) -> None:
        self._writer = writer
        self._deadline_s = deadline_ms / 1000
        self._closed = False
        self._standing_aside = False
        self._awaited_until_s = 0.0

    @classmethod
    def open(cls, path: Path, *, deadline_ms: int = 250, retention_s: int = RETENTION_S) -> "SqliteLedger":
        """Open the state file, create it where it is absent.

        `deadline_ms` bounds each operation from call to answer. `retention_s` is how long a person is remembered; a
        longer window in the policy raises it. Raises `sqlite_schema.StateFileError`.
        """
        return cls(Writer(path, retention_s), deadline_ms)

    @property
    def healthy(self) -> bool:
        """False when the file refused the last commit, until it takes one again."""
        return self._writer.well and not self._closed

    @property
    def queue_depth(self) -> int:
        """How many operations wait for the writer thread."""
        return self._writer.depth

    async def charge(self, charge: Charge) -> Charged | OverBudget | StoreDown:
        """See `paravent.effects.Charge`. Raises ValueError when the id is that of an open charge.

        When the answer is StoreDown, or the caller is cancelled, the charge is undone: what nobody was told of must
        not be used, and is not to be paid for.
        """
        ticket = self._submit(lambda books: books.charge(charge))
        try:
            return await self._answer(ticket)
        finally:
            # Not for a Charged that somebody was told of: `abandoned` is never set after an answer was taken.
            if ticket.abandoned and ticket.started:
                nothing = Settle(charge, charge.now_ms, disclosed=(), missed=False)
                self._submit(lambda books: books.settle(nothing))

    async def settle(self, settle: Settle) -> Charged | OverBudget | StoreDown:
        """See `paravent.effects.Settle`. Settling twice gives nothing back twice.

        When the answer is StoreDown, everybody in question counts at least until the windows of the charge end.
        """
        return await self._answer(self._submit(lambda books: books.settle(settle)))

    async def proof_seen(self, proof: ProofSeen, now_ms: int) -> bool | StoreDown:
        """See `paravent.ports.Ledger`. After StoreDown the proof may be remembered: it is not to be tried again."""
        return await self._answer(self._submit(lambda books: books.proof_seen(proof, now_ms)))

    def close(self) -> None:
        """Finish what was asked, close the file. Every later operation answers StoreDown."""
        self._closed = True
        self._writer.stop(CLOSE_TIMEOUT_S)

    def _submit[Reply](self, operation: Callable[[Books], Reply]) -> Ticket[Reply]:
        ticket = Ticket(operation, asyncio.get_running_loop(), time.monotonic() + self._deadline_s)
        if self._closed:
            ticket.give_up()
            return ticket
        self._writer.submit(ticket)
        self._awaited_until_s = ticket.deadline_s
        if not self._standing_aside:
            self._standing_aside = True
            ticket.loop.call_soon(self._stand_aside, ticket.loop)
        return ticket

    def _stand_aside(self, loop: asyncio.AbstractEventLoop) -> None:
        at_rest = self._writer.stand_aside(STAND_ASIDE_S)
        self._standing_aside = not at_rest and time.monotonic() < self._awaited_until_s
        if self._standing_aside:
            loop.call_soon(self._stand_aside, loop)

    async def _answer[Reply](self, ticket: Ticket[Reply]) -> Reply | StoreDown:
        timer = ticket.loop.call_later(self._deadline_s, ticket.give_up)
        try:
            return await ticket.answer()
        except asyncio.CancelledError:
            # Also when the answer was on its way: whoever is cancelled here will not see it.
            ticket.abandoned = True
            raise
        finally:
            timer.cancel()
