"""What every ledger promises, whatever it is made of. One suite, each store (`paravent.ports.Ledger`)."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import ledgers
from clock import FrozenClock
from ledgers import PATIENT_MS, Desk, budget, own_persons, person
from paravent.effects import BudgetKind, Charge, Charged, OverBudget, ProofSeen, Replayed, Scope, Settle, Usage
from paravent.ports import Ledger
from paravent.quota.windows import period_of
from paravent.rules import Calendar, Window
from paravent.stores.memory import MemoryLedger
from paravent.stores.redis import RedisLedger
from paravent.stores.redis_cluster import ClusterLedger
from paravent.stores.sqlite import SqliteLedger
from redis_cluster import Cluster, running_cluster
from redis_server import RedisServer, running_redis

PERSONS, REQUESTS, MISSES, UNITS = BudgetKind.PERSONS, BudgetKind.REQUESTS, BudgetKind.MISSES, BudgetKind.UNITS
PRACTITIONER, ESTABLISHMENT = Scope.PRACTITIONER, Scope.ESTABLISHMENT

MINUTE, HOUR, DAY = 60, 3_600, 86_400


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


ELSEWHERE = {
    "test_a_refusal_says_how_many_persons_short_it_was": "the wider scopes are not asked once the own budget refused",
    "test_a_proof_is_remembered_until_it_is_worthless_and_no_longer": "Redis itself counts down, on its own clock",
}
"""What a cluster does not promise, or not by this clock."""

REAL = [pytest.param(name, marks=pytest.mark.real) for name in ("redis", "cluster")]


@pytest.fixture(params=["memory", "sqlite", *REAL])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
    elif request.param == "redis":
        running: RedisServer = request.getfixturevalue("redis")
        running.client().flushall()
        shared = RedisLedger(running.server, deadline_ms=PATIENT_MS, server_time=False)
        yield shared
        shared.close()
        # Whatever the test did: nothing is kept for ever, whoever never comes back.
        client = running.client()
        for key in client.scan_iter():
            assert 0 < client.pttl(key) <= 40 * DAY * 1000, key
    elif request.param == "cluster":
        if why := ELSEWHERE.get(request.node.originalname):
            pytest.skip(why)
        masters: Cluster = request.getfixturevalue("cluster")
        masters.flush()
        spread = ClusterLedger(masters.seed, deadline_ms=PATIENT_MS, server_time=False)
        yield spread
        spread.close()
        for key, left_ms in masters.keys().items():
            assert 0 < left_ms <= 40 * DAY * 1000, key
    else:
        sqlite = SqliteLedger.open(tmp_path / "state.db", deadline_ms=PATIENT_MS)
        yield sqlite
        sqlite.close()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def desk(ledger: Ledger, clock: FrozenClock) -> Callable[..., Desk]:
    return lambda *budgets: Desk(ledger, clock, *budgets)


type MakeDesk = Callable[..., Desk]


# ---- persons, exactly


async def test_exactly_the_limit_of_persons_passes(desk: MakeDesk) -> None:
    """With a limit of 5, five persons pass and the sixth does not."""
    d = desk(own_persons((5, 10 * MINUTE)))
    assert [await d.passes(n) for n in range(7)] == [True] * 5 + [False] * 2


async def test_a_second_look_at_the_same_person_is_free(desk: MakeDesk) -> None:
    """A full budget still answers about anybody already in the window."""
    d = desk(own_persons((2, 10 * MINUTE)))
    assert await d.passes(1)
    assert await d.passes(2)
    assert [await d.passes(n) for n in (1, 2, 1, 3, 2)] == [True, True, True, False, True]


async def test_a_second_look_stays_free_after_the_limit_was_lowered(desk: MakeDesk) -> None:
    """A policy that lowers the limit below what is used refuses new persons only."""
    wide, narrow = desk(own_persons((3, 10 * MINUTE))), desk(own_persons((1, 10 * MINUTE)))
    for n in (1, 2, 3):
        assert await wide.passes(n)
    assert await narrow.passes(2)
    assert not await narrow.passes(4)


async def test_a_person_named_twice_in_one_question_is_one_person(desk: MakeDesk) -> None:
    """Duplicates in a charge or an answer count once."""
    d = desk(own_persons((1, MINUTE)))
    charge, reply = await d.charge(1, 1)
    assert isinstance(reply, Charged)
    assert isinstance(await d.settle(charge, (1, 1, 1)), Charged)
    assert await d.used(MINUTE) == 1


async def test_every_window_must_have_room(desk: MakeDesk, clock: FrozenClock) -> None:
    """2 a minute and 3 an hour: the minute refills, the hour does not."""
    d = desk(own_persons((2, MINUTE), (3, HOUR)))
    assert [await d.passes(n) for n in (1, 2, 3)] == [True, True, False]
    clock.step(s=60)
    assert [await d.passes(n) for n in (3, 4)] == [True, False]


async def test_a_person_can_be_new_in_one_window_and_known_in_another(desk: MakeDesk, clock: FrozenClock) -> None:
    """After a minute the same person counts again in the minute, and still once in the hour."""
    d = desk(own_persons((1, MINUTE), (1, HOUR)))
    assert await d.passes(1)
    clock.step(s=60)
    assert await d.passes(1)
    assert (await d.used(MINUTE), await d.used(HOUR)) == (1, 1)


async def test_a_person_leaves_exactly_when_the_window_has_passed(desk: MakeDesk, clock: FrozenClock) -> None:
    """Disclosed at t, somebody else's turn at t + 600 s and not one millisecond before."""
    d = desk(own_persons((1, 600)))
    assert await d.passes(1)
    clock.step(ms=599_999)
    assert not await d.passes(2)
    clock.step(ms=1)
    assert await d.passes(2)


