"""Whatever breaks, the caller gets a constant refusal or a closed connection, and none of the upstream's bytes.

The faults are put into what the hooks and the listener call, one at a time: what is drilled is the edge that must hold
when something inside does not.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from mitmproxy import exceptions, hooks, http

from answers import ANSWER, REDUCED
from node import RunningNode, parse, running_node
from paravent_mitmproxy import reply
from paravent_mitmproxy.guard import STATE, cleared
from paravent_mitmproxy.seal import SealedResponse, wire_of
from sweep import OTHER_NIR
from wire import raw_upstream

SECRET = OTHER_NIR.encode()

type Fault = Callable[[], BaseException]
FAULTS: list[Fault] = [
    lambda: RuntimeError(OTHER_NIR),
    RecursionError,
    MemoryError,
    TimeoutError,
    asyncio.CancelledError,
    KeyboardInterrupt,
    lambda: SystemExit(1),
    GeneratorExit,
    exceptions.AddonHalt,
    lambda: exceptions.OptionsError(OTHER_NIR),
    lambda: UnicodeEncodeError("utf-8", OTHER_NIR, 0, 1, OTHER_NIR),
    lambda: ValueError(OTHER_NIR),
]


def raising(fault: Fault, awaited: bool) -> Callable[..., Any]:
    def broken(*_: object, **__: object) -> object:
        raise fault()

    async def broken_later(*_: object, **__: object) -> object:
        raise fault()

    return broken_later if awaited else broken


type Place = Callable[[RunningNode], object]
PLACES: list[tuple[str, Place, str, bool]] = [
    ("the clock", lambda node: node.node.runtime.engine, "now_ms", False),
    ("who is at the other end", lambda node: node.node.house, "connection_of", False),
    ("reading the facts", lambda _: "paravent_mitmproxy.guard", "facts_of", False),
    ("looking for ambiguity", lambda _: "paravent_mitmproxy.guard", "is_ambiguous", False),
    ("deciding", lambda node: node.node.runtime.engine, "decide", True),
    ("showing the rebuilt request", lambda _: "paravent_mitmproxy.guard", "_rebuild", False),
    ("charging", lambda node: node.node.runtime.engine._ports.ledger, "charge", True),
    ("finding a key", lambda node: node.node.runtime.engine._ports.keys, "find", False),
    ("the request that goes upstream", lambda _: "paravent_mitmproxy.listener.exchange", "cleared", False),
    ("asking", lambda node: node.node._upstream, "ask", True),
    ("writing the question", lambda node: node.node._upstream, "_wire", False),
    ("finding a connection", lambda node: node.node._upstream, "_reusable", False),
    ("connecting", lambda node: node.node._upstream, "_connect", True),
    ("showing the answer to addons", lambda _: "paravent_mitmproxy.listener.exchange", "Answered", False),
    ("settling", lambda node: node.node.runtime.engine, "settle", True),
    ("settling in the store", lambda node: node.node.runtime.engine._ports.ledger, "settle", True),
    ("recording", lambda node: node.node.runtime.engine._ports.audit, "append", True),
    ("counting the decision", lambda node: node.node.runtime.metrics, "decided", False),
    ("timing a stage", lambda node: node.node.runtime.metrics, "stage", False),
    ("building the answer", lambda _: "paravent_mitmproxy.reply", "release", False),
    ("sealing", lambda _: "paravent_mitmproxy.reply", "seal", False),
    ("the budget's headers", lambda _: "paravent_mitmproxy.reply", "rate_limit_headers", False),
    ("poisoning", lambda _: "paravent_mitmproxy.reply", "poison", False),
    ("making a flow", lambda _: "paravent_mitmproxy.listener.exchange", "LiveFlow", False),
    ("the whole exchange", lambda node: node.node.house.exchange, "run", True),
    ("reading a head", lambda _: "paravent_mitmproxy.listener.client", "read_head", False),
    ("looking for the seal", lambda _: "paravent_mitmproxy.listener.client", "wire_of", False),
]


@pytest.mark.parametrize(("place", "name", "awaited"), [row[1:] for row in PLACES], ids=[row[0] for row in PLACES])
async def test_a_fault_closes_whatever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Place, name: str, awaited: bool
) -> None:
    """A refusal or a closed connection for every fault, no byte of the answer; and the next caller is served."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        target = place(node)
        for number, fault in enumerate(FAULTS):
            with monkeypatch.context() as patch:
                if isinstance(target, str):
                    patch.setattr(f"{target}.{name}", raising(fault, awaited))
                else:
                    patch.setattr(target, name, raising(fault, awaited))
                answer = await node.send(node.request(rpps=f"997004{number:05d}"))
            assert answer == b"" or parse(answer)[0] in {502, 503, 504}, repr(fault())[:20]
            assert SECRET not in answer
            assert b"ESSAI" not in answer
        assert (await node.ask(rpps="99700500000"))[0] == 200


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault()).__name__)
async def test_a_failure_that_cannot_be_counted_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    """What goes wrong with a decision goes wrong with counting it: a constant, and the loop runs on."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        with monkeypatch.context() as patch:
            patch.setattr(node.node.runtime.engine, "decide", raising(fault, awaited=True))
            patch.setattr("paravent.telemetry.tally.Counter.labels", raising(fault, awaited=False))
            assert parse(await node.send(node.request()))[0] == 503
        assert (await node.ask())[0] == 200
        assert len(seen.requests) == 1


REFUSING: list[tuple[str, Place, str, bool]] = [
    ("recording a refusal", lambda node: node.node.runtime.engine, "refuse", True),
    ("writing the record", lambda node: node.node.runtime.engine._ports.audit, "append", True),
    ("the language of the refusal", lambda _: "paravent_mitmproxy.reply", "language_of", False),
    ("building the refusal", lambda _: "paravent_mitmproxy.reply", "problem", False),
    ("building the challenge", lambda _: "paravent_mitmproxy.reply", "www_authenticate", False),
    ("sealing the refusal", lambda _: "paravent_mitmproxy.reply", "seal", False),
    ("naming the request", lambda _: "paravent_mitmproxy.listener.client", "new_request_id", False),
]


@pytest.mark.parametrize(("place", "name", "awaited"), [row[1:] for row in REFUSING], ids=[row[0] for row in REFUSING])
async def test_a_fault_in_refusing_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Place, name: str, awaited: bool
) -> None:
    """A request that would be refused is refused, or its connection is closed; it is never asked."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        target = place(node)
        for fault in FAULTS:
            for data in (b"GET /v1/compte HTTP/1.1\r\nHost: a\r\n\r\n", b"nonsense\r\n\r\n"):
                with monkeypatch.context() as patch:
                    if isinstance(target, str):
                        patch.setattr(f"{target}.{name}", raising(fault, awaited))
                    else:
                        patch.setattr(target, name, raising(fault, awaited))
                    answer = await node.send(data)
                assert answer == b"" or parse(answer)[0] in {400, 401, 503}, repr(fault())[:20]
        assert seen.requests == []
        assert (await node.ask())[0] == 200


