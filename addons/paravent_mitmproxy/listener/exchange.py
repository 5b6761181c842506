"""One request through mitmproxy's hooks, in mitmproxy's order, on an HTTPFlow.

requestheaders → request → (upstream) → responseheaders → response, or error. Other addons see what they would see
on mitmproxy's own layers. What leaves is decided by the seal alone.
"""

import time
from typing import Protocol

from mitmproxy import connection, flow, http
from mitmproxy.addonmanager import AddonManager
from mitmproxy.proxy.layers.http import (
    HttpErrorHook,
    HttpRequestHeadersHook,
    HttpRequestHook,
    HttpResponseHeadersHook,
    HttpResponseHook,
)

from paravent.model import Answer, UpstreamRequest
from paravent.reasons import Reason
from paravent.telemetry.metrics import Metrics
from paravent_mitmproxy.guard import FAILURE
from paravent_mitmproxy.listener.head import Head
from paravent_mitmproxy.listener.upstream import Upstream


class Caller(Protocol):
    """The client side of an exchange, as far as it concerns the hooks."""

    @property
    def gone(self) -> bool:
        """Nobody is left to read an answer."""
        ...


class Exchange:
    """Runs requests of one listener."""

    def __init__(self, addons: AddonManager, upstream: Upstream, server: connection.Server, metrics: Metrics) -> None:
        self._addons = addons
        self._upstream = upstream
        self._server = server
        self._metrics = metrics

    async def run(self, client: connection.Client, caller: Caller, head: Head, body: bytes) -> http.Response | None:
        """The response that the addons agreed on. Whether it may leave is for whoever writes to decide."""
        live = self._flow(client, head)
        await self._addons.trigger_event(HttpRequestHeadersHook(live))
        live.request.data.content = body
        await self._addons.trigger_event(HttpRequestHook(live))
        if live.response is not None:
            return live.response
        started = time.perf_counter()
        answer = await self._upstream.ask(_upstream_request(live.request))
        self._metrics.stage("upstream", time.perf_counter() - started)
        if caller.gone:
            answer = Reason.CLIENT_LEFT
        if isinstance(answer, Reason):
            return await self._failed(live, answer)
        live.response = _response(answer)
        await self._addons.trigger_event(HttpResponseHeadersHook(live))
        await self._addons.trigger_event(HttpResponseHook(live))
        return live.response

    async def _failed(self, live: http.HTTPFlow, reason: Reason) -> http.Response | None:
        self._metrics.upstream_failed(reason.value)
        live.metadata[FAILURE] = reason
        live.error = flow.Error(reason.value)
        await self._addons.trigger_event(HttpErrorHook(live))
        return live.response

    def _flow(self, client: connection.Client, head: Head) -> http.HTTPFlow:
        live = http.HTTPFlow(client, self._server, live=True)
        now_s = time.time()
        address = self._server.address or ("", 0)
        live.request = http.Request(
            host=address[0],
            port=address[1],
            method=head.method,
            scheme=b"https" if self._server.tls else b"http",
            authority=b"",
            path=head.target,
            http_version=b"HTTP/1.1",
            headers=http.Headers(head.headers),
            content=b"",
            trailers=None,
            timestamp_start=now_s,
            timestamp_end=now_s,
        )
        return live


def _upstream_request(request: http.Request) -> UpstreamRequest:
    data = request.data
    return UpstreamRequest(data.method, data.path, tuple(data.headers.fields), data.content or b"")


def _response(answer: Answer) -> http.Response:
    now_s = time.time()
    return http.Response(
        http_version=b"HTTP/1.1",
        status_code=answer.status,
        reason=b"",
        headers=http.Headers(answer.headers),
        content=answer.body,
        trailers=None,
        timestamp_start=now_s,
        timestamp_end=now_s,
    )
