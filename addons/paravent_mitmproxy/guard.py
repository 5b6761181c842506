"""The guard: the mitmproxy addon that stands between a flow and its caller.

Rules of this file
  1. Every hook fails open in mitmproxy: an exception is logged and the flow goes on. So each hook sets the refusal
     first and lifts it last, and catches BaseException around its body.
  2. What handles a failure does nothing that can fail: it assigns a response that was built at start.
  3. A response is only ever assigned from `reply`, which seals it. The listener sends nothing else.
"""

import time
from dataclasses import dataclass
from typing import Protocol

from mitmproxy import http

from paravent.alarm import Alarm
from paravent.decide import Allow, Plan, Verdict
from paravent.drive import Engine
from paravent.model import Connection, Facts, Release, UpstreamRequest
from paravent.reasons import Reason
from paravent.telemetry.metrics import Metrics
from paravent_mitmproxy import reply
from paravent_mitmproxy.facts import answer_of, facts_of, is_ambiguous
from paravent_mitmproxy.listener.refusals import Refusals
from paravent_mitmproxy.messages import Request

STATE = "paravent"
"""Where the guard keeps its half-done work in `flow.metadata`."""

FAILURE = "paravent-failure"
"""Where the listener says why there is no answer: a `Reason`. Never text from outside."""

HOOK_DEADLINE_S = 5.0
"""No hook may wait longer, whatever it waits for. Each port has a shorter deadline of its own."""


@dataclass(slots=True)
class InFlight:
    """One request between two hooks."""

    facts: Facts
    plan: Plan | None = None
    """Set when the request was let through."""
    closed: bool = False
    """Its decision is on record."""


class Connections(Protocol):
    """Who is at the other end of a flow's client connection."""

    def connection_of(self, flow: http.HTTPFlow) -> Connection | None:
        """None: not a connection that may carry requests (plaintext from a stranger, no TLS)."""
        ...


def cleared(flow: http.HTTPFlow) -> UpstreamRequest | None:
    """What may be asked of the upstream for this flow: the request that the plan holds, and no other.

    None unless the guard has let the flow through and its books are still open. An addon that lifts the refusal, or
    edits the request, changes nothing of what is sent.
    """
    state = flow.metadata.get(STATE)
    if not isinstance(state, InFlight) or state.plan is None or state.closed:
        return None
    return state.plan.upstream


class Guard:
    """Poison first, un-poison last."""

    def __init__(
        self, engine: Engine, connections: Connections, metrics: Metrics, refusals: Refusals | None = None
    ) -> None:
        """`refusals`: None where networks are not bounded by them."""
        self._engine = engine
        self._refusals = refusals
        self._connections = connections
        self._metrics = metrics
        self._deadline = Alarm(HOOK_DEADLINE_S)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Poison the flow. It stays poisoned until `request` has decided."""
        flow.response = reply.poison(reply.INTERNAL)
        flow.metadata.pop(STATE, None)  # of an earlier life of this flow, where somebody replays it

    async def request(self, flow: http.HTTPFlow) -> None:
        """Decide; lift the refusal only for a request that may go upstream, rebuilt."""
        flow.response = reply.poison(reply.INTERNAL)
        flow.metadata.pop(STATE, None)
        try:
            flow.response = await self._deadline.within(self._request(flow))
        except BaseException:
            flow.response = reply.poison(reply.INTERNAL)
            self._metrics.hook_raised("request")

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Never stream: a streamed body would pass before `response` sees it."""
        if flow.response is not None:
            flow.response.stream = False

    async def response(self, flow: http.HTTPFlow) -> None:
        """Reduce the answer; until that has succeeded, the flow holds a refusal."""
        answered = flow.response
        flow.response = reply.poison(reply.WITHHELD)
        try:
            flow.response = await self._deadline.within(self._response(flow, answered))
        except BaseException:
            flow.response = reply.poison(reply.WITHHELD)
            self._metrics.hook_raised("response")

    async def error(self, flow: http.HTTPFlow) -> None:
        """No answer came, or nobody waits for one: close the books all the same."""
        flow.response = reply.poison(reply.WITHHELD)
        try:
            flow.response = await self._deadline.within(self._error(flow))
        except BaseException:
            flow.response = reply.poison(reply.WITHHELD)
            self._metrics.hook_raised("error")

    # ---- the bodies

    async def _request(self, flow: http.HTTPFlow) -> http.Response | None:
        connection = self._connections.connection_of(flow)
        if connection is None:
            return reply.poison(reply.INTERNAL)
        facts = facts_of(flow, self._engine.now_ms(), connection)
        state = InFlight(facts)
        flow.metadata[STATE] = state
        verdict = await self._decide(facts)
        if not isinstance(verdict, Allow):
            state.closed = True
            if self._refusals is not None:
                self._refusals.count(connection.source_ip, verdict.reason, time.monotonic())
            return reply.deny(verdict, facts.request_id, _language(facts))
        state.plan = verdict.plan
        _rebuild(flow.request, verdict.plan)
        return None

    async def _decide(self, facts: Facts) -> Verdict:
        if is_ambiguous(facts):
            return await self._engine.refuse(facts, Reason.REQUEST_AMBIGUOUS)
        if self._refusals is not None:
            wait_s = self._refusals.wait_s(facts.connection.source_ip, time.monotonic())
            if wait_s is not None and not self._engine.knows(facts):
                return await self._engine.refuse(facts, Reason.NETWORK_REFUSED_OFTEN, wait_s)
        return await self._engine.decide(facts)

    async def _response(self, flow: http.HTTPFlow, answered: http.Response | None) -> http.Response:
        state = flow.metadata.get(STATE)
        if not isinstance(state, InFlight) or state.plan is None or state.closed or answered is None:
            # Nothing was asked of the upstream: whatever stands here is not an answer to us.
            return reply.poison(reply.WITHHELD)
        state.closed = True
        outcome = await self._engine.settle(state.facts, state.plan, answer_of(answered))
        if isinstance(outcome, Release):
            return reply.release(outcome, state.plan)
        return reply.withhold(outcome, state.facts.request_id, _language(state.facts))

    async def _error(self, flow: http.HTTPFlow) -> http.Response:
        reason = flow.metadata.get(FAILURE)
        if not isinstance(reason, Reason):
            reason = Reason.UPSTREAM_PROTOCOL
        state = flow.metadata.get(STATE)
        if not isinstance(state, InFlight) or state.plan is None or state.closed:
            return reply.constant(reason)
        state.closed = True
        outcome = await self._engine.abandon(state.facts, state.plan, reason)
        return reply.withhold(outcome, state.facts.request_id, _language(state.facts))


def _language(facts: Facts) -> str:
    """Of a refusal: an answer has none of ours."""
    return reply.language_of(facts.values(b"accept-language"))


def _rebuild(request: http.Request, plan: Plan) -> None:
    """The flow shows what goes upstream: no header, parameter or member of the caller's survives.

    In development, on mitmproxy's own layers, this is what goes upstream; our listener takes it from the plan.
    """
    ours = plan.upstream
    if type(request) is Request:
        request.show(ours)
        return
    request.data.method = ours.method
    request.data.path = ours.target
    request.data.authority = b""
    request.data.headers = http.Headers(ours.headers)
    request.data.content = ours.body
    request.data.trailers = None
