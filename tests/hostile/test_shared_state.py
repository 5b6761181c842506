"""Whole nodes on one real Redis: what they share, and what they say while it is gone."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from answers import ANSWER
from certificates import CLIENT
from node import MTLS, QUESTION, RunningNode, parse, running_node
from paravent.wiring import STATE_DEADLINE_MS
from redis_server import RedisServer, running_redis
from tokens import RPPS
from until import until
from wire import http_answer, raw_upstream

pytestmark = pytest.mark.real


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path / "redis", "--appendonly", "yes", "--appendfsync", "always") as running:
        yield running


async def test_two_nodes_are_one_budget(tmp_path: Path, redis: RedisServer) -> None:
    """Asked in turn about somebody unknown, two nodes let through what one would: 20 in ten seconds, 30 in an hour."""
    state = f"redis://127.0.0.1:{redis.port}/0"
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    async with (
        raw_upstream(http_answer(b'{"code": "INCONNU"}', status=404)) as seen,
        running_node(tmp_path / "one", seen.port, state=state) as one,
        running_node(tmp_path / "other", seen.port, state=state) as other,
    ):
        told = [(await (one, other)[n % 2].ask())[0] for n in range(45)]
    assert set(told) == {404, 429}
    assert 20 <= told.count(404) <= 30


async def test_without_redis_nobody_is_served_and_the_node_says_so(tmp_path: Path, redis: RedisServer) -> None:
    """503 within the deadline, nothing asked of the upstream, not ready; and all is well again by itself."""
    state = f"redis://127.0.0.1:{redis.port}/0"
    (tmp_path / "node").mkdir()
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path / "node", seen.port, state=state) as node:
        assert (await node.ask())[0] == 200
        asked = len(seen.requests)
        redis.kill()
        assert (await node.ask())[0] == 503
        assert not node.node.runtime.readiness()["state"]
        assert len(seen.requests) == asked
        await asyncio.to_thread(redis.start)
        await until(lambda: node.node.runtime.readiness()["state"])
        assert (await node.ask())[0] == 200
        assert [record["reason"] for record in node.records() if "reason" in record].count("state_unavailable") == 1


EMERGENCY = "emergency: {{practitioner: {practitioner}, node: 3, total: {total}, per: 1h, longest: 5m}}\n"


class Caller:
    """One practitioner with a token that is bound to a certificate, at a node over TLS."""

    def __init__(self, node: RunningNode) -> None:
        self.node = node
        self.pair = node.sandbox.authority.issue("caller", use=CLIENT)

    async def ask(self, rank: int = 1, **how: Any) -> int:
        """The status of a question about one of three twins, of whom the upstream knows the first."""
        tls = self.node.sandbox.tls((self.pair.certificate, self.pair.key))
        request = self.node.request({**QUESTION, "rangGemellaire": rank}, x5t=self.pair.x5t, **how)
        return parse(await self.node.send(request, tls=tls))[0]


async def declare(node: RunningNode, practitioner: int = 1, total: int = 9) -> None:
    """Put an emergency budget into the policy in force."""
    quotas, before = node.sandbox.folder / "policies" / "quotas.yaml", node.node.runtime.revision
    quotas.write_text(EMERGENCY.format(practitioner=practitioner, total=total) + quotas.read_text())
    await until(lambda: node.node.runtime.revision != before or not node.node.runtime.readiness()["policy"])


async def test_an_outage_is_bridged_by_what_the_policy_declares(tmp_path: Path, redis: RedisServer) -> None:
    """One person for each practitioner, on record as such, counted, told in the log; then 503. The node stays ready for
    others, refuses DPoP all the while, and what it let through stands in Redis when that is back."""
    state = f'redis://127.0.0.1:{redis.port}/0"\nnodes = 3 # '
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port, listen=MTLS, state=state) as node:
        await declare(node)
        caller = Caller(node)
        redis.kill()
        assert [await caller.ask(rank) for rank in (1, 1, 2)] == [200, 200, 503]
        assert len(seen.requests) == 2
        assert node.node.runtime.readiness()["state"]
        dpop = parse(await node.send(node.request(), tls=node.sandbox.tls()))[0]
        assert dpop == 503
        told = [(record["decision"], record["emergency"]) for record in node.records()[-4:]]
        assert told == [("release", True), ("release", True), ("deny", False), ("deny", False)]
        assert node.metric("paravent_emergency_questions_total") == 2
        assert node.metric("paravent_emergency_owed") == 1
        await until(lambda: "emergency_budget_used" in node.logs.getvalue())
        await asyncio.to_thread(redis.start)
        await until(lambda: node.metric("paravent_emergency_owed") == 0)
        await until(lambda: "emergency_budget_settled" in node.logs.getvalue())
        (persons,) = redis.client().keys(f"paravent:{{rpps:{RPPS}}}:persons")
        assert redis.client().zcard(persons) == 1
        assert await caller.ask(2) == 502  # Redis counts again; the upstream knows the first twin alone


async def test_more_nodes_than_the_total_has_room_for_get_no_such_policy(tmp_path: Path, redis: RedisServer) -> None:
    """The policy before it stays in force, and says so."""
    state = f'redis://127.0.0.1:{redis.port}/0"\nnodes = 4 # '
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port, state=state) as node:
        await declare(node, total=9)
        assert not node.node.runtime.readiness()["policy"]
        assert node.node.runtime.policy.quotas.emergency is None


async def test_without_a_number_of_nodes_there_is_no_such_budget(tmp_path: Path, redis: RedisServer) -> None:
    """Nobody knows what they would let through together: 503, and the log says why."""
    state = f"redis://127.0.0.1:{redis.port}/0"
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port, listen=MTLS, state=state) as node:
        await declare(node)
        redis.kill()
        assert await Caller(node).ask() == 503
        assert not node.node.runtime.readiness()["state"]
        assert "emergency_budget_unused" in node.logs.getvalue()


@pytest.mark.parametrize("how", ["locked", "gone"])
async def test_an_embedded_store_is_not_bridged(tmp_path: Path, how: str) -> None:
    """A state file that another program holds, or whose folder is gone: 503 within the deadline, whatever the policy
    declares, and nothing asked of the upstream. When it is back, all is well."""
    (tmp_path / "state").mkdir()
    state = "sqlite:state/state.db"
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port, listen=MTLS, state=state) as node:
        await declare(node)
        caller = Caller(node)
        assert await caller.ask() == 200
        with away(tmp_path / "state", how):
            started_s = time.monotonic()
            assert await caller.ask() == 503
            assert time.monotonic() - started_s < STATE_DEADLINE_MS / 1000 + 1
        assert len(seen.requests) == 1
        assert await caller.ask() == 200
        assert not any(record["emergency"] for record in node.records())


@contextmanager
def away(folder: Path, how: str) -> Iterator[None]:
    if how == "locked":
        with closing(sqlite3.connect(folder / "state.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
    else:
        # Its pages cannot be written: the file is there by name, and is none.
        kept = folder.with_name("kept")
        folder.rename(kept)
        folder.mkdir()
        yield
        folder.rmdir()
        kept.rename(folder)
