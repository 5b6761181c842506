"""A shared ledger, and what a node does without it: a small budget of the policy, counted here, settled there later.

The store is asked first, always, within its deadline. Only then, while the policy's `longest` has not passed since it
last answered, a question is let through that

    names a person        a search charges when it is answered, and waits for the store
    brings no DPoP proof  whether another node has seen it, only the store knows; a token bound to a certificate needs
                          no memory
    fits                  the practitioner's part and the node's (`quota.emergency`)

Everything else is StoreDown, as without a budget. Who was disclosed is charged to the store when it is back, room or
not, each one by a charge of its own that the script knows again. What a process has not settled when it ends is not
charged; the ledger of disclosures has it all the same.
"""

import asyncio
import time
from collections.abc import Callable
from itertools import islice
from typing import Final, Protocol

from msgspec.structs import replace

from paravent.effects import Charge, Charged, OverBudget, ProofSeen, Replayed, Settle, StoreDown
from paravent.model import Subject
from paravent.ports import Ledger
from paravent.quota.emergency import EmergencyBook, Share, own_payer
from paravent.rules import Emergency

AT_ONCE: Final = 64
"""Settlements on their way at the same time, when the store is back."""


class SharedLedger(Ledger, Protocol):
    """A ledger that can be gone while the node is well."""

    @property
    def healthy(self) -> bool: ...

    @property
    def queue_depth(self) -> int: ...

    async def make_good(self, settle: Settle) -> bool:
        """Count who was disclosed already, room or not, once however often it is asked. Whether it is written."""
        ...

    async def look_after(self) -> None: ...

    def close(self) -> None: ...


class EmergencyLedger:
    """`paravent.ports.Ledger`. One per process."""

    def __init__(
        self,
        store: SharedLedger,
        limits: Callable[[], Emergency | None],
        share: Share,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`limits` of the policy in force; None: there is no such budget."""
        self._store = store
        self._limits = limits
        self._clock_s = clock_s
        self._book = EmergencyBook(share)
        self._share = share
        self._since_s: float | None = None
        """When the store first did not answer, in this outage."""
        self._open: dict[str, Charge] = {}
        self._owed: dict[tuple[tuple[str, ...], Subject], Charge] = {}
        """By everybody who pays: the same practitioner may ask for two establishments, and each has a set."""
        self.let_through = 0
        """Questions, since the start."""
        self.settled = 0
        """Persons charged to the store after an outage, since the start."""

    @property
    def reachable(self) -> bool:
        """The store itself answers."""
        return self._store.healthy

    @property
    def healthy(self) -> bool:
        """The store answers, or there is something left to go on with."""
        return self._store.healthy or self._lasts() is not None

    @property
    def queue_depth(self) -> int:
        """How many operations wait for the store's answer."""
        return self._store.queue_depth

    @property
    def owed(self) -> int:
        """Persons disclosed and not yet charged to the store."""
        return len(self._owed)

    async def charge(self, charge: Charge) -> Charged | OverBudget | Replayed | StoreDown:
        """See `paravent.effects.Charge`. `Charged.emergency` when it was this node alone that charged."""
        told = await self._store.charge(charge)
        if told is not StoreDown.UNAVAILABLE:
            # All of it: of a cluster, one master may answer while another is gone.
            if self._since_s is not None and self._store.healthy:
                self._since_s = None
            return told
        if self._since_s is None:
            self._since_s = self._clock_s()
        limits, payer = self._lasts(), own_payer(charge.budgets)
        if limits is None or payer is None or not charge.persons or charge.proof is not None:
            return told
        if not self._book.take(payer, charge.persons, limits, self._now_ms()):
            return told
        self._open[charge.id] = charge
        self.let_through += 1
        return Charged((), emergency=True)

    async def settle(self, settle: Settle) -> Charged | OverBudget | StoreDown:
        """See `paravent.effects.Settle`. A charge of this node's own is settled here, also when the store is back."""
        charge = self._open.pop(settle.charge.id, None)
        if charge is None:
            return await self._store.settle(settle)
        if not set(settle.disclosed) <= set(charge.persons):
            return StoreDown.UNAVAILABLE
        payers = tuple(budget.payer for budget in charge.budgets)
        for person in settle.disclosed:
            self._owed[payers, person] = charge
        return Charged(())

    async def proof_seen(self, proof: ProofSeen, now_ms: int) -> bool | StoreDown:
        """The store's word alone: see above."""
        return await self._store.proof_seen(proof, now_ms)

    async def look_after(self) -> None:
        """Keep the connection up; once it is, settle what is owed. To be called now and then."""
        await self._store.look_after()
        if self._store.healthy:
            self._since_s = None
            await self._pay()
        elif self._since_s is None:
            self._since_s = self._clock_s()

    def close(self) -> None:
        self._store.close()

    def _lasts(self) -> Emergency | None:
        """The budget, while it may be used and has room."""
        limits, since_s = self._limits(), self._since_s
        if limits is None or (since_s is not None and self._clock_s() - since_s >= limits.longest_s):
            return None
        # What is owed from before the window must not pile up either: a node owes twice its budget, a worker its part.
        if len(self._owed) >= 2 * self._share.of(limits.node):
            return None
        # A second look at somebody of the window needs no room.
        return limits if self._book.has_room(limits, self._now_ms()) or len(self._book) > 0 else None

    async def _pay(self) -> None:
        while self._owed:
            some = list(islice(self._owed.items(), AT_ONCE))
            written = await asyncio.gather(*(self._make_good(person, charge) for (_, person), charge in some))
            for (pair, charge), done in zip(some, written, strict=True):
                # Unless the same person was disclosed once more meanwhile.
                if done and self._owed.get(pair) is charge:
                    del self._owed[pair]
                    self.settled += 1
            if not all(written):
                return

    async def _make_good(self, person: Subject, charge: Charge) -> bool:
        # Under a name of its own: the store may know the charge itself, as one that nobody was told of.
        name = f"{charge.id}-{charge.persons.index(person)}"
        alone = replace(charge, id=name, persons=(), proof=None)
        return await self._store.make_good(Settle(alone, charge.now_ms, (person,), missed=False))

    def _now_ms(self) -> int:
        return int(self._clock_s() * 1000)
