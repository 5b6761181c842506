"""A node without its Redis: what it lets through by the policy's emergency budget, and that Redis hears of it."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from clock import FrozenClock
from ledgers import Desk, budget, own_persons, person
from paravent.effects import BudgetKind, Charge, Charged, OverBudget, ProofSeen, Scope, Settle, StoreDown
from paravent.quota.emergency import Share
from paravent.rules import Emergency
from paravent.stores.emergency import EmergencyLedger
from paravent.stores.redis import RedisLedger
from redis_server import RedisServer, running_redis
from until import until

pytestmark = pytest.mark.real

HOUR = 3_600
LIMITS = Emergency(practitioner=3, node=8, total=16, per_s=HOUR, longest_s=60)
DEADLINE_MS = 200
BUDGETS = (own_persons((10, HOUR)), budget(Scope.FLEET, BudgetKind.PERSONS, (1000, HOUR)))


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path / "redis", "--appendonly", "yes", "--appendfsync", "always") as running:
        yield running


class Node:
    """One node's ledger, under a policy and a clock that a test can change."""

    def __init__(self, redis: RedisServer, limits: Emergency = LIMITS, share: Share | None = None) -> None:
        self.limits: Emergency | None = limits
        self.later_s = 0.0
        self.store = RedisLedger(redis.server, deadline_ms=DEADLINE_MS)
        self.ledger = EmergencyLedger(self.store, lambda: self.limits, share or Share(), self.now_s)
        self.desk = Desk(self.ledger, FrozenClock(), *BUDGETS)

    def now_s(self) -> float:
        return time.monotonic() + self.later_s

    async def back(self) -> None:
        """Wait until the store is heard of again and nothing is owed."""
        async with asyncio.timeout(10):
            while not self.store.healthy or self.ledger.owed:
                await self.ledger.look_after()

    async def patient(self) -> None:
        """A first connection, however busy the machine."""
        await self.back()


@pytest.fixture
async def node(redis: RedisServer) -> AsyncIterator[Node]:
    made = Node(redis)
    await made.patient()
    yield made
    made.ledger.close()


async def used(redis: RedisServer, per_s: int = HOUR) -> int:
    """What Redis says of the practitioner, asked by another node."""
    other = RedisLedger(redis.server, deadline_ms=10_000)
    try:
        return await Desk(other, FrozenClock(), *BUDGETS).used(per_s)
    finally:
        other.close()


async def test_a_killed_redis_is_bridged_and_hears_of_it_once(redis: RedisServer, node: Node) -> None:
    """Two persons before, three of the emergency budget, no fourth; five count when it is back, and five ever after."""
    assert [await node.desk.passes(n) for n in (1, 2)] == [True, True]
    redis.kill()
    assert [await node.desk.passes(n) for n in (3, 4, 5, 3)] == [True] * 4
    assert await node.desk.look_up(6) is StoreDown.UNAVAILABLE
    assert node.ledger.owed == 3
    redis.start()
    await node.back()
    assert await used(redis) == 5
    await node.ledger.look_after()
    assert await used(redis) == 5
    assert (node.ledger.settled, node.ledger.owed) == (3, 0)
    client = redis.client()
    assert [int(client.hget(key, "t")) for key in client.keys("paravent:{fleet}:persons:*")] == [5]


async def test_a_stopped_redis_is_bridged_within_the_deadline(redis: RedisServer, node: Node) -> None:
    """SIGSTOP: each answer within the deadline and a little, the loop runs on; when it wakes, each counts once."""
    assert redis.process is not None
    redis.process.send_signal(signal.SIGSTOP)
    try:
        for number, passes in ((1, True), (2, True), (3, True), (4, False)):
            started_s = time.monotonic()
            assert await node.desk.passes(number) is passes
            assert time.monotonic() - started_s < DEADLINE_MS / 1000 + 1
    finally:
        redis.process.send_signal(signal.SIGCONT)
    await node.back()
    assert await used(redis) == 3


async def test_sixty_four_at_once_share_the_few(redis: RedisServer, node: Node) -> None:
    """Of 64 practitioners with a person each, as many pass as the node has, while Redis is gone."""
    redis.kill()
    desks = [node.desk.another(own_persons((10, HOUR), payer=f"rpps:{n}")) for n in range(64)]
    passed = await asyncio.gather(*(desk.passes(n) for n, desk in enumerate(desks)))
    assert passed.count(True) == LIMITS.node
    assert not node.ledger.reachable
    assert node.ledger.owed == LIMITS.node


async def test_what_is_settled_counts_room_or_not(redis: RedisServer, node: Node) -> None:
    """A practitioner with one place left sees three persons during the outage: all count, and nobody new passes."""
    tight = node.desk.another(own_persons((1, HOUR)))
    assert await tight.passes(1)
    redis.kill()
    assert [await tight.passes(n) for n in (2, 3, 4)] == [True] * 3
    redis.start()
    await node.back()
    assert await used(redis) == 4
    assert isinstance(await tight.look_up(5), OverBudget)
    assert await tight.passes(3)


async def test_each_establishment_hears_of_whom_it_was_told(redis: RedisServer, node: Node) -> None:
    """The same practitioner asks about the same person for two of them: one person of the few, one in each set."""
    sets = [budget(Scope.ESTABLISHMENT, BudgetKind.PERSONS, (100, HOUR), payer=f"finess:99000000{n}") for n in (1, 2)]
    redis.kill()
    assert [await node.desk.another(*BUDGETS, each).passes(1) for each in sets] == [True, True]
    redis.start()
    await node.back()
    assert [redis.client().zcard(f"paravent:{{{each.payer}}}:persons") for each in sets] == [1, 1]
    assert await used(redis) == 1


