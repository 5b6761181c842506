"""One request through mitmproxy's hooks, in mitmproxy's order, on an HTTPFlow.

requestheaders → request → (upstream) → responseheaders → response, or error. Other addons see what they would see
on mitmproxy's own layers. Two things are not theirs to decide: what goes upstream is the request of the guard's plan
(`guard.cleared`), and what leaves is what carries the seal.
"""

import asyncio
import time
from typing import Final, Protocol

from mitmproxy import connection, flow, http
from mitmproxy.addonmanager import AddonManager

from paravent.model import Answer, UpstreamRequest
from paravent.reasons import Reason
from paravent.telemetry.metrics import Metrics
from paravent_mitmproxy import guard, reply
from paravent_mitmproxy.guard import FAILURE, cleared
from paravent_mitmproxy.listener.head import Head
from paravent_mitmproxy.listener.hooks import Hooks
from paravent_mitmproxy.listener.upstream import Upstream
from paravent_mitmproxy.messages import Answered, LiveFlow, Place, Request, Sent

MARGIN_S: Final = 2.0
"""For records that are written when a hook's deadline has passed, and for a loop that is late."""


class Caller(Protocol):
    """The client side of an exchange, as far as it concerns the hooks."""

    def gone(self) -> bool:
        """Nobody is left to read an answer."""
        ...

    def overdue(self) -> bool:
        """It was broken off because it took too long."""
        ...


class Exchange:
    """Runs requests of one listener."""

    def __init__(self, addons: AddonManager, upstream: Upstream, server: connection.Server, metrics: Metrics) -> None:
        self._hooks = Hooks(addons)
        self._upstream = upstream
        self._server = server
        self._metrics = metrics
        self.longest_s = 2 * guard.HOOK_DEADLINE_S + upstream.longest_s + MARGIN_S
        """No exchange takes longer while the deadlines of its parts are kept: two hooks that wait, and the upstream."""
        host, port = server.address or ("", 0)
        self._place = Place(host, port, b"https" if server.tls else b"http")

    async def run(self, client: connection.Client, caller: Caller, head: Head, body: bytes) -> http.Response | None:
        """The response that the addons agreed on. Whether it may leave is for whoever writes to decide."""
        live = LiveFlow(client, self._server)
        request = live.request = Request(self._place, Sent(head.method, head.target, head.headers, head.lowered))
        # Without the guard, or when an addon before it halts the chain, this is what the caller gets.
        refusal = live.response = reply.poison(reply.INTERNAL)
        await self._hooks.fire("requestheaders", live)
        request.complete(body)
        await self._hooks.fire("request", live)
        question = cleared(live)
        if question is None or not _lifted(live):
            return refusal if _lifted(live) else live.response
        answer = Reason.INTERNAL_ERROR if _killed(live) else await self._ask(question, caller)
        if not isinstance(answer, Answer):
            return await self._failed(live, answer)
        live.response = Answered(answer)
        await self._hooks.fire("responseheaders", live)
        await self._hooks.fire("response", live)
        return reply.poison(reply.WITHHELD) if _killed(live) else live.response

    async def _ask(self, question: UpstreamRequest, caller: Caller) -> Answer | Reason:
        if caller.gone():
            return Reason.CLIENT_LEFT
        started = time.perf_counter()
        try:
            answer = await self._upstream.ask(question)
        except asyncio.CancelledError:
            # Whoever was asked about is charged: the books are closed first.
            if not caller.overdue():
                return Reason.DRAINING  # the drain is over, or the process ends
            answer = Reason.UPSTREAM_TIMEOUT
        else:
            answer = Reason.CLIENT_LEFT if caller.gone() else answer
        self._metrics.stage("upstream", time.perf_counter() - started)
        if not isinstance(answer, Answer):
            self._metrics.upstream_failed(answer.value)
        return answer

    async def _failed(self, live: http.HTTPFlow, reason: Reason) -> http.Response | None:
        live.metadata[FAILURE] = reason
        live.error = flow.Error(reason.value)
        await self._hooks.fire("error", live)
        return live.response


def _lifted(live: http.HTTPFlow) -> bool:
    """No addon answers in the upstream's place."""
    return live.response is None


def _killed(live: http.HTTPFlow) -> bool:
    """An addon called `flow.kill()`: mitmproxy's layers would go no further with it."""
    return live.error is not None and live.error.msg == flow.Error.KILLED_MESSAGE