@pytest.mark.parametrize("method", ["decide", "settle", "abandon"])
async def test_a_hook_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """A hook that waits for ever is a refusal when its deadline has passed."""
    monkeypatch.setattr("paravent_mitmproxy.guard.HOOK_DEADLINE_S", 0.2)

    async def hang(*_: object) -> object:
        return await asyncio.Event().wait()

    script = b"nonsense " + SECRET if method == "abandon" else ANSWER
    async with raw_upstream(script) as seen, running_node(tmp_path, seen.port) as node:
        monkeypatch.setattr(node.node.runtime.engine, method, hang)
        status, _, body = await node.ask()
        assert status == (503 if method == "decide" else 502)
        assert SECRET not in body
        assert len(seen.requests) == (0 if method == "decide" else 1)


async def test_a_fault_in_the_error_hook_closes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the hook for errors is poisoned first."""
    async with raw_upstream(b"nonsense " + SECRET) as seen, running_node(tmp_path, seen.port) as node:
        for fault in FAULTS:
            with monkeypatch.context() as patch:
                patch.setattr(node.node.runtime.engine, "abandon", raising(fault, awaited=True))
                assert parse(await node.send(node.request()))[0] == 502


async def test_every_fault_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is a bug that somebody must hear of, by the hook it came through."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        for method, hook in (("decide", "request"), ("settle", "response")):
            with monkeypatch.context() as patch:
                patch.setattr(node.node.runtime.engine, method, raising(RuntimeError, awaited=True))
                await node.ask()
            assert node.metric("paravent_guard_exceptions_total", hook=hook) == 1


# ---- other addons


class Replaces:
    """Puts another response in place of the guard's, as a debugging addon might."""

    def response(self, flow: http.HTTPFlow) -> None:
        flow.response = http.Response.make(200, SECRET)


