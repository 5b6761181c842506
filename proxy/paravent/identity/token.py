"""The access token: from the Authorization header to a `VerifiedToken`, in the order that costs a stranger the most.

grammar → header members → issuer → key → signature → claims. Nothing is fetched, nothing is guessed: the unverified
`iss` only selects which configured issuer to ask, the unverified `kid` only looks up that issuer's keys.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, assert_never
from urllib.parse import unquote_to_bytes

from paravent import effects
from paravent.effects import Deciding, FindKey, KeyMissing
from paravent.identity import algorithms, claims, jws
from paravent.identity.claims import Claims, Refused
from paravent.identity.issuers import Issuer, Profile
from paravent.identity.jws import Jws
from paravent.model import Facts, Secret
from paravent.reasons import Reason

MAX_TOKEN_BYTES: Final = 8192
"""Before any work: 5 MB of token cost 0.4 s of CPU. 8 KB is the whole header section that nginx and Apache accept."""

KEY_ID: Final = re.compile(r"(?!.*\.\.)[A-Za-z0-9._~:=+@/#-]{1,128}")
"""`kid`: only ever a key of a dictionary, and text for nobody. Wide enough for what issuers write: base64 (with + / =),
thumbprint URIs, DID URLs. No quote, blank or control character, and no two dots: nobody needs them, and whoever comes
after us and makes a path or a query of it would not thank us."""

_SCHEMES: Final = {b"DPoP": "DPoP", b"Bearer": "Bearer"}
"""RFC 9449 section 7.1, RFC 6750 section 2.1, in one spelling. RFC 9110 section 11.1 would take the scheme in any case;
one spelling leaves a front proxy and us nothing to disagree about."""

_TYPE: Final = "at+jwt"
"""RFC 9068 section 4. Any other `typ` is a token made for something else: an ID token, a logout token, a DPoP proof."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A well-formed Authorization header."""

    scheme: str
    """"DPoP" or "Bearer"."""
    token: Jws


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """A token that its issuer signed, for us, in force now. Neither strong enough nor bound yet."""

    claims: Claims
    raw: Secret[bytes]
    """The text, for DPoP's `ath` and for nothing else."""


def credentials(facts: Facts) -> Credentials | Reason:
    """Exactly one Authorization header, exactly one spelling. A token anywhere else is not looked for."""
    values = facts.values(b"authorization")
    # RFC 6750 section 2.3: a token in the query reaches logs and histories, and section 2: never by two ways at once.
    _, _, query = facts.target.partition(b"?")
    if b"access_token" in unquote_to_bytes(query):
        return Reason.TOKEN_MALFORMED
    if not values:
        return Reason.TOKEN_MISSING
    if len(values) > 1 or len(values[0]) > MAX_TOKEN_BYTES:
        return Reason.TOKEN_MALFORMED
    # One blank: a second one would be the token's first character, and no token has it.
    scheme, _, text = values[0].partition(b" ")
    token = jws.parse(text, MAX_TOKEN_BYTES) if scheme in _SCHEMES else None
    return Reason.TOKEN_MALFORMED if token is None else Credentials(_SCHEMES[scheme], token)


def verify(token: Jws, issuers: Mapping[str, Issuer], now_s: int) -> Deciding[VerifiedToken | Refused]:
    """Signature, then claims. `issuers` by issuer URL."""
    kid = token.header.get("kid")
    if not isinstance(kid, str) or KEY_ID.fullmatch(kid) is None or not _is_access_token(token):
        return Refused(Reason.TOKEN_MALFORMED)
    named = token.payload.get("iss")
    issuer = issuers.get(named) if isinstance(named, str) else None
    if issuer is None:
        return Refused(Reason.TOKEN_ISSUER_UNKNOWN)
    # The constant from our list, and the issuer's, not the token's text: RFC 8725 section 3.1.
    algorithm = algorithms.named(token.header.get("alg"))
    if algorithm is None or algorithm not in issuer.algorithms:
        return Refused(Reason.TOKEN_SIGNATURE)
    key = yield from effects.find_key(FindKey(issuer.name, kid, algorithm))
    if isinstance(key, KeyMissing):
        return Refused(_missing(key))
    if not jws.verifies(token, key, algorithm):
        return Refused(Reason.TOKEN_SIGNATURE)
    read = _read_claims(token, issuer, now_s)
    return read if isinstance(read, Refused) else VerifiedToken(read, token.raw)


def _is_access_token(token: Jws) -> bool:
    """By its `typ`. A `jwk` beside it (RFC 7515 section 4.1.3) would be the bearer's own idea of the issuer's key."""
    return jws.media_type(token.header) == _TYPE and "jwk" not in token.header


def _missing(missing: KeyMissing) -> Reason:
    match missing:
        case KeyMissing.UNKNOWN:
            return Reason.TOKEN_KEY_UNKNOWN
        case KeyMissing.UNAVAILABLE:
            return Reason.KEYS_UNAVAILABLE
        case _:
            assert_never(missing)


def _read_claims(token: Jws, issuer: Issuer, now_s: int) -> Claims | Refused:
    match issuer.profile:
        case Profile.RFC9068:
            return claims.rfc9068(token.payload, issuer, now_s)
        case _:
            assert_never(issuer.profile)
