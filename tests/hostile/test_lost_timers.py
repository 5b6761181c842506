"""A deadline is kept though its timer was lost: what is guarded waits for its guard, and somebody looks at everybody.

Each of these once left a caller, or their place in the house, for good.
"""

import asyncio
import errno
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import cast

import pytest

import loops
from answers import ANSWER
from drill import Call, Fault, failing, hanging, recorded
from node import PLAINTEXT, TLS, RunningNode, read_answer, running_node
from paravent.alarm import Alarm
from paravent_mitmproxy.listener import patrol
from paravent_mitmproxy.listener.client import ClientConnection
from paravent_mitmproxy.listener.conversation import Conversation
from paravent_mitmproxy.listener.gate import Gate
from paravent_mitmproxy.listener.introduction import Introduction
from paravent_mitmproxy.listener.limits import Limits
from until import until
from wire import RawUpstream, raw_upstream

PROXY = PLAINTEXT + "\nproxy_protocol = true"
LOCAL = b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
"""A front proxy that speaks for itself."""


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """asyncio's own, which closes with connections left open."""
    return loops.policy(loops.BOTH[0])


@pytest.fixture
async def upstream() -> AsyncIterator[RawUpstream]:
    async with raw_upstream(ANSWER) as seen:
        yield seen


@pytest.fixture
def quick_patrol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patrol, "EVERY_S", 0.05)