class Edits:
    """Edits the response after the guard."""

    def response(self, flow: http.HTTPFlow) -> None:
        assert flow.response is not None
        flow.response.content = SECRET
        flow.response.headers["X-Nir"] = SECRET.decode()
        flow.response.data.content = SECRET
        flow.response.status_code = 201
        flow.response.stream = True


class Copies:
    """Puts an edited copy in place of the guard's response."""

    def response(self, flow: http.HTTPFlow) -> None:
        assert flow.response is not None
        flow.response = flow.response.copy()
        flow.response.content = SECRET


class Empties:
    """Takes the response away."""

    def response(self, flow: http.HTTPFlow) -> None:
        flow.response = None


class Kills:
    """Kills the flow when the answer is there."""

    def response(self, flow: http.HTTPFlow) -> None:
        flow.kill()


@pytest.mark.parametrize(
    ("addon", "status"), [(Replaces(), 502), (Copies(), 502), (Empties(), 502), (Kills(), 502), (Edits(), 200)]
)
async def test_only_what_was_sealed_leaves(tmp_path: Path, addon: object, status: int) -> None:
    """An addon behind the guard can make a response, but not a sealed one; the sealed one leaves as it was."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        node.node.master.addons.add(addon)
        answer = await node.send(node.request())
        assert parse(answer)[0] == status
        assert SECRET not in answer
        if status == 200:
            assert orjson.loads(parse(answer)[2]) == REDUCED
        node.node.master.addons.remove(addon)


class Serves:
    """Answers by itself, as a page of mitmproxy's own or a replay would."""

    def request(self, flow: http.HTTPFlow) -> None:
        flow.response = http.Response.make(200, SECRET)


class Streams:
    """Asks for everything to be passed on as it comes."""

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        flow.request.stream = True

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        assert flow.response is not None
        flow.response.stream = lambda _chunk: SECRET

    request = requestheaders
    response = responseheaders


class Intercepts:
    """Holds every flow, as a console does."""

    def request(self, flow: http.HTTPFlow) -> None:
        flow.intercept()

    response = request


class Breaks:
    """Raises in every hook that mitmproxy knows, those of connections and TLS too."""

    def __init__(self) -> None:
        self.called: set[str] = set()
        for name in hooks.all_hooks:
            if name not in {"load", "configure", "running", "done", "update"}:
                setattr(self, name, partial(self._break, name))

    def _break(self, name: str, *_: object) -> None:
        self.called.add(name)
        raise RuntimeError(OTHER_NIR)


async def test_an_addon_that_answers_by_itself_is_not_heard(tmp_path: Path) -> None:
    """Its response has no seal, and no question is asked for it."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        node.node.master.addons.add(Serves())
        answer = await node.send(node.request())
        assert parse(answer)[0] == 502
        assert SECRET not in answer
        assert seen.requests == []


@pytest.mark.parametrize("addon", [Streams(), Intercepts(), Breaks()], ids=["streams", "intercepts", "breaks"])
@pytest.mark.parametrize("first", [True, False], ids=["before the guard", "behind it"])
async def test_an_addon_that_meddles_changes_no_byte(tmp_path: Path, addon: object, first: bool) -> None:
    """Streaming, holding, raising: the answer is what it would be without, and so is the question."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        addons = node.node.master.addons
        addons.add(addon)
        if first:
            addons.chain.insert(0, addons.chain.pop())
        for number in range(3):
            status, _, body = await node.ask(rpps=f"997004{number:05d}")
            assert (status, orjson.loads(body)) == (200, REDUCED)
        assert parse(await node.send(b"GET /v1/compte HTTP/1.1\r\nHost: a\r\n\r\n"))[0] == 401
        assert len(seen.requests) == 3
        addons.remove(addon)


