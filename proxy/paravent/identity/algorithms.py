"""The signature algorithms that this proxy knows, and which key each one takes.

Asymmetric ones only. No HMAC, so that a public key can never be used as a shared secret; no "none"; one curve an
algorithm (RFC 7518 section 3.4, RFC 8037 section 3.1).
"""

from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from paravent.effects import PublicKey

KNOWN: Final = ("ES256", "ES384", "PS256", "EdDSA", "RS256")
"""What an issuer's list may name. RS256 is never in a default: RFC 9068 section 2.1 obliges authorization servers to
offer it and several offer nothing else, so an operator can ask for it by name."""

DEFAULT: Final = ("ES256", "ES384", "PS256", "EdDSA")
"""Of an issuer that says nothing, and of DPoP proofs."""

_ED25519: Final = "Ed25519"
"""RFC 9864 section 2.2: the new name of what RFC 8037 calls EdDSA, with this curve. The same signatures: whoever writes
one name must be understood by whoever wrote the other, in a key, a token and a proof."""

OFFERED: Final = (*DEFAULT, _ED25519)
"""What callers are told that a proof may be signed with (RFC 9449 section 7.1, `algs`): every name we understand."""

RSA_MIN_BITS: Final = 2048
"""NIST SP 800-131A revision 2; RFC 7518 section 3.3."""
RSA_MAX_BITS: Final = 4096
"""A caller chooses its DPoP key: at 16384 bits one attempt costs us ten milliseconds."""
RSA_EXPONENT: Final = 65537
"""The exponent in use everywhere; a longer one is only a way to make verification slow."""

_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384"}


def named(text: object) -> str | None:
    """The algorithm of `KNOWN` that a header, a key or a configuration names; None when it names none of them."""
    return "EdDSA" if text == _ED25519 else next((known for known in KNOWN if known == text), None)


def of_key(key: PublicKey) -> tuple[str, ...]:
    """The algorithms a key can verify; empty when its curve or size is outside our limits."""
    match key:
        case EllipticCurvePublicKey():
            algorithm = _CURVES.get(key.curve.name)
            return (algorithm,) if algorithm else ()
        case RSAPublicKey():
            fits = RSA_MIN_BITS <= key.key_size <= RSA_MAX_BITS and key.public_numbers().e == RSA_EXPONENT
            return ("PS256", "RS256") if fits else ()
        case Ed25519PublicKey():
            return ("EdDSA",)
