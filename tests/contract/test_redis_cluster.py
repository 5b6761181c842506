"""A Redis Cluster of three masters: what two scripts in two slots cannot do at once, and what is lost with a master."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
from redis.cluster import ClusterPipeline
from redis.crc import key_slot
from redis.exceptions import SlotNotCoveredError

from answers import ANSWER
from clock import FrozenClock
from ledgers import PATIENT_MS, PAYERS, Desk, budget, own_persons, person
from node import running_node
from paravent.effects import (
    BudgetKind,
    Charge,
    Charged,
    Measure,
    MeasureKind,
    OverBudget,
    Revocation,
    Scope,
    Settle,
    StoreDown,
)
from paravent.quota.emergency import Share
from paravent.rules import Emergency
from paravent.stores.emergency import EmergencyLedger
from paravent.stores.redis import RedisLedger
from paravent.stores.redis_calls import counter_key, persons_key
from paravent.stores.redis_cluster import ClusterLedger
from paravent.stores.redis_measures import RedisMeasures
from paravent.stores.redis_revocations import RedisRevocations
from paravent.stores.redis_usage import RedisUsage
from redis_cluster import Cluster, running_cluster
from until import until
from wire import raw_upstream

pytestmark = pytest.mark.real

HOUR = 3_600
OWN = own_persons((60, HOUR))
WIDER = (
    budget(Scope.ESTABLISHMENT, BudgetKind.PERSONS, (1000, HOUR)),
    budget(Scope.CLIENT, BudgetKind.PERSONS, (1000, HOUR)),
    budget(Scope.FLEET, BudgetKind.PERSONS, (1000, HOUR)),
)


def fleet(limit: int) -> tuple[object, ...]:
    return (*WIDER[:2], budget(Scope.FLEET, BudgetKind.PERSONS, (limit, HOUR)))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
async def ledger(cluster: Cluster) -> AsyncIterator[ClusterLedger]:
    cluster.flush()
    opened = ClusterLedger(cluster.seed, deadline_ms=PATIENT_MS)
    await back(opened)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


async def back(ledger: ClusterLedger) -> None:
    """Every master answers, and nothing is owed."""
    async with asyncio.timeout(30):
        await ledger.look_after()
        while not ledger.healthy or ledger.owed:
            await ledger.look_after()
            await asyncio.sleep(0.05)


async def fleet_used(ledger: ClusterLedger, clock: FrozenClock) -> int:
    """What the fleet's counter holds: the least limit under which one more person passes, less one."""
    for limit in range(1, 200):
        another = Desk(ledger, clock, own_persons((60, HOUR), payer="rpps:99700000999"), *fleet(limit))  # type: ignore[arg-type]
        charge, told = await another.charge(900_000)
        if isinstance(told, Charged):
            await another.settle(charge)
            return limit - 1
    raise AssertionError


