"""The access token: from the Authorization header to a `VerifiedToken`, in the order that costs a stranger the most.

grammar → header members → issuer → key → signature (`signed`) → claims → time.

A token that has come this far before skips what cannot have changed: see `verified`. The key is asked for, the time is
judged and, where the configuration says so, the issuer is asked at every use.
"""

import hashlib
from collections.abc import Mapping
from typing import Final, assert_never
from urllib.parse import unquote_to_bytes

from paravent import effects
from paravent.effects import Deciding, Introspect, IssuerDown, KeyMissing, Standing
from paravent.identity import claims, psc
from paravent.identity.claims import Claims, Refused
from paravent.identity.issuers import Issuer, Profile
from paravent.identity.portal import Portal, token_of_cookie
from paravent.identity.revocation import marks_of
from paravent.identity.signed import MAX_TOKEN_BYTES, read_signed, reason_of_missing
from paravent.identity.verified import VerifiedToken, VerifiedTokens
from paravent.model import Facts, Json, Secret
from paravent.reasons import Reason
from paravent.values import Value

_SCHEMES: Final = {b"DPoP": "DPoP", b"Bearer": "Bearer"}
"""RFC 9449 section 7.1, RFC 6750 section 2.1, in one spelling. RFC 9110 section 11.1 would take the scheme in any case;
one spelling leaves a front proxy and us nothing to disagree about."""

_TYPES: Final = {Profile.RFC9068: "at+jwt", Profile.PRO_SANTE_CONNECT: "jwt"}
"""RFC 9068 section 4: any other `typ` is a token made for something else, an ID token, a logout token, a DPoP proof. Of
Pro Santé Connect's, which all say "JWT", `psc` looks at the claim of that name."""


class Credentials(Value, frozen=True):
    """What a caller presents, not read yet."""

    scheme: str
    """"DPoP" or "Bearer"."""
    text: Secret[bytes]
    """The token exactly as received."""


def credentials(facts: Facts, portal: Portal | None) -> Credentials | Reason:
    """Exactly one Authorization header, exactly one spelling; or the cookie of the portal, where there is one. A token
    anywhere else is not looked for."""
    values = facts.values(b"authorization")
    # RFC 6750 section 2.3: a token in the query reaches logs and histories, and section 2: never by two ways at once.
    _, _, query = facts.target.partition(b"?")
    if query and b"access_token" in unquote_to_bytes(query):
        return Reason.TOKEN_MALFORMED
    cookie = token_of_cookie(facts, portal) if portal is not None else None
    if cookie is not None:
        if isinstance(cookie, Reason):
            return cookie
        # As Bearer: a token that is bound to a DPoP key is refused by `binding`, like any that comes without its proof.
        return Credentials("Bearer", Secret(cookie)) if not values else Reason.TOKEN_MALFORMED
    if not values:
        return Reason.TOKEN_MISSING
    if len(values) > 1 or len(values[0]) > MAX_TOKEN_BYTES:
        return Reason.TOKEN_MALFORMED
    # One blank: a second one would be the token's first character, and no token has it.
    scheme, _, text = values[0].partition(b" ")
    return Credentials(_SCHEMES[scheme], Secret(text)) if scheme in _SCHEMES else Reason.TOKEN_MALFORMED


def verify(
    text: bytes, issuers: Mapping[str, Issuer], verified: VerifiedTokens, now_s: int
) -> Deciding[VerifiedToken | Refused]:
    """A token that its issuer signed, for us, in force now. `issuers` by issuer URL."""
    digest = hashlib.sha256(text).digest()
    known = yield from _known(digest, issuers, verified)
    token = known if known is not None else (yield from _verify_anew(text, digest, issuers, now_s))
    if not isinstance(token, VerifiedToken):
        return token
    reason = claims.out_of_force(token.claims, token.issuer, now_s)
    if reason is None and known is not None and token.issuer.introspection:
        standing = yield from _ask_issuer(token.issuer, text, digest, token.claims.expires_s)
        reason = standing if isinstance(standing, Reason) else None
    if reason is not None:
        return Refused(reason, token.claims.practitioner)
    verified.keep(token)
    return token


def _known(
    digest: bytes, issuers: Mapping[str, Issuer], verified: VerifiedTokens
) -> Deciding[VerifiedToken | Refused | None]:
    """The same bytes once more. None when they are new, or what they were verified with has been replaced."""
    token = verified.get(digest)
    if token is None or issuers.get(token.issuer.issuer) is not token.issuer:
        return None
    key = yield from effects.find_key(token.signed_with, token.key)
    if key is token.key:
        return token
    return Refused(reason_of_missing(key)) if isinstance(key, KeyMissing) else None


def _verify_anew(
    text: bytes, digest: bytes, issuers: Mapping[str, Issuer], now_s: int
) -> Deciding[VerifiedToken | Refused]:
    """Signature, then the issuer's own word where it is asked for, then claims."""
    signed = yield from read_signed(text, _TYPES, issuers)
    if isinstance(signed, Reason):
        return Refused(signed)
    issuer, found = signed.issuer, signed.signed_with
    answer: Mapping[str, Json] = {}
    if issuer.introspection:
        expires = signed.payload.get("exp")
        # Nobody is asked about a token that says itself that it is over.
        if type(expires) is not int or expires <= now_s:
            return Refused(Reason.TOKEN_EXPIRED)
        standing = yield from _ask_issuer(issuer, text, digest, expires)
        if isinstance(standing, Reason):
            return Refused(standing)
        answer = standing.members
    read = _read_claims(signed.payload, answer, issuer)
    if isinstance(read, Refused):
        return read
    return VerifiedToken(digest, read, issuer, found, signed.key, marks_of(read, issuer.name, found.kid))


def _ask_issuer(issuer: Issuer, text: bytes, digest: bytes, expires_s: int) -> Deciding[Standing | Reason]:
    standing = yield from effects.introspect(Introspect(issuer.name, Secret(text), digest, expires_s))
    if isinstance(standing, IssuerDown):
        return Reason.ISSUER_UNAVAILABLE
    return standing if standing.active else Reason.TOKEN_INACTIVE


def _read_claims(payload: Mapping[str, Json], answer: Mapping[str, Json], issuer: Issuer) -> Claims | Refused:
    """`answer`: what the issuer said when it was asked; nothing when it was not."""
    match issuer.profile:
        case Profile.RFC9068:
            return claims.rfc9068(payload, issuer)
        case Profile.PRO_SANTE_CONNECT:
            whole = psc.completed(payload, answer)
            return Refused(Reason.TOKEN_IDENTITY) if whole is None else psc.pro_sante_connect(whole, issuer)
        case _:
            assert_never(issuer.profile)