async def test_windows_slide_and_have_no_edge(desk: MakeDesk, clock: FrozenClock) -> None:
    """No two bursts around any moment, midnight or other, add up to more than the limit in one window."""
    d = desk(own_persons((3, MINUTE)))
    passed: list[int] = []
    for n in range(400):
        if await d.passes(n):
            passed.append(clock.now_ms())
        clock.step(ms=777)
    most = max(sum(start <= at < start + 60_000 for at in passed) for start in passed)
    assert most == 3
    assert len(passed) == 3 * -(-400 * 777 // 60_000)


async def test_a_second_look_renews_the_person(desk: MakeDesk, clock: FrozenClock) -> None:
    """The window is trailing: who was seen again after 50 s has not left it at 60 s."""
    d = desk(own_persons((1, MINUTE)))
    assert await d.passes(1)
    clock.step(s=50)
    assert await d.passes(1)
    clock.step(s=20)
    assert not await d.passes(2)


async def test_usage_tells_every_window_of_the_practitioner_after_the_charge(desk: MakeDesk) -> None:
    """`Charged.usage` holds the practitioner's windows in order, this charge included, and no other payer's."""
    d = desk(
        own_persons((5, MINUTE), (9, HOUR)),
        budget(PRACTITIONER, REQUESTS, (9, 10)),
        budget(ESTABLISHMENT, PERSONS, (9, HOUR)),
        budget(Scope.FLEET, PERSONS, (9, HOUR)),
    )
    await d.look_up(1)
    assert await d.look_up(2) == Charged(
        (
            Usage(PRACTITIONER, PERSONS, Window(5, MINUTE), 2),
            Usage(PRACTITIONER, PERSONS, Window(9, HOUR), 2),
            Usage(PRACTITIONER, REQUESTS, Window(9, 10), 2),
        )
    )


async def test_two_practitioners_have_two_budgets(desk: MakeDesk) -> None:
    """What one practitioner spends does not touch another."""
    one, other = desk(own_persons((1, HOUR))), desk(own_persons((1, HOUR), payer="rpps:99700000002"))
    assert await one.passes(1)
    assert await other.passes(2)
    assert not await one.passes(2)


async def test_an_establishment_counts_its_persons_once(desk: MakeDesk) -> None:
    """A patient whom two practitioners of one pharmacy look up is one person of the pharmacy."""
    place = budget(ESTABLISHMENT, PERSONS, (2, HOUR))
    one, other = desk(own_persons((9, HOUR)), place), desk(own_persons((9, HOUR), payer="rpps:99700000002"), place)
    assert await one.passes(1)
    assert await other.passes(1)
    assert await other.passes(2)
    assert not await one.passes(3)


async def test_limits_may_change_at_any_time(desk: MakeDesk) -> None:
    """Usage is what is kept: a new limit, and even a new window, applies to the past at once."""
    before = desk(own_persons((2, MINUTE)))
    for n in (1, 2):
        assert await before.passes(n)
    after = desk(own_persons((3, HOUR)))
    assert [await after.passes(n) for n in (3, 4)] == [True, False]


async def test_persons_are_kept_also_while_no_window_counts_them(desk: MakeDesk) -> None:
    """A budget without windows still remembers, so that a limit added tomorrow finds today's history."""
    assert await desk(own_persons()).passes(1)
    limited = desk(own_persons((1, DAY)))
    assert not await limited.passes(2)
    assert await limited.passes(1)


# ---- reserve and settle


async def test_a_reservation_counts_from_the_charge(desk: MakeDesk) -> None:
    """While the upstream is being asked, nobody else can have the place."""
    d = desk(own_persons((1, MINUTE)))
    _, reply = await d.charge(1)
    assert isinstance(reply, Charged)
    assert not await d.passes(2)


async def test_who_was_not_disclosed_is_given_back(desk: MakeDesk) -> None:
    """Nothing was disclosed, nothing was spent."""
    d = desk(own_persons((1, MINUTE)))
    charge, _ = await d.charge(1)
    assert await d.settle(charge) == Charged(())
    assert await d.used(MINUTE) == 0
    assert await d.passes(2)


async def test_giving_back_keeps_an_earlier_disclosure(desk: MakeDesk, clock: FrozenClock) -> None:
    """A failed second look puts the person back where the first one left them, not further and not out."""
    d = desk(own_persons((1, MINUTE)))
    assert await d.passes(1)
    clock.step(s=30)
    charge, _ = await d.charge(1)
    await d.settle(charge)
    assert not await d.passes(2)
    clock.step(s=30)
    assert await d.passes(2)


async def test_a_window_trails_the_disclosure_not_the_question(desk: MakeDesk, clock: FrozenClock) -> None:
    """The person counts from the moment of the answer."""
    d = desk(own_persons((1, MINUTE)))
    charge, _ = await d.charge(1)
    clock.step(s=5)
    await d.settle(charge, (1,))
    clock.step(s=55)
    assert not await d.passes(2)
    clock.step(s=5)
    assert await d.passes(2)


@pytest.mark.parametrize("failing_first", [True, False], ids=["the failing one settles first", "and last"])
async def test_of_two_questions_about_one_person_the_failing_one_gives_nothing_back(
    desk: MakeDesk, failing_first: bool
) -> None:
    """A person disclosed by one of two concurrent questions counts, in whatever order they settle."""
    d = desk(own_persons((1, MINUTE)))
    failing, _ = await d.charge(1)
    good, _ = await d.charge(1)
    for charge, disclosed in [(failing, ()), (good, (1,))] if failing_first else [(good, (1,)), (failing, ())]:
        assert isinstance(await d.settle(charge, disclosed), Charged)
    assert await d.used(MINUTE) == 1
    assert not await d.passes(2)


async def test_a_person_held_by_another_question_stays(desk: MakeDesk) -> None:
    """One failure gives back only its own reservation."""
    d = desk(own_persons((1, MINUTE)))
    failing, _ = await d.charge(1)
    await d.charge(1)
    await d.settle(failing)
    assert not await d.passes(2)


async def test_settling_twice_gives_back_once(desk: MakeDesk) -> None:
    """An error handler that settles again cannot free another question's reservation or miss."""
    d = desk(own_persons((1, MINUTE)), budget(PRACTITIONER, MISSES, (2, HOUR)))
    failing, _ = await d.charge(1)
    await d.charge(1)
    for _ in range(3):
        await d.settle(failing)
    assert (await d.used(MINUTE), await d.used(HOUR, MISSES)) == (1, 1)


async def test_settling_a_refused_charge_gives_nothing_back(desk: MakeDesk) -> None:
    """A charge that was refused holds nothing."""
    d = desk(own_persons((1, MINUTE)))
    assert await d.passes(1)
    refused, reply = await d.charge(1, 2)
    assert isinstance(reply, OverBudget)
    await d.settle(refused)
    assert await d.used(MINUTE) == 1


async def test_the_id_of_an_open_charge_cannot_be_used_again(desk: MakeDesk, ledger: Ledger) -> None:
    """Two open charges of one id could not be told apart: a bug, loudly."""
    d = desk(own_persons((9, MINUTE)))
    charge, _ = await d.charge(1)
    with pytest.raises(ValueError, match="open already"):
        await ledger.charge(charge)
    await d.settle(charge, (1,))
    assert isinstance(await ledger.charge(charge), Charged)


async def test_persons_that_an_answer_adds_are_charged(desk: MakeDesk) -> None:
    """A family found behind one person counts, member by member."""
    d = desk(own_persons((4, MINUTE)))
    charge, _ = await d.charge(1)
    assert isinstance(await d.settle(charge, (1, 2, 3)), Charged)
    assert await d.used(MINUTE) == 3
    assert await d.passes(3)


async def test_a_search_charges_who_it_lists(desk: MakeDesk) -> None:
    """A question about nobody in particular is paid by its answer."""
    d = desk(own_persons((2, MINUTE)))
    charge, _ = await d.charge()
    assert isinstance(await d.settle(charge, (1, 2)), Charged)
    assert not await d.passes(3)


async def test_an_answer_over_budget_is_refused_as_a_whole(desk: MakeDesk, clock: FrozenClock) -> None:
    """One member of a family too many: nobody is disclosed, nobody is charged, also not who was reserved."""
    d = desk(own_persons((3, MINUTE)))
    assert await d.passes(1)
    clock.step(s=10)
    charge, _ = await d.charge(2)
    over = await d.settle(charge, (2, 3, 4))
    assert over == OverBudget(PRACTITIONER, PERSONS, Window(3, MINUTE), retry_after_s=50, short=1)
    assert await d.used(MINUTE) == 1
    clock.step(s=50)
    charge, _ = await d.charge(2)
    assert isinstance(await d.settle(charge, (2, 3, 4)), Charged)


async def test_a_place_given_back_is_free_for_the_same_answer(desk: MakeDesk) -> None:
    """Asked about one person and told about another: one place is enough."""
    d = desk(own_persons((1, MINUTE)))
    charge, _ = await d.charge(1)
    assert isinstance(await d.settle(charge, (2,)), Charged)
    assert await d.used(MINUTE) == 1


async def test_an_answer_later_than_its_window_is_checked_again(desk: MakeDesk, clock: FrozenClock) -> None:
    """A reservation that expired while the upstream thought gives no right to a place that is taken by now."""
    d = desk(own_persons((1, 10)))
    slow, _ = await d.charge(1)
    clock.step(s=10)
    assert await d.passes(2)
    assert isinstance(await d.settle(slow, (1,)), OverBudget)
    assert await d.used(10) == 1


async def test_a_charge_that_never_settles_counts_until_its_window_ends(desk: MakeDesk, clock: FrozenClock) -> None:
    """A crash in between costs the practitioner one place for one window."""
    d = desk(own_persons((1, MINUTE)))
    await d.charge(1)
    clock.step(ms=59_999)
    assert not await d.passes(2)
    clock.step(ms=1)
    assert await d.passes(2)


# ---- refusals


async def test_a_refusal_writes_nothing(desk: MakeDesk) -> None:
    """Of two persons of whom one fits, none is charged; nor is the request."""
    d = desk(own_persons((2, MINUTE)), budget(PRACTITIONER, REQUESTS, (9, 10)))
    assert await d.passes(1)
    assert not await d.passes(2, 3)
    assert (await d.used(MINUTE), await d.used(10, REQUESTS)) == (1, 1)
    assert await d.passes(2)


@pytest.mark.parametrize(
    ("scope", "kind"),
    [(scope, kind) for scope in Scope for kind in BudgetKind if scope is not PRACTITIONER],
    ids=lambda value: value.value,
)
async def test_a_refusal_of_any_other_budget_leaves_the_practitioner_untouched(
    desk: MakeDesk, scope: Scope, kind: BudgetKind
) -> None:
    """All budgets fit and all are written, or none."""
    own = (own_persons((9, HOUR)), budget(PRACTITIONER, REQUESTS, (9, HOUR)), budget(PRACTITIONER, MISSES, (9, HOUR)))
    assert await desk(*own, budget(scope, kind, (0, HOUR))).look_up(1) == OverBudget(scope, kind, Window(0, HOUR), HOUR)
    d = desk(*own)
    assert [await d.used(HOUR, each) for each in (PERSONS, REQUESTS, MISSES)] == [0, 0, 0]


async def test_retry_after_tells_when_the_oldest_leaves(desk: MakeDesk, clock: FrozenClock) -> None:
    """Exact, in whole seconds rounded up; the same question then passes, and not a second earlier."""
    d = desk(own_persons((2, MINUTE)))
    assert await d.passes(1)
    clock.step(ms=20_500)
    assert await d.passes(2)
    clock.step(s=10)
    assert await d.look_up(3) == OverBudget(PRACTITIONER, PERSONS, Window(2, MINUTE), retry_after_s=30, short=1)
    clock.step(s=29)
    assert not await d.passes(3)
    clock.step(s=1)
    assert await d.passes(3)


async def test_retry_after_waits_for_as_many_as_are_asked_about(desk: MakeDesk, clock: FrozenClock) -> None:
    """Two new persons need two places."""
    d = desk(own_persons((2, MINUTE)))
    for n in (1, 2):
        assert await d.passes(n)
        clock.step(s=15)
    assert await d.look_up(3, 4) == OverBudget(PRACTITIONER, PERSONS, Window(2, MINUTE), retry_after_s=45, short=2)


async def test_retry_after_gets_no_place_from_who_is_asked_about(desk: MakeDesk, clock: FrozenClock) -> None:
    """Asked about the oldest and somebody new, the place of the second oldest is the one to wait for."""
    d = desk(own_persons((2, MINUTE)))
    for n in (1, 2):
        assert await d.passes(n)
        clock.step(s=15)
    assert await d.look_up(1, 3) == OverBudget(PRACTITIONER, PERSONS, Window(2, MINUTE), retry_after_s=45, short=1)


async def test_the_refusal_named_is_the_one_that_lasts_longest(desk: MakeDesk) -> None:
    """Waiting once is enough: of a full minute and a full hour, the hour is told."""
    d = desk(own_persons((1, MINUTE), (1, HOUR)))
    assert await d.passes(1)
    assert await d.look_up(2) == OverBudget(PRACTITIONER, PERSONS, Window(1, HOUR), HOUR, short=1)


async def test_more_persons_than_the_limit_never_fit(desk: MakeDesk) -> None:
    """A charge greater than its limit is answered with the whole window."""
    assert await desk(own_persons((1, MINUTE))).look_up(1, 2) == OverBudget(
        PRACTITIONER, PERSONS, Window(1, MINUTE), MINUTE, short=1
    )


async def test_a_refusal_says_how_many_persons_short_it_was(desk: MakeDesk) -> None:
    """In the practitioner's fullest window; with exactly as many more everywhere it passes. Where another budget is in
    the way too, no number of persons would have been enough."""
    d = desk(own_persons((3, MINUTE), (2, HOUR)))
    assert await d.passes(1)
    over = await d.look_up(2, 3, 4)
    assert isinstance(over, OverBudget)
    assert over.short == 2
    fleet = budget(Scope.FLEET, PERSONS, (3, HOUR))
    both = await desk(*d.budgets, fleet).look_up(2, 3, 4, 5)
    assert isinstance(both, OverBudget)
    assert both.short is None
    assert not await desk(own_persons((4, MINUTE), (3, HOUR))).passes(2, 3, 4)
    assert await desk(own_persons((5, MINUTE), (4, HOUR))).passes(2, 3, 4)


# ---- requests, misses


async def test_requests_count_whatever_becomes_of_them(desk: MakeDesk) -> None:
    """A request is never given back: not when nothing was disclosed, not when it was about the same person."""
    d = desk(own_persons((9, HOUR)), budget(PRACTITIONER, REQUESTS, (3, HOUR)))
    charge, _ = await d.charge(1)
    await d.settle(charge)
    assert [await d.passes(1) for _ in range(3)] == [True, True, False]


async def test_a_miss_is_reserved_and_kept(desk: MakeDesk) -> None:
    """Two misses an hour: the third question cannot even be asked."""
    d = desk(own_persons((9, HOUR)), budget(PRACTITIONER, MISSES, (2, HOUR)))
    for n in (1, 2):
        charge, reply = await d.charge(n)
        assert isinstance(reply, Charged)
        await d.settle(charge, missed=True)
    assert await d.look_up(3) == OverBudget(PRACTITIONER, MISSES, Window(2, HOUR), retry_after_s=HOUR + MINUTE)
    assert await d.used(HOUR) == 0


async def test_a_miss_that_did_not_come_is_given_back(desk: MakeDesk) -> None:
    """Any number of questions that find somebody leave the miss budget full."""
    d = desk(own_persons((99, HOUR)), budget(PRACTITIONER, MISSES, (1, HOUR)))
    assert [await d.passes(n) for n in range(5)] == [True] * 5
    assert await d.used(HOUR, MISSES) == 0


async def test_misses_count_on_among_those_that_were_given_back(desk: MakeDesk, clock: FrozenClock) -> None:
    """Whatever was given back before, after and in the same sixtieth: two misses are two, until their time is over."""
    d = desk(own_persons((99, HOUR)), budget(PRACTITIONER, MISSES, (9, HOUR)))
    for missed in (False, True, False, False, True, False):
        charge, _ = await d.charge(1)
        again, _ = await d.charge(1)
        await d.settle(charge, missed=missed)
        await d.settle(again)
        clock.step(s=10 * MINUTE)
    used = []
    for looks in range(6):  # each look is a question, and counts itself
        used.append(await d.used(HOUR, MISSES) - looks)
        clock.step(s=10 * MINUTE)
    assert used == [2, 2, 1, 1, 1, 0]


async def test_a_miss_is_given_back_to_the_time_it_was_reserved(desk: MakeDesk, clock: FrozenClock) -> None:
    """A slow answer does not take its miss out of a bucket where another one stands."""
    d = desk(own_persons((99, HOUR)), budget(PRACTITIONER, MISSES, (2, MINUTE)))
    slow, _ = await d.charge(1)
    clock.step(s=30)
    miss, _ = await d.charge(2)
    await d.settle(miss, missed=True)
    await d.settle(slow, (1,))
    clock.step(s=31)
    assert await d.used(MINUTE, MISSES) == 1


async def test_counters_slide_by_a_sixtieth_of_their_window_and_never_early(desk: MakeDesk, clock: FrozenClock) -> None:
    """A request counts for at least the window, and for at most one sixtieth longer."""
    d = desk(own_persons((99, HOUR)), budget(PRACTITIONER, REQUESTS, (1, MINUTE)))
    clock.step(ms=300)
    assert await d.passes(1)
    clock.step(ms=59_999)
    assert not await d.passes(1)
    clock.step(ms=1_000)
    assert await d.passes(1)


async def test_a_retry_after_of_a_counter_is_kept(desk: MakeDesk, clock: FrozenClock) -> None:
    """The same question passes when it said so."""
    d = desk(own_persons((99, HOUR)), budget(PRACTITIONER, REQUESTS, (2, MINUTE)))
    for _ in range(2):
        assert await d.passes(1)
        clock.step(ms=7_300)
    over = await d.look_up(1)
    assert isinstance(over, OverBudget)
    assert over.retry_after_s == 47
    clock.step(s=46)
    assert not await d.passes(1)
    clock.step(s=1)
    assert await d.passes(1)


# ---- units


async def test_units_are_exact_at_the_limit(desk: MakeDesk) -> None:
    """Of 10 units, two searches of 4 leave 2: a third is refused and writes nothing, two lookups pass, and no more."""
    d = desk(own_persons((99, HOUR)), budget(PRACTITIONER, UNITS, (10, HOUR)))
    assert [await d.weighing(4).passes(n) for n in range(3)] == [True, True, False]
    assert [await d.weighing(1).passes(n) for n in range(3)] == [True, True, False]
    assert await d.used(HOUR, UNITS) == 10


async def test_a_second_look_pays_its_units_again(desk: MakeDesk) -> None:
    """Free in persons, not in units; and nothing is given back for an answer that found nobody."""
    d = desk(own_persons((1, HOUR)), budget(PRACTITIONER, UNITS, (9, HOUR)))
    assert await d.weighing(3).passes(1)
    assert await d.passes(1)
    charge, _ = await d.charge(1)
    await d.settle(charge, missed=True)
    assert not await d.passes(1)
    assert (await d.used(HOUR), await d.used(HOUR, UNITS)) == (1, 9)


async def test_a_wait_for_units_is_for_as_many_as_are_asked_for(desk: MakeDesk, clock: FrozenClock) -> None:
    """One lookup fits when the first has left; a search of 2 when the second has."""
    d = desk(own_persons((99, HOUR)), budget(PRACTITIONER, UNITS, (3, MINUTE)))
    for n in range(3):
        assert await d.passes(n)
        clock.step(s=10)
    waits = [await d.weighing(units).look_up(9) for units in (1, 2, 4)]
    over = [each.retry_after_s for each in waits if isinstance(each, OverBudget)]
    assert over == [31, 41, MINUTE]


async def test_units_of_every_payer_must_fit(desk: MakeDesk) -> None:
    """A client's too, of which each practitioner's question takes its weight."""
    wide = budget(Scope.CLIENT, UNITS, (7, HOUR))
    one, other = desk(own_persons((9, HOUR)), wide), desk(own_persons((9, HOUR), payer="rpps:99700000002"), wide)
    assert await one.weighing(5).passes(1)
    assert not await other.weighing(3).passes(1)
    assert await other.weighing(2).passes(1)


async def test_sixty_four_at_once_at_the_limit_of_units(desk: MakeDesk) -> None:
    """Of 64 searches of 3 units, 10 fit into 32."""
    d = desk(own_persons((99, HOUR)), budget(PRACTITIONER, UNITS, (32, HOUR))).weighing(3)
    assert sum(await asyncio.gather(*(d.passes(n) for n in range(64)))) == 10


# ---- wider scopes


WIDER = [Scope.CLIENT, Scope.CERTIFICATE, Scope.NETWORK, Scope.FLEET]


async def test_all_that_apply_are_charged_or_none(desk: MakeDesk) -> None:
    """Of six payers the last is full: the other five are as they were, and have room for exactly what they had."""
    place = budget(ESTABLISHMENT, PERSONS, (2, HOUR))
    own, wider = own_persons((2, HOUR)), [budget(scope, PERSONS, (2, HOUR)) for scope in WIDER]
    full = budget(Scope.FLEET, PERSONS, (0, HOUR))
    for _ in range(3):
        assert not await desk(own, place, *wider[:-1], full).passes(1)
    assert [await desk(own, place, *wider).passes(n) for n in (1, 2, 1, 3)] == [True, True, True, False]


@pytest.mark.parametrize("scope", WIDER, ids=lambda scope: scope.value)
async def test_wider_scopes_count_first_time_pairs(desk: MakeDesk, scope: Scope) -> None:
    """One patient of two practitioners is two; the same patient again is none."""
    wider = budget(scope, PERSONS, (3, HOUR))
    one, other = desk(own_persons((9, HOUR)), wider), desk(own_persons((9, HOUR), payer="rpps:99700000002"), wider)
    assert [await one.passes(1), await other.passes(1), await one.passes(1), await other.passes(2)] == [True] * 4
    assert not await one.passes(3)
    assert await other.passes(1)


async def test_wider_scopes_get_back_who_was_not_disclosed(desk: MakeDesk) -> None:
    """Questions that find nobody do not use up the fleet's day."""
    d = desk(own_persons((9, HOUR)), budget(Scope.FLEET, PERSONS, (1, HOUR)))
    for n in range(3):
        charge, reply = await d.charge(n)
        assert isinstance(reply, Charged)
        await d.settle(charge)
    assert [await d.passes(n) for n in (7, 8)] == [True, False]


async def test_wider_scopes_keep_who_was_disclosed_by_another_question(desk: MakeDesk) -> None:
    """Of two concurrent questions about one person, the failing one takes nothing from the fleet."""
    d = desk(own_persons((9, HOUR)), budget(Scope.FLEET, PERSONS, (1, HOUR)))
    failing, _ = await d.charge(1)
    good, _ = await d.charge(1)
    await d.settle(good, (1,))
    await d.settle(failing)
    assert not await d.passes(2)


async def test_a_question_gives_back_to_a_wider_scope_only_what_it_added(desk: MakeDesk) -> None:
    """The second of two concurrent questions added nothing to its client's counter, and takes nothing out of it."""
    a, b = (budget(Scope.CLIENT, PERSONS, (1, HOUR), payer=f"client:operateur:{name}") for name in "ab")
    assert await desk(own_persons((9, HOUR), payer="rpps:99700000002"), b).passes(7)
    first, second = desk(own_persons((9, HOUR)), a), desk(own_persons((9, HOUR)), b)
    (one, _), (two, reply) = await first.charge(1), await second.charge(1)
    assert isinstance(reply, Charged)
    await first.settle(one)
    await second.settle(two)
    assert not await second.passes(2)


async def test_wider_scopes_count_who_an_answer_adds(desk: MakeDesk) -> None:
    """A family counts for the client too, and is withheld when the client's day is over."""
    d = desk(own_persons((9, HOUR)), budget(Scope.CLIENT, PERSONS, (2, DAY)))
    charge, _ = await d.charge(1)
    over = await d.settle(charge, (1, 2, 3))
    assert isinstance(over, OverBudget)
    assert (over.scope, over.kind) == (Scope.CLIENT, PERSONS)
    charge, _ = await d.charge(1)
    assert isinstance(await d.settle(charge, (1, 2)), Charged)
    assert not await d.passes(3)


# ---- the calendar

PARIS = ZoneInfo("Europe/Paris")
DAY_OF_PARIS, WEEK_OF_PARIS, MONTH_OF_PARIS = Calendar


def at(clock: FrozenClock, text: str) -> int:
    """Set the clock to a moment in Paris."""
    clock.at_ms = int(datetime.fromisoformat(text).replace(tzinfo=PARIS).timestamp() * 1000)
    return clock.at_ms


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-29", 23), ("2026-07-14", 24), ("2026-10-25", 25), ("2027-10-31", 25), ("2024-03-31", 23)],
    ids=["a day of 23 hours", "of 24", "of 25", "of 25 at the end of October", "of 23 at the end of March"],
)
async def test_a_calendar_day_holds_exactly_its_limit_from_midnight_to_midnight(
    desk: MakeDesk, clock: FrozenClock, day: str, hours: int
) -> None:
    """Whoever was looked up before is of the day before. Full a second after midnight, it is full until the last
    millisecond of the day, and empty then; Retry-After is the way to that midnight, whenever it is asked for."""
    d = desk(own_persons((2, DAY_OF_PARIS)))
    midnight_ms = at(clock, f"{day}T00:00")
    clock.step(ms=-1)
    assert [await d.passes(n) for n in (8, 9, 1)] == [True, True, False]
    clock.step(ms=1001)
    assert [await d.passes(n) for n in (1, 2, 3, 1)] == [True, True, False, True]
    for gone_s in range(1, hours * 3_600, 3_599):
        clock.at_ms = midnight_ms + gone_s * 1000
        over = await d.look_up(3)
        assert isinstance(over, OverBudget)
        assert (over.window.span, over.retry_after_s) == (DAY_OF_PARIS, hours * 3_600 - gone_s)
    clock.at_ms = midnight_ms + hours * 3_600_000 - 1
    assert not await d.passes(3)
    clock.step(ms=1)
    assert await d.used(DAY_OF_PARIS) == 0
    assert [await d.passes(n) for n in (3, 4, 5)] == [True, True, False]


