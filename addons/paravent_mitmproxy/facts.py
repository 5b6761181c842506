"""A flow as `Facts`: one conversion, at the edge, from raw bytes.

Nothing of mitmproxy's convenient views (`.url`, `.query`, `.text`, `.json()`) is used: they normalise, and what is
normalised cannot be judged any more. Ambiguous requests have been refused by the listener; the checks are repeated
here because in development the flow comes from mitmproxy's own layers.
"""

import os

from mitmproxy import http

from paravent.audit.justification import HEADER as JUSTIFICATION
from paravent.model import Answer, Connection, Facts
from paravent_mitmproxy.messages import Answered, Request, Sent

SINGLE = (
    b"host",
    b"authorization",
    b"dpop",
    b"content-type",
    b"content-length",
    b"paravent-purpose",
    JUSTIFICATION,
    b"client-cert",
)
"""Headers that may come once at most. Two would be read differently by two readers."""

REFUSED = frozenset(
    {
        b"transfer-encoding",
        b"trailer",
        b"upgrade",
        b"expect",
        b"content-encoding",
        b"http2-settings",
        b"proxy-authorization",
        b"range",
        b"x-http-method-override",
        b"x-method-override",
        b"x-original-url",
        b"x-rewrite-url",
        b"client-cert",
        b"client-cert-chain",
    }
)
"""Headers that ask for a protocol, a framing or a target that we do not speak. Refused rather than dropped: whoever
sends one expects something of it. RFC 9440 section 4: Client-Cert is forged unless a front proxy sends it; where there
is one, the listener takes the header out before this is asked."""


def new_request_id() -> str:
    """32 hexadecimal characters, random."""
    return os.urandom(16).hex()


def facts_of(flow: http.HTTPFlow, now_ms: int, connection: Connection) -> Facts:
    """The request of a flow, as it was sent."""
    sent, body = _sent(flow.request)
    return Facts(
        now_ms=now_ms,
        request_id=new_request_id(),
        method=sent.method,
        target=sent.target,
        headers=sent.lowered or tuple([(name.lower(), value.strip(b" \t")) for name, value in sent.headers]),
        body=body,
        connection=connection,
    )


def _sent(request: http.Request) -> tuple[Sent, bytes]:
    unseen = request.unseen if type(request) is Request else None
    if unseen is not None:
        return unseen
    data = request.data
    return Sent(data.method, data.path, data.headers.fields), data.content or b""


def answer_of(response: http.Response) -> Answer:
    """What the upstream said, as it said it."""
    unseen = response.unseen if type(response) is Answered else None
    if unseen is not None:
        return unseen
    data = response.data
    headers = tuple((name.lower(), value) for name, value in data.headers.fields)
    return Answer(data.status_code, headers, data.content or b"")


def is_ambiguous(facts: Facts) -> bool:
    """Does the request hold anything that two readers could read differently?"""
    names = [name for name, _ in facts.headers]
    distinct = set(names)
    if not distinct.isdisjoint(REFUSED) or (len(distinct) < len(names) and _twice(names)):
        return True
    return b"_" in b"".join(names)


def _twice(names: list[bytes]) -> bool:
    return any(names.count(name) > 1 for name in SINGLE)
