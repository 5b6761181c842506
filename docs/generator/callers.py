"""callers.md: what portals and software send, and what they get. The numbers come from the code."""

from typing import Final

from generator.markdown import codes, made_by, table
from paravent.audit.justification import HEADER as JUSTIFICATION
from paravent.audit.justification import LONGEST, SHORTEST
from paravent.decide import PURPOSE_HEADER
from paravent.identity import algorithms
from paravent.identity.assertion import LIFETIME_S, PERIOD_S
from paravent.identity.dpop import MAX_AGE_S, MAX_AHEAD_S
from paravent.identity.issuers import Issuer
from paravent.identity.signed import MAX_TOKEN_BYTES
from paravent.policy.question import MAX_BODY_BYTES
from paravent_mitmproxy.facts import REFUSED
from paravent_mitmproxy.listener.limits import Limits

_LIMITS: Final = Limits()
_TERMS: Final = Issuer("any", "https://any.example", ("any",), frozenset({"any"}))

CLAIMS: Final = (
    ("`typ` (header)", "`at+jwt`"),
    ("`alg` (header)", f"one of {codes(algorithms.OFFERED)}; `RS256` only when the issuer's `algorithms` names it"),
    ("`kid` (header)", "names a key of the issuer's set"),
    ("`iss`", "exactly the `issuer` of the configuration"),
    ("`aud`", "one of `audience`, and nobody else"),
    ("`scope`", "every scope of `scopes`, where the configuration names some"),
    ("`sub`", "the RPPS, eleven digits; or `8` and the RPPS. No other national number: not `0` and an ADELI number"),
    ("`client_id`", "one of `clients`"),
    ("`profession`", "a TRE_G15 code: `10` doctor, `21` pharmacist, `28` optician"),
    ("`finess`", "the establishment, 9 characters; may be left out"),
    (
        "`iat`, `exp`",
        f"whole seconds; at most {_TERMS.max_lifetime_s / 3600:g} h apart, `iat` at most {_TERMS.leeway_s} s ahead of "
        "our clock",
    ),
    ("`jti`", "text of at most 256 characters"),
    ("`acr`, `amr`, `auth_time`", "how and when the practitioner logged in; the policy says what is enough"),
    ("`sid`", "optional: the login, so that a logout ends it"),
    ("`cnf`", "`jkt` (DPoP) or `x5t#S256` (client certificate), one of the two"),
)


HEADERS: Final = (
    ("`Authorization`", "`DPoP TOKEN`, or `Bearer TOKEN` for a token that is bound to the client certificate"),
    (
        "`DPoP`",
        f"a proof for this one request (RFC 9449): at most {MAX_AGE_S} s old, {MAX_AHEAD_S} s ahead, used once; `htu` "
        "is the external origin and the path; with the `nonce` of the last `DPoP-Nonce`, when one came",
    ),
    (
        "`Content-Type`",
        "of a body, by the operation's format: `application/json`; `application/x-www-form-urlencoded`; `text/xml`, "
        "`application/xml` or `application/soap+xml`, with an `action` or none; `application/fhir+json`, with "
        "`fhirVersion=4.0` or none. UTF-8, and no other parameter than `charset=utf-8`",
    ),
    (f"`{PURPOSE_HEADER.decode().title()}`", "optional: a purpose of the policy, when the profession has several"),
    (
        f"`{JUSTIFICATION.decode().title()}`",
        "optional, where the policy has `break_glass`: why the limit must be passed, in "
        f"{SHORTEST} to {LONGEST} plain characters, without any name or number of a person",
    ),
    ("`Accept-Language`", "`fr` or `en`, for refusals"),
)

