"""Whatever call of ours fails, and however: a constant refusal or a closed connection, nobody stays in the house, and
the next caller is served.

Nobody lists the calls. Each conversation is held once as usual and watched; then every call that was made in it is
made to fail, one at a time. `./dev test` draws some of them, always the same; `./dev fuzz` takes them all, with every
fault there is. What is known to be delicate is drilled by name in `test_fail_closed`.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson
import pytest

import loops
from answers import ANSWER, REDUCED
from drill import Call, Fault, failing, hanging, recorded
from effort import examples
from node import RunningNode, parse, read_answer, running_node
from paravent_mitmproxy.listener.limits import Limits
from sweep import OTHER_NIR
from wire import reset

SECRET: Final = OTHER_NIR.encode()
NONSENSE: Final = b"nonsense " + SECRET
DRAWN: Final = 80
"""Drills of a conversation in `./dev test`."""
SEED: Final = 20220317
STOOD_STILL_S: Final = 0.1
"""Of a quarter of a second, which is the state store's deadline."""

OWN: Final = frozenset(
    b"cache-control connection content-language content-length content-security-policy content-type dpop-nonce "
    b"referrer-policy retry-after vary www-authenticate x-content-type-options".split()
)
"""Headers of a refusal."""

FAULTS: Final[tuple[Fault, ...]] = (
    lambda: RuntimeError(OTHER_NIR),
    RecursionError,
    MemoryError,
    asyncio.CancelledError,
    KeyboardInterrupt,
)
DONE_AGAIN: Final = ("Guard.requestheaders", "Guard.responseheaders", "FileSink._tell")
"""What the first two do, the hook behind each does again; who is not told of a record may see that it waits."""
TOO_DEEP: Final = ("_read_fast",)
"""What the fast reader of JSON finds too deep, the strict one reads from the beginning."""
UNMADE: Final = ("ClientConnection.__init__", "Doorway.receive")
"""Where there is no connection yet there is nothing to close."""


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """asyncio's own, which closes with connections left open: a drill may tear one out of our hands."""
    return loops.policy(loops.BOTH[0])


@dataclass(slots=True)
class World:
    """A node, its upstream, and a caller who never asks under the same name twice."""

    port: int = 0
    asked: int = 0
    says: bytes = ANSWER
    leaver: asyncio.StreamWriter | None = None
    nodes: list[RunningNode] = field(default_factory=list)
    callers: int = 0
    replayed: bytes = b""

    @property
    def node(self) -> RunningNode:
        return self.nodes[0]

    def request(self, extra: bytes = b"") -> bytes:
        self.callers += 1
        return self.node.request(rpps=f"997{self.callers:08d}", extra=extra)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The upstream: answers `says`; before it does, whoever is leaving has left."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
                self.asked += 1
                if self.leaver is not None:
                    reset(self.leaver)
                    async with asyncio.timeout(1):
                        while not all(guest.gone() for guest in self.node.node.house.connections):
                            await asyncio.sleep(0)
                writer.write(self.says)
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            pass
        finally:
            writer.transport.abort()

    async def send(self, data: bytes) -> bytes:
        answer = await self.node.send(data, wait_s=8)
        await self.over()
        return answer

    async def over(self) -> None:
        """Nobody is inside and no books are open: what ends a connection is part of its own conversation."""
        house = self.node.node.house
        async with asyncio.timeout(8):
            while house.connections or house.busy:
                await asyncio.sleep(0.001)


@asynccontextmanager
async def world(folder: Path, monkeypatch: pytest.MonkeyPatch, hook_deadline_s: float = 1.0) -> AsyncIterator[World]:
    """Everything that waits, waits briefly."""
    monkeypatch.setattr("paravent_mitmproxy.guard.HOOK_DEADLINE_S", hook_deadline_s)
    here = World()
    server = await asyncio.start_server(here.serve, "127.0.0.1", 0)
    limits = Limits(head_s=0.5, idle_s=0.5, drain_s=0.5)
    try:
        async with running_node(folder, server.sockets[0].getsockname()[1], timeout="0.5s", limits=limits) as node:
            here.nodes.append(node)
            here.replayed = here.request()
            await here.send(here.replayed)
            yield here
    finally:
        server.close()  # not waited for: a drill may have left it a connection


type Hold = Callable[[World], Awaitable[bytes]]


async def answered(here: World) -> bytes:
    return await here.send(here.request())


