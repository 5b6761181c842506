"""Budgets, persons and a front desk, for tests of the stores.

    desk = Desk(ledger, FrozenClock(), budget(Scope.PRACTITIONER, BudgetKind.PERSONS, (60, 600)))
    charge, reply = await desk.charge(1, 2)          # reserve persons 1 and 2
    reply = await desk.settle(charge, disclosed=(1,))
    reply = await desk.look_up(3)                    # reserve, then disclose

Run as a program it is one more worker on a state file, or on a Redis when FILE is `redis:PORT`. `python ledgers.py FILE
FIRST LAST LIMIT` waits for a line on its standard input, looks up the persons FIRST to LAST - 1 one by one, and prints
the number of each that passed.
"""

import asyncio
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from clock import FrozenClock
from paravent.effects import (
    Budget,
    BudgetKind,
    Charge,
    Charged,
    OverBudget,
    Scope,
    Settle,
    StoreDown,
)
from paravent.model import Subject
from paravent.ports import Ledger
from paravent.rules import Window
from paravent.stores.redis import RedisLedger
from paravent.stores.redis_link import Server
from paravent.stores.sqlite import SqliteLedger

type Answer = Charged | OverBudget | StoreDown

PAYERS = {
    Scope.PRACTITIONER: "rpps:99700427885",
    Scope.ESTABLISHMENT: "finess:990000012",
    Scope.CLIENT: "client:operateur:portail",
    Scope.CERTIFICATE: "certificate:0c0ffee0",
    Scope.NETWORK: "network:0c0ffee0",
    Scope.FLEET: "fleet",
}

PATIENT_MS = 10_000
"""A deadline for tests about something else than deadlines, on a machine that is busy with others."""


def person(number: int) -> Subject:
    """An invented person, as the stores know them."""
    return Subject(number.to_bytes(16, "big"))


def budget(scope: Scope, kind: BudgetKind, *windows: tuple[int, int], payer: str | None = None) -> Budget:
    """(limit, seconds or a `Calendar`) … of the usual payer of a scope."""
    return Budget(scope, payer or PAYERS[scope], kind, tuple(Window.over(limit, span) for limit, span in windows))


def own_persons(*windows: tuple[int, int], payer: str | None = None) -> Budget:
    """The practitioner's persons."""
    return budget(Scope.PRACTITIONER, BudgetKind.PERSONS, *windows, payer=payer)


class Desk:
    """Asks one ledger on behalf of one practitioner at the time of one clock."""

    _ids: Iterator[int] = itertools.count()

    def __init__(self, ledger: Ledger, clock: FrozenClock, *budgets: Budget) -> None:
        self.ledger = ledger
        self.clock = clock
        self.budgets = budgets
        self.weight = 1
        """Units of the next question."""

    def another(self, *budgets: Budget) -> "Desk":
        """The same ledger and clock, other budgets."""
        return Desk(self.ledger, self.clock, *budgets)

    def weighing(self, units: int) -> "Desk":
        """The same desk, asking a heavier question from now on."""
        self.weight = units
        return self

    async def charge(self, *persons: int) -> tuple[Charge, Answer]:
        charge = Charge(
            f"request-{os.getpid()}-{next(self._ids)}",
            self.clock.now_ms(),
            self.budgets,
            tuple(map(person, persons)),
            units=self.weight,
        )
        return charge, await self.ledger.charge(charge)

    async def settle(self, charge: Charge, disclosed: tuple[int, ...] = (), *, missed: bool = False) -> Answer:
        return await self.ledger.settle(Settle(charge, self.clock.now_ms(), tuple(map(person, disclosed)), missed))

    async def look_up(self, *persons: int) -> Answer:
        """Ask about persons and be told about them. The first answer that is not yes, else the charge's."""
        charge, reply = await self.charge(*persons)
        if isinstance(reply, Charged):
            settled = await self.settle(charge, persons)
            return reply if isinstance(settled, Charged) else settled
        return reply

    async def passes(self, *persons: int) -> bool:
        """Whether a look-up of them passes (and is then charged)."""
        return isinstance(await self.look_up(*persons), Charged)

    async def used(self, span: int, kind: BudgetKind = BudgetKind.PERSONS) -> int:
        """How full a window of the practitioner is, asked with an empty question, which adds no person."""
        budgets = tuple(
            Budget(b.scope, b.payer, b.kind, (Window.over(10**9, span),))
            for b in self.budgets
            if b.scope is Scope.PRACTITIONER and b.kind is kind
        )
        _, reply = await self.another(*budgets).charge()
        assert isinstance(reply, Charged)
        return reply.usage[0].used - (kind is not BudgetKind.PERSONS)


def opened(place: str) -> SqliteLedger | RedisLedger:
    """A state file, or the Redis on a port of this machine: `redis:PORT`."""
    if place.startswith("redis:"):
        server = Server("127.0.0.1", int(place.removeprefix("redis:")))
        return RedisLedger(server, deadline_ms=PATIENT_MS, server_time=False)
    return SqliteLedger.open(Path(place), deadline_ms=PATIENT_MS)


async def _work(path: str, first: int, last: int, limit: int) -> None:
    ledger = opened(path)
    desk = Desk(ledger, FrozenClock(), own_persons((limit, 600)))
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(first, last):
        if await desk.passes(number):
            print(number, flush=True)
    ledger.close()


if __name__ == "__main__":
    asyncio.run(_work(sys.argv[1], *map(int, sys.argv[2:5])))