@pytest.mark.parametrize(
    ("span", "before", "after"),
    [
        (WEEK_OF_PARIS, "2026-10-25T23:59:59", "2026-10-26T00:00:00"),
        (WEEK_OF_PARIS, "2027-01-03T23:59:59", "2027-01-04T00:00:00"),
        (MONTH_OF_PARIS, "2028-02-29T23:59:59", "2028-03-01T00:00:00"),
        (MONTH_OF_PARIS, "2026-12-31T23:59:59", "2027-01-01T00:00:00"),
        (MONTH_OF_PARIS, "2026-10-31T23:59:59", "2026-11-01T00:00:00"),
    ],
    ids=["a week that clocks go back in", "over a year", "a leap year's February", "December", "a month and an hour"],
)
async def test_a_week_ends_on_sunday_and_a_month_on_its_last_day(
    desk: MakeDesk, clock: FrozenClock, span: int, before: str, after: str
) -> None:
    """Whoever was looked up since its beginning counts to its end."""
    d = desk(own_persons((2, span)))
    since_ms, _ = period_of(at(clock, before), span)
    clock.at_ms = since_ms
    assert await d.passes(1)
    at(clock, before)
    assert [await d.passes(n) for n in (2, 3)] == [True, False]
    over = await d.look_up(3)
    assert isinstance(over, OverBudget)
    assert over.retry_after_s == 1
    at(clock, after)
    assert [await d.passes(n) for n in (3, 4, 5)] == [True, True, False]


