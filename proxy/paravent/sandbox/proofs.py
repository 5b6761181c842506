"""DPoP proofs (RFC 9449) as a client makes them: for the demo, the attacks and the benchmarks.

    key = DpopKey.generate()
    token = …                                                     # a token whose cnf.jkt is key.jkt
    headers = {"Authorization": f"DPoP {token}", "DPoP": key.proof("POST", url, token, now_s)}

A proof is for one request: the proxy refuses the second use of its `jti`.
"""

import base64
import hashlib
import secrets

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


def b64url(data: bytes) -> str:
    """base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def public_jwk(private: ec.EllipticCurvePrivateKey) -> dict[str, object]:
    """The public half of a P-256 key, in the order that RFC 7638 section 3.2 hashes."""
    numbers = private.public_key().public_numbers()
    x, y = (b64url(coordinate.to_bytes(32)) for coordinate in (numbers.x, numbers.y))
    return {"crv": "P-256", "kty": "EC", "x": x, "y": y}


class DpopKey:
    """A client's P-256 key."""

    __slots__ = ("_header", "_private", "jkt")

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        """`private`: on P-256."""
        jwk = public_jwk(private)
        self._private = private
        self._header = b64url(orjson.dumps({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}))
        self.jkt = b64url(hashlib.sha256(orjson.dumps(jwk)).digest())
        """RFC 7638 thumbprint: what `cnf.jkt` of the token must be."""

    @classmethod
    def generate(cls) -> "DpopKey":
        """A new key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_pem(cls, pem: bytes) -> "DpopKey":
        """A kept key, PKCS #8 without password. ValueError when it is not one on P-256."""
        private = load_pem_private_key(pem, None)
        if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
            raise ValueError("not a P-256 private key")
        return cls(private)

    def pem(self) -> bytes:
        """The key to keep, PKCS #8 without password."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def proof(self, method: str, url: str, access_token: str, now_s: int, nonce: str | None = None) -> str:
        """A proof for one request (RFC 9449 section 4.2).

        `htu` is the URL without query and fragment; `ath` is the hash of the token; `jti` is 96 random bits.
        """
        claims: dict[str, object] = {
            "jti": b64url(secrets.token_bytes(12)),
            "htm": method,
            "htu": url.partition("#")[0].partition("?")[0],
            "iat": now_s,
            "ath": b64url(hashlib.sha256(access_token.encode("ascii")).digest()),
        }
        if nonce is not None:
            claims["nonce"] = nonce
        signing_input = f"{self._header}.{b64url(orjson.dumps(claims))}"
        der = self._private.sign(signing_input.encode(), ec.ECDSA(hashes.SHA256()))
        # RFC 7518 section 3.4: r and s as 32 bytes each, not DER.
        r, s = decode_dss_signature(der)
        return f"{signing_input}.{b64url(r.to_bytes(32) + s.to_bytes(32))}"
