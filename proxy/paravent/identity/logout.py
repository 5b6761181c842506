"""The news that somebody has logged out: OpenID Connect Back-Channel Logout 1.0, section 2.4 to 2.6.

    typ     logout+jwt, so that no other token of the issuer is taken for one; of an issuer with `untyped_logouts` also
            JWT, or none: then `events`, the missing nonce and, where there is one, the claim `typ` tell it from the
            others, which is what section 2.6 asks for
    iss     one of ours, which has signed it with one of its keys, and not with one that is revoked
    aud     names us or software of ours, and nobody else
    iat exp just now, and not over
    jti     told once
    events  the logout, as an object
    sid     that login is over: all its tokens
    sub     without sid, every login of this person: all that this issuer has issued so far
    nonce   must not be there, so that an ID token can never be one

What it makes is a `Revocation`, in force for as long as any token of before can be.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from paravent.effects import Deciding, Revocation
from paravent.identity.claims import name_of, rpps_of
from paravent.identity.issuers import Issuer, Profile
from paravent.identity.revocation import Kind, Named, check_revocations, mark_of, mark_of_key
from paravent.identity.signed import Signed, read_signed
from paravent.model import Json
from paravent.reasons import Reason

_TYPES: Final = dict.fromkeys(Profile, "logout+jwt")
_UNTYPED: Final = frozenset({"jwt", ""})
_KEYCLOAKS_WORD: Final = "Logout"
"""What Keycloak calls it in a claim of its own, `typ`. An ID token is "ID" there, an access token "Bearer"."""
_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"

MAX_AGE_S: Final = 300
"""Section 2.4 recommends an exp "at most two minutes in the future"; a server that tries again needs a little more."""

_SUBJECT: Final = re.compile(r"(?:f:[0-9a-fA-F-]{36}:)?(?P<person>.+)")
"""As in access tokens; Keycloak, and so Pro Santé Connect, writes its own prefix in front."""
_IDENTIFIER: Final = re.compile(r"[\x21-\x7e]{1,256}")


@dataclass(frozen=True, slots=True)
class Logout:
    """One login, or all of one person, is over."""

    revocation: Revocation
    issuer: str
    """Its name in the configuration."""
    name: str = field(repr=False)
    """Of this news: by iss and jti."""
    issued_s: int


def read_logout(text: bytes, issuers: Mapping[str, Issuer], now_s: int) -> Deciding[Logout | Reason]:
    """`issuers` by issuer URL. Whether it was told before is for whoever remembers `name`."""
    signed = yield from read_signed(text, _TYPES, issuers, _UNTYPED)
    if isinstance(signed, Reason):
        return signed
    logout = _read(signed, now_s)
    if isinstance(logout, Reason):
        return logout
    key = mark_of_key(signed.issuer.name, signed.signed_with.kid)
    revoked = yield from check_revocations((key,), logout.issued_s, now_s)
    return logout if revoked is None else revoked


def _read(signed: Signed, now_s: int) -> Logout | Reason:
    payload, issuer = signed.payload, signed.issuer
    audience = payload.get("aud")
    named = [audience] if isinstance(audience, str) else audience
    ours = {*issuer.audience, *issuer.clients}
    if not isinstance(named, list) or not named or not all(isinstance(name, str) and name in ours for name in named):
        return Reason.TOKEN_AUDIENCE
    if issuer.untyped_logouts and payload.get("typ", _KEYCLOAKS_WORD) != _KEYCLOAKS_WORD:
        return Reason.TOKEN_MALFORMED
    issued, expires, jti = payload.get("iat"), payload.get("exp"), payload.get("jti")
    if type(issued) is not int or type(expires) is not int or not _is_identifier(jti) or not _is_logout(payload):
        return Reason.TOKEN_MALFORMED
    if expires <= now_s or issued < now_s - MAX_AGE_S:
        return Reason.TOKEN_EXPIRED
    if issued > now_s + issuer.leeway_s:
        return Reason.TOKEN_NOT_YET_VALID
    revocation = _revocation(payload, issuer, issued, now_s)
    if revocation is None:
        return Reason.TOKEN_IDENTITY
    return Logout(revocation, issuer.name, name_of(issuer.issuer, str(jti)), issued)


def _is_logout(payload: Mapping[str, Json]) -> bool:
    events = payload.get("events")
    return isinstance(events, dict) and isinstance(events.get(_EVENT), dict) and "nonce" not in payload


def _revocation(payload: Mapping[str, Json], issuer: Issuer, issued_s: int, now_s: int) -> Revocation | None:
    until_s = now_s + issuer.max_lifetime_s + issuer.leeway_s
    known = Named(issuer.name, issuer.issuer)
    if "sid" in payload:
        sid = payload["sid"]
        return Revocation(mark_of(Kind.SESSION, str(sid), known), until_s) if _is_identifier(sid) else None
    subject = payload.get("sub")
    person = _SUBJECT.fullmatch(subject) if isinstance(subject, str) else None
    rpps = rpps_of(person["person"]) if person is not None else None
    if rpps is None:
        return None
    return Revocation(mark_of(Kind.PRACTITIONER, rpps, known), until_s, issued_before_s=issued_s)


def _is_identifier(value: Json) -> bool:
    return isinstance(value, str) and _IDENTIFIER.fullmatch(value) is not None