async def test_a_calendar_day_and_a_trailing_one_are_two_windows(desk: MakeDesk, clock: FrozenClock) -> None:
    """Midnight empties one of them, and a day after the question the other."""
    d = desk(own_persons((2, DAY_OF_PARIS), (3, DAY)))
    at(clock, "2026-06-10T22:00")
    assert [await d.passes(n) for n in (1, 2, 3)] == [True, True, False]
    at(clock, "2026-06-11T00:00")
    assert [await d.passes(n) for n in (3, 4)] == [True, False]
    assert (await d.used(DAY_OF_PARIS), await d.used(DAY)) == (1, 3)
    assert await d.look_up(4) == OverBudget(PRACTITIONER, PERSONS, Window(3, DAY), 22 * HOUR, 1)


async def test_a_second_look_after_midnight_counts_on_the_new_day(desk: MakeDesk, clock: FrozenClock) -> None:
    """Also one that was asked before and answered after; one that found nobody leaves the old day as it was."""
    d = desk(own_persons((1, DAY_OF_PARIS)))
    at(clock, "2026-06-10T23:59:59")
    slow, _ = await d.charge(1)
    at(clock, "2026-06-11T00:00:01")
    assert isinstance(await d.settle(slow, (1,)), Charged)
    assert not await d.passes(2)
    at(clock, "2026-06-12T00:00")
    failing, _ = await d.charge(1)
    await d.settle(failing)
    assert await d.used(DAY_OF_PARIS) == 0
    assert await d.passes(2)


