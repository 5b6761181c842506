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
from paravent.identity import claims, jws
from paravent.identity.claims import Claims, Refused
from paravent.identity.issuers import Issuer, Profile
from paravent.identity.jws import Jws
from paravent.model import Facts, Secret
from paravent.reasons import Reason

MAX_TOKEN_BYTES: Final = 8192
"""Before any work: 5 MB of token cost 0.4 s of CPU. 8 KB is the whole header section that nginx and Apache accept."""

KEY_ID: Final = re.compile(r"[A-Za-z0-9._~:=+@-]{1,128}")
"""`kid`: only ever a key of a dictionary, and text for nobody. No slash, quote, blank or control character."""

_CREDENTIALS: Final = re.compile(rb"(DPoP|Bearer) ([A-Za-z0-9._-]+)")
"""RFC 9449 section 7.1, RFC 6750 section 2.1, in one spelling. RFC 9110 section 11.1 would take the scheme in any case;
one spelling leaves a front proxy and us nothing to disagree about."""

_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
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
    matched = _CREDENTIALS.fullmatch(values[0])
    if matched is None:
        return Reason.TOKEN_MALFORMED
    token = jws.parse(matched[2], MAX_TOKEN_BYTES)
    return Reason.TOKEN_MALFORMED if token is None else Credentials(matched[1].decode("ascii"), token)


def verify(token: Jws, issuers: Mapping[str, Issuer], now_s: int) -> Deciding[VerifiedToken | Refused]:
    """Signature, then claims. `issuers` by issuer URL."""
    kid = token.header.get("kid")
    if not isinstance(kid, str) or KEY_ID.fullmatch(kid) is None or not _is_access_token(token):
        return Refused(Reason.TOKEN_MALFORMED)
    named = token.payload.get("iss")
    issuer = issuers.get(named) if isinstance(named, str) else None
    if issuer is None:
        return Refused(Reason.TOKEN_ISSUER_UNKNOWN)
    # The constant from the issuer's list, not the token's text: RFC 8725 section 3.1.
    algorithm = next((known for known in issuer.algorithms if known == token.header.get("alg")), None)
    if algorithm is None:
        return Refused(Reason.TOKEN_SIGNATURE)
    key = yield from effects.find_key(FindKey(issuer.name, kid, algorithm))
    if isinstance(key, KeyMissing):
        return Refused(_missing(key))
    if not jws.verifies(token, key, algorithm):
        return Refused(Reason.TOKEN_SIGNATURE)
    read = _read_claims(token, issuer, now_s)
    return read if isinstance(read, Refused) else VerifiedToken(read, token.raw)


def _is_access_token(token: Jws) -> bool:
    """`typ` is a media type, its letters in either case and "application/" left out or not (RFC 7515 section 4.1.9).

    A `jwk` beside it (section 4.1.3) would be the bearer's own idea of the issuer's key.
    """
    typ = token.header.get("typ")
    return isinstance(typ, str) and typ.isascii() and typ.lower() in _TYPES and "jwk" not in token.header


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
