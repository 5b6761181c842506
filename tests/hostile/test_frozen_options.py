"""mitmproxy around us: its options cannot be changed, its chain is ours, and its own server is never started."""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import exceptions, options
from mitmproxy.addons.proxyserver import Proxyserver

from answers import ANSWER
from node import RunningNode, make_folder, running_node
from paravent_mitmproxy.options import FROZEN, Frost, frozen_options
from wire import raw_upstream

WANTED: dict[str, object] = {
    "server": True,
    "ignore_hosts": [],
    "allow_hosts": [],
    "tcp_hosts": [],
    "udp_hosts": [],
    "rawtcp": False,
    "websocket": False,
    "http2": False,
    "http3": False,
    "ssl_insecure": False,
    "upstream_cert": False,
    "keep_host_header": False,
    "stream_large_bodies": None,
    "store_streamed_bodies": False,
    "proxy_debug": False,
    "validate_inbound_headers": True,
    "connection_strategy": "lazy",
    "client_certs": None,
    "connect_addr": None,
    "ssl_verify_upstream_trusted_ca": None,
    "ssl_verify_upstream_trusted_confdir": None,
}

CHANGES: list[tuple[str, Any]] = [
    ("mode", ["regular@0"]),
    ("mode", ["reverse:http://evil.example"]),
    ("mode", []),
    ("server", False),
    ("ignore_hosts", [".*"]),
    ("allow_hosts", ["^$"]),
    ("tcp_hosts", [".*"]),
    ("udp_hosts", [".*"]),
    ("rawtcp", True),
    ("websocket", True),
    ("http2", True),
    ("http3", True),
    ("ssl_insecure", True),
    ("upstream_cert", True),
    ("keep_host_header", True),
    ("stream_large_bodies", "1"),
    ("store_streamed_bodies", True),
    ("proxy_debug", True),
    ("validate_inbound_headers", False),
    ("connection_strategy", "eager"),
    ("body_size_limit", "1g"),
    ("connect_addr", "127.0.0.1"),
    ("confdir", "/tmp"),
    ("tcp_timeout", 1),
    ("client_certs", "/tmp"),
]


async def addresses(node: RunningNode) -> list[int]:
    """The ports that mitmproxy's server addon listens on, once it has come to rest."""
    proxyserver: Proxyserver = node.node.master.addons.get("proxyserver")
    async with asyncio.timeout(5):
        while proxyserver.servers.is_updating:
            await asyncio.sleep(0)
    return [address[1] for address in proxyserver.listen_addrs()]


async def test_every_option_is_what_it_must_be(tmp_path: Path) -> None:
    """The values themselves, at start, also of the options that an addon declares after we have set them."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        opts = node.node.master.options
        assert {name: getattr(opts, name) for name in WANTED} == WANTED
        assert opts.mode == [f"paravent@127.0.0.1:{node.port}"]
        assert opts.deferred == {}
        changed = {name for name in opts.keys() if getattr(opts, name) != opts.default(name)}  # noqa: SIM118
        assert changed <= FROZEN.keys() | {"mode"}


async def test_no_option_can_be_changed(tmp_path: Path) -> None:
    """Each change raises and is rolled back; no server of mitmproxy's own is started, and ours goes on."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        opts = node.node.master.options
        for name, value in CHANGES:
            before = getattr(opts, name)
            with pytest.raises(exceptions.OptionsError):
                opts.update(**{name: value})
            assert getattr(opts, name) == before, name
            assert await addresses(node) == [node.port], name
        assert (await node.ask())[0] == 200


async def test_an_option_that_nobody_named_cannot_be_changed_either(tmp_path: Path) -> None:
    """Every option that mitmproxy knows, also one that a release or an addon adds."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        opts = node.node.master.options
        opts.add_option("emudhra", bool, False, "A certificate authority whose key is public.")
        other: dict[type, Any] = {bool: lambda now: not now, int: lambda now: (now or 0) + 1}
        names = sorted(opts.keys())
        assert len(names) > 30
        for name in names:
            kind = type(getattr(opts, name))
            value = other.get(kind, lambda _: ["x"] if kind is list else "x")(getattr(opts, name))  # noqa: B023
            before = getattr(opts, name)
            with pytest.raises((exceptions.OptionsError, TypeError)):
                opts.update(**{name: value})
            assert getattr(opts, name) == before, name
        assert (await node.ask())[0] == 200


@pytest.mark.real
def test_no_file_of_mitmproxys_is_read_or_made(tmp_path: Path) -> None:
    """Its configuration folder holds options and the key of an authority: production has neither."""
    home = tmp_path / "home"
    (home / ".mitmproxy").mkdir(parents=True)
    (home / ".mitmproxy" / "config.yaml").write_text("http2: true\nkeep_host_header: true\nno_such_option: 1\n")
    sandbox = make_folder(tmp_path, 9)
    process = subprocess.Popen(
        [sys.executable, "-m", "paravent.cli", "serve", "--config", str(sandbox.config)],
        env={"PATH": "/usr/bin:/bin", "HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert "ready on" in process.stdout.readline()
    finally:
        process.terminate()
        process.wait(15)
    assert [each.name for each in home.rglob("*")] == [".mitmproxy", "config.yaml"]


async def test_a_reset_starts_no_server(tmp_path: Path) -> None:
    """mitmproxy does not roll a reset back; nobody acts on it either."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        with pytest.raises(exceptions.OptionsError):
            node.node.master.options.reset()
        assert await addresses(node) == [node.port]
        assert (await node.ask())[0] == 200


async def test_the_chain_is_ours(tmp_path: Path) -> None:
    """Four addons, the guard last; none of mitmproxy's defaults, no script loader, nothing that prints."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        chain = [type(addon).__name__ for addon in node.node.master.addons.chain]
        assert chain == ["Frost", "Proxyserver", "Herald", "Guard"]
        assert node.node.master._termlog_addon is None


def test_an_option_that_a_release_renames_stops_the_start() -> None:
    """Deferred for ever, it would leave its successor at a default that nobody chose."""
    import paravent_mitmproxy.listener.server as _registered  # noqa: F401

    opts = frozen_options("paravent@127.0.0.1:1")
    opts.update_defer(renamed_by_a_release=False)
    with pytest.raises(RuntimeError, match="options"):
        Frost("paravent@127.0.0.1:1", opts).check()


def test_options_that_were_set_otherwise_stop_the_start() -> None:
    """Whoever set them: a file, the environment, a default that a release changed."""
    opts = options.Options()
    with pytest.raises(RuntimeError, match="http2"):
        Frost("paravent@127.0.0.1:1", opts).check()


async def test_nothing_is_listened_on_but_one_tcp_port(tmp_path: Path) -> None:
    """No UDP beside it, so no QUIC and no HTTP/3, which would know nothing of our handshake."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        instances = list(node.node.master.addons.get("proxyserver").servers)
        assert [instance.mode.transport_protocol for instance in instances] == ["tcp"]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", node.port))


async def test_mitmproxys_layers_are_out_of_reach(tmp_path: Path) -> None:
    """The server instance that mitmproxy holds cannot be asked for one of its layers."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        proxyserver: Proxyserver = node.node.master.addons.get("proxyserver")
        (instance,) = proxyserver.servers
        with pytest.raises(NotImplementedError):
            instance.make_top_layer(None)  # type: ignore[arg-type]
        assert proxyserver.active_connections() == 0
        await node.ask()
        assert proxyserver.active_connections() == 0
