"""The start-up canary: a node that cannot show its boundary through its own socket never answers anybody.

Threat notes: section 8.4.
"""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import http

from answers import ANSWER
from certificates import CLIENT
from node import MTLS, PLAINTEXT, TLS, RunningNode, make_folder, parse, running_node
from paravent.settings import load_settings
from paravent.telemetry import management
from paravent.wiring import build
from paravent_mitmproxy import canary
from paravent_mitmproxy.canary import MARK, REQUEST, Canary
from paravent_mitmproxy.listener.server import ParaventInstance
from paravent_mitmproxy.master import _reusable as reusable
from paravent_mitmproxy.master import bind, manage
from paravent_mitmproxy.node import Node, NotServing
from paravent_mitmproxy.reply import WITHHELD, poison
from sweep import recorded_logs
from wire import raw_upstream

KINDS = [
    ("TLS", TLS),
    ("TLS with client certificates", MTLS),
    ("TLS from front proxies", TLS + '\nfront_certificates = "front.pem"'),
    ("plaintext from front proxies", PLAINTEXT),
    ("plaintext from a front proxy elsewhere", 'plaintext_from = ["198.51.100.7/32"]'),
    ("plaintext with a PROXY header", PLAINTEXT + "\nproxy_protocol = true"),
]


async def start(
    folder: Path,
    listen: str,
    then: Callable[[Node], None] = Node.stop,
    *,
    shared: bool = False,
    beside: Callable[[Node], Coroutine[Any, Any, None]] | None = None,
) -> Node:
    """A whole node that runs until `then`, called when it answers, has ended it. Raises NotServing.

    `beside`: begins when its socket is bound.
    """
    sandbox = make_folder(folder, 9, listen=listen)
    sandbox.authority.issue("front", use=CLIENT)
    settings = load_settings(sandbox.config, {})
    runtime = build(settings)
    listening = reusable(settings.listen.address) if shared else bind(settings.listen.address, "listen.address")
    managed = manage(management.listen("127.0.0.1", 0), runtime)
    node = Node(settings, runtime, listening, managed, then, shared=shared)
    try:
        await asyncio.wait_for(asyncio.gather(node.run(), *([beside(node)] if beside else [])), 30)
    finally:
        runtime.close()
        listening.close()
        assert [each for each in (folder / "audit").glob("*.jsonl") if each.read_text()] == []
    return node


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "one of several workers"])
@pytest.mark.parametrize("listen", [row[1] for row in KINDS], ids=[row[0] for row in KINDS])
async def test_every_kind_of_listener_shows_its_boundary(tmp_path: Path, listen: str, shared: bool) -> None:
    """Whoever may speak to it: the canary comes through its socket, and leaves no trace in ledger and metrics."""
    ready: list[Any] = []

    def then(node: Node) -> None:
        ready.append((dict(node.runtime.readiness()), node.runtime.metrics.registry))
        node.stop()

    node = await start(tmp_path, listen, then, shared=shared)
    assert [(proof.name, proof.holds) for proof in node.proofs if not proof.holds] == []
    expected = ["seal", "question", "page", "http2", "connect", "plaintext"]
    assert [proof.name for proof in node.proofs] == expected + (["front"] if "front_certificates" in listen else [])
    ((checks, registry),) = ready
    assert checks["canary"]
    assert checks["listener"]
    assert registry.get_sample_value("paravent_unmarked_responses_total") == 0
    assert not any(
        sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name in {"paravent_decisions_total", "paravent_connections_refused_total"}
    )


async def test_a_worker_lets_nobody_in_before_it_has_shown_its_boundary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel gives it no connection meanwhile: the other workers have them all."""
    listened: list[int] = []
    connect = Canary._connect

    def look() -> None:
        doorway = ParaventInstance.doorway
        assert doorway is not None
        listened.append(doorway.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))

    async def looking(canary: Canary) -> bool:
        look()
        return await connect(canary)

    def then(node: Node) -> None:
        look()
        node.stop()

    monkeypatch.setattr(Canary, "_connect", looking)
    await start(tmp_path, TLS, then, shared=True)
    assert listened == [False, True]


def leaks(_response: http.Response | None, **_: object) -> bytes:
    """A latch that does not hold."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def echoes(*_: object, **__: object) -> object:
    """A page with something of the caller's in it."""
    return poison(WITHHELD)


BROKEN: list[tuple[str, str, str, Any, str]] = [
    ("the latch lets an unsealed response pass", PLAINTEXT, "listener.client.wire_of", leaks, "seal"),
    ("the latch does, over TLS", TLS, "listener.client.wire_of", leaks, "seal"),
    ("a lifted refusal is asked", PLAINTEXT, "listener.exchange.cleared", lambda _flow: object(), "question"),
    ("the error page is another", PLAINTEXT, "listener.client.reply.deny", echoes, "page"),
    ("plaintext comes from anywhere", PLAINTEXT, "listener.house.House.refusal", lambda *_: None, "plaintext"),
    ("no connection comes in", PLAINTEXT, "listener.house.House.refusal", lambda *_: "full", "seal"),
]