async def served(here: World) -> bool:
    """Whoever comes next is. Where the machine stood still meanwhile a refusal is right, and they ask again."""
    for _ in range(5):
        late = asyncio.create_task(lateness_s())
        answer = await answered(here)
        late.cancel()
        if answer and parse(answer)[0] == 200:
            return bool(orjson.loads(parse(answer)[2]) == REDUCED)
        if await late < STOOD_STILL_S:
            return False
        print("late by", late.result())
    return False


async def lateness_s() -> float:
    """By how much a round of the loop was late, at worst, until this is cancelled."""
    loop, worst_s = asyncio.get_running_loop(), 0.0
    try:
        while True:
            due_s = loop.time() + 0.01
            await asyncio.sleep(0.01)
            worst_s = max(worst_s, loop.time() - due_s)
    except asyncio.CancelledError:
        return worst_s


async def without_a_token(here: World) -> bytes:
    return await here.send(b"GET /v1/compte HTTP/1.1\r\nHost: a\r\n\r\n")


async def not_http(here: World) -> bytes:
    return await here.send(b"nonsense\r\n\r\n")


async def replayed(here: World) -> bytes:
    return await here.send(here.replayed)


async def unanswered(here: World) -> bytes:
    here.says = NONSENSE
    try:
        return await here.send(here.request())
    finally:
        here.says = ANSWER


async def left(here: World) -> bytes:
    reader, here.leaver = await here.node.open()
    try:
        here.leaver.write(here.request(b"Connection: close\r\n"))
        answer = await read_answer(reader)
        here.leaver.transport.abort()
        await here.over()
    finally:
        here.leaver = None
    return answer


CONVERSATIONS: Final[list[tuple[str, Hold, int]]] = [
    ("a question that is answered", answered, 1),
    ("a question without a token", without_a_token, 0),
    ("bytes that are no question", not_http, 0),
    ("a proof that was used before", replayed, 0),
    ("a question that the upstream answers with nonsense", unanswered, 1),
    ("a caller who leaves", left, 1),
]


def is_refusal(answer: bytes) -> bool:
    """A problem document of ours, whole."""
    status, headers, body = parse(answer)
    problem = orjson.loads(body)
    constant = problem.keys() == {"type", "title", "status", "detail", "reference"}
    return constant and status == problem["status"] >= 400 and headers.keys() <= OWN


def drills(calls: list[Call]) -> list[tuple[Call, Fault]]:
    """What to let fail, and how. Outside of tasks nothing raises but an Exception, and no callback before it begins."""
    every = [
        (call, fault)
        for call in calls
        for fault in FAULTS
        if call.code.co_qualname not in UNMADE
        and (call.in_task or (not call.alone and issubclass(type(fault()), Exception)))
    ]
    # By its own name, so that a call more or less, which another turn of the loop brings, changes no other draw.
    return sorted(every, key=lambda drill: zlib.crc32(f"{SEED} {drill[0]} {drill[1]()!r:.20}".encode()))[
        : examples(DRAWN)
    ]


@pytest.mark.hypothesis
@pytest.mark.parametrize(("hold", "asked"), [row[1:] for row in CONVERSATIONS], ids=[row[0] for row in CONVERSATIONS])
async def test_whatever_fails_it_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hold: Hold, asked: int
) -> None:
    """A constant or nothing, not a question more than usual, and a good answer for whoever comes next."""
    async with world(tmp_path, monkeypatch) as here:
        with recorded() as made:
            usual = await hold(here)
        for call, fault in drills(made.calls):
            before, where = here.asked, f"{call}, {fault()!r:.20}"
            print(where)  # shown when this one does not end
            with failing(call, fault) as raised:
                answer = await hold(here)
            if answer:
                again = DONE_AGAIN + (TOO_DEEP if fault is RecursionError else ())
                harmless = not raised or call.late or call.code.co_qualname in again
                assert is_refusal(answer) or (harmless and parse(answer)[::2] == parse(usual)[::2]), where
            assert here.asked - before <= asked, where
            assert await served(here), where
        assert made.calls


@pytest.mark.parametrize("hold", [answered, unanswered])
async def test_whatever_hangs_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hold: Hold) -> None:
    """Each coroutine below the guard's hooks, their deadline itself too: the caller gets a constant in time."""
    async with world(tmp_path, monkeypatch, hook_deadline_s=0.3) as here:
        with recorded() as made:
            await hold(here)
        assert len(made.coroutines) > 8
        for function in made.coroutines:
            before = here.asked
            with hanging(function):
                assert is_refusal(await hold(here)), function.__qualname__
            assert here.asked - before <= 1
        assert await served(here)
