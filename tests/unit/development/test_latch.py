"""The latch takes the place of names inside mitmproxy: a release that moves one stops the start.

What it lets through is tried with a real mitmdump in tests/hostile/test_development_mode.py.
"""

import types
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.options import Options
from mitmproxy.proxy.layers import http as layers

from paravent_mitmproxy.development import drill, latch


@pytest.fixture(autouse=True)
def _as_mitmproxy_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test replaces is put back."""
    for name in latch.LATCHES:
        monkeypatch.setattr(layers, name, getattr(layers, name))


@pytest.fixture
def options() -> Options:
    opts = Options()
    for name, value in (
        ("validate_inbound_headers", True),
        ("connection_strategy", "lazy"),
        ("stream_large_bodies", None),
        ("body_size_limit", None),
        ("keep_host_header", False),
    ):
        opts.add_option(name, str | None if value is None else type(value), value, "")
    return opts


def test_the_drill_passes_behind_the_latch_and_not_without_it(options: Options) -> None:
    """It proves something: mitmproxy as it ships sends a response that nobody sealed."""
    with pytest.raises(drill.LatchOpen, match="a response without a seal"):
        drill.run(options)
    latch.install()
    assert latch.installed()
    drill.run(options)
    latch.install()
    drill.run(options)


@pytest.mark.parametrize("name", latch.LATCHES)
def test_a_name_that_is_gone_stops_the_start(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """And nothing is half replaced then."""
    monkeypatch.delattr(layers, name)
    with pytest.raises(latch.Moved, match=name):
        latch.install()
    assert not any(getattr(layers, each, None) is ours for each, ours in latch.LATCHES.items())


@pytest.mark.parametrize(
    ("layer", "name", "drilled"),
    [
        (layers.HttpLayer, "Http1Server", "a response without a seal"),
        (layers.HttpClient, "Http1Client", "a request that nobody cleared"),
    ],
    ids=["towards clients", "towards the upstream"],
)
def test_a_name_that_mitmproxy_uses_no_more_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, options: Options, layer: type, name: str, drilled: str
) -> None:
    """The old name is still there, and the layers make their connections of another class: the drill sees it."""
    monkeypatch.setattr(layers, f"{name}OfARelease", getattr(layers, name), raising=False)
    monkeypatch.setattr(layer, "_handle_event", renamed(layer._handle_event, name))  # type: ignore[attr-defined]
    latch.install()
    with pytest.raises(drill.LatchOpen, match=drilled):
        drill.run(options)


def renamed(function: Any, name: str) -> Any:
    """The same function, which finds `name` under another."""
    inner = getattr(function, "__wrapped__", function)
    names = tuple(f"{each}OfARelease" if each == name else each for each in inner.__code__.co_names)
    assert names != inner.__code__.co_names
    return types.FunctionType(inner.__code__.replace(co_names=names), inner.__globals__, inner.__name__)


def test_a_cleared_request_shows_copies_and_is_not_copied() -> None:
    """An edit changes nothing of what is sent, nor where; a copy is a request like any other."""
    shown = http.Request.make("GET", "http://upstream.example/")
    cleared = latch.ClearedRequest(shown, b"bytes")
    cleared.host, cleared.path = "192.0.2.1", "/admin"
    cleared.headers["X"] = "1"
    assert (cleared.host, cleared.path, "X" in cleared.headers) == ("upstream.example", "/", False)
    assert type(cleared.copy()) is http.Request