def test_the_payers_of_one_charge_are_on_several_masters(cluster: Cluster) -> None:
    """Else there would be nothing to show here; and all keys of one payer have one slot."""
    slots = {payer: key_slot(persons_key(payer).encode()) for payer in PAYERS.values()}
    assert len({slot * 3 // 16_384 for slot in slots.values()}) > 1


async def test_sixty_four_at_the_limit_of_each_scope(ledger: ClusterLedger, clock: FrozenClock) -> None:
    """Of 64 persons at once as many pass as the narrowest scope has, and nothing stays charged for the others."""
    for number, (own, all_of) in enumerate([(20, 1000), (60, 20)]):
        budgets = own_persons((own, HOUR), payer=f"rpps:9970000000{number}")
        tag = {"payer": f"fleet-{number}"}
        desk = Desk(ledger, clock, budgets, WIDER[0], budget(Scope.FLEET, BudgetKind.PERSONS, (all_of, HOUR), **tag))
        told = await asyncio.gather(*(desk.look_up(n) for n in range(64)))
        passed = sum(isinstance(each, Charged) for each in told)
        if own < all_of:
            assert passed == 20
        else:
            # A place that is being given back refuses others meanwhile; asked again, they pass.
            assert passed <= 20
            for n in range(64):
                await desk.look_up(n)
        await back(ledger)
        assert await desk.used(HOUR) == 20


async def test_what_a_wider_scope_refuses_is_given_back(ledger: ClusterLedger, clock: FrozenClock) -> None:
    """The practitioner's place, request and miss; the other wider scopes' persons as well."""
    more = (
        budget(Scope.PRACTITIONER, BudgetKind.REQUESTS, (60, HOUR)),
        budget(Scope.PRACTITIONER, BudgetKind.MISSES, (60, HOUR)),
    )
    desk = Desk(ledger, clock, OWN, *more, *fleet(1))  # type: ignore[arg-type]
    assert await desk.passes(1)
    told = await desk.look_up(2)
    assert isinstance(told, OverBudget)
    assert (told.scope, told.short) == (Scope.FLEET, None)
    kinds = (BudgetKind.PERSONS, BudgetKind.REQUESTS, BudgetKind.MISSES)
    assert [await desk.used(HOUR, each) for each in kinds] == [1, 1, 0]
    assert await fleet_used(ledger, clock) == 1


async def test_the_overshoot_of_a_wider_scope_is_one_question_for_each_practitioner_and_person(
    ledger: ClusterLedger, clock: FrozenClock
) -> None:
    """The fleet has no room. Eight practitioners ask 8 times at once, each about one person of their own: of each pair
    the first is refused, and a second, which finds it reserved, may pass. Never more persons than pairs were in flight,
    and alone nobody passes."""
    desks = [
        Desk(ledger, clock, own_persons((60, HOUR), payer=f"rpps:9970000010{n}"), *fleet(0))  # type: ignore[arg-type]
        for n in range(8)
    ]
    told = await asyncio.gather(*(desk.look_up(n) for n, desk in enumerate(desks) for _ in range(8)))
    assert sum(isinstance(each, OverBudget) for each in told) >= 8
    await back(ledger)
    disclosed = [await desk.used(HOUR) for desk in desks]
    assert all(persons <= 1 for persons in disclosed)
    assert [await desk.passes(100 + n) for n, desk in enumerate(desks)] == [False] * 8


async def test_a_master_that_is_gone_takes_its_practitioners_with_it_and_no_others(
    tmp_path: Path, clock: FrozenClock
) -> None:
    """SIGSTOP: whose keys it has is answered StoreDown within the deadline, and others pass; when it wakes nobody has
    lost anything, and what was in doubt is undone. kill -9, a new process on its file: what it said yes to counts."""
    with running_cluster(tmp_path / "cluster") as cluster:
        patient = ClusterLedger(cluster.seed, deadline_ms=PATIENT_MS)
        ledger = ClusterLedger(cluster.seed, deadline_ms=300)
        await back(patient)
        await back(ledger)
        mine, *_ = [f"rpps:9970000{n:04}" for n in range(100)]
        gone = cluster.master_of(persons_key(mine))
        other = next(
            payer
            for payer in (f"rpps:9970000{n:04}" for n in range(100))
            if cluster.master_of(persons_key(payer)) is not gone
        )
        desk, elsewhere = (Desk(patient, clock, own_persons((2, HOUR), payer=payer)) for payer in (mine, other))
        assert await desk.passes(1)
        assert gone.process is not None
        gone.process.send_signal(signal.SIGSTOP)
        try:
            started_s = time.monotonic()
            assert await Desk(ledger, clock, *desk.budgets).look_up(2) is StoreDown.UNAVAILABLE
            assert time.monotonic() - started_s < 2
            assert await elsewhere.passes(1)
        finally:
            gone.process.send_signal(signal.SIGCONT)
        await back(ledger)
        cluster.well()
        assert await desk.used(HOUR) == 1
        assert await desk.passes(2)
        gone.kill()
        gone.start()
        cluster.well()
        await back(patient)
        assert await desk.used(HOUR) == 2
        assert not await desk.passes(3)
        patient.close()
        ledger.close()


@pytest.mark.parametrize("whose", [Scope.PRACTITIONER, Scope.FLEET], ids=["practitioner", "fleet"])
async def test_who_was_disclosed_without_the_store_is_charged_once_to_everybody(
    cluster: Cluster, ledger: ClusterLedger, clock: FrozenClock, whose: Scope
) -> None:
    """Eight persons at once, while the master of the practitioner, or of the fleet, is stopped: written only when the
    practitioner's part is; asked for again when it wakes, all eight count once, there and with the fleet."""
    fleet_of = cluster.master_of(persons_key("fleet"))
    payers = (f"rpps:9970000{n:04}" for n in range(100))
    own = own_persons((60, HOUR), payer=next(p for p in payers if cluster.master_of(persons_key(p)) is not fleet_of))
    impatient = ClusterLedger(cluster.seed, deadline_ms=300)
    await back(impatient)
    gone = cluster.master_of(persons_key("fleet" if whose is Scope.FLEET else own.payer))
    budgets = (own, budget(Scope.FLEET, BudgetKind.PERSONS, (1000, HOUR)))
    some = [
        Settle(Charge(f"owed-{whose}-{n}", clock.now_ms(), budgets, ()), clock.now_ms(), (person(n),), missed=False)
        for n in range(8)
    ]
    assert gone.process is not None
    gone.process.send_signal(signal.SIGSTOP)
    try:
        written = await asyncio.gather(*map(impatient.make_good, some))
        assert set(written) == {whose is Scope.FLEET}
    finally:
        gone.process.send_signal(signal.SIGCONT)
    await back(impatient)
    cluster.well()
    assert all(await asyncio.gather(*map(impatient.make_good, some)))
    await back(impatient)
    impatient.close()
    assert await Desk(ledger, clock, own).used(HOUR) == 8
    counter = counter_key("fleet", BudgetKind.PERSONS.value, HOUR)
    assert int(fleet_of.client().hget(counter, "t")) == 8


async def test_a_refusal_stays_one_while_the_refund_is_slow(
    cluster: Cluster, ledger: ClusterLedger, clock: FrozenClock
) -> None:
    """The fleet's master refuses after half the deadline, the practitioner's takes as long to give the place back: who
    is told that the store is down would be let through by the emergency budget."""
    fleet_of = cluster.master_of(persons_key("fleet"))
    payers = (f"rpps:9970000{n:04}" for n in range(100))
    own = own_persons((60, HOUR), payer=next(p for p in payers if cluster.master_of(persons_key(p)) is not fleet_of))
    theirs = cluster.master_of(persons_key(own.payer)).client()
    impatient = ClusterLedger(cluster.seed, deadline_ms=2_000)
    await back(impatient)
    desk = Desk(impatient, clock, own, budget(Scope.FLEET, BudgetKind.PERSONS, (0, HOUR)))
    fleet_of.client().execute_command("CLIENT PAUSE", 1_300, "WRITE")
    asked = asyncio.create_task(desk.look_up(1))
    await until(lambda: theirs.exists(persons_key(own.payer)))
    theirs.execute_command("CLIENT PAUSE", 2_400, "WRITE")
    assert isinstance(await asked, OverBudget)
    await back(impatient)
    impatient.close()
    assert await Desk(ledger, clock, own).used(HOUR) == 0


async def test_a_settlement_whose_caller_is_gone_is_written_all_the_same(
    cluster: Cluster, ledger: ClusterLedger, clock: FrozenClock
) -> None:
    """One that adds somebody, cancelled before any master has answered: nobody is told of whom it adds, and who was
    asked about is given back by each scope."""
    desk = Desk(ledger, clock, OWN, *WIDER)
    charge, told = await desk.charge(1)
    assert isinstance(told, Charged)
    settling = asyncio.create_task(desk.settle(charge, (2,)))
    await asyncio.sleep(0)  # begun, and not answered
    settling.cancel()
    await asyncio.gather(settling, return_exceptions=True)
    assert settling.cancelled()
    await back(ledger)
    assert await desk.used(HOUR) == 0
    fleet_of = cluster.master_of(persons_key("fleet")).client()
    assert int(fleet_of.hget(counter_key("fleet", BudgetKind.PERSONS.value, HOUR), "t") or 0) == 0
    establishment = cluster.master_of(persons_key(PAYERS[Scope.ESTABLISHMENT])).client()
    assert establishment.zcard(persons_key(PAYERS[Scope.ESTABLISHMENT])) == 0


async def test_what_adds_nobody_waits_for_no_master(
    cluster: Cluster, ledger: ClusterLedger, clock: FrozenClock
) -> None:
    """All three are stopped when it is settled: it is answered all the same, and each scope has it when they wake."""
    patient = Desk(ledger, clock, OWN, *WIDER)
    found, told = await patient.charge(1)
    missed, told_too = await patient.charge(2)
    assert isinstance(told, Charged)
    assert isinstance(told_too, Charged)
    for each in cluster.masters:
        assert each.process is not None
        each.process.send_signal(signal.SIGSTOP)
    try:
        answers = [await patient.settle(found, (1,)), await patient.settle(missed, missed=True)]
        assert (answers, ledger.owed) == ([Charged(()), Charged(())], 2)
    finally:
        for each in cluster.masters:
            assert each.process is not None
            each.process.send_signal(signal.SIGCONT)
    await back(ledger)
    assert await patient.used(HOUR) == 1
    assert await fleet_used(ledger, clock) == 1
    cluster.well()


async def test_whom_it_settles_for_is_known_to_the_next_question(ledger: ClusterLedger, clock: FrozenClock) -> None:
    """Not waited for, and yet before whatever is asked next: room for one person in each scope, given back each time,
    is room for the next one; and one miss for the next miss."""
    misses = budget(Scope.PRACTITIONER, BudgetKind.MISSES, (1, HOUR))
    desk = Desk(ledger, clock, own_persons((1, HOUR)), misses, *fleet(1))  # type: ignore[arg-type]
    for number in range(50):
        charge, told = await desk.charge(number)
        assert isinstance(told, Charged), number
        assert await desk.settle(charge) == Charged(())
    assert await desk.passes(1)
    assert not await desk.passes(2)


async def test_what_adds_somebody_takes_one_deadline_however_many_rounds_it_has(
    tmp_path: Path, clock: FrozenClock
) -> None:
    """The master hangs: to charge, to give back and to confirm end together, as StoreDown. A search that found somebody
    pays its miss when it wakes, and so does one of a master that was gone before. Nobody stays charged."""
    misses = budget(Scope.PRACTITIONER, BudgetKind.MISSES, (9, HOUR))
    with running_cluster(tmp_path / "cluster") as cluster:
        impatient = ClusterLedger(cluster.seed, deadline_ms=1_000)
        await back(impatient)
        desk = Desk(impatient, clock, OWN, misses, *WIDER)
        searches = [(await desk.charge())[0] for _ in range(2)]
        gone = cluster.master_of(persons_key(OWN.payer))
        assert gone.process is not None
        gone.process.send_signal(signal.SIGSTOP)
        try:
            started_s = time.monotonic()
            assert await desk.settle(searches[0], (1,)) is StoreDown.UNAVAILABLE
            assert time.monotonic() - started_s < 1.8
        finally:
            gone.process.send_signal(signal.SIGCONT)
        cluster.well()
        await back(impatient)
        gone.kill()
        assert await desk.settle(searches[1], (1,)) is StoreDown.UNAVAILABLE
        gone.start()
        cluster.well()
        await back(impatient)
        assert [await desk.used(HOUR, kind) for kind in (BudgetKind.PERSONS, BudgetKind.MISSES)] == [0, 2]
        impatient.close()


async def test_whoever_was_asked_about_keeps_their_place_while_others_are_added(
    cluster: Cluster, ledger: ClusterLedger, clock: FrozenClock
) -> None:
    """Two places, one reserved; the fleet's master does not answer as the answer adds a second person, and meanwhile
    others ask for both places: whoever counts in the end, two do."""
    fleet_of = cluster.master_of(persons_key("fleet"))
    payers = (f"rpps:9970000{n:04}" for n in range(100))
    own = own_persons((2, HOUR), payer=next(p for p in payers if cluster.master_of(persons_key(p)) is not fleet_of))
    impatient = ClusterLedger(cluster.seed, deadline_ms=300)
    await back(impatient)
    desk = Desk(impatient, clock, own, budget(Scope.FLEET, BudgetKind.PERSONS, (1000, HOUR)))
    charge, told = await desk.charge(1)
    assert isinstance(told, Charged)
    fleet_of.client().execute_command("CLIENT PAUSE", 1_000, "WRITE")
    theirs = cluster.master_of(persons_key(own.payer)).client()
    settling = asyncio.create_task(desk.settle(charge, (1, 2)))
    await until(lambda: theirs.zcard(persons_key(own.payer)) != 1)
    others = Desk(ledger, clock, own)
    while not settling.done():
        for number in (3, 4):
            await others.passes(number)
    assert settling.result() is StoreDown.UNAVAILABLE
    await back(impatient)
    assert await others.used(HOUR) <= 2
    assert await others.passes(1)
    impatient.close()


@pytest.mark.parametrize("how", ["stopped", "takes no charge"])
async def test_one_master_is_bridged_for_as_long_as_a_whole_store_and_no_longer(
    cluster: Cluster, ledger: ClusterLedger, clock: FrozenClock, how: str
) -> None:
    """Whose practitioners are served by an emergency budget: that the others' master answers begins nothing anew, nor
    that this one answers with an error."""
    payers = [f"rpps:9970000{n:04}" for n in range(100)]
    gone = cluster.master_of(persons_key(payers[0]))
    other = next(payer for payer in payers if cluster.master_of(persons_key(payer)) is not gone)
    impatient = ClusterLedger(cluster.seed, deadline_ms=300)
    await back(impatient)
    limits = Emergency(practitioner=9, node=9, total=9, per_s=HOUR, longest_s=60)
    at_s = 0.0
    bridged = EmergencyLedger(impatient, lambda: limits, Share(), lambda: at_s)
    mine, elsewhere = (Desk(bridged, clock, own_persons((60, HOUR), payer=payer)) for payer in (payers[0], other))
    assert gone.process is not None
    if how == "stopped":
        gone.process.send_signal(signal.SIGSTOP)
    else:
        gone.client().config_set("min-replicas-to-write", 1)
    try:
        _, told = await mine.charge(1)
        assert told == Charged((), emergency=True)
        await bridged.look_after()
        _, told = await elsewhere.charge(2)
        assert isinstance(told, Charged)
        at_s = 60.0
        assert await mine.look_up(3) is StoreDown.UNAVAILABLE
    finally:
        gone.process.send_signal(signal.SIGCONT)
        gone.client().config_set("min-replicas-to-write", 0)
    await back(impatient)
    cluster.well()
    bridged.close()


async def test_a_slot_that_moves_is_waited_for(cluster: Cluster, ledger: ClusterLedger, clock: FrozenClock) -> None:
    """A slot goes from one master to another while questions about it are asked: they are answered by the one that has
    it then, nobody's place is lost, and the connection serves the others of that master meanwhile."""
    payers = [f"rpps:9970000{n:04}" for n in range(100)]
    before = cluster.master_of(persons_key(payers[0]))
    after = next(each for each in cluster.masters if each is not before)
    neighbour = next(each for each in payers[1:] if cluster.master_of(persons_key(each)) is before)
    moving, staying = (Desk(ledger, clock, own_persons((3, HOUR), payer=payer)) for payer in (payers[0], neighbour))
    assert await moving.passes(1)
    slot = key_slot(payers[0].encode())
    giver, taker = before.client(), after.client()
    ids = [client.execute_command("CLUSTER MYID").decode() for client in (giver, taker)]
    taker.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ids[0])
    giver.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", ids[1])
    asked = asyncio.create_task(moving.look_up(2))
    assert await staying.passes(1, 2)
    for key in giver.execute_command("CLUSTER GETKEYSINSLOT", slot, 1000):
        giver.execute_command("MIGRATE", "127.0.0.1", after.port, key, 0, 5000)
        assert await staying.passes(1)
    assert not asked.done()
    assert ledger.healthy
    for client in (taker, giver):
        client.execute_command("CLUSTER SETSLOT", slot, "NODE", ids[1])
    assert isinstance(await asked, Charged)
    await back(ledger)
    assert await moving.used(HOUR) == 2
    assert await moving.passes(3)
    assert not await moving.passes(4)


async def test_what_is_owed_is_told_many_at_a_time(cluster: Cluster, ledger: ClusterLedger, clock: FrozenClock) -> None:
    """Two hundred refunds that wait for one master reach it in a few reads, not in two hundred."""
    own = own_persons((1000, HOUR))
    gone = cluster.master_of(persons_key(own.payer))
    impatient = ClusterLedger(cluster.seed, deadline_ms=300)
    await back(impatient)
    charges = [Charge(f"many-{n}", clock.now_ms(), (own,), (person(n),)) for n in range(200)]
    assert gone.process is not None
    gone.process.send_signal(signal.SIGSTOP)
    try:
        assert set(await asyncio.gather(*map(impatient.charge, charges))) == {StoreDown.UNAVAILABLE}
    finally:
        gone.process.send_signal(signal.SIGCONT)
    assert impatient.owed == 200
    async with asyncio.timeout(30):
        while not impatient.healthy:
            await impatient._masters.look_after()
    reads = gone.client().info("stats")["total_reads_processed"]
    await back(impatient)
    assert gone.client().info("stats")["total_reads_processed"] - reads < 100
    assert await Desk(ledger, clock, own).used(HOUR) == 0
    impatient.close()


async def test_masters_that_name_no_host_are_where_the_one_is_that_was_asked(
    cluster: Cluster, clock: FrozenClock
) -> None:
    """`cluster-preferred-endpoint-type unknown-endpoint`: CLUSTER SLOTS says null, and the port."""
    for each in cluster.masters:
        each.client().config_set("cluster-preferred-endpoint-type", "unknown-endpoint")
    try:
        ledger = ClusterLedger(cluster.seed, deadline_ms=PATIENT_MS)
        await back(ledger)
        assert await Desk(ledger, clock, OWN, *WIDER).passes(1)
        ledger.close()
    finally:
        for each in cluster.masters:
            each.client().config_set("cluster-preferred-endpoint-type", "ip")


async def test_one_node_of_a_cluster_is_no_store(cluster: Cluster) -> None:
    """Where the configuration forgot `cluster`: no charge would pass, and no node says that it is ready."""
    for each in cluster.masters:
        mistaken = RedisLedger(each.server, deadline_ms=PATIENT_MS)
        await mistaken.look_after()
        assert not mistaken.healthy
        mistaken.close()


async def test_lists_and_usage_are_there_too(cluster: Cluster, ledger: ClusterLedger, clock: FrozenClock) -> None:
    """Revocations, measures, and who has used what: one key each, wherever it is."""
    server = replace(cluster.seed, cluster=True)
    desk = Desk(ledger, clock, OWN, *WIDER)
    assert await desk.passes(1)
    assert RedisUsage(server).persons((HOUR,), 0) == {PAYERS[Scope.PRACTITIONER]: (1,)}
    revocations, measures = RedisRevocations(server), RedisMeasures(server)
    assert revocations.write(Revocation("client:essai"), 0) is None
    assert revocations.read() == (Revocation("client:essai"),)
    grant = Measure("00000000000000a1", MeasureKind.GRANT, "ab" * 16, 2, 0, 60)
    assert measures.write(grant, 0) is None
    assert measures.read() == (grant,)
    nobody = replace(server, port=1)
    assert RedisRevocations(nobody).read() is StoreDown.UNAVAILABLE


async def test_what_the_client_of_a_cluster_calls_an_error_of_its_own_is_one_of_the_store(
    cluster: Cluster, ledger: ClusterLedger, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipeline that finds a slot without a master raises what is no kind of its other errors."""
    assert await Desk(ledger, clock, OWN, *WIDER).passes(1)

    def uncovered(_: ClusterPipeline) -> NoReturn:
        raise SlotNotCoveredError

    monkeypatch.setattr(ClusterPipeline, "execute", uncovered)
    assert RedisUsage(replace(cluster.seed, cluster=True)).persons((HOUR,), 0) is StoreDown.UNAVAILABLE


async def test_a_node_serves_from_a_cluster(tmp_path: Path, cluster: Cluster) -> None:
    """From its configuration: any of the masters, and cluster = true."""
    cluster.flush()
    state = f'redis://127.0.0.1:{cluster.masters[1].port}/0"\ncluster = true\n# '
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port, state=state) as node:
        assert [(await node.ask())[0] for _ in range(2)] == [200, 200]
        assert node.node.runtime.readiness()["state"]
    assert all(left_ms > 0 for key, left_ms in cluster.keys().items() if key != b"paravent:revocations")
