"""The embedded ledger: one SQLite file, shared by all workers of a machine.

Exact for practitioners and establishments, bucketed for wider scopes; atomic across processes; survives kill -9 at any
moment. Answers as `stores.memory` does; one contract suite holds both to it. The event loop waits neither for the disk
nor for other processes: operations go to the one thread that owns the connection (`sqlite_writer`), and come back
within the deadline as an answer or as StoreDown. What a timeout leaves behind:

    a charge that did not run yet      is dropped
    a charge that ran all the same     is undone right after, except its request and its proof
    a settlement that did not run yet  is dropped: its persons and its miss stay charged until their windows end
    a settlement that ran all the same stands: its persons count, their answer is withheld
    the process dies in between        what was charged stays charged until its windows end

A settlement that adds nobody is answered at once and written with whatever comes next, `LATER_S` later at most. Until
then its persons count by their reservation, and count if it is lost: by a lock held for longer than the deadline, by
kill -9. So a failure can make somebody count who was not disclosed, never the reverse.
"""

import asyncio
import time
from pathlib import Path
from typing import Final, cast

from paravent.effects import Charge, Charged, OverBudget, ProofSeen, Replayed, Settle, StoreDown
from paravent.quota.settling import adds_nobody
from paravent.stores.memory import RETENTION_S
from paravent.stores.sqlite_books import Confirm, Operation, Prove
from paravent.stores.sqlite_writer import Batch, Ticket, Writer

CLOSE_TIMEOUT_S: Final = 5.0

LATER_S: Final = 0.02
"""How long a settlement that nobody waits for may wait for a charge to share its commit with."""

STAND_ASIDE_S: Final = 0.0005
"""How long the event loop rests in each of its rounds while operations are under way. A few take 0.1 to 0.4 ms.

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
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked: list[Ticket] = []
        """What this round of the loop has asked for, and what may wait a little longer."""
        self._soon: asyncio.Handle | None = None
        self._later: asyncio.TimerHandle | None = None
        self._submitted = 0
        self._open: set[str] = set()
        """Charges of this process that are not settled yet: their reservations stand."""
        self._highest_ms = 0

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
        return max(0, self._submitted - self._writer.taken)

    async def charge(self, charge: Charge) -> Charged | OverBudget | Replayed | StoreDown:
        """See `paravent.effects.Charge`. Raises ValueError when the id is that of an open charge.

        When the answer is StoreDown, or the caller is cancelled, the charge is undone: what nobody was told of must
        not be used, and is not to be paid for.
        """
        self._highest_ms = max(self._highest_ms, charge.now_ms)
        ticket = self._ask(charge)
        try:
            told = cast("Charged | OverBudget | Replayed | StoreDown", await self._answer(ticket))
        finally:
            # Not for a Charged that somebody was told of: `abandoned` is never set after an answer was taken.
            if ticket.abandoned and ticket.started:
                self._tell(Confirm(Settle(charge, charge.now_ms, disclosed=(), missed=False)))
        if isinstance(told, Charged):
            self._open.add(charge.id)
        return told

    async def settle(self, settle: Settle) -> Charged | OverBudget | StoreDown:
        """See `paravent.effects.Settle`. Settling twice gives nothing back twice.

        When the answer is StoreDown, everybody in question counts at least until the windows of the charge end.
        """
        self._highest_ms = max(self._highest_ms, settle.now_ms)
        ours = settle.charge.id in self._open
        self._open.discard(settle.charge.id)
        if ours and not self._closed and adds_nobody(settle, self._highest_ms):
            self._tell(Confirm(settle))
            return Charged(())
        return cast("Charged | OverBudget | StoreDown", await self._answer(self._ask(settle)))

    async def proof_seen(self, proof: ProofSeen, now_ms: int) -> bool | StoreDown:
        """See `paravent.ports.Ledger`. After StoreDown the proof may be remembered: it is not to be tried again."""
        self._highest_ms = max(self._highest_ms, now_ms)
        return cast("bool | StoreDown", await self._answer(self._ask(Prove(proof, now_ms))))

    async def look_after(self) -> None:
        """A file needs no connection to be kept up."""

    def close(self) -> None:
        """Finish what was asked, close the file. Every later operation answers StoreDown."""
        self._closed = True
        self._submit_all()
        self._writer.stop(CLOSE_TIMEOUT_S)

    def _ask(self, operation: Operation) -> Ticket:
        """An operation that somebody waits for goes at the end of this round of the loop, with the others of it."""
        loop = self._enter()
        ticket = Ticket(operation, loop)
        if self._closed:
            ticket.give_up()
            return ticket
        self._asked.append(ticket)
        if self._soon is None:
            self._soon = loop.call_soon(self._hand_over)
        return ticket

    def _tell(self, operation: Operation) -> None:
        """An operation that nobody waits for goes with the next one that somebody does."""
        loop = self._enter()
        if self._closed:
            return
        self._asked.append(Ticket(operation, None))
        if self._later is None and self._soon is None:
            self._later = loop.call_later(LATER_S, self._hand_over_late)

    def _enter(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._submit_all()  # the handles belong to a loop that may never run again
            self._loop = loop
        return loop

    def _hand_over(self) -> None:
        """The deadline first, then the writer: whatever fails here, nobody waits for longer than that."""
        # Forgotten first of all: what still stood there would be taken for a call that is yet to come.
        later, self._soon, self._later = self._later, None, None
        if not self._asked or self._loop is None:
            return
        try:
            batch = Batch([*self._asked], self._loop, time.monotonic() + self._deadline_s)
            timer = self._loop.call_later(self._deadline_s, batch.give_up) if batch.is_waited_for else None
        except BaseException:
            # They stay where they are: what nobody waits for goes with the next one that somebody does.
            for ticket in self._asked:
                ticket.give_up()
            raise
        batch.watched = timer is not None  # before the writer has it: it may be done at once, and need not call
        self._submit(batch)
        if later is not None:
            later.cancel()
        if timer is not None:
            self._stand_aside(batch, timer)

    def _hand_over_late(self) -> None:
        self._later = None  # it has come: there is nothing to cancel
        self._hand_over()

    def _submit(self, batch: Batch) -> None:
        count = len(batch.tickets)
        self._writer.submit(batch)
        self._asked = []
        self._submitted += count

    def _submit_all(self) -> None:
        """At the end, or in another loop than they were asked in: there is no other round to come."""
        self._soon = self._later = None
        if self._asked and self._loop is not None:
            self._submit(Batch(self._asked, self._loop, time.monotonic() + self._deadline_s))

    def _stand_aside(self, batch: Batch, timer: asyncio.TimerHandle) -> None:
        batch.watched = True
        let_through = batch.wait(STAND_ASIDE_S)
        batch.watched = False
        if batch.finished:
            batch.resolve()
            timer.cancel()
        elif not let_through and time.monotonic() < batch.deadline_s:
            batch.loop.call_soon(self._stand_aside, batch, timer)

    async def _answer(self, ticket: Ticket) -> object:
        try:
            return await ticket.future
        except asyncio.CancelledError:
            # Also when the answer was on its way: whoever is cancelled here will not see it.
            ticket.abandoned = True
            # Were the call that hands it over lost to a failure, whoever asks next rings again.
            self._soon = None
            raise
