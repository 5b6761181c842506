"""What a verified token says, claim by claim, with strict types.

PyJWT would accept `exp` as a string or a float, an audience list with foreign names in it, a subject with a blank in
front. Here an integer is an integer (`type(x) is int`: True is none), a text is a text, and nothing is repaired. So a
NumericDate with a fraction, which RFC 7519 section 2 allows, is refused: authorization servers do not write any.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from paravent.identity.issuers import Issuer
from paravent.model import Json, Practitioner
from paravent.reasons import Reason
from paravent.rules import Binding
from paravent.values import Value

_PERSON: Final = re.compile(r"8?([0-9]{11})")
"""ANS, IdNat_PS: type of identifier 8, then the RPPS number; or that number alone, as some authorization servers write
it. The two cannot be taken for one another: they differ in length. The number's Luhn key is not checked: test numbers
may fail it."""
PRACTITIONER_IS: Final = "an RPPS number: 11 digits, or 8 and 11 digits"
"""What is said to whoever names a practitioner otherwise."""
_PROFESSION: Final = re.compile(r"[0-9]{2}")
"""ANS, TRE_G15."""
_FINESS: Final = re.compile(r"[0-9A-Z]{9}")
CLIENT: Final = re.compile(r"[\x20-\x7e]{1,256}")
"""RFC 6749 appendix A.1: VSCHAR. The length is ours."""
IDENTIFIER: Final = re.compile(r"[\x21-\x7e]{1,256}")
"""RFC 7519 section 4.1.7 only says string. Printable, so that it can be hashed and shown without surprise."""

_CONFIRMATIONS: Final = {"jkt": Binding.DPOP, "x5t#S256": Binding.MTLS}
"""RFC 9449 section 6.1 and RFC 8705 section 3.1."""


class Confirmation(Value, frozen=True):
    """`cnf`: the key that the token is bound to (RFC 7800 section 3.1)."""

    HIDDEN = frozenset({"thumbprint"})

    binding: Binding
    thumbprint: str
    """As the token writes it."""


class Claims(Value, frozen=True):
    """The claims of one token, typed. Times are judged at every use, by `out_of_force`; evidence that is absent stays
    None and is judged by `assurance`."""

    HIDDEN = frozenset({"token_id", "session_id"})

    practitioner: Practitioner
    token_id: str
    """First 16 hexadecimal characters of SHA-256 over iss and jti: the same for every spelling of the token."""
    session_id: str | None
    """The same over iss and sid: the login that the token comes from. None where the issuer names none."""
    acr: str | None
    """OpenID Connect Core section 2; RFC 9068 section 2.2.1 brings it, `amr` and `auth_time` to access tokens."""
    amr: frozenset[str] | None
    """RFC 8176."""
    auth_mode: frozenset[str] | None
    """`authMode`, Pro Santé Connect's word for the means of login. A set of one, so that it is judged like `amr`."""
    auth_time_s: int | None
    """The last active login, seconds since 1970."""
    issued_s: int
    """`iat`; like the two that follow, in seconds since 1970."""
    not_before_s: int
    """`nbf`, or `iat` where there is none."""
    expires_s: int
    confirmation: Confirmation | None


@dataclass(frozen=True, slots=True)
class Refused:
    """A token that does not get its bearer in."""

    reason: Reason
    practitioner: Practitioner | None = None
    """Who it speaks of, for the audit. Only ever set once the signature has been verified."""


def rfc9068(payload: Mapping[str, Json], issuer: Issuer) -> Claims | Refused:
    """Read the payload of a token whose signature holds. Identity first, so that what follows can name who it is."""
    practitioner = _practitioner(payload, issuer)
    return Refused(Reason.TOKEN_IDENTITY) if practitioner is None else read(payload, issuer, practitioner)


def read(payload: Mapping[str, Json], issuer: Issuer, practitioner: Practitioner) -> Claims | Refused:
    """What every profile has: for whom, from when to when, how strongly, bound to what."""
    reason = _terms(payload, issuer, practitioner.client) or _evidence(payload)
    if reason is not None:
        return Refused(reason, practitioner)
    token_id = payload.get("jti")
    issued, expires = _whole(payload, "iat"), _whole(payload, "exp")
    not_before = _whole(payload, "nbf") if "nbf" in payload else issued
    if issued is None or expires is None or not_before is None or not _is_text(token_id, IDENTIFIER):
        return Refused(Reason.TOKEN_MALFORMED, practitioner)
    session = payload.get("sid")
    if "sid" in payload and not _is_text(session, IDENTIFIER):
        return Refused(Reason.TOKEN_MALFORMED, practitioner)
    confirmation = _confirmation(payload)
    if isinstance(confirmation, Reason):
        return Refused(confirmation, practitioner)
    return Claims(
        practitioner=practitioner,
        token_id=name_of(issuer.issuer, str(token_id)),
        session_id=None if session is None else name_of(issuer.issuer, str(session)),
        acr=_text(payload, "acr"),
        amr=_texts(payload, "amr"),
        auth_mode=None if (mode := _text(payload, "authMode")) is None else frozenset({mode}),
        auth_time_s=_whole(payload, "auth_time"),
        issued_s=issued,
        not_before_s=not_before,
        expires_s=expires,
        confirmation=confirmation,
    )


def name_of(issuer: str, identifier: str) -> str:
    """A name for a token or a login that is neither: first 16 hexadecimal characters of SHA-256."""
    return hashlib.sha256(f"{issuer}\0{identifier}".encode()).hexdigest()[:16]


