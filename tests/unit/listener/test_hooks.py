"""Hooks of mitmproxy's addons, as the listener calls them: in order, each on its own, no word of theirs in the log."""

import asyncio
import io
from typing import Any

import pytest
from mitmproxy import exceptions, http
from mitmproxy.addonmanager import AddonManager
from mitmproxy.master import Master
from mitmproxy.proxy.layers.http import HttpRequestHook
from mitmproxy.test import tflow

from paravent.telemetry import logs
from paravent_mitmproxy.listener.hooks import Hooks


class Says:
    """Writes its name down, in one way or the other."""

    def __init__(self, name: str, heard: list[str], *inner: object) -> None:
        self.name = name
        self._heard = heard
        self.addons = list(inner)

    def request(self, _flow: http.HTTPFlow) -> None:
        self._heard.append(self.name)


class SaysLater(Says):
    async def request(self, _flow: http.HTTPFlow) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        self._heard.append(self.name)


class Fails(Says):
    def __init__(self, name: str, heard: list[str], fault: Exception, *inner: object) -> None:
        super().__init__(name, heard, *inner)
        self._fault = fault

    def request(self, flow: http.HTTPFlow) -> None:
        super().request(flow)
        raise self._fault


def manager_of(chain: list[object]) -> AddonManager:
    master: Any = Master(None)
    manager = AddonManager(master)
    manager.chain = chain
    return manager


def chains(heard: list[str]) -> dict[str, list[object]]:
    return {
        "one after the other, also those that wait": [
            Says("a", heard), SaysLater("b", heard), object(), Says("c", heard)
        ],
        "addons inside addons, the outer one first": [
            Says("a", heard, SaysLater("b", heard, Says("c", heard))), Says("d", heard)
        ],
        "one that raises ends its own turn": [
            Fails("a", heard, ValueError("secret"), Says("never", heard)), Says("b", heard)
        ],
        "one that halts ends the chain": [
            Says("a", heard), Fails("b", heard, exceptions.AddonHalt()), Says("c", heard)
        ],
    }  # fmt: skip


@pytest.mark.parametrize("name", chains([]))
async def test_hooks_are_called_as_mitmproxy_calls_them(name: str) -> None:
    ours: list[str] = []
    await Hooks(manager_of(chains(ours)[name])).fire("request", tflow.tflow())
    theirs: list[str] = []
    await manager_of(chains(theirs)[name]).trigger_event(HttpRequestHook(tflow.tflow()))
    assert ours == theirs != []


async def test_a_chain_that_changes_is_looked_at_anew() -> None:
    """Whoever is put in is called from the next hook on, whoever is taken out no more."""
    heard: list[str] = []
    manager = manager_of([Says("a", heard)])
    hooks = Hooks(manager)
    await hooks.fire("request", tflow.tflow())
    manager.chain.insert(0, Says("b", heard))
    await hooks.fire("request", tflow.tflow())
    manager.chain = [Says("c", heard)]
    await hooks.fire("request", tflow.tflow())
    assert heard == ["a", "b", "a", "c"]


async def test_of_what_an_addon_raised_only_its_class_is_logged() -> None:
    text = io.StringIO()
    logs.install(text)
    await Hooks(manager_of([Fails("a", [], ValueError("2840575990003"))])).fire("request", tflow.tflow())
    assert '"event": "addon_failed"' in text.getvalue()
    assert "ValueError" in text.getvalue()
    assert "2840575990003" not in text.getvalue()
