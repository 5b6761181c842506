"""Whatever clients and the upstream say to a node, in whatever pieces and order, every byte that reaches a client is
part of an answer of ours, the reduced document or a constant, and the upstream hears nothing but cleared questions.
"""

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

import loops
from answers import ANSWER, BODY, REDUCED
from effort import examples
from node import CONSULTATION, RunningNode, running_node
from paravent_mitmproxy.listener.limits import Limits
from sweep import OTHER_NIR
from wire import RawUpstream, http_answer, raw_upstream, reset

SECRET: Final = OTHER_NIR.encode()
LIMITS: Final = Limits(head_s=2, body_s=2, idle_s=5, linger_s=0.05, drain_s=0.5)
REFUSED: Final = b"GET /v1/compte HTTP/1.1\r\nHost: a\r\n\r\n"
PARTS: Final = (b"GET ", b"/", b" HTTP/1.1", b"\r\n", b"\n", b":", b"Host: a", b"\r\n\r\n", b"0")
GARBAGE: Final = st.one_of(
    st.binary(min_size=1, max_size=40),
    st.lists(st.sampled_from(PARTS)).map(b"".join),
    st.just(b"a" * 20_000),
)
CHUNKED: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK: Final = b"%x\r\n%b\r\n" % (len(BODY), BODY)


def struck(parts: tuple[int, int, bytes]) -> bytes:
    """The good answer with a few bytes replaced."""
    place, length, instead = parts
    return ANSWER[:place] + instead + ANSWER[place + length :]


SAYINGS: Final = st.one_of(
    st.just(ANSWER),
    st.sampled_from([
        CHUNKED + CHUNK + b"0\r\n\r\n",
        CHUNKED + CHUNK + b"0\r\nX-Nir: " + SECRET + b"\r\n\r\n",
        CHUNKED + CHUNK,
        CHUNKED + b"zz\r\n" + SECRET,
        b"HTTP/1.1 103 Early Hints\r\nLink: " + SECRET + b"\r\n\r\n" + ANSWER,
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + SECRET,
        ANSWER + SECRET,
        ANSWER + ANSWER,
        http_answer(BODY, status=500),
        http_answer(b"<p>" + SECRET, content_type=b"text/html"),
        b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
        SECRET,
        b"",
        None,
    ]),
    st.integers(0, len(ANSWER)).map(lambda cut: ANSWER[:cut] or None),
    st.tuples(st.integers(0, len(ANSWER)), st.integers(0, 9), st.binary(max_size=9)).map(struck),
)  # fmt: skip