def out_of_force(claims: Claims, issuer: Issuer, now_s: int) -> Reason | None:
    """None when the token is in force now, and not for longer than agreed."""
    # RFC 7519 section 4.1.4: "on or after which the JWT MUST NOT be accepted". No leeway on this side: software renews
    # a token that expires seconds early, but cannot mend a fresh one that is refused as not yet valid.
    if claims.expires_s <= now_s:
        return Reason.TOKEN_EXPIRED
    # Section 4.1.5 and 4.1.6, with leeway: the issuer's clock may be a little ahead of ours.
    if max(claims.issued_s, claims.not_before_s) > now_s + issuer.leeway_s:
        return Reason.TOKEN_NOT_YET_VALID
    if not 0 < claims.expires_s - claims.issued_s <= issuer.max_lifetime_s:
        return Reason.TOKEN_LIFETIME
    # OpenID Connect Core section 2: the time of the login. One that has not happened yet proves nothing.
    login = claims.auth_time_s
    return Reason.TOKEN_NOT_YET_VALID if login is not None and login > now_s + issuer.leeway_s else None


def _practitioner(payload: Mapping[str, Json], issuer: Issuer) -> Practitioner | None:
    """Who. None when one of the claims that name somebody is absent or not as the profile writes it."""
    rpps, finess = rpps_of(payload.get("sub")), text_of(payload, "finess", _FINESS)
    profession, client = text_of(payload, "profession", _PROFESSION), text_of(payload, "client_id", CLIENT)
    if rpps is None or profession is None or client is None or ("finess" in payload and finess is None):
        return None
    return Practitioner(rpps=rpps, profession=profession, finess=finess, client=client, issuer=issuer.name)


def rpps_of(identifier: Json) -> str | None:
    """The canonical practitioner: 11 digits, whichever way the issuer writes them. None when it is no RPPS number: no
    token is accepted for an ADELI number (type 0) or any other, so that nobody has two names, and two budgets."""
    match = _PERSON.fullmatch(identifier) if isinstance(identifier, str) else None
    return match[1] if match is not None else None


def text_of(payload: Mapping[str, Json], name: str, pattern: re.Pattern[str]) -> str | None:
    value = payload.get(name)
    return value if isinstance(value, str) and pattern.fullmatch(value) is not None else None


def _terms(payload: Mapping[str, Json], issuer: Issuer, client: str) -> Reason | None:
    """For us, from software that we know."""
    if payload.get("iss") != issuer.issuer:
        return Reason.TOKEN_ISSUER_UNKNOWN
    if not _names_us(payload, issuer):
        return Reason.TOKEN_AUDIENCE
    # OpenID Connect Core section 2: `azp` names the party the token was issued to. It may not contradict client_id.
    if client not in issuer.clients or payload.get("azp", client) != client:
        return Reason.TOKEN_CLIENT
    return None if issuer.scopes <= _granted(payload) else Reason.TOKEN_SCOPE


def _granted(payload: Mapping[str, Json]) -> frozenset[str]:
    """RFC 8693 section 4.2: "a JSON string containing a space-separated list of scopes". Anything else grants none."""
    scope = payload.get("scope")
    return frozenset(scope.split(" ")) if isinstance(scope, str) else frozenset()


def _names_us(payload: Mapping[str, Json], issuer: Issuer) -> bool:
    """RFC 7519 section 4.1.3 would be content with our name among others. A token that other services accept too can
    be played to us by one of them, so every name in the list must be ours."""
    if "aud" not in payload:
        # RFC 9068 section 2.2 demands it, and such an issuer has a name for us. Pro Santé Connect writes none.
        return not issuer.audience
    audience = payload["aud"]
    named = [audience] if isinstance(audience, str) else audience
    return isinstance(named, list) and bool(named) and all(name in issuer.audience for name in named)


def _evidence(payload: Mapping[str, Json]) -> Reason | None:
    """Evidence may be absent here, but not of another type: an `amr` that is a text would match by its characters."""
    readers = {"acr": _text, "amr": _texts, "authMode": _text, "auth_time": _whole}
    wrong = any(name in payload and read(payload, name) is None for name, read in readers.items())
    return Reason.TOKEN_MALFORMED if wrong else None


def _confirmation(payload: Mapping[str, Json]) -> Confirmation | Reason | None:
    """RFC 7800 section 3.1: a token confirms one key. Two members would leave it to us which, unknown ones whether."""
    if "cnf" not in payload:
        return None
    members = payload["cnf"]
    if not isinstance(members, dict):
        return Reason.TOKEN_MALFORMED
    if len(members) != 1:
        return Reason.BINDING_NOT_ACCEPTED
    ((name, thumbprint),) = members.items()
    binding = _CONFIRMATIONS.get(name)
    if binding is None:
        return Reason.BINDING_NOT_ACCEPTED
    return Confirmation(binding, thumbprint) if isinstance(thumbprint, str) else Reason.TOKEN_MALFORMED


def _is_text(value: Json, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _text(payload: Mapping[str, Json], name: str) -> str | None:
    value = payload.get(name)
    return value if isinstance(value, str) else None


def _texts(payload: Mapping[str, Json], name: str) -> frozenset[str] | None:
    value = payload.get(name)
    if not isinstance(value, list) or not all(isinstance(member, str) for member in value):
        return None
    return frozenset(str(member) for member in value)


def _whole(payload: Mapping[str, Json], name: str) -> int | None:
    value = payload.get(name)
    return value if type(value) is int else None