async def test_a_settlement_that_is_said_twice_counts_once(redis: RedisServer, node: Node) -> None:
    """The answer to the first was lost: nothing is renewed, nobody counted again."""
    charge = Charge("a-1", 0, BUDGETS, ())
    settle = Settle(charge, 0, (person(1),), missed=False)
    assert await node.store.make_good(settle)
    client = redis.client()
    key = b"paravent:{rpps:99700427885}:persons"
    before = client.zrange(key, 0, -1, withscores=True)
    assert len(before) == 1
    assert await node.store.make_good(settle)
    assert client.zrange(key, 0, -1, withscores=True) == before
    assert await used(redis) == 1


async def test_a_proof_is_for_the_store_alone(redis: RedisServer, node: Node) -> None:
    """Whether another node has seen it nobody can say: a question with a DPoP proof is refused, and so is the proof."""
    redis.kill()
    now_ms = node.desk.clock.now_ms()
    proof = ProofSeen(b"p" * 32, now_ms + 60_000)
    charge = Charge("proven", now_ms, BUDGETS, (person(1),), proof)
    assert await node.ledger.charge(charge) is StoreDown.UNAVAILABLE
    assert await node.ledger.proof_seen(proof, now_ms) is StoreDown.UNAVAILABLE
    assert isinstance(await node.ledger.charge(replace(charge, proof=None)), Charged)


async def test_a_search_waits_for_the_store(redis: RedisServer, node: Node) -> None:
    """It names nobody, so that nothing bounds what it finds; an answer about somebody else is withheld."""
    redis.kill()
    assert (await node.desk.charge())[1] is StoreDown.UNAVAILABLE
    charge, told = await node.desk.charge(1)
    assert told == Charged((), emergency=True)
    assert await node.desk.settle(charge, (1, 2)) is StoreDown.UNAVAILABLE
    assert node.ledger.owed == 0


async def test_nobody_found_gives_nothing_back(redis: RedisServer, node: Node) -> None:
    """Guessing is bound by the same few, and Redis hears of those alone who were disclosed."""
    redis.kill()
    for number in (1, 2, 3):
        charge, told = await node.desk.charge(number)
        assert isinstance(told, Charged)
        assert isinstance(await node.desk.settle(charge, missed=True), Charged)
    assert not await node.desk.passes(4)
    redis.start()
    await node.back()
    assert await used(redis) == 0


async def test_without_a_budget_in_the_policy_nobody_passes(redis: RedisServer, node: Node) -> None:
    """Nor is the node well."""
    redis.kill()
    assert await node.desk.passes(1)
    assert node.ledger.healthy
    node.limits = None
    assert not node.ledger.healthy
    assert await node.desk.look_up(2) is StoreDown.UNAVAILABLE


async def test_an_outage_is_bridged_for_so_long_and_no_longer(redis: RedisServer, node: Node) -> None:
    """After `longest` nobody passes, whatever is left; what was charged before it can still be settled."""
    redis.kill()
    charge, told = await node.desk.charge(1)
    assert isinstance(told, Charged)
    node.later_s = LIMITS.longest_s
    assert await node.desk.look_up(2) is StoreDown.UNAVAILABLE
    assert not node.ledger.healthy
    assert isinstance(await node.desk.settle(charge, (1,)), Charged)
    redis.start()
    await node.back()
    redis.kill()
    assert await node.desk.passes(2)


@pytest.mark.parametrize("setting", ["min-replicas-to-write", "maxmemory"])
async def test_a_redis_that_answers_and_takes_no_charge_is_gone(redis: RedisServer, node: Node, setting: str) -> None:
    """It has lost its replica, or its memory is full: bridged for as long as a dead one and no longer, however often
    the node connects meanwhile; and not healthy before it takes charges again."""
    redis.client().config_set(setting, 1)
    assert await node.desk.passes(1)
    for _ in range(3):
        await node.ledger.look_after()
        assert not node.ledger.reachable
    node.later_s = LIMITS.longest_s
    assert await node.desk.look_up(2) is StoreDown.UNAVAILABLE
    assert not node.ledger.healthy
    redis.client().config_set(setting, 0)
    await node.back()
    assert await used(redis) == 1
    assert await node.desk.passes(2)


async def test_what_a_worker_owes_is_twice_its_part_at_most(redis: RedisServer) -> None:
    """Windows shorter than the outage: two workers of a node owe together what one process would, twice its budget."""
    part = Emergency(practitioner=8, node=8, total=16, per_s=10, longest_s=60)
    one = Node(redis, part, Share(workers=2, worker=1))
    await one.patient()
    redis.kill()
    passed: list[int] = []
    for window in range(4):
        one.later_s = window * 11.0
        desks = [one.desk.another(own_persons((10, HOUR), payer=f"rpps:{window}{n}")) for n in range(6)]
        passed.append([await desk.passes(n) for n, desk in enumerate(desks)].count(True))
    assert passed == [4, 4, 0, 0]
    assert one.ledger.owed == part.node
    redis.start()
    await one.back()
    assert one.ledger.settled == part.node
    one.ledger.close()


async def test_what_was_charged_before_the_outage_is_settled_as_ever(redis: RedisServer, node: Node) -> None:
    """Nobody is added, so that nobody waits; it is written when Redis is back, and uses nothing of the few."""
    charge, told = await node.desk.charge(1, 2)
    assert isinstance(told, Charged)
    redis.kill()
    await until(lambda: not node.store.healthy)
    assert isinstance(await node.desk.settle(charge, (1,)), Charged)
    assert [await node.desk.passes(n) for n in (3, 4, 5)] == [True] * 3
    redis.start()
    await node.back()
    assert await used(redis) == 4