ANSWERED: Final = (
    ("`Cache-Control: no-store`", "every answer", "keep nothing"),
    (
        "`Content-Security-Policy`",
        "every answer",
        "for browsers: run and fetch nothing, frame it nowhere; pages and images in SVG may have style sheets, images "
        "and fonts of the same origin",
    ),
    ("`X-Content-Type-Options`, `Referrer-Policy`", "every answer", "for browsers: `nosniff`, `no-referrer`"),
    (
        "`RateLimit`, `RateLimit-Policy`",
        "200",
        "what is left of the practitioner's persons and units, and all their windows "
        "(draft-ietf-httpapi-ratelimit-headers)",
    ),
    (
        "`Paravent-Warning`",
        "200, where the policy warns (`warn_at`)",
        "the windows of persons that are nearly spent, as `RateLimit-Policy` names them: tell the practitioner",
    ),
    ("`Retry-After`", "429, 401 where a fresh login has room for more, and 503 where it is known", "seconds to wait"),
    (
        "`WWW-Authenticate`",
        "401",
        "what is asked for: RFC 6750, RFC 9449, and RFC 9470 when the login is too weak or too old, or when a "
        "fresh one has room for more persons (`step_up` of the policy)",
    ),
    (
        "`DPoP-Nonce`",
        "where the policy asks for nonces: 401 with `use_dpop_nonce`, and 200",
        "the `nonce` of the next proof (RFC 9449 section 8); after the 401, the same request again with it",
    ),
    ("`Content-Language`", "refusals", "`fr` or `en`"),
)

UPSTREAM: Final = (
    (
        "`Paravent-Assertion`",
        "who asks: a JWT signed with Ed25519, `typ` paravent-assertion+jwt, with `iss` paravent, `sub`, `client_id`, "
        f"`profession`, `finess` when known, `iat`, `exp`; valid for {LIFETIME_S} to {LIFETIME_S + PERIOD_S} s. Its "
        "key is at `/jwks.json` of the management listener",
    ),
    ("`Paravent-Request`", "the id of the request: the `id` of its record in the ledger"),
)


def page() -> str:
    """The whole page."""
    return (
        "# For callers\n\n" + made_by("`docs/generator/callers.py`") + _request() + _token() + _answer() + _upstream()
    )


def _request() -> str:
    refused = codes(name.decode().title() for name in sorted(REFUSED))
    head, body = f"{_LIMITS.head_bytes // 1024} KiB and {_LIMITS.headers} headers", f"{MAX_BODY_BYTES // 1024} KiB"
    return f"""\
For whoever builds a portal or a practice's software, and for the API behind.

## The request

Strict HTTP/1.1 over TLS 1.2 or 1.3, one request after the other on a connection. A head of at most {head};
a JSON body of at most {body}, with `Content-Length`. The path is compared as it was sent: no final slash,
nothing escaped, and a query only where the operation has one. Then each of its parameters comes once, by its exact
name, and with a value. A value is written as it is, or with `%` and two capital hexadecimal digits for what RFC 3986
does not call unreserved (`Coverage%3Abeneficiary`); `+` and `;` are refused. `htu` of a DPoP proof is the address
without the query.

{table(("header", "holds"), HEADERS)}
These headers are refused, each because somebody behind could take it for another request: {refused}. So is a name with
an underscore or a dot. All others are read by nobody and not passed on. .NET Framework adds `Expect: 100-continue` to
each POST unless it is told not to: `ServicePointManager.Expect100Continue = false`.

"""


def _token() -> str:
    return f"""\
## The access token

Profile `rfc9068`: a signed JWT of at most {MAX_TOKEN_BYTES // 1024} KiB.

{table(("claim", "holds"), CLAIMS)}
Profile `pro-sante-connect`: Pro Santé Connect's own token, unchanged, as `Bearer` over a connection that shows the
certificate of the software's organisation: [how to connect to it](../how-to/connect-to-pro-sante-connect.md).

With the reference policy a login is strong enough with `acr` eidas2 or eidas3, `amr` that holds `mfa`, and an
`auth_time` within 4 h.

"""


def _answer() -> str:
    return f"""\
## The answer

200 with the API's own JSON, reduced: the same shape, fewer members. What the view does not list is absent. A value that
[`echo`](operators.md#echo) guards is absent unless the caller sent it. Everything else is a
[problem document](problems.md).

{table(("header", "with", "says"), ANSWERED)}
"""


def _upstream() -> str:
    return f"""\
## What the API behind receives

A request built anew, with these headers: `Host`, `Content-Length`, `Accept` with the type of the operation's answer,
`Accept-Encoding: identity`, `Content-Type` when there is a body, `SOAPAction` where it is SOAP 1.1, and two of ours:

{table(("header", "holds"), UPSTREAM)}
It never receives the caller's token.
"""
