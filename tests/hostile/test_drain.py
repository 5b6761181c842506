"""The end of a node: what is in flight is answered or refused, and recorded; nothing is taken on."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest

from answers import ANSWER
from node import RunningNode, make_folder, parse, read_answer, running_node
from paravent_mitmproxy.listener.client import ClientConnection
from paravent_mitmproxy.listener.limits import Limits
from wire import reset


@dataclass(slots=True)
class Slow:
    """An upstream that answers when it is told to."""

    port: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def slow_upstream() -> AsyncIterator[Slow]:
    slow = Slow()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            slow.asked.set()
            await slow.release.wait()
            writer.write(ANSWER)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    slow.port = server.sockets[0].getsockname()[1]
    try:
        yield slow
    finally:
        slow.release.set()
        server.close()


async def draining(node: RunningNode) -> None:
    node.node.stop()
    async with asyncio.timeout(5):
        while not node.node.house.draining:
            await asyncio.sleep(0.01)


async def test_a_drained_node_finishes_what_it_began(tmp_path: Path) -> None:
    """The request in flight is answered, its connection ends, new ones are not taken."""
    async with slow_upstream() as slow, running_node(tmp_path, slow.port, limits=Limits(drain_s=3)) as node:
        asking = asyncio.create_task(node.send(node.request()))
        await asyncio.wait_for(slow.asked.wait(), 5)
        await draining(node)
        assert not node.node.runtime.readiness()["listener"]
        with pytest.raises(ConnectionError):
            await node.open()
        slow.release.set()
        answer = await asking
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"Connection: close\r\n" in answer


async def test_what_outlives_the_drain_is_refused_and_recorded(tmp_path: Path) -> None:
    """A 503 instead of a torn connection, and the books are closed: nobody is disclosed, nobody pays."""
    async with slow_upstream() as slow, running_node(tmp_path, slow.port, limits=Limits(drain_s=0.2)) as node:
        asking = asyncio.create_task(node.send(node.request()))
        await asyncio.wait_for(slow.asked.wait(), 5)
        await draining(node)
        status, headers, _ = parse(await asking)
        assert (status, headers[b"connection"]) == (503, b"close")
        (record,) = node.records()
        assert (record["decision"], record["reason"], record["persons"]) == ("withhold", "draining", [])


@pytest.mark.parametrize("answered", [True, False])
async def test_a_caller_who_has_left_is_still_recorded(tmp_path: Path, answered: bool) -> None:
    """Their connection is gone when the drain begins; their question is not: it is waited for like any other."""
    async with slow_upstream() as slow, running_node(tmp_path, slow.port, limits=Limits(drain_s=0.3)) as node:
        _, writer = await node.open()
        writer.write(node.request())
        await asyncio.wait_for(slow.asked.wait(), 5)
        reset(writer)
        async with asyncio.timeout(5):
            while node.node.house.connections:
                await asyncio.sleep(0.01)
        await draining(node)
        await asyncio.sleep(0.1)
        if answered:
            slow.release.set()
        async with asyncio.timeout(5):
            while node.node.house.busy:
                await asyncio.sleep(0.01)
        (record,) = node.records()
        assert (record["decision"], record["reason"]) == ("withhold", "client_left" if answered else "draining")


async def test_idle_connections_end_at_once_and_half_asked_questions_are_heard(tmp_path: Path) -> None:
    """Who is in the middle of a request may finish it."""
    async with slow_upstream() as slow, running_node(tmp_path, slow.port, limits=Limits(drain_s=3)) as node:
        slow.release.set()
        idle_reader, idle = await node.open()
        reader, writer = await node.open()
        data = node.request()
        writer.write(data[:40])
        async with asyncio.timeout(5):
            while len(node.node.house.known) < 2:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        await draining(node)
        assert await asyncio.wait_for(idle_reader.read(), 2) == b""
        writer.write(data[40:])
        answer = await asyncio.wait_for(read_answer(reader), 3)
        assert answer.startswith(b"HTTP/1.1 200")
        for each in (idle, writer):
            each.close()


async def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    """The drain is cut short; what was asked is recorded all the same."""
    async with slow_upstream() as slow, running_node(tmp_path, slow.port, limits=Limits(drain_s=30)) as node:
        _, writer = await node.open()
        writer.write(node.request())
        await asyncio.wait_for(slow.asked.wait(), 5)
        await draining(node)
        started = asyncio.get_running_loop().time()
        node.node.stop()
        async with asyncio.timeout(5):
            while node.node.management._thread.is_alive():
                await asyncio.sleep(0.02)
        assert asyncio.get_running_loop().time() - started < 3
        for guest in list(node.node.house.busy):
            guest.hurry()  # what asyncio.run does when the process ends
        async with asyncio.timeout(5):
            while not node.records():
                await asyncio.sleep(0.02)
        assert node.records()[0]["reason"] == "draining"
        writer.close()


@pytest.mark.parametrize("place", ["close_if_idle", "hurry"])
async def test_who_cannot_be_ended_holds_up_no_drain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """A bug in parting from one: the others are parted from, the node ends, and the bug is counted."""

    async with slow_upstream() as slow, running_node(tmp_path, slow.port, limits=Limits(drain_s=0.2)) as node:
        asking = asyncio.create_task(node.send(node.request()))
        await asyncio.wait_for(slow.asked.wait(), 5)
        monkeypatch.setattr(ClientConnection, place, raising)
        await draining(node)
        async with asyncio.timeout(5):
            while node.node.management._thread.is_alive():
                await asyncio.sleep(0.02)
        assert node.metric("paravent_guard_exceptions_total", hook="listener") > 0
        asking.cancel()


def raising(_guest: ClientConnection) -> None:
    raise RuntimeError


@pytest.mark.real
def test_signals_end_the_process(tmp_path: Path) -> None:
    """SIGTERM: exit 0 within the drain, no traceback."""
    sandbox = make_folder(tmp_path, 9)
    process = subprocess.Popen(
        [sys.executable, "-m", "paravent.cli", "serve", "--config", str(sandbox.config)],
        env={"PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert "ready on" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=15)
    finally:
        process.kill()
    assert process.returncode == 0
    assert [orjson.loads(line)["level"] for line in errors.splitlines()].count("error") == 0