@pytest.mark.parametrize(
    ("listen", "place", "fault", "name"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
async def test_a_boundary_that_does_not_hold_is_never_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listen: str, place: str, fault: Any, name: str
) -> None:
    """The node ends, never ready, and its log names what could not be shown."""
    monkeypatch.setattr(f"paravent_mitmproxy.{place}", fault)
    announced: list[Node] = []
    with recorded_logs() as logs, pytest.raises(NotServing, match="the start-up canary could not show that"):
        await start(tmp_path, listen, announced.append)
    assert announced == []
    assert f'"cause": "{name}"' in logs.getvalue()
    assert MARK.decode() not in logs.getvalue()


async def test_a_canary_that_does_not_come_back_has_not_sung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has its deadline; what it waited for does not hold."""
    monkeypatch.setattr(canary, "LONGEST_S", 0.3)

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("paravent_mitmproxy.listener.exchange.Exchange.run", hang)
    with pytest.raises(NotServing, match="that we did not build"):
        await start(tmp_path, PLAINTEXT)


async def test_whoever_comes_while_it_sings_is_asked_to_come_again(tmp_path: Path) -> None:
    """503: their software is not at fault, as 400 would say."""
    ready = asyncio.Event()
    answers: list[bytes] = []

    async def caller(node: Node) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        writer.write(REQUEST[:20])
        await ready.wait()
        writer.write(REQUEST[20:])
        answers.append(await reader.read())
        writer.close()
        node.stop()

    await start(tmp_path, PLAINTEXT, lambda _: ready.set(), beside=caller)
    assert parse(answers[0])[0] == 503


async def test_what_the_canary_does_it_does_to_itself(tmp_path: Path) -> None:
    """Afterwards the chain is the node's again, and the doorway leads to the house that has books."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        assert [type(addon).__name__ for addon in node.node.master.addons.chain][-1] == "Guard"
        assert (await node.ask())[0] == 200
        assert await refused_record(node) == "request_ambiguous"


async def refused_record(node: RunningNode) -> object:
    assert parse(await node.send(b"nonsense\r\n\r\n"))[0] == 400
    return node.records()[-1]["reason"]


# ---- real processes

SABOTAGE = {
    "the latch does not hold": (
        "import paravent_mitmproxy.listener.client as c;"
        "c.wire_of = lambda response, **_: b'HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n'",
        "Nothing was served",
    ),
    "a release moves a class that we build on": (
        "import mitmproxy.proxy.mode_servers as m; m.ServerOfARelease = m.__dict__.pop('AsyncioServerInstance')",
        "AsyncioServerInstance",
    ),
    "a release renames the method that listens": (
        "import types, mitmproxy.proxy.mode_servers as m; a = m.AsyncioServerInstance; f = a._start;"
        "a.open_of_a_release = a.listen;"
        "n = tuple('open_of_a_release' if each == 'listen' else each for each in f.__code__.co_names);"
        "assert n != f.__code__.co_names;"
        "a._start = types.FunctionType(f.__code__.replace(co_names=n), f.__globals__)",
        "Nothing was served",
    ),
    "a release renames an option that we freeze": (
        "from mitmproxy.addons.proxyserver import Proxyserver; real = Proxyserver.load;"
        "Proxyserver.load = lambda self, loader: (real(self, loader),"
        " loader.master.options._options.pop('stream_large_bodies'))",
        "stream_large_bodies",
    ),
}


@pytest.mark.real
@pytest.mark.parametrize(("sabotage", "sentence"), SABOTAGE.values(), ids=SABOTAGE)
def test_serve_ends_with_a_code_and_a_sentence(tmp_path: Path, sabotage: str, sentence: str) -> None:
    """An upgrade that moves what we build on fails at the start, and the port is never answered on."""
    sandbox = make_folder(tmp_path, 9)
    program = f"{sabotage}\nfrom paravent.cli import main; main(['serve', '--config', 'paravent.toml'])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=sandbox.folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1, done.stderr
    assert sentence in done.stderr
    assert "ready on" not in done.stdout


@pytest.mark.real
def test_check_lets_the_canary_sing_beside_a_node_that_serves(tmp_path: Path) -> None:
    """Each thing that was shown is a line; code 1 when one was not; state and ledger of the node are left alone."""
    sandbox = make_folder(tmp_path, 9, listen=TLS)
    before = sorted(each.name for each in tmp_path.iterdir())
    for sabotage, code, line in (
        ("", 0, "shown: plain HTTP on the TLS port gets no answer"),
        (SABOTAGE["the latch does not hold"][0], 1, "NOT SHOWN: a response that we did not build does not leave"),
    ):
        program = f"{sabotage}\nfrom paravent.cli import main; main(['check', '--config', 'paravent.toml'])"
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=sandbox.folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, line in done.stdout) == (code, True), done.stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == before
