"""What a shared ledger promises while its Redis is killed, stopped, replaced or behind: real servers, real signals."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

import ledgers
from clock import FrozenClock
from ledgers import PATIENT_MS, Desk, budget, own_persons, person
from paravent.effects import BudgetKind, Charge, Charged, OverBudget, ProofSeen, Scope, Settle, StoreDown
from paravent.quota.windows import leaves_ms
from paravent.rules import Calendar
from paravent.simulate.processes import free_ports
from paravent.stores.redis import OWED_AT_MOST, SAID_AGAIN_FOR_S, SAID_AT_ONCE, RedisLedger, _Owed
from paravent.stores.redis_link import Server
from redis_server import RedisServer, running_redis
from until import until

pytestmark = pytest.mark.real

HOUR = 3_600
FULL_HOUSE = (
    own_persons((60, 600), (600, 86_400)),
    budget(Scope.PRACTITIONER, BudgetKind.REQUESTS, (10**6, 10)),
    budget(Scope.PRACTITIONER, BudgetKind.MISSES, (10**6, HOUR)),
    budget(Scope.ESTABLISHMENT, BudgetKind.PERSONS, (10**6, 86_400)),
    budget(Scope.FLEET, BudgetKind.PERSONS, (10**6, 86_400)),
)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path / "redis", "--appendonly", "yes", "--appendfsync", "always") as running:
        yield running


@pytest.fixture
async def ledger(redis: RedisServer) -> AsyncIterator[RedisLedger]:
    opened = RedisLedger(redis.server, deadline_ms=PATIENT_MS)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


async def test_what_was_acknowledged_survives_kill_9_of_redis(
    redis: RedisServer, ledger: RedisLedger, clock: FrozenClock
) -> None:
    """With `appendonly yes`; the ledger finds the new process by itself, which does not know the script yet."""
    desk = Desk(ledger, clock, own_persons((10**6, HOUR)))
    for n in range(20):
        assert await desk.passes(n)
    proof = ProofSeen(b"p" * 32, clock.now_ms() + 60_000)
    assert await ledger.proof_seen(proof, clock.now_ms()) is False
    redis.kill()
    assert await Desk(ledger, clock, *desk.budgets).look_up(99) is StoreDown.UNAVAILABLE
    assert not ledger.healthy
    redis.start()
    await ledger.look_after()
    await until(lambda: ledger.healthy)
    assert await desk.used(HOUR) == 20
    assert await ledger.proof_seen(proof, clock.now_ms()) is True


async def test_a_redis_that_hangs_is_an_outage_within_the_deadline(redis: RedisServer, clock: FrozenClock) -> None:
    """SIGSTOP: every question is answered StoreDown, in time, and the loop runs on."""
    ledger = RedisLedger(redis.server, deadline_ms=100)
    await ledger.look_after()
    assert redis.process is not None
    desk = Desk(ledger, clock, own_persons((9, HOUR)))
    redis.process.send_signal(signal.SIGSTOP)
    try:
        started, ticks = time.monotonic(), 0
        asking = asyncio.gather(*(desk.look_up(n) for n in range(8)))
        while not asking.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert asking.result() == [StoreDown.UNAVAILABLE] * 8
        assert time.monotonic() - started < 2
        assert ticks > 2
    finally:
        redis.process.send_signal(signal.SIGCONT)
    ledger.close()


async def test_a_charge_whose_answer_did_not_come_is_undone(redis: RedisServer, clock: FrozenClock) -> None:
    """Redis carries it out when it wakes up; nobody was told, so nobody stays charged."""
    ledger = RedisLedger(redis.server, deadline_ms=200)
    desk = Desk(ledger, clock, own_persons((1, HOUR)))
    await desk.used(HOUR)
    assert redis.process is not None
    redis.process.send_signal(signal.SIGSTOP)
    try:
        assert await desk.look_up(1) is StoreDown.UNAVAILABLE
    finally:
        redis.process.send_signal(signal.SIGCONT)
    ledger_again = RedisLedger(redis.server, deadline_ms=PATIENT_MS)

    async def nobody_is_charged() -> bool:
        await ledger.look_after()
        return ledger.healthy and await Desk(ledger_again, clock, *desk.budgets).used(HOUR) == 0

    async with asyncio.timeout(10):
        while not await nobody_is_charged():
            await asyncio.sleep(0.02)
    assert await Desk(ledger_again, clock, *desk.budgets).passes(2)
    ledger.close()
    ledger_again.close()


async def test_an_answered_settlement_counts_whatever_became_of_its_place(
    redis: RedisServer, clock: FrozenClock
) -> None:
    """Time leapt an hour and the only place went to another node: who was disclosed is counted all the same."""
    budgets = own_persons((1, 600))
    ours, other = (RedisLedger(redis.server, deadline_ms=PATIENT_MS, server_time=False) for _ in range(2))
    charge, reply = await Desk(ours, clock, budgets).charge(1)
    assert isinstance(reply, Charged)
    later = Charge("ahead", charge.now_ms + HOUR * 1000, charge.budgets, (person(2),))
    assert isinstance(await other.charge(later), Charged)
    assert isinstance(await ours.settle(Settle(charge, charge.now_ms, charge.persons, missed=False)), Charged)
    again = Charge("again", later.now_ms, charge.budgets, charge.persons)
    told = await ours.charge(again)  # behind the settlement on one connection; known persons cost nothing
    assert isinstance(told, Charged)
    assert [usage.used for usage in told.usage] == [2]
    ours.close()
    other.close()


async def test_a_replica_that_takes_over_knows_what_it_was_told(
    redis: RedisServer, ledger: RedisLedger, tmp_path: Path, clock: FrozenClock
) -> None:
    """Until it is promoted it is not asked at all; then every charge that had reached it counts."""
    with running_redis(tmp_path / "replica", "--replicaof", f"127.0.0.1 {redis.port}") as replica:
        there = RedisLedger(replica.server, deadline_ms=PATIENT_MS)
        await until(lambda: replica.client().info("replication")["master_link_status"] == "up")
        desk = Desk(ledger, clock, own_persons((10, HOUR)))
        for n in range(10):
            assert await desk.passes(n)
        assert await Desk(there, clock, *desk.budgets).look_up(1) is StoreDown.UNAVAILABLE
        await ledger.look_after()
        assert redis.client().wait(1, 10_000) == 1
        redis.kill()
        replica.client().replicaof("NO", "ONE")
        async with asyncio.timeout(10):
            while not there.healthy:
                await there.look_after()
        promoted = Desk(there, clock, *desk.budgets)
        assert await promoted.used(HOUR) == 10
        assert not await promoted.passes(11)
        assert await promoted.passes(1)
        there.close()


async def test_a_primary_that_became_a_replica_is_left(
    redis: RedisServer, ledger: RedisLedger, clock: FrozenClock
) -> None:
    """It refuses to write, and is asked again only when it says that it is a primary."""
    desk = Desk(ledger, clock, own_persons((10, HOUR)))
    assert await desk.passes(1)
    redis.client().replicaof("127.0.0.1", "1")
    assert await desk.look_up(2) is StoreDown.UNAVAILABLE
    assert await desk.look_up(2) is StoreDown.UNAVAILABLE
    redis.client().replicaof("NO", "ONE")
    async with asyncio.timeout(10):
        while not ledger.healthy:
            await ledger.look_after()
    assert await desk.passes(2)


async def test_a_server_that_falls_silent_before_it_has_the_script_is_left(tmp_path: Path, clock: FrozenClock) -> None:
    """It said that it is a primary, and its machine is gone: the one that takes its address is found all the same."""
    (port,) = free_ports(1)
    silent: list[asyncio.StreamWriter] = []

    async def says_who_it_is(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        silent.append(writer)
        await reader.readuntil(b"ROLE\r\n")
        writer.write(b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n")

    gone = await asyncio.start_server(says_who_it_is, "127.0.0.1", port)
    ledger = RedisLedger(Server("127.0.0.1", port), deadline_ms=100)
    assert await Desk(ledger, clock, own_persons((9, HOUR))).look_up(1) is StoreDown.UNAVAILABLE
    gone.close()
    assert len(silent) == 1
    redis = RedisServer(tmp_path, port, ())
    redis.start()
    try:
        async with asyncio.timeout(10):
            while not ledger.healthy:
                await ledger.look_after()
    finally:
        ledger.close()
        silent[0].close()
        redis.kill()


async def test_nodes_need_not_agree_on_the_time(redis: RedisServer, ledger: RedisLedger) -> None:
    """The server's clock counts: a node an hour ahead, or behind, refills nothing, and tells the wait of the server."""
    for hours in (0, 1, -1):
        clock = FrozenClock()
        clock.step(h=hours)
        desk = Desk(ledger, clock, own_persons((1, HOUR)))
        if hours == 0:
            assert await desk.passes(1)
        over = await desk.look_up(2)
        assert isinstance(over, OverBudget)
        assert HOUR - 60 < over.retry_after_s <= HOUR


