"""Public keys written as JSON (RFC 7517, RFC 7518 section 6, RFC 8037 section 2), within our limits.

Used for the keys of issuers, and for the key a caller puts into its DPoP proof: the second kind is chosen by whoever is
knocking, so sizes are checked before any arithmetic is done with it.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    EllipticCurve,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from paravent.effects import PublicKey
from paravent.identity import algorithms, base64url
from paravent.model import Json

_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1."""

_CURVES: Final[Mapping[str, tuple[EllipticCurve, int]]] = {"P-256": (SECP256R1(), 32), "P-384": (SECP384R1(), 48)}
"""Name → curve, bytes of a coordinate (RFC 7518 section 6.2.1.2: full length, never shortened)."""


class KeyFault(StrEnum):
    """Why a key is not used. The value finishes the sentence "the key is not used: …"."""

    SYMMETRIC = "it is symmetric; whoever can verify with it can also sign"
    PRIVATE = "it holds private members; treat it as disclosed and replace it"
    TYPE = "its kty is not EC, RSA or OKP"
    CURVE = "its curve is not P-256, P-384 or Ed25519"
    SIZE = "an RSA key must have 2048 to 4096 bits and the exponent 65537"
    MALFORMED = "its numbers are not canonical base64url, or not a point of the curve"
    PURPOSE = "its use or key_ops do not allow verifying"
    ALGORITHM = "its alg is not one that this proxy accepts for such a key"


def public_key(jwk: Mapping[str, Json]) -> PublicKey | KeyFault:
    """The key, or why not. Members that RFC 7517 does not make us look at are ignored.

    `key_ops` among them: what browsers and libraries leave there is the private key's "sign", or nothing. Who publishes
    keys for others says more by it: `may_verify`.
    """
    if jwk.get("kty") == "oct":
        return KeyFault.SYMMETRIC
    if not _PRIVATE.isdisjoint(jwk):
        return KeyFault.PRIVATE
    if jwk.get("use", "sig") != "sig":
        return KeyFault.PURPOSE
    match jwk.get("kty"):
        case "EC":
            return _elliptic(_text(jwk, "crv"), _text(jwk, "x"), _text(jwk, "y"))
        case "RSA":
            return _rsa(_text(jwk, "n"), _text(jwk, "e"))
        case "OKP":
            return _edwards(_text(jwk, "crv"), _text(jwk, "x"))
        case _:
            return KeyFault.TYPE


def may_verify(jwk: Mapping[str, Json]) -> bool:
    """RFC 7517 section 4.3: `key_ops` is optional; what it says must allow verifying."""
    operations = jwk.get("key_ops", ["verify"])
    return isinstance(operations, list) and "verify" in operations


def _text(jwk: Mapping[str, Json], name: str) -> str:
    """Empty when it is absent or no text: nothing that is empty is a number or a curve."""
    value = jwk.get(name)
    return value if isinstance(value, str) else ""


# A practitioner's software proves itself with one key all day. Finding out that its numbers are a point of the curve
# costs a third of a signature check, each time. The memo is a cache of a pure function: same text, same key.
_remembered = lru_cache(maxsize=2048)


@_remembered
def _elliptic(crv: str, x_text: str, y_text: str) -> PublicKey | KeyFault:
    if crv not in _CURVES:
        return KeyFault.CURVE
    curve, size = _CURVES[crv]
    x, y = base64url.decode_text(x_text), base64url.decode_text(y_text)
    if x is None or y is None or len(x) != size or len(y) != size:
        return KeyFault.MALFORMED
    try:
        return EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), curve).public_key()
    except ValueError:  # not on the curve
        return KeyFault.MALFORMED


@_remembered
def _rsa(n_text: str, e_text: str) -> PublicKey | KeyFault:
    n, e = base64url.decode_text(n_text), base64url.decode_text(e_text)
    # RFC 7518 section 2, Base64urlUInt: "the minimum number of octets". One spelling, hence one thumbprint.
    if not n or not e or n[0] == 0 or e[0] == 0:
        return KeyFault.MALFORMED
    modulus, exponent = int.from_bytes(n), int.from_bytes(e)
    if not algorithms.RSA_MIN_BITS <= modulus.bit_length() <= algorithms.RSA_MAX_BITS:
        return KeyFault.SIZE
    if exponent != algorithms.RSA_EXPONENT:
        return KeyFault.SIZE
    try:
        return RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError:  # an even modulus
        return KeyFault.MALFORMED


@_remembered
def _edwards(crv: str, x_text: str) -> PublicKey | KeyFault:
    if crv != "Ed25519":
        return KeyFault.CURVE
    x = base64url.decode_text(x_text)
    return KeyFault.MALFORMED if x is None or len(x) != 32 else Ed25519PublicKey.from_public_bytes(x)
