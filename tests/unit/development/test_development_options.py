"""Which of mitmproxy's options development mode sets, leaves alone, or refuses the start for."""

from pathlib import Path
from typing import Any

import pytest
from mitmproxy import exceptions
from mitmproxy.options import Options
from mitmproxy.tools.dump import DumpMaster

from node import make_folder
from paravent.settings import Settings, load_settings
from paravent_mitmproxy.development.options import CONFIG, FREE, MUST, Unfit, harden
from paravent_mitmproxy.options import Frost

MODE = "reverse:http://127.0.0.1:9@127.0.0.1:0"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(make_folder(tmp_path, 9).config, {})


@pytest.fixture
async def options() -> Options:
    """mitmdump's own, with all of its addons."""
    opts = Options()
    DumpMaster(opts, with_termlog=False, with_dumper=True)
    opts.add_option(CONFIG, str, "", "")
    opts.update(mode=[MODE])
    return opts


async def test_what_stands_at_a_default_is_set(options: Options, settings: Settings) -> None:
    """Every option is what it must be afterwards; a free one is as it was given."""
    options.update(tcp_timeout=30, listen_port=8443)
    harden(options, settings)
    for name in options.keys() - FREE - {"mode"}:
        assert getattr(options, name) == MUST.get(name, options.default(name)), name
    assert (options.tcp_timeout, options.listen_port) == (30, 8443)


WRONG: list[tuple[str, Any]] = [
    ("ignore_hosts", [".*"]),
    ("allow_hosts", ["^$"]),
    ("tcp_hosts", [".*"]),
    ("udp_hosts", [".*"]),
    ("ssl_insecure", True),
    ("keep_host_header", True),
    ("stream_large_bodies", "1"),
    ("store_streamed_bodies", True),
    ("body_size_limit", "1"),
    ("proxy_debug", True),
    ("validate_inbound_headers", False),
    ("ssl_verify_upstream_trusted_confdir", "/etc"),
    ("server", False),
    ("onboarding_host", "else.example"),
    ("flow_detail", 3),
    ("save_stream_file", "+flows"),
    ("hardump", "flows.har"),
    ("map_local", ["|.*|/etc"]),
    ("map_remote", ["|.*|http://192.0.2.1"]),
    ("modify_body", ["|a|b"]),
    ("modify_headers", ["|a|b"]),
    ("stickyauth", ".*"),
    ("stickycookie", ".*"),
    ("server_replay", ["flows"]),
    ("client_replay", ["flows"]),
    ("proxyauth", "a:b"),
    ("upstream_auth", "a:b"),
    ("connect_addr", "127.0.0.1"),
    ("request_client_cert", True),
    ("add_upstream_certs_to_client_chain", True),
    ("block_global", False),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=[row[0] for row in WRONG])
async def test_what_was_set_otherwise_refuses_the_start(
    options: Options, settings: Settings, name: str, value: Any
) -> None:
    """Whoever set it expects something of it: its name is told."""
    options._options[name].set(value)  # without asking the addon, which may want the file to exist
    with pytest.raises(Unfit, match=name):
        harden(options, settings)


async def test_an_option_that_a_release_adds_refuses_the_start(options: Options, settings: Settings) -> None:
    """mitmproxy 12.3 brings two that sign with an authority's key which everybody has."""
    options.add_option("an_option_of_a_release", bool, False, "")
    harden(options, settings)
    for name in {"an_option_of_a_release", "emudhra", "emudhra_old"} & set(options.keys()):
        options._options[name].set(True)
        with pytest.raises(Unfit, match=name):
            harden(options, settings)
        options._options[name].set(False)


@pytest.mark.parametrize(
    ("modes", "sentence"),
    [
        ([], "exactly one mode"),
        (["regular"], "exactly one mode"),
        (["transparent"], "exactly one mode"),
        (["socks5"], "exactly one mode"),
        (["upstream:http://127.0.0.1:9"], "exactly one mode"),
        ([MODE, "regular"], "exactly one mode"),
        (["reverse:tcp://127.0.0.1:9"], "differ"),
        (["reverse:tls://127.0.0.1:9"], "differ"),
        (["reverse:https://127.0.0.1:9"], "differ"),
        (["reverse:quic://127.0.0.1:9"], "differ"),
        (["reverse:http://127.0.0.1:8"], "differ"),
        (["reverse:http://localhost:9"], "differ"),
    ],
    ids=str,
)
async def test_one_mode_to_the_upstream_of_the_configuration(
    options: Options, settings: Settings, modes: list[str], sentence: str
) -> None:
    """The sentence says how the mode must read."""
    options._options["mode"].set(modes)
    with pytest.raises(Unfit, match=sentence):
        harden(options, settings)


async def test_an_option_that_a_release_renames_refuses_the_start(options: Options, settings: Settings) -> None:
    """Its successor would stand at a default that nobody chose."""
    del options._options["stream_large_bodies"]
    with pytest.raises(Unfit, match="stream_large_bodies"):
        harden(options, settings)


async def test_a_change_afterwards_is_rolled_back(options: Options, settings: Settings) -> None:
    """By whomever: another addon, a command."""
    harden(options, settings)
    frost = Frost(MODE, options, FREE, MUST)
    options.changed.connect(frost.configure)
    for name, value in (("stream_large_bodies", "1"), ("rawtcp", True), ("mode", ["regular"]), ("flow_detail", 2)):
        before = getattr(options, name)
        with pytest.raises(exceptions.OptionsError):
            options.update(**{name: value})
        assert getattr(options, name) == before
    options.update(tcp_timeout=30)
