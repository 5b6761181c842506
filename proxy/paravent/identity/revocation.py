"""What can be revoked, under which name it stands in a list, and whether a list's word holds for a token.

    token:0f1e2d3c4b5a6978            one token, by iss and jti; as the ledger names it
    session:0f1e2d3c4b5a6978          every token of one login, by iss and sid
    practitioner:10003461033          everything of one person, whoever issued it
    practitioner:10003461033@psc      what one issuer says of that person
    client:portail                    everything of one piece of software
    certificate:<64 hexadecimal>      every connection with this client certificate, SHA-256 of its DER
    key:psc/k1                        whatever one key of one issuer has signed

Keyed on claims and never on a token's text: an ECDSA signature has a second form. A list is asked at every use.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from paravent import effects
from paravent.effects import Deciding, FindRevocations, Revocation
from paravent.identity.claims import PRACTITIONER_IS, Claims, name_of, rpps_of
from paravent.model import Connection
from paravent.reasons import Reason


class Kind(StrEnum):
    """What can be revoked."""

    TOKEN = "token"  # noqa: S105
    SESSION = "session"
    PRACTITIONER = "practitioner"
    CLIENT = "client"
    CERTIFICATE = "certificate"
    KEY = "key"


_REASONS: Final = {
    Kind.TOKEN: Reason.TOKEN_REVOKED,
    Kind.SESSION: Reason.SESSION_REVOKED,
    Kind.PRACTITIONER: Reason.PRACTITIONER_REVOKED,
    Kind.CLIENT: Reason.CLIENT_REVOKED,
    Kind.CERTIFICATE: Reason.CERTIFICATE_REVOKED,
    Kind.KEY: Reason.KEY_REVOKED,
}

_VALUES: Final = {
    Kind.TOKEN: (re.compile("[0-9a-f]{16}"), "16 hexadecimal characters, as the ledger names a token"),
    Kind.SESSION: (re.compile(r"[\x21-\x7e]{1,256}"), "the sid of a login"),
    Kind.PRACTITIONER: (re.compile("8?[0-9]{11}"), PRACTITIONER_IS),
    Kind.CLIENT: (re.compile(r"[\x20-\x7e]{1,256}"), "a client_id"),
    Kind.CERTIFICATE: (re.compile("[0-9a-f]{64}"), "the SHA-256 of a certificate, 64 hexadecimal characters"),
    Kind.KEY: (re.compile(r"[\x21-\x7e]{1,128}"), "a kid"),
}
_JTI: Final = re.compile(r"[\x21-\x7e]{1,256}"), "a jti"


@dataclass(frozen=True, slots=True)
class Named:
    """An issuer, by the two names it has."""

    name: str
    """In the configuration."""
    iss: str
    """In its tokens."""


def mark_of(kind: Kind, value: str, issuer: Named | None = None) -> str:
    """The name under which it stands in a list. Raises ValueError with a sentence.

    A token is named as the ledger names it, or by its jti and its issuer.
    """
    pattern, meaning = _JTI if kind is Kind.TOKEN and issuer is not None else _VALUES[kind]
    if pattern.fullmatch(value) is None:
        raise ValueError(f"{kind.value} must be {meaning}")
    if kind is Kind.PRACTITIONER:
        value = rpps_of(value) or value  # a second spelling would stand in the list, and stop nobody
    match kind, issuer:
        case ((Kind.SESSION | Kind.KEY), None):
            raise ValueError(f"{kind.value} needs an issuer: its name in the configuration")
        case ((Kind.CLIENT | Kind.CERTIFICATE), Named()):
            raise ValueError(f"{kind.value} takes no issuer")
        case ((Kind.SESSION | Kind.TOKEN), Named(iss=iss)):
            return f"{kind.value}:{name_of(iss, value)}"
        case Kind.KEY, Named(name=name):
            return f"{kind.value}:{name}/{value}"
        case Kind.PRACTITIONER, Named(name=name):
            return f"{kind.value}:{value}@{name}"
        case _:
            return f"{kind.value}:{value}"


def marks_of(claims: Claims, issuer: str, kid: str) -> tuple[str, ...]:
    """Everything that a token stands on but the certificate, which is the connection's. `issuer`: its name."""
    who = claims.practitioner
    marks = (
        f"token:{claims.token_id}",
        f"practitioner:{who.rpps}",
        f"practitioner:{who.rpps}@{issuer}",
        f"client:{who.client}",
        mark_of_key(issuer, kid),
    )
    return marks if claims.session_id is None else (*marks, f"session:{claims.session_id}")


def mark_of_key(issuer: str, kid: str) -> str:
    """`issuer`: its name."""
    return f"{Kind.KEY.value}:{issuer}/{kid}"


def check_revocations(
    marks: tuple[str, ...], issued_s: int, now_s: int, connection: Connection | None = None
) -> Deciding[Reason | None]:
    """None when nothing of it is revoked. Lists too old to tell are an outage of ours. `connection`: what came over
    one stands on its certificates too, the caller's and the front proxy's."""
    if connection is not None:
        if connection.certificate_sha256 is not None:
            marks = (*marks, _mark_of_certificate(connection.certificate_sha256))
        if connection.front_sha256 is not None:
            marks = (*marks, _mark_of_certificate(connection.front_sha256))
    found = yield from effects.find_revocations(FindRevocations(marks))
    return _reason(found, issued_s, now_s) if isinstance(found, tuple) else Reason.STATE_UNAVAILABLE


@lru_cache(maxsize=1024)
def _mark_of_certificate(sha256: bytes) -> str:
    return f"{Kind.CERTIFICATE.value}:{sha256.hex()}"


def _reason(found: Iterable[Revocation], issued_s: int, now_s: int) -> Reason | None:
    for each in found:
        over = each.until_s is not None and each.until_s <= now_s
        spared = each.issued_before_s is not None and issued_s > each.issued_before_s
        if not over and not spared:
            return _REASONS[Kind(each.mark.partition(":")[0])]
    return None