async def test_an_answer_after_midnight_has_no_place_in_a_day_that_is_full(desk: MakeDesk, clock: FrozenClock) -> None:
    """Its reservation was yesterday's."""
    d = desk(own_persons((1, DAY_OF_PARIS)))
    at(clock, "2026-06-10T23:59:59")
    slow, _ = await d.charge(1)
    at(clock, "2026-06-11T00:00")
    assert await d.passes(2)
    assert isinstance(await d.settle(slow, (1,)), OverBudget)
    assert await d.used(DAY_OF_PARIS) == 1


@pytest.mark.parametrize("kind", [REQUESTS, UNITS, MISSES], ids=lambda kind: kind.value)
async def test_counters_of_a_calendar_day_are_exact(desk: MakeDesk, clock: FrozenClock, kind: BudgetKind) -> None:
    """They have no sixtieth: full to the end of the day, and empty at midnight."""
    d = desk(own_persons((9, DAY)), budget(PRACTITIONER, kind, (2, DAY_OF_PARIS)))
    for moment in ("2026-10-25T00:00", "2026-10-25T23:59:59"):
        at(clock, moment)
        charge, reply = await d.charge(1)
        assert isinstance(reply, Charged)
        await d.settle(charge, missed=True)
    assert await d.look_up(1) == OverBudget(PRACTITIONER, kind, Window.over(2, DAY_OF_PARIS), 1)
    at(clock, "2026-10-26T00:00")
    assert await d.passes(1)


