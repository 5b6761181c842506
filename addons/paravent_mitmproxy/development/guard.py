"""The guard of development: the same, on flows of mitmproxy's own layers."""

from collections.abc import Callable
from ipaddress import ip_address
from typing import override

from mitmproxy import http

from paravent.drive import Engine
from paravent.model import Connection, UpstreamRequest
from paravent.telemetry.metrics import Metrics
from paravent_mitmproxy.development.latch import ClearedRequest
from paravent_mitmproxy.guard import Guard, cleared
from paravent_mitmproxy.seal import SealedResponse


class Loopback:
    """Development answers this machine and nobody else, over TLS of mitmproxy's or without."""

    def connection_of(self, flow: http.HTTPFlow) -> Connection | None:
        """Client certificates are not looked at: mitmproxy checks none of them."""
        peer = str(flow.client_conn.peername[0])
        return Connection(peer, secure=True, source_ip=peer) if ip_address(peer).is_loopback else None


class LatchedGuard(Guard):
    """Marks what it lets through, so that the latch towards the upstream sends it."""

    def __init__(self, engine: Engine, metrics: Metrics, written: Callable[[UpstreamRequest], bytes | None]) -> None:
        """`written`: the bytes of a question."""
        super().__init__(engine, Loopback(), metrics)
        self._written = written

    @override
    async def request(self, flow: http.HTTPFlow) -> None:
        await super().request(flow)
        question = cleared(flow)
        wire = self._written(question) if question is not None else None
        if flow.response is None and wire is not None:
            # Not reached, or an exception before: the latch sends nothing of an unmarked request.
            flow.request = ClearedRequest(flow.request, wire)

    @override
    async def response(self, flow: http.HTTPFlow) -> None:
        if cleared(flow) is None and type(flow.response) is SealedResponse:
            # A refusal of ours: mitmproxy leads what `request` has answered through this hook too.
            return
        await super().response(flow)