async def test_every_key_ends(redis: RedisServer, ledger: RedisLedger, clock: FrozenClock) -> None:
    """Nothing is kept past the longest window, whoever never comes back."""
    desk = Desk(ledger, clock, *FULL_HOUSE)
    await desk.look_up(1)
    charge, _ = await desk.charge(2)
    await desk.settle(charge, (2, 3), missed=True)
    await desk.charge(4)
    await ledger.proof_seen(ProofSeen(b"p" * 32, clock.now_ms() + 60_000), clock.now_ms())
    client = redis.client()
    lives_ms = {key: client.pttl(key) for key in client.keys("*")}
    assert len(lives_ms) > 8
    assert all(0 < ms <= 30 * 86_400_000 for ms in lives_ms.values())
    assert b"99700427885" in b" ".join(lives_ms)


async def test_no_day_ends_early_because_a_clock_was_set_back(redis: RedisServer, ledger: RedisLedger) -> None:
    """The server's clock was two hours ahead, or a replica took over whose clock is behind: each key is there until the
    window of what was counted ends by the highest moment, which is what refusals are told by."""
    client = redis.client()
    ahead_ms = time.time_ns() // 1_000_000 + 2 * HOUR * 1000
    client.hset("paravent:clock", "now", ahead_ms)
    day = budget(Scope.FLEET, BudgetKind.PERSONS, (1, Calendar.DAY))
    assert await Desk(ledger, FrozenClock(), own_persons((9, HOUR)), day).passes(1)
    (key,) = client.keys("paravent:{fleet}:persons:*")
    left_ms = leaves_ms(ahead_ms, Calendar.DAY) - time.time_ns() // 1_000_000
    assert client.pttl(key) > left_ms - 60_000