async def test_wider_scopes_count_pairs_of_a_calendar_day(desk: MakeDesk, clock: FrozenClock) -> None:
    """New for the practitioner since midnight; what is given back goes to the day it was counted on."""
    d = desk(own_persons((9, DAY)), budget(Scope.FLEET, PERSONS, (2, DAY_OF_PARIS)))
    at(clock, "2026-06-10T23:00")
    assert [await d.passes(n) for n in (1, 2, 1, 3)] == [True, True, True, False]
    at(clock, "2026-06-11T00:30")
    assert await d.passes(1)
    failing, _ = await d.charge(2)
    await d.settle(failing)
    assert [await d.passes(n) for n in (1, 3, 4)] == [True, True, False]


async def test_a_clock_that_goes_back_over_midnight_opens_no_second_day(desk: MakeDesk, clock: FrozenClock) -> None:
    """The day stays the later one, and the wait told is the one that will be lived through."""
    d = desk(own_persons((1, DAY_OF_PARIS)))
    at(clock, "2026-06-11T00:00")
    assert await d.passes(1)
    clock.step(h=-2)
    assert await d.look_up(2) == OverBudget(PRACTITIONER, PERSONS, Window.over(1, DAY_OF_PARIS), 26 * HOUR, 1)
    assert await d.passes(1)