@pytest.fixture
def no_patrol(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown holds without it."""
    monkeypatch.setattr(patrol, "EVERY_S", 600.0)


def place(calls: list[Call], function: Callable[..., object], callee: str) -> Call:
    """The one call of that name in a function of ours."""
    [found] = [call for call in calls if call.code is cast(FunctionType, function).__code__ and call.callee == callee]
    return found


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What came until the connection ended."""
    async with asyncio.timeout(5):
        return await read_answer(reader)


class TestThePatrol:
    """Without a timer, the deadline is kept by whoever looks at all of them."""

    @pytest.fixture(autouse=True)
    def _timers_are_lost(self, monkeypatch: pytest.MonkeyPatch, quick_patrol: None) -> None:
        monkeypatch.setattr(ClientConnection, "_look_at_clock", lambda _connection: None)

    async def test_an_idle_connection_ends(self, tmp_path: Path, upstream: RawUpstream) -> None:
        async with running_node(tmp_path, upstream.port, limits=Limits(idle_s=0.2)) as node:
            reader, writer = await node.open()
            assert await ended(reader) == b""
            await until(lambda: not node.node.house.connections)
            writer.close()

    async def test_half_a_request_ends(self, tmp_path: Path, upstream: RawUpstream) -> None:
        async with running_node(tmp_path, upstream.port, limits=Limits(head_s=0.2)) as node:
            assert await node.send(b"GET / HTTP/1.1\r\n") == b""

    async def test_a_caller_who_does_not_read_is_left(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """And their place is free again."""
        async with running_node(tmp_path, upstream.port, limits=Limits(write_s=0.2)) as node:
            reader, writer = await node.open()
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(b"nonsense\r\n\r\n")
            await until(lambda: not node.node.house.connections)
            writer.transport.abort()
            assert reader is not None

    async def test_who_waits_for_an_answer_gets_a_refusal(
        self, tmp_path: Path, upstream: RawUpstream, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The hook's deadline is lost as well: a constant all the same, on record, and the next caller is served."""
        async with running_node(tmp_path, upstream.port) as node:
            monkeypatch.setattr(node.node.house, "answer_s", 0.3)
            with hanging(cast(FunctionType, Alarm.within)):
                status, headers, _ = await node.ask()
            assert (status, headers[b"content-type"]) == (503, b"application/problem+json")
            await until(lambda: not node.node.house.busy)
            assert upstream.requests == []
            assert (await node.ask())[0] == 200

    async def test_who_waits_for_the_upstream_gets_a_refusal(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The books of the request are closed: a timeout, in the ledger and where failures are counted."""
        async with raw_upstream(lambda *_: None) as silent, running_node(tmp_path, silent.port, timeout="60s") as node:
            monkeypatch.setattr(node.node.house, "answer_s", 0.3)
            assert (await node.ask())[0] == 504
            assert [record["reason"] for record in node.records()] == ["upstream_timeout"]
            assert node.metric("paravent_upstream_failures_total", reason="upstream_timeout") == 1
            assert node.metric("paravent_stage_seconds_count", stage="upstream") == 1

    async def test_a_connection_that_could_not_leave_is_put_out(
        self, tmp_path: Path, upstream: RawUpstream, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its share is free, and the share of whoever stays is counted as before."""
        async with running_node(tmp_path, upstream.port, listen=PROXY) as node:
            house = node.node.house
            stays, leaves = [await node.open() for _ in range(2)]
            for _, writer in (stays, leaves):
                writer.write(LOCAL[:12] + b"\x21\x11\x00\x0c\xc0\x00\x02\x01\x7f\x00\x00\x01\xd4\x31\x01\xbb")
            await until(lambda: sum(house.shares.values()) == 2)
            with monkeypatch.context() as broken:
                broken.setattr(house, "_give_back", raising)
                leaves[1].transport.abort()
                await until(lambda: len(house.connections) == 1)
            assert sum(house.shares.values()) == len(house.known) == 1
            stays[1].transport.abort()
            await until(lambda: not house.connections)
            assert not house.shares


async def test_who_no_longer_comes_round_is_not_ready(
    tmp_path: Path, upstream: RawUpstream, quick_patrol: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load balancer hears of an event loop that is held up, from the threads beside it; and of its going on."""
    monkeypatch.setattr(patrol, "SILENT_S", 0.5)
    async with running_node(tmp_path, upstream.port) as node:
        await until(lambda: ready(node))
        while ready(node):  # asked on the loop's own thread, which therefore turns no more
            pass
        await until(lambda: ready(node))


def ready(node: RunningNode) -> bool:
    asking = HTTPConnection(*node.node.management.address, timeout=5)
    asking.request("GET", "/readyz")
    answer = asking.getresponse()
    checks = json.loads(answer.read())["checks"]
    asking.close()
    assert (answer.status == 200) is checks.pop("listener")
    assert all(checks.values())
    return answer.status == 200


def raising(*_: object) -> None:
    raise MemoryError


class Failing:
    """A function that fails, so many times; `only`: when that is among its arguments."""

    def __init__(self, real: Callable[..., object], left: int, only: object = None) -> None:
        self._real = real
        self._only = only
        self.left = left

    def __call__(self, *arguments: object, **more: object) -> object:
        if self.left and (self._only is None or self._only in arguments):
            self.left -= 1
            raise OSError(errno.EMFILE, "too many")
        return self._real(*arguments, **more)


class TestTheOrder:
    """What is guarded waits for its guard. The patrol is asleep."""

    @pytest.fixture(autouse=True)
    def _asleep(self, no_patrol: None) -> None:
        """These hold without it."""

    async def test_who_cannot_be_given_time_to_introduce_themselves_is_closed(
        self, tmp_path: Path, upstream: RawUpstream
    ) -> None:
        async with running_node(tmp_path, upstream.port, listen=PROXY) as node:
            with recorded() as made:
                assert (await node.send(LOCAL + node.request())).startswith(b"HTTP/1.1 200")
            with broken(made.calls, Introduction.connection_made, "BaseEventLoop.call_later"):
                reader, writer = await node.open()
                assert await ended(reader) == b""
                writer.close()
            await until(lambda: not node.node.house.connections)

    async def test_a_timer_that_cannot_be_taken_back_keeps_no_place(
        self, tmp_path: Path, upstream: RawUpstream
    ) -> None:
        """Of a connection that has ended."""
        async with running_node(tmp_path, upstream.port) as node:
            with recorded() as made:
                await node.ask()
                await until(lambda: not node.node.house.connections)
            with broken(made.calls, ClientConnection.connection_lost, "TimerHandle.cancel"):
                await node.ask()
                await until(lambda: not node.node.house.connections)
            assert not node.node.house.known

    async def test_who_cannot_be_led_in_is_let_go(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """A handshake that could not begin takes nobody's share."""
        async with running_node(tmp_path, upstream.port, listen=TLS) as node:
            tls = node.sandbox.tls()
            with recorded() as made:
                await node.send(node.request(), tls=tls)
            with broken(made.calls, Gate._admit, "BaseEventLoop.create_task"):
                reader, writer = await node.open()
                assert await ended(reader) == b""
                writer.close()
            await until(lambda: not node.node.house.connections)
            assert (await node.send(node.request(), tls=tls)).startswith(b"HTTP/1.1 200")

    async def test_a_gate_that_cannot_rest_stays_open(
        self, tmp_path: Path, upstream: RawUpstream, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No descriptor is left for a moment, and no memory for the timer that would look again."""
        async with running_node(tmp_path, upstream.port, listen=TLS) as node:
            gate = node.node._proxyserver.servers[node.node.master.options.mode[0]]._servers[0]  # type: ignore[attr-defined]
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda *_: None)
            timers, sockets = Failing(loop.call_later, 1, gate._watch), Failing(gate._sock.accept, 1)
            monkeypatch.setattr(loop, "call_later", timers)
            monkeypatch.setattr(gate, "_sock", SimpleNamespace(accept=sockets, fileno=gate._sock.fileno))
            assert (await node.send(node.request(), tls=node.sandbox.tls())).startswith(b"HTTP/1.1 200")
            assert (timers.left, sockets.left) == (0, 0)
            monkeypatch.undo()

    async def test_nothing_is_asked_without_a_deadline(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """The first byte's timer fails: the upstream hears nothing."""
        lines = f'url = "http://127.0.0.1:{upstream.port}"\nfirst_byte_timeout = "1s"'
        async with running_node(tmp_path, lines) as node:
            with recorded() as made:
                assert (await node.ask())[0] == 200
            with broken(made.calls, Conversation.exchange, "BaseEventLoop.call_later"):
                assert await node.send(node.request()) == b""
            assert (await node.ask())[0] == 200
            assert len(upstream.requests) == 2


@contextmanager
def broken(calls: list[Call], function: Callable[..., object], callee: str) -> Iterator[None]:
    """That call fails, and was made."""
    fault: Fault = MemoryError
    with failing(place(calls, function, callee), fault) as raised:
        yield
    assert raised