async def test_no_hook_of_connections_is_called(tmp_path: Path) -> None:
    """What mitmproxy decides there, which protocol is spoken and which certificate is shown, is decided elsewhere."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        breaks = Breaks()
        node.node.master.addons.add(breaks)
        await node.ask()
        await node.send(b"nonsense\r\n\r\n")
        http_hooks = {"requestheaders", "request", "responseheaders", "response", "error"}
        assert {"request", "response"} <= breaks.called <= http_hooks | {"servers_changed", "add_log"}


class Lifts:
    """Lifts every refusal, and edits what is asked."""

    def request(self, flow: http.HTTPFlow) -> None:
        flow.response = None
        flow.request.path = "/admin"
        flow.request.method = "DELETE"


async def test_lifting_a_refusal_asks_nothing(tmp_path: Path) -> None:
    """What goes upstream is what was let through: no token, no question; with a good one, the plan's own."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        node.node.master.addons.add(Lifts())
        answer = await node.send(b"GET /v1/compte HTTP/1.1\r\nHost: a\r\n\r\n")
        assert parse(answer)[0] == 503
        assert seen.requests == []
        assert (await node.ask())[0] == 200
        assert seen.requests[0].startswith(b"POST /v1/droits/consultation ")


class Halts:
    """Ends the chain before the guard is asked."""

    def __init__(self, hook: str) -> None:
        setattr(self, hook, self._halt)

    def _halt(self, _flow: http.HTTPFlow) -> None:
        raise exceptions.AddonHalt


@pytest.mark.parametrize("hook", ["requestheaders", "request", "responseheaders", "response", "error"])
async def test_an_addon_that_halts_the_chain_halts_the_answer(tmp_path: Path, hook: str) -> None:
    """Wherever the guard is not asked, nothing is let through in its place."""
    script = b"nonsense" if hook == "error" else ANSWER
    async with raw_upstream(script) as seen, running_node(tmp_path, seen.port) as node:
        chain = node.node.master.addons.chain
        chain.insert(0, Halts(hook))
        answer = await node.send(node.request())
        harmless = hook in {"requestheaders", "responseheaders"}
        assert parse(answer)[0] == (200 if harmless else 503 if hook == "request" else 502)
        assert SECRET not in answer
        assert len(seen.requests) == (0 if hook == "request" else 1)


async def test_without_the_guard_nothing_passes(tmp_path: Path) -> None:
    """Take the guard away, and there is neither a question nor an answer: there is no default that lets through."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        node.node.master.addons.remove(node.node.guard)
        for data in (node.request(), b"GET /v1/compte HTTP/1.1\r\nHost: a\r\n\r\n"):
            answer = await node.send(data)
            assert parse(answer)[0] == 503
            assert SECRET not in answer
        assert seen.requests == []


class Remembers:
    """Keeps what it saw of each flow."""

    def __init__(self) -> None:
        self.headers: list[list[str]] = []
        self.plans: list[object] = []

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        assert flow.response is not None
        self.headers.append(list(flow.response.headers.keys()))
        flow.response.headers["X-Nir"] = SECRET.decode()
        self.plans.append(flow.metadata.get(STATE))


async def test_one_flow_does_not_see_the_next_ones_refusal_edited(tmp_path: Path) -> None:
    """The refusal that is set first is one object for all; what an addon does to it is seen by nobody."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        remembers = Remembers()
        node.node.master.addons.add(remembers)
        for _ in range(3):
            assert (await node.ask())[0] == 200
        assert len(remembers.headers) == 3
        assert all("X-Nir" not in names for names in remembers.headers)
        assert remembers.plans == [None] * 3