async def test_a_day_that_a_policy_adds_finds_its_history(desk: MakeDesk, clock: FrozenClock) -> None:
    """A trailing day becomes the calendar's: who was looked up since midnight counts, at once."""
    at(clock, "2026-06-10T20:00")
    before = desk(own_persons((9, DAY)))
    assert await before.passes(1)
    at(clock, "2026-06-11T09:00")
    assert await before.passes(2)
    after = desk(own_persons((2, DAY_OF_PARIS)))
    assert [await after.passes(n) for n in (2, 3, 4)] == [True, True, False]


async def test_sixty_four_at_once_on_both_sides_of_midnight(desk: MakeDesk, clock: FrozenClock) -> None:
    """5 pass before, and 5 after, whichever of them are still under way."""
    d = desk(own_persons((5, DAY_OF_PARIS)))
    for moment in ("2026-03-29T23:59:59", "2026-03-30T00:00:00"):
        at(clock, moment)
        passed = await asyncio.gather(*(d.passes(n) for n in range(64)))
        assert sum(passed) == 5


# ---- the clock


async def test_a_clock_that_goes_back_refills_nothing(desk: MakeDesk, clock: FrozenClock) -> None:
    """An hour back, and the window is as full as it was; the wait told is the one that will be lived through."""
    d = desk(own_persons((1, MINUTE)), budget(PRACTITIONER, REQUESTS, (9, HOUR)))
    assert await d.passes(1)
    clock.step(h=-1)
    assert await d.look_up(2) == OverBudget(PRACTITIONER, PERSONS, Window(1, MINUTE), HOUR + MINUTE, short=1)
    clock.step(h=1, s=59)
    assert not await d.passes(2)
    clock.step(s=1)
    assert await d.passes(2)


async def test_what_is_charged_while_the_clock_is_behind_counts_from_the_highest_moment(
    desk: MakeDesk, clock: FrozenClock
) -> None:
    """Persons disclosed in the repeated hour do not leave before their window has passed after it."""
    d = desk(own_persons((1, MINUTE)))
    await d.look_up(99)
    clock.step(s=60)
    await d.charge()
    clock.step(h=-1)
    assert await d.passes(1)
    clock.step(h=1, s=59)
    assert not await d.passes(2)


async def test_a_settlement_stamped_before_its_charge_is_taken_at_the_charge(
    desk: MakeDesk, clock: FrozenClock
) -> None:
    """A clock set back between question and answer changes nothing."""
    d = desk(own_persons((1, MINUTE)))
    charge, _ = await d.charge(1)
    clock.step(h=-1)
    assert isinstance(await d.settle(charge, (1,)), Charged)
    clock.step(h=1)
    assert not await d.passes(2)


# ---- replay memory


async def test_a_proof_is_seen_the_second_time(ledger: Ledger, clock: FrozenClock) -> None:
    """The first use of a DPoP proof passes, every other one is a replay (RFC 9449 section 11.1)."""
    proof, other = (ProofSeen(bytes([n]) * 32, clock.now_ms() + 60_000) for n in (1, 2))
    assert [await ledger.proof_seen(proof, clock.now_ms()) for _ in range(3)] == [False, True, True]
    assert await ledger.proof_seen(other, clock.now_ms()) is False


async def test_a_proof_is_remembered_until_it_is_worthless_and_no_longer(ledger: Ledger, clock: FrozenClock) -> None:
    """Up to `until_ms`, exclusive."""
    proof = ProofSeen(b"p" * 32, clock.now_ms() + 60_000)
    await ledger.proof_seen(proof, clock.now_ms())
    assert await ledger.proof_seen(proof, clock.step(ms=59_999)) is True
    assert await ledger.proof_seen(proof, clock.step(ms=1)) is False


async def test_a_clock_that_goes_back_makes_no_room_for_a_replay(ledger: Ledger, clock: FrozenClock) -> None:
    """A proof made and used while the clock is an hour behind is still remembered."""
    await ledger.proof_seen(ProofSeen(b"a" * 32, clock.now_ms() + 60_000), clock.now_ms())
    clock.step(h=-1)
    proof = ProofSeen(b"b" * 32, clock.now_ms() + 60_000)
    assert await ledger.proof_seen(proof, clock.now_ms()) is False
    assert await ledger.proof_seen(proof, clock.step(s=59)) is True


def proved(clock: FrozenClock, charge_id: str, *persons: int, proof: bytes = b"p" * 32, limit: int = 9) -> Charge:
    """A charge that carries a proof, as a request does."""
    seen = ProofSeen(proof, clock.now_ms() + 60_000)
    return Charge(charge_id, clock.now_ms(), (own_persons((limit, HOUR)),), tuple(map(person, persons)), seen)


async def test_a_proof_goes_with_its_charge_and_is_good_for_one(
    ledger: Ledger, desk: MakeDesk, clock: FrozenClock
) -> None:
    """The same proof again charges nothing: no person, and its id stays free."""
    assert isinstance(await ledger.charge(proved(clock, "one", 1)), Charged)
    assert await ledger.charge(proved(clock, "two", 2)) is Replayed.REPLAYED
    assert await desk(own_persons((9, HOUR))).used(HOUR) == 1
    assert isinstance(await ledger.charge(proved(clock, "two", 2, proof=b"q" * 32)), Charged)


async def test_a_proof_is_used_by_a_charge_that_is_over_budget(ledger: Ledger, clock: FrozenClock) -> None:
    """Refused for its budget, a request has used its proof; the replay is told, not the budget."""
    assert isinstance(await ledger.charge(proved(clock, "one", 1, limit=0)), OverBudget)
    assert await ledger.charge(proved(clock, "two", 1, limit=0)) is Replayed.REPLAYED


