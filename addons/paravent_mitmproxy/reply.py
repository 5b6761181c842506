"""Verdicts and outcomes as responses. The only place that makes bytes for a caller.

Headers come from the list in this file; nothing of the upstream's is copied. Bodies are either the reduced answer or
one constant document per problem and language (RFC 9457), which differs between two callers in its reference only.
"""

import math
from functools import lru_cache
from http import HTTPStatus

import orjson

from paravent.decide import Plan
from paravent.identity.challenge import www_authenticate
from paravent.model import Challenge, Deny, Release, Withhold
from paravent.quota.headers import rate_limit_headers, warning_headers
from paravent.reasons import Problem, Reason
from paravent_mitmproxy.seal import SealedResponse, seal

type Headers = tuple[tuple[bytes, bytes], ...]

COMMON: Headers = (
    # RFC 9111 section 5.2.2.5: no cache, shared or private, may keep an answer about a person.
    (b"Cache-Control", b"no-store"),
    (b"X-Content-Type-Options", b"nosniff"),
    # An address may hold a member's number, and what is shown has links: a browser would tell their hosts the address.
    (b"Referrer-Policy", b"no-referrer"),
)
"""With every answer. No Strict-Transport-Security: it binds a host with all its ports for as long as it says, and the
host is the operator's, who can send it at the portal or at a front proxy."""
DATA: Headers = ((b"Content-Security-Policy", b"default-src 'none'; frame-ancestors 'none'"),)
"""CSP Level 3. Beside the common ones, for what is no page: a browser that is led to it shows it all the same."""
PAGE: Headers = (
    # A page of ours has tables, and style sheets of the same origin. Whatever else a browser would run or fetch for it
    # goes nowhere, be it an `@import` of the portal's own style sheet. And no page frames it (section 6.4.2), which
    # default-src does not say: whoever clicks on it sees what they click on.
    (
        b"Content-Security-Policy",
        b"default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
        b"frame-ancestors 'none'",
    ),
)
"""The same for what a browser shows as a document."""
_SHOWN = (b"text/html", b"image/svg+xml")
PROBLEM_TYPE = b"application/problem+json"


def release(outcome: Release, plan: Plan) -> SealedResponse:
    """The reduced answer."""
    budget = (*rate_limit_headers(plan.usage), *warning_headers(plan.nearly_spent))
    policy = PAGE if outcome.content_type.startswith(_SHOWN) else DATA
    headers = (*COMMON, *policy, (b"Content-Type", outcome.content_type), *budget, *_nonce(plan.next_nonce))
    return seal(200, b"OK", headers, outcome.body)


def deny(denial: Deny, reference: str, language: str) -> SealedResponse:
    """A refusal, with its challenge or the time to wait."""
    return problem(denial.reason.problem, reference, language, denial.challenge, denial.retry_after_s)


def withhold(outcome: Withhold, reference: str, language: str) -> SealedResponse:
    """The upstream answered, or failed to; its bytes stay here."""
    return problem(outcome.reason.problem, reference, language, None, outcome.retry_after_s)


def problem(
    kind: Problem,
    reference: str,
    language: str,
    challenge: Challenge | None = None,
    retry_after_s: float | None = None,
) -> SealedResponse:
    """One problem document."""
    headers = [*COMMON, *DATA, (b"Content-Type", PROBLEM_TYPE), (b"Content-Language", language.encode("ascii"))]
    # RFC 9110 section 12.5.5: the body depends on Accept-Language, the answer must say so.
    headers.append((b"Vary", b"Accept-Language"))
    if challenge is not None:
        headers.append((b"WWW-Authenticate", www_authenticate(challenge)))
        headers += _nonce(challenge.nonce)
    if retry_after_s is not None:
        headers.append((b"Retry-After", str(max(1, math.ceil(retry_after_s))).encode("ascii")))
    before, after = _document(kind, language)
    status = HTTPStatus(kind.status)
    return seal(kind.status, status.phrase.encode("ascii"), tuple(headers), before + reference.encode("ascii") + after)


def _nonce(nonce: str | None) -> Headers:
    """RFC 9449 section 8.1."""
    return () if nonce is None else ((b"DPoP-Nonce", nonce.encode("ascii")),)


@lru_cache
def _document(kind: Problem, language: str) -> tuple[bytes, bytes]:
    """The document around its reference."""
    text = kind.value
    french = language == "fr"
    document = {
        "type": kind.type,
        "title": text.title_fr if french else text.title_en,
        "status": text.status,
        "detail": text.advice_fr if french else text.advice_en,
        "reference": "?",
    }
    before, _, after = orjson.dumps(document).rpartition(b"?")
    return before, after


def language_of(accept_language: tuple[bytes, ...]) -> str:
    """Fr unless the caller clearly prefers English: the practitioners are French (RFC 9110 section 12.5.4)."""
    best, chosen = 0.0, "fr"
    for part in b",".join(accept_language)[:256].lower().split(b",")[:10]:
        tag, _, parameter = part.partition(b";")
        primary = tag.strip().partition(b"-")[0]
        if primary not in {b"fr", b"en"}:
            continue
        quality = _quality(parameter.strip())
        if quality > best:
            best, chosen = quality, primary.decode("ascii")
    return chosen


def _quality(parameter: bytes) -> float:
    if not parameter:
        return 1.0
    name, _, value = parameter.partition(b"=")
    digits = value.strip()
    if name.strip() != b"q" or not digits.replace(b".", b"", 1).isdigit():
        return 0.0
    return min(1.0, float(digits))


INTERNAL = Problem.UNAVAILABLE
"""What a poisoned flow answers: the request half failed."""
WITHHELD = Problem.ANSWER_WITHHELD
"""What a poisoned flow answers: the response half failed."""

NO_REFERENCE = "00000000000000000000000000000000"
"""The reference of a refusal that could not even be recorded."""


def poison(kind: Problem) -> SealedResponse:
    """A refusal that needs nothing: set first in every hook, lifted last."""
    return _POISON[kind]


_POISON = {kind: problem(kind, NO_REFERENCE, "fr") for kind in Problem}


def constant(reason: Reason) -> SealedResponse:
    """The refusal of a reason without a request to name."""
    return _POISON[reason.problem]
