"""Whole nodes on one real Redis: what they share, and what they say while it is gone."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from answers import ANSWER
from node import running_node
from redis_server import RedisServer, running_redis
from until import until
from wire import http_answer, raw_upstream

pytestmark = pytest.mark.real


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path / "redis", "--appendonly", "yes") as running:
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
