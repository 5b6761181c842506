"""What every reader of usage promises, whatever the store is made of (`paravent.ports.UsageBook`)."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from clock import FrozenClock
from ledgers import PATIENT_MS, Desk, budget, own_persons
from paravent.effects import Budget, BudgetKind, Charged, Scope, StoreDown, Usage
from paravent.ports import Ledger, UsageBook
from paravent.rules import Calendar
from paravent.stores.redis import RedisLedger
from paravent.stores.redis_link import Server
from paravent.stores.redis_usage import RedisUsage
from paravent.stores.sqlite import SqliteLedger
from paravent.stores.sqlite_usage import SqliteUsage
from redis_server import RedisServer, running_redis

PERSONS, REQUESTS, MISSES = BudgetKind.PERSONS, BudgetKind.REQUESTS, BudgetKind.MISSES
PRACTITIONER = Scope.PRACTITIONER


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.real)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Ledger, UsageBook]]:
    """Whoever charges, and whoever looks at it from beside."""
    ledger: SqliteLedger | RedisLedger
    if request.param == "redis":
        running: RedisServer = request.getfixturevalue("redis")
        running.client().flushall()
        ledger = RedisLedger(running.server, deadline_ms=PATIENT_MS, server_time=False)
        yield ledger, RedisUsage(running.server, server_time=False)
    else:
        ledger = SqliteLedger.open(tmp_path / "state.db", deadline_ms=PATIENT_MS)
        yield ledger, SqliteUsage(tmp_path / "state.db")
    ledger.close()


type Store = tuple[Ledger, UsageBook]


def own(rpps: str) -> tuple[Budget, ...]:
    """All that is one practitioner's."""
    payer = f"rpps:{rpps}"
    return (
        own_persons((4, 10), (9, 60), (99, Calendar.DAY), payer=payer),
        budget(PRACTITIONER, MISSES, (6, 30), payer=payer),
        budget(PRACTITIONER, REQUESTS, (20, 10), (9999, Calendar.WEEK), payer=payer),
    )


def used(book: UsageBook, budgets: tuple[Budget, ...], now_ms: int) -> tuple[Usage, ...]:
    told = book.used(budgets, now_ms)
    assert not isinstance(told, StoreDown)
    return told


def by_window(usage: tuple[Usage, ...]) -> dict[tuple[BudgetKind, int], int]:
    return {(use.kind, use.window.span): use.used for use in usage}


async def test_it_says_what_the_charge_was_told(store: Store) -> None:
    """After every charge of two practitioners who look up, miss, hang up and wait; nothing is changed by looking."""
    ledger, book = store
    chance, clock = random.Random(5), FrozenClock()
    desks = [Desk(ledger, clock, *own("99700427885")), Desk(ledger, clock, *own("99700427893"))]
    compared = 0
    for _ in range(150):
        desk = chance.choice(desks)
        charge, reply = await desk.charge(chance.randrange(6))
        if isinstance(reply, Charged):
            assert by_window(used(book, desk.budgets, clock.now_ms())) == by_window(reply.usage)
            compared += 1
            persons = tuple(range(6)) if chance.random() < 0.1 else (int.from_bytes(charge.persons[0].key),)
            ends = chance.random()
            if ends < 0.8:
                await desk.settle(charge, persons if ends < 0.6 else (), missed=ends >= 0.6)
        clock.step(ms=chance.choice([1, 700, 2_000, 11_000]))
    assert compared > 50


async def test_who_has_used_how_many_persons(store: Store) -> None:
    """Practitioners only, in several windows; whoever has nobody left in any is not listed."""
    ledger, book = store
    clock = FrozenClock()
    establishment = budget(Scope.ESTABLISHMENT, PERSONS, (50, 60))
    one, other = own("99700427885"), own("99700427893")
    await Desk(ledger, clock, *one, establishment).look_up(1, 2, 3)
    clock.step(s=20)
    await Desk(ledger, clock, *other).look_up(1)
    await Desk(ledger, clock, *one).look_up(3)
    assert book.persons((10, 60), clock.now_ms()) == {"rpps:99700427885": (1, 3), "rpps:99700427893": (1, 1)}
    clock.step(s=59)
    await Desk(ledger, clock, *one).look_up(3)
    clock.step(s=2)
    assert book.persons((10, 60), clock.now_ms()) == {"rpps:99700427885": (1, 1)}


async def test_who_has_used_how_many_since_midnight(store: Store) -> None:
    """The day of Paris: before midnight all of them, and a moment later nobody."""
    ledger, book = store
    clock = FrozenClock(1_792_969_200_000 - 1000)  # 2026-10-25T23:59:59, on the day of 25 hours
    desk = Desk(ledger, clock, *own("99700427885"))
    await desk.look_up(1, 2)
    assert book.persons((Calendar.DAY, 60), clock.now_ms()) == {"rpps:99700427885": (2, 2)}
    assert book.persons((Calendar.DAY, 60), clock.step(s=1)) == {"rpps:99700427885": (0, 2)}
    usage = by_window(used(book, desk.budgets, clock.now_ms()))
    assert (usage[PERSONS, Calendar.DAY], usage[REQUESTS, Calendar.WEEK]) == (0, 0)


async def test_a_clock_that_is_behind_sees_no_more_room(store: Store) -> None:
    """The highest moment that any node has seen is what counts, here as for a charge."""
    ledger, book = store
    clock = FrozenClock()
    await Desk(ledger, clock, *own("99700427885")).look_up(1)
    clock.step(s=61)
    await Desk(ledger, clock, *own("99700427893")).look_up(1)
    assert used(book, own("99700427885")[:1], clock.now_ms() - 61_000)[0].used == 0


async def test_wider_scopes_can_be_asked(store: Store) -> None:
    """An establishment's set and a counter of the fleet."""
    ledger, book = store
    clock = FrozenClock()
    wider = budget(Scope.ESTABLISHMENT, PERSONS, (50, 60)), budget(Scope.FLEET, PERSONS, (50, 60))
    await Desk(ledger, clock, *own("99700427885"), *wider).look_up(1, 2)
    await Desk(ledger, clock, *own("99700427893"), *wider).look_up(2, 3)
    assert [use.used for use in used(book, wider, clock.now_ms())] == [3, 4]


def test_a_store_that_is_not_there_is_an_outage(tmp_path: Path) -> None:
    """A value, not an exception; and no file is made where none was."""
    gone = Server("127.0.0.1", 9)
    for book in (SqliteUsage(tmp_path / "nothing.db"), RedisUsage(gone)):
        assert book.used(own("99700427885"), 0) is StoreDown.UNAVAILABLE
        assert book.persons((10,), 0) is StoreDown.UNAVAILABLE
    assert not (tmp_path / "nothing.db").exists()