async def test_a_charge_and_the_memory_alone_know_the_same_proofs(ledger: Ledger, clock: FrozenClock) -> None:
    """Whichever comes first."""
    here, there = (ProofSeen(each * 32, clock.now_ms() + 60_000) for each in (b"h", b"t"))
    assert await ledger.proof_seen(here, clock.now_ms()) is False
    assert await ledger.charge(proved(clock, "one", 1, proof=here.key)) is Replayed.REPLAYED
    assert isinstance(await ledger.charge(proved(clock, "two", 1, proof=there.key)), Charged)
    assert await ledger.proof_seen(there, clock.now_ms()) is True


async def test_of_sixty_four_charges_with_one_proof_one_passes(ledger: Ledger, clock: FrozenClock) -> None:
    """Also when they come at once."""
    told = await asyncio.gather(*(ledger.charge(proved(clock, f"{n}", n, limit=99)) for n in range(64)))
    assert sum(isinstance(each, Charged) for each in told) == 1
    assert told.count(Replayed.REPLAYED) == 63


# ---- many at once


async def test_sixty_four_at_once_at_the_limit(desk: MakeDesk) -> None:
    """Of 64 concurrent questions with 10 places left, exactly 10 pass."""
    d = desk(own_persons((20, HOUR)), budget(Scope.FLEET, PERSONS, (1000, DAY)))
    for n in range(10):
        assert await d.passes(n)
    passed = await asyncio.gather(*(d.passes(100 + n) for n in range(64)))
    assert sum(passed) == 10
    assert await d.used(HOUR) == 20


async def test_sixty_four_at_once_about_one_person(desk: MakeDesk) -> None:
    """64 concurrent questions about one person use one place, whichever of them fail."""
    d = desk(own_persons((1, HOUR)))
    charged = await asyncio.gather(*(d.charge(1) for _ in range(64)))
    await asyncio.gather(*(d.settle(charge, (1,) if n == 40 else ()) for n, (charge, _) in enumerate(charged)))
    assert await d.used(HOUR) == 1


async def test_a_charge_names_its_own_time(ledger: Ledger, clock: FrozenClock) -> None:
    """Stores take time from the effect, never from the machine."""
    early = Charge("early", 1_000, (own_persons((1, MINUTE)),), (person(1),))
    assert isinstance(await ledger.charge(early), Charged)
    assert isinstance(await ledger.settle(Settle(early, 2_000, (person(1),), missed=False)), Charged)
    late = Charge("late", 61_999, early.budgets, (person(2),))
    assert await ledger.charge(late) == OverBudget(PRACTITIONER, PERSONS, Window(1, MINUTE), retry_after_s=1, short=1)


# ---- processes that come and go


def worker(path: Path, first: int, last: int, limit: int) -> subprocess.Popen[str]:
    """Another process on the same state file, ready to begin."""
    program = subprocess.Popen(
        [sys.executable, ledgers.__file__, str(path), str(first), str(last), str(limit)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    return program


async def test_what_was_charged_survives_closing_the_file(tmp_path: Path, clock: FrozenClock) -> None:
    """Persons, requests, open reservations, proofs and the clock are as they were."""
    budgets = own_persons((3, HOUR)), budget(PRACTITIONER, REQUESTS, (9, HOUR))
    proof = ProofSeen(b"p" * 32, clock.now_ms() + 60_000)
    ledger = SqliteLedger.open(tmp_path / "state.db", deadline_ms=PATIENT_MS)
    before = Desk(ledger, clock, *budgets)
    assert await before.passes(1)
    charge, _ = await before.charge(2)
    await ledger.proof_seen(proof, clock.now_ms())
    ledger.close()
    ledger = SqliteLedger.open(tmp_path / "state.db", deadline_ms=PATIENT_MS)
    clock.step(h=-1)
    after = Desk(ledger, clock, *budgets)
    assert (await after.used(HOUR), await after.used(HOUR, REQUESTS)) == (2, 2)
    assert await ledger.proof_seen(proof, clock.now_ms()) is True
    await after.settle(charge)
    assert await after.used(HOUR) == 1
    ledger.close()


@pytest.mark.real
async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, clock: FrozenClock) -> None:
    """A worker killed in full flight loses no person it had said yes to; at most the one in flight counts besides."""
    program = worker(tmp_path / "state.db", 0, 100_000, 100_000)
    assert program.stdin is not None
    assert program.stdout is not None
    print("go", file=program.stdin, flush=True)
    passed = [program.stdout.readline() for _ in range(30)]
    program.send_signal(signal.SIGKILL)
    rest = program.stdout.read()  # with what the reader holds already, which communicate() would lose
    program.wait()
    acknowledged = {int(line) for line in (*passed, *rest.splitlines(keepends=True)) if line.endswith("\n")}
    ledger = SqliteLedger.open(tmp_path / "state.db", deadline_ms=PATIENT_MS)
    desk = Desk(ledger, clock, own_persons((0, 600)))
    assert await desk.used(600) - len(acknowledged) in {0, 1}
    assert [n for n in acknowledged if not await desk.passes(n)] == []
    ledger.close()


@pytest.mark.real
async def test_processes_on_one_file_share_one_budget(tmp_path: Path) -> None:
    """Two workers that race for 60 places get 60 together, not 120."""
    programs = [worker(tmp_path / "state.db", first, first + 80, 60) for first in (0, 1000)]
    for program in programs:
        assert program.stdin is not None
        print("go", file=program.stdin, flush=True)
    passed = [program.communicate()[0].split() for program in programs]
    assert sum(map(len, passed)) == 60
    assert all(program.returncode == 0 for program in programs)


async def test_a_reservation_of_yesterday_gives_no_right_to_a_place(desk: MakeDesk, clock: FrozenClock) -> None:
    """However short the wait: the day of the calendar may have begun in between."""
    d = desk(own_persons((1, DAY_OF_PARIS), (9, 10 * MINUTE)))
    at(clock, "2026-07-14T23:59:59")
    slow, _ = await d.charge(1)
    clock.step(s=2)
    assert await d.passes(2)
    assert isinstance(await d.settle(slow, (1,)), OverBudget)
    assert await d.used(DAY_OF_PARIS) == 1
