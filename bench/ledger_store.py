"""Stores to be measured, and one worker on one of them.

    python -m bench.ledger_store PLACE SECONDS

waits for a line, lets sixteen callers charge and settle for so long, and prints how many charges that were.
"""

import asyncio
import itertools
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bench.process import Measured, wait_for_port
from paravent.effects import Budget, BudgetKind, Charge, Charged, Scope, Settle
from paravent.model import Subject
from paravent.rules import Window
from paravent.simulate.processes import free_ports
from paravent.stores.redis import RedisLedger
from paravent.stores.redis_link import Server
from paravent.stores.sqlite import SqliteLedger

ROOT: Final = Path(__file__).resolve().parents[1]
CALLERS: Final = 16
DEADLINE_MS: Final = 60_000
DAY_S: Final = 86_400
MANY: Final = 10**9
"""A limit that nothing reaches: what is measured is charging, not refusing."""

type Store = SqliteLedger | RedisLedger

_serial = itertools.count(1)


def budgets_of(practitioner: int) -> tuple[Budget, ...]:
    """As of the reference policy: three windows of persons, misses, requests, and the wider scopes."""
    rpps, finess = f"rpps:{99_000_000_000 + practitioner}", f"finess:{990_000_000 + practitioner}"
    persons = tuple(Window(MANY, per_s) for per_s in (600, DAY_S, 30 * DAY_S))
    return (
        Budget(Scope.PRACTITIONER, rpps, BudgetKind.PERSONS, persons),
        Budget(Scope.PRACTITIONER, rpps, BudgetKind.REQUESTS, (Window(MANY, 10),)),
        Budget(Scope.PRACTITIONER, rpps, BudgetKind.MISSES, (Window(MANY, 3600),)),
        Budget(Scope.ESTABLISHMENT, finess, BudgetKind.PERSONS, (Window(MANY, DAY_S),)),
        Budget(Scope.CLIENT, "client:operateur:portail", BudgetKind.PERSONS, (Window(MANY, DAY_S),)),
        Budget(Scope.FLEET, "fleet", BudgetKind.PERSONS, (Window(MANY, DAY_S),)),
    )


def charge_of(budgets: tuple[Budget, ...], persons: int = 1) -> Charge:
    """About persons whom nobody has asked about before."""
    number, now_ms = next(_serial), time.time_ns() // 1_000_000
    worker = int(time.monotonic_ns()).to_bytes(8)
    asked = tuple(Subject((number * 1000 + each).to_bytes(8) + worker) for each in range(persons))
    return Charge(f"{number}-{worker.hex()}", now_ms, budgets, asked)


async def charged(store: Store, charge: Charge) -> None:
    """Raises RuntimeError when it is not: the figures would be of something else."""
    if not isinstance(await store.charge(charge), Charged):
        raise RuntimeError("a charge of the benchmark was refused")


async def settled(store: Store, charge: Charge, *, disclosed: bool = True) -> None:
    """Disclosed, or given back."""
    persons = charge.persons if disclosed else ()
    if not isinstance(await store.settle(Settle(charge, charge.now_ms, persons, missed=False)), Charged):
        raise RuntimeError("a settlement of the benchmark was refused")


def opened(place: str) -> Store:
    """A state file, or `redis:PORT`."""
    if place.startswith("redis:"):
        return RedisLedger(Server("127.0.0.1", int(place.removeprefix("redis:"))), deadline_ms=DEADLINE_MS)
    return SqliteLedger.open(Path(place), deadline_ms=DEADLINE_MS)


@contextmanager
def place_of(kind: str, folder: Path) -> Iterator[tuple[str, Measured | None]]:
    """An empty store: what `opened` takes, and the server's process where there is one."""
    folder.mkdir(parents=True)
    if kind == "sqlite":
        yield str(folder / "state.db"), None
        return
    (port,) = free_ports(1)
    options = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--dir", str(folder))
    server = Measured(("redis-server", "--port", str(port), *options), ROOT, folder)
    try:
        wait_for_port(port)
        yield f"redis:{port}", server
    finally:
        server.stop()


def redis_bytes(place: str) -> int:
    """What Redis says that its data takes."""
    from redis import Redis

    client: Any = Redis("127.0.0.1", int(place.removeprefix("redis:")))
    return int(client.info("memory")["used_memory"])


async def work(store: Store, seconds: float, name: int) -> int:
    """So many charges, each of them settled, of one caller after the other's end."""
    until_s, done = time.monotonic() + seconds, 0
    budgets = budgets_of(name)
    while time.monotonic() < until_s:
        charge = charge_of(budgets)
        await charged(store, charge)
        await settled(store, charge)
        done += 1
    return done


async def _worker(place: str, seconds: float) -> None:
    store = opened(place)
    await charged(store, charge_of(budgets_of(0)))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    first = int(time.monotonic_ns()) % 10**6 * 100
    print(sum(await asyncio.gather(*(work(store, seconds, first + caller) for caller in range(CALLERS)))), flush=True)
    store.close()


if __name__ == "__main__":
    asyncio.run(_worker(sys.argv[1], float(sys.argv[2])))