def test_three_processes_on_one_redis_share_one_budget(redis: RedisServer) -> None:
    """Three nodes that race for 60 places get 60 together."""
    programs = [
        subprocess.Popen(
            [sys.executable, ledgers.__file__, f"redis:{redis.port}", str(first), str(first + 80), "60"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in (0, 1000, 2000)
    ]
    for program in programs:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
    passed = [program.communicate("go\n")[0].split() for program in programs]
    assert sum(map(len, passed)) == 60
    assert all(program.returncode == 0 for program in programs)


async def test_a_node_that_is_killed_loses_nothing_it_said_yes_to(redis: RedisServer, clock: FrozenClock) -> None:
    """Every person whose answer could have left counts; at most the one in flight besides."""
    program = subprocess.Popen(
        [sys.executable, ledgers.__file__, f"redis:{redis.port}", "0", "100000", "100000"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    print("go", file=program.stdin, flush=True)
    passed = [program.stdout.readline() for _ in range(30)]
    program.send_signal(signal.SIGKILL)
    with program:
        passed += program.stdout.readlines()  # `communicate` would lose what is read ahead already
    acknowledged = {int(line) for line in passed if line.endswith("\n")}
    ledger = RedisLedger(redis.server, deadline_ms=PATIENT_MS, server_time=False)
    desk = Desk(ledger, clock, own_persons((0, 600)))
    assert await desk.used(600) - len(acknowledged) in {0, 1}
    assert [n for n in acknowledged if not await desk.passes(n)] == []
    ledger.close()


async def test_sixty_four_at_the_limit_while_redis_restarts(
    redis: RedisServer, ledger: RedisLedger, clock: FrozenClock
) -> None:
    """Killed in full flight: who was told yes counts, and never are there more than the limit."""
    desk = Desk(ledger, clock, own_persons((20, HOUR)))
    asking = asyncio.gather(*(desk.charge(n) for n in range(64)))
    await asyncio.sleep(0)
    redis.kill()
    told = [reply for _, reply in await asking]
    assert sum(isinstance(reply, Charged) for reply in told) <= 20
    redis.start()
    async with asyncio.timeout(10):
        while not ledger.healthy:
            await ledger.look_after()
    yes = sum(isinstance(reply, Charged) for reply in told)
    assert yes <= await desk.used(HOUR) <= 20


# ---- settlements that are said again


async def back(ledger: RedisLedger) -> None:
    """Until there is a connection again, and everything that was owed has been said on it."""
    async with asyncio.timeout(10):
        while not ledger.healthy:
            await ledger.look_after()
    await ledger.look_after()
    await until(lambda: not ledger._owed)


async def stopped_and_killed(redis: RedisServer, asking: Awaitable[object]) -> object:
    """What is answered while Redis hangs; then it dies with what it has not read, and another one takes its place."""
    assert redis.process is not None
    redis.process.send_signal(signal.SIGSTOP)
    answer = await asking
    redis.kill()
    redis.start()
    return answer


async def test_a_settlement_that_was_lost_on_its_way_is_said_again(redis: RedisServer, clock: FrozenClock) -> None:
    """Answered at once, sent to a Redis that dies before it reads: what it gave back is given back all the same."""
    ledger = RedisLedger(redis.server, deadline_ms=300)
    desk = Desk(ledger, clock, own_persons((1, HOUR)))
    async with asyncio.timeout(10):
        while not isinstance((told := await desk.charge(1))[1], Charged):
            pass
    assert isinstance(await stopped_and_killed(redis, desk.settle(told[0])), Charged)
    await back(ledger)
    assert await desk.used(HOUR) == 0
    ledger.close()


async def test_a_settlement_without_an_answer_is_said_again_without_those_it_would_add(
    redis: RedisServer, clock: FrozenClock
) -> None:
    """Its answer is withheld: the person asked about counts, nobody else does, and the miss is paid."""
    ledger = RedisLedger(redis.server, deadline_ms=300)
    misses = budget(Scope.PRACTITIONER, BudgetKind.MISSES, (10, HOUR))
    desk = Desk(ledger, clock, own_persons((9, HOUR)), misses)
    async with asyncio.timeout(10):
        while not isinstance((told := await desk.charge(1))[1], Charged):
            pass
    charge = told[0]
    assert await stopped_and_killed(redis, desk.settle(charge, (1, 2, 3))) is StoreDown.UNAVAILABLE
    await back(ledger)
    assert await desk.used(HOUR) == 1
    assert await desk.used(HOUR, BudgetKind.MISSES) == 1
    client = redis.client()
    assert client.get(f"paravent:charge:{charge.id}") == b"settled"
    (field,) = client.hvals(b"paravent:{rpps:99700427885}:person")
    assert field.split(b"|")[1] == b"0", "no reservation is left open"
    ledger.close()


async def test_a_settlement_gives_back_once_however_often_it_is_said(ledger: RedisLedger, clock: FrozenClock) -> None:
    """Two misses reserved, one of them given back twice: one is left, not none."""
    desk = Desk(ledger, clock, own_persons((9, HOUR)), budget(Scope.PRACTITIONER, BudgetKind.MISSES, (10, HOUR)))
    first, _ = await desk.charge(1)
    second, _ = await desk.charge(2)
    assert isinstance(await desk.settle(second, missed=True), Charged)
    for _ in range(3):
        assert await ledger.make_good(Settle(first, clock.now_ms(), (), missed=False))
    assert await desk.used(HOUR, BudgetKind.MISSES) == 1


async def test_what_is_owed_is_bounded(redis: RedisServer, clock: FrozenClock) -> None:
    """Ten thousand settlements are kept for a Redis that is gone, the latest ones; and they are not said for ever."""
    ledger = RedisLedger(redis.server, deadline_ms=300)
    desk = Desk(ledger, clock, own_persons((9, HOUR)))
    charge, _ = await desk.charge(1)
    redis.kill()
    await until(lambda: not ledger.healthy)
    for number in range(OWED_AT_MOST + 10):
        ledger._owe(Settle(replace(charge, id=str(number)), clock.now_ms(), (), missed=False))
    assert len(ledger._owed) == OWED_AT_MOST
    assert ledger._owed[0].settle.charge.id == "10"
    long_ago_s = time.monotonic() - SAID_AGAIN_FOR_S - 1
    for owed in ledger._owed:
        owed.sent_s = long_ago_s
    redis.start()
    await back(ledger)
    assert not ledger._owed
    assert redis.client().keys("paravent:charge:1*") == []
    ledger.close()


async def test_what_is_owed_does_not_hold_the_loop(redis: RedisServer, clock: FrozenClock) -> None:
    """A thousand settlements when Redis is back: a round of the loop says some of them, the next one the next, and in
    the end each is written."""
    ledger = RedisLedger(redis.server, deadline_ms=PATIENT_MS)
    desk = Desk(ledger, clock, own_persons((9, HOUR)))
    charge, _ = await desk.charge(1)
    redis.kill()
    await until(lambda: not ledger.healthy)
    for number in range(1000):
        ledger._owe(Settle(replace(charge, id=f"owed-{number}"), clock.now_ms(), (), missed=False))
    redis.start()
    left = [len(ledger._owed)]
    async with asyncio.timeout(30):
        looking = asyncio.create_task(back(ledger))
        while left[-1]:
            await asyncio.sleep(0)
            left.append(len(ledger._owed))
        await looking
    assert max(before - after for before, after in pairwise(left)) <= SAID_AT_ONCE
    await desk.used(HOUR)  # behind them on the one connection
    assert len(redis.client().keys("paravent:charge:owed-*")) == 1000
    ledger.close()


async def test_closing_says_what_is_still_owed(redis: RedisServer, clock: FrozenClock) -> None:
    """Also what the next round would have said: a node that stops leaves nobody charged who was given back."""
    ledger = RedisLedger(redis.server, deadline_ms=PATIENT_MS)
    desk = Desk(ledger, clock, own_persons((9, HOUR)))
    charge, _ = await desk.charge(1)
    for number in range(3 * SAID_AT_ONCE):
        ledger._owed.append(_Owed(Settle(replace(charge, id=f"owed-{number}"), clock.now_ms(), (), missed=False)))
    assert await desk.settle(charge) == Charged(())
    ledger.close()
    await until(lambda: len(redis.client().keys("paravent:charge:owed-*")) == 3 * SAID_AT_ONCE)