class Keeps:
    """Keeps the flow itself."""

    flow: http.HTTPFlow | None = None

    def response(self, flow: http.HTTPFlow) -> None:
        self.flow = flow


async def test_a_flow_is_answered_once(tmp_path: Path) -> None:
    """Somebody who plays it again gets a refusal, no second record, and nothing that was decided before."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        keeps = Keeps()
        node.node.master.addons.add(keeps)
        assert (await node.ask())[0] == 200
        assert keeps.flow is not None
        guard, flow = node.node.guard, keeps.flow
        await guard.response(flow)
        assert flow.response is not None
        assert flow.response.status_code == 502
        await guard.error(flow)
        assert flow.response.status_code == 502
        guard.requestheaders(flow)
        assert (flow.response.status_code, flow.metadata.get(STATE), cleared(flow)) == (503, None, None)
        assert len(node.records()) == 1
        keeps.flow = None


async def test_what_is_cleared_is_cleared_by_this_request(tmp_path: Path) -> None:
    """A second request on a flow that was once let through starts from nothing."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        keeps = KeepsRequest()
        node.node.master.addons.add(keeps)
        assert (await node.ask())[0] == 200
        flow = keeps.flow
        assert flow is not None
        flow.metadata[STATE].closed = False
        assert cleared(flow) is not None
        await node.node.guard.request(flow)  # its connection is gone: nobody is there to be judged
        assert cleared(flow) is None
        assert flow.response is not None
        keeps.flow = None


class KeepsRequest:
    """Keeps the flow from its first hook."""

    flow: http.HTTPFlow | None = None

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        self.flow = flow


def test_a_seal_is_not_inherited() -> None:
    """A copy, a state restored, a subclass and a plain response are not sealed."""

    class Forged(SealedResponse):
        pass

    sealed = reply.poison(reply.INTERNAL)
    forged = Forged(200, b"OK", (), SECRET)
    for other in (sealed.copy(), http.Response.make(200), SealedResponse.from_state(sealed.get_state()), forged, None):
        assert wire_of(other, close=True) is None
    assert wire_of(sealed, close=True) is not None


async def test_a_full_disk_stops_the_questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be recorded is not asked, and not given."""

    async def unwritten(_record: dict[str, object]) -> bool:
        return False

    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        monkeypatch.setattr(node.node.runtime.engine._ports.audit, "append", unwritten)
        status, _, body = await node.ask()
        assert (status, orjson.loads(body)["type"]) == (503, "urn:paravent:problem:unavailable")
        assert SECRET not in body


async def test_a_connection_that_cannot_be_read_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in what asyncio calls ends one connection, without a byte; the others go on."""
    from paravent_mitmproxy.listener.client import ClientConnection

    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        for method in ("_register", "_read", "_read_head", "_start", "_deadline"):
            with monkeypatch.context() as patch:
                patch.setattr(ClientConnection, method, raising(lambda: RuntimeError(OTHER_NIR), awaited=False))
                assert await node.send(node.request()) == b""
            async with asyncio.timeout(5):
                while node.node.house.connections:
                    await asyncio.sleep(0.01)
        assert (await node.ask())[0] == 200
        assert seen.requests


async def test_a_conversation_that_cannot_be_read_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same on the upstream side: a fault in llhttp's callbacks, or in asyncio's, is a refusal."""
    from paravent_mitmproxy.listener.conversation import Conversation

    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port, timeout="0.5s") as node:
        for number, method in enumerate(
            ("on_header", "on_headers_complete", "on_body", "on_message_complete", "_finish", "_end", "data_received")
        ):
            with monkeypatch.context() as patch:
                patch.setattr(Conversation, method, raising(lambda: RuntimeError(OTHER_NIR), awaited=False))
                status, _, body = await node.ask(rpps=f"997004{number:05d}")
            assert status in {502, 504}, method
            assert SECRET not in body
        assert (await node.ask(rpps="99700500000"))[0] == 200
