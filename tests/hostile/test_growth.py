"""Nothing is kept of a request or a connection once it is over, and nothing waits for the garbage collector.

The long run is `./dev soak`, a short one `tests/e2e/test_soak.py`; here are its causes, one by one.
"""

import asyncio
import gc
from pathlib import Path

from answers import ANSWER
from node import TLS, RunningNode, parse, read_answer, running_node
from paravent_mitmproxy.guard import InFlight
from paravent_mitmproxy.listener.client import ClientConnection
from paravent_mitmproxy.listener.conversation import Conversation
from paravent_mitmproxy.messages import LiveFlow
from wire import raw_upstream

KINDS = (ClientConnection, Conversation, LiveFlow, InFlight)


def alive() -> dict[str, int]:
    """How many of each kind there are, the garbage included."""
    counts = dict.fromkeys((kind.__name__ for kind in KINDS), 0)
    for one in gc.get_objects():
        if type(one) in KINDS:
            counts[type(one).__name__] += 1
    return counts


async def settled(node: RunningNode) -> None:
    async with asyncio.timeout(5):
        while node.node.house.connections or node.node.house.busy:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)


async def test_connections_leave_nothing(tmp_path: Path) -> None:
    """A connection a request, and an upstream that closes each of its own: all is freed without a collection."""
    async with raw_upstream(ANSWER, close=True) as seen, running_node(tmp_path, seen.port) as node:
        await node.ask()
        await settled(node)
        gc.collect()
        gc.disable()
        try:
            before = alive()
            for number in range(30):
                assert (await node.ask(rpps=f"997004{number:05d}"))[0] == 200
                await node.send(b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n")
                await node.send(b"nonsense\r\n\r\n")
            await settled(node)
            assert alive() == before
        finally:
            gc.enable()
        house = node.node.house
        assert (len(house.connections), len(house.busy), len(house.known), len(house.shares)) == (0, 0, 0, 0)


async def test_requests_on_one_connection_leave_nothing(tmp_path: Path) -> None:
    """A hundred requests, kept alive on both sides: one connection each, no flow."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        reader, writer = await node.open()
        gc.collect()
        gc.disable()
        before = alive()
        try:
            for number in range(100):
                writer.write(node.request(rpps=f"997004{number:05d}"))
                assert parse(await asyncio.wait_for(read_answer(reader), 5))[0] == 200
            await asyncio.sleep(0.05)
            counts = alive()
            assert counts == {**before, "Conversation": before["Conversation"] + 1}
            assert seen.connections == 1
        finally:
            gc.enable()
        writer.close()


async def test_handshakes_that_fail_leave_nothing(tmp_path: Path) -> None:
    """Plain HTTP on the TLS port, again and again: no connection is remembered."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port, listen=TLS) as node:
        gc.collect()
        before = alive()
        for _ in range(20):
            await node.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await settled(node)
        gc.collect()
        assert alive() == before
        assert (len(node.node.house.connections), len(node.node.house.shares)) == (0, 0)


async def test_no_timer_outlives_its_connection(tmp_path: Path) -> None:
    """Ten seconds after the head, sixty of silence: all cancelled when the connection ends."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        timers = []
        real = ClientConnection._deadline

        def watched(self: ClientConnection, seconds: float) -> None:
            real(self, seconds)
            timers.append(self._timer)

        ClientConnection._deadline = watched  # type: ignore[method-assign]
        try:
            for data in (b"GET / HT", b"nonsense\r\n\r\n", b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n", node.request()):
                _, writer = await node.open()
                writer.write(data)
                await asyncio.sleep(0.05)
                writer.transport.abort()
            await settled(node)
        finally:
            ClientConnection._deadline = real  # type: ignore[method-assign]
        assert len(timers) >= 8
        assert all(timer is None or timer.cancelled() for timer in timers)