class Ear(asyncio.Protocol):
    """A client: what it has said and heard."""

    def __init__(self, node: RunningNode) -> None:
        self._node = node
        self.transport: Any = None
        self.heard = bytearray()
        self.ends = 0
        """How many heads it may have ended."""
        self.silent = False
        """It has ended its half."""
        self.owed = b""
        """The rest of a request of which it has said the beginning."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self._node.received += data

    def say(self, data: bytes) -> None:
        if self.silent or self.transport.is_closing():
            return
        self.ends += data.count(b"\n\r\n") + 1
        self.transport.write(data)


class Talk(RuleBasedStateMachine):
    """Clients on one side, an upstream on the other."""

    clients = Bundle("clients")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=loops.policy(loops.BOTH[-1]).new_event_loop)
        self.folder = Path(tempfile.mkdtemp())
        self.stack = AsyncExitStack()
        self.says: bytes | None = ANSWER
        self.ears: list[Ear] = []
        self.left = 0
        self.good = 0
        self.upstream, self.node = self.runner.run(self._start())

    async def _start(self) -> tuple[RawUpstream, RunningNode]:
        seen = await self.stack.enter_async_context(raw_upstream(lambda _count, _request: self.says))
        here = running_node(self.folder, seen.port, timeout="0.15s", limits=LIMITS)
        return seen, await self.stack.enter_async_context(here)

    def a_question(self, extra: bytes = b"") -> bytes:
        self.good += 1
        return self.node.request(rpps=f"997{self.good:08d}", extra=extra)

    def turn(self, seconds: float = 0.004) -> None:
        """Let the loop go round."""
        self.runner.run(asyncio.sleep(seconds))

    @rule(target=clients)
    def open(self) -> Any:
        if len(self.ears) >= 4 + self.left:
            return multiple()  # whom the node has left counts: what may be drawn must not hang on how fast it was

        async def connect() -> Ear:
            _, ear = await asyncio.get_running_loop().create_connection(
                lambda: Ear(self.node), "127.0.0.1", self.node.port
            )
            return ear

        self.ears.append(self.runner.run(connect()))
        return self.ears[-1]

    @rule(client=clients, closing=st.booleans(), times=st.integers(1, 3))
    def ask(self, client: Ear, closing: bool, times: int) -> None:
        """One question, or several in one piece."""
        client.say(b"".join(self.a_question(b"Connection: close\r\n" if closing else b"") for _ in range(times)))
        self.turn()

    @rule(client=clients, behind=st.booleans())
    def be_refused(self, client: Ear, behind: bool) -> None:
        client.say(REFUSED + (self.a_question() if behind else b""))
        self.turn()

    @rule(client=clients, share=st.floats(0, 1))
    def begin(self, client: Ear, share: float) -> None:
        whole = self.a_question()
        cut = int(len(whole) * share)
        client.owed += whole[cut:]
        client.say(whole[:cut])

    @rule(client=clients, bytes_=st.integers(1, 2000))
    def go_on(self, client: Ear, bytes_: int) -> None:
        said, client.owed = client.owed[:bytes_], client.owed[bytes_:]
        client.say(said)

    @rule(client=clients, data=GARBAGE)
    def babble(self, client: Ear, data: bytes) -> None:
        client.say(data)
        self.turn()

    @rule(client=clients)
    def end_its_half(self, client: Ear) -> None:
        if not client.silent and not client.transport.is_closing():
            client.silent = True
            client.transport.write_eof()

    @rule(client=consumes(clients), rudely=st.booleans())
    def leave(self, client: Ear, rudely: bool) -> None:
        self.left += 1
        if rudely and not client.transport.is_closing():
            reset(client.transport)
        client.transport.abort()

    @rule(says=SAYINGS)
    def upstream_will_say(self, says: bytes | None) -> None:
        self.says = says

    @rule(seconds=st.sampled_from([0.001, 0.01, 0.2]))
    def pause(self, seconds: float) -> None:
        self.turn(seconds)

    @invariant()
    def what_was_heard_is_ours(self) -> None:
        self.turn(0)
        for ear in self.ears:
            assert len(answers(bytes(ear.heard))) <= ear.ends
        for request in self.upstream.requests:
            assert request.startswith(b"POST " + CONSULTATION.encode() + b" HTTP/1.1\r\nhost: 127.0.0.1:")
            assert b"authorization" not in request.lower()
        assert len(self.upstream.requests) <= self.good

    def teardown(self) -> None:
        try:
            for ear in self.ears:
                ear.transport.abort()
            self.turn(0.01)
            self.runner.run(self.stack.aclose())  # with the sweep
            house = self.node.node.house
            assert (len(house.connections), len(house.known), len(house.shares)) == (0, 0, 0)
        finally:
            self.runner.close()
            shutil.rmtree(self.folder, ignore_errors=True)


def answers(heard: bytes) -> list[int]:
    """The statuses of what a client has heard; AssertionError unless all of it is ours."""
    statuses = []
    while heard:
        head, ended, rest = heard.partition(b"\r\n\r\n")
        if not ended:
            assert b"HTTP/1.1 ".startswith(head[:9]), head
            break
        assert head.startswith(b"HTTP/1.1 ")
        length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        body, heard = rest[:length], rest[length:]
        if len(body) < length:
            break
        document, status = orjson.loads(body), int(head[9:12])
        constant = document.keys() == {"type", "title", "status", "detail", "reference"}
        assert document == REDUCED if status == 200 else constant and document["status"] == status
        statuses.append(status)
    return statuses


@pytest.mark.hypothesis
def test_every_byte_that_reaches_a_client_is_part_of_an_answer_of_ours() -> None:
    """Twelve conversations of up to forty moves; six hundred in `./dev fuzz`."""
    run_state_machine_as_test(
        Talk,
        settings=settings(
            max_examples=examples(12),
            stateful_step_count=40,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            derandomize=examples(1) == 1,
        ),
    )
