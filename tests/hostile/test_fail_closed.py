"""Whatever breaks behind a hook, the caller gets a constant refusal and none of the upstream's bytes.

The faults are put into the engine's own methods, one at a time: what is drilled is the edge that must hold when
something inside does not.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson
import pytest
from mitmproxy import http

from node import NIR, RunningNode, parse, running_node
from paravent_mitmproxy.listener.limits import Limits
from wire import http_answer, raw_upstream

SECRET = b"1821199990014"
ANSWER = http_answer(
    orjson.dumps(
        {
            "beneficiaireDeSoins": {
                "nomUsuel": "ESSAI",
                "dateNaissance": "19840517",
                "rangGemellaire": 1,
                "noNIRCertifie": NIR[:13],
                "commentaire": SECRET.decode(),
            }
        }
    )
)

FAULTS: list[tuple[str, BaseException]] = [
    ("an exception", RuntimeError(SECRET.decode())),
    ("the deepest recursion", RecursionError()),
    ("no memory", MemoryError()),
    ("a timeout", TimeoutError()),
    ("a cancellation", asyncio.CancelledError()),
    ("an interrupt", KeyboardInterrupt()),
    ("an exit", SystemExit(1)),
]


def raising(fault: BaseException) -> Callable[..., Awaitable[object]]:
    async def broken(*_: object, **__: object) -> object:
        raise fault

    return broken


async def everything(node: RunningNode, answer: bytes) -> bytes:
    """Every byte that left the node: to the caller, to its ledger, to its metrics."""
    from prometheus_client import generate_latest

    ledger = b"".join(file.read_bytes() for file in (node.sandbox.folder / "audit").glob("*"))
    return answer + ledger + generate_latest(node.node.runtime.metrics.registry)


@pytest.mark.parametrize("fault", [row[1] for row in FAULTS], ids=[row[0] for row in FAULTS])
@pytest.mark.parametrize(
    ("method", "status", "asked"),
    [("decide", 503, 0), ("settle", 502, 1)],
    ids=["before the upstream is asked", "after the upstream has answered"],
)
async def test_a_fault_in_the_engine_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, status: int, asked: int, fault: BaseException
) -> None:
    """A refusal, no byte of the answer anywhere, and the node goes on serving."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        with monkeypatch.context() as patch:
            patch.setattr(node.node.runtime.engine, method, raising(fault))
            answer = await node.send(node.request())
        assert parse(answer)[0] == status
        assert len(seen.requests) == asked
        assert SECRET not in await everything(node, answer)
        hook = "request" if method == "decide" else "response"
        assert node.metric("paravent_guard_exceptions_total", hook=hook) == 1
        assert (await node.ask(rpps="99700218896"))[0] == 200


async def test_a_hook_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook that waits for ever is a refusal when its deadline has passed."""
    monkeypatch.setattr("paravent_mitmproxy.guard.HOOK_DEADLINE_S", 0.2)

    async def hang(*_: object) -> object:
        return await asyncio.Event().wait()

    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        monkeypatch.setattr(node.node.runtime.engine, "settle", hang)
        status, _, body = await node.ask()
        assert status == 502
        assert SECRET not in body


async def test_a_fault_in_the_error_hook_closes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the hook for errors is poisoned first."""
    async with raw_upstream(b"nonsense " + SECRET) as seen, running_node(tmp_path, seen.port) as node:
        monkeypatch.setattr(node.node.runtime.engine, "abandon", raising(RuntimeError()))
        answer = await node.send(node.request())
        assert parse(answer)[0] == 502
        assert SECRET not in await everything(node, answer)


class Replaces:
    """An addon that replaces the response after the guard, as a debugging addon might."""

    def response(self, flow: http.HTTPFlow) -> None:
        flow.response = http.Response.make(200, SECRET)


class Edits:
    """An addon that edits the response after the guard."""

    def response(self, flow: http.HTTPFlow) -> None:
        assert flow.response is not None
        flow.response.content = SECRET
        flow.response.headers["X-Nir"] = SECRET.decode()


async def test_a_response_without_our_mark_does_not_leave(tmp_path: Path) -> None:
    """An addon that slipped in behind the guard can make a response, but not a marked one."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        node.node.master.addons.add(Replaces())
        answer = await node.send(node.request())
        assert parse(answer)[0] == 502
        assert SECRET not in answer
        assert node.metric("paravent_unmarked_responses_total") == 1


async def test_an_edited_response_leaves_unedited(tmp_path: Path) -> None:
    """What leaves are the bytes that were sealed, whatever was done to the object afterwards."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        node.node.master.addons.add(Edits())
        answer = await node.send(node.request())
        assert parse(answer)[0] == 200
        assert SECRET not in answer


async def test_without_the_guard_nothing_leaves(tmp_path: Path) -> None:
    """Take the guard away, and every answer is a refusal: there is no default that lets through."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        node.node.master.addons.remove(node.node.guard)
        answer = await node.send(node.request())
        assert parse(answer)[0] == 502
        assert SECRET not in answer


async def test_a_full_disk_stops_the_questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be recorded is not asked, and not given."""

    async def unwritten(_record: dict[str, object]) -> bool:
        return False

    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        monkeypatch.setattr(node.node.runtime.engine._ports.audit, "append", unwritten)
        status, _, body = await node.ask()
        assert (status, orjson.loads(body)["type"]) == (503, "urn:paravent:problem:unavailable")
        assert SECRET not in body


async def test_a_drained_node_finishes_what_it_began(tmp_path: Path) -> None:
    """SIGTERM's way: the request in flight is answered, the connection ends, new ones are not taken."""
    release = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await release.wait()
        writer.write(ANSWER)
        await writer.drain()
        writer.close()

    asked = asyncio.Event()
    server = await asyncio.start_server(slow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, running_node(tmp_path, port, limits=Limits(drain_s=3)) as node:
        asking = asyncio.create_task(node.send(node.request()))
        await asyncio.wait_for(asked.wait(), 5)
        node.node.stop()
        async with asyncio.timeout(2):
            while not node.node.house.draining:
                await asyncio.sleep(0.01)
        release.set()
        assert (await asking).startswith(b"HTTP/1.1 200")
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", node.port)
