"""Keys, tokens and proofs for tests: made here at run time, correct unless told otherwise.

    key = signing_key()                              # ES256, kid "k1", the issuer's
    mine = signing_key("ES256", "caller")            # the caller's DPoP key
    token = mint(key, jkt=mine.jkt)                  # an RFC 9068 token for NOW_S
    proof = prove(mine, token, "POST", URL)          # RFC 9449
    headers = dpop_headers(token, proof)

Every claim and header member can be replaced, or left out with `ABSENT`. `compact` signs whatever bytes it is given, so
that malformed tokens carry a good signature: what refuses them is then the check under test and not the signature.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

NOW_S: Final = 1_767_225_600
"""2026-01-01T00:00:00Z: now, for every test that does not say otherwise."""
NOW_MS: Final = NOW_S * 1000
ISSUER: Final = "https://as.example"
AUDIENCE: Final = "urn:paravent:droits"
CLIENT: Final = "portail"
ORIGIN: Final = "https://droits.example"
PATH: Final = "/v1/droits/consultation"
URL: Final = ORIGIN + PATH
RPPS: Final = "99700427885"
"""Of an invented practitioner: RPPS numbers that start with 997 are test ones."""
FINESS: Final = "990000012"


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""In place of a value: leave the member out."""

type PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def b64url(data: bytes) -> str:
    """base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass(frozen=True)
class SigningKey:
    """A private key with the algorithm and key id it is used under."""

    private: PrivateKey
    alg: str
    kid: str

    @cached_property
    def public(self) -> Any:
        """One object, as a key source gives the one it holds."""
        return self.private.public_key()

    def jwk(self, **overrides: Any) -> dict[str, Any]:
        """The public JWK as an issuer publishes it."""
        members = {**bare_jwk(self.public), "kid": self.kid, "use": "sig", "alg": self.alg, **overrides}
        return {name: value for name, value in members.items() if value is not ABSENT}

    @property
    def jkt(self) -> str:
        """RFC 7638 thumbprint, base64url; written independently of the code under test."""
        canonical = json.dumps(bare_jwk(self.public), sort_keys=True, separators=(",", ":"))
        return b64url(hashlib.sha256(canonical.encode()).digest())

    def sign(self, signing_input: bytes) -> bytes:
        return jwt.get_algorithm_by_name(self.alg).sign(signing_input, self.private)


def bare_jwk(public: Any) -> dict[str, Any]:
    """Only the members that RFC 7638 hashes."""
    if isinstance(public, ec.EllipticCurvePublicKey):
        size = (public.curve.key_size + 7) // 8
        numbers = public.public_numbers()
        name = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "secp256k1"}
        x, y = (b64url(n.to_bytes(size, "big")) for n in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": name[public.curve.name], "x": x, "y": y}
    if isinstance(public, rsa.RSAPublicKey):
        numbers_ = public.public_numbers()
        n, e = (b64url(v.to_bytes((v.bit_length() + 7) // 8, "big")) for v in (numbers_.n, numbers_.e))
        return {"kty": "RSA", "n": n, "e": e}
    return {"kty": "OKP", "crv": "Ed25519", "x": b64url(public.public_bytes_raw())}


@lru_cache(maxsize=64)
def signing_key(alg: str = "ES256", kid: str = "k1", bits: int = 2048) -> SigningKey:
    """The same key for the same arguments, all through a test run."""
    if alg == "EdDSA":
        return SigningKey(ed25519.Ed25519PrivateKey.generate(), alg, kid)
    if alg.startswith("ES"):
        curve = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1(), "ES256K": ec.SECP256K1()}
        return SigningKey(ec.generate_private_key(curve[alg]), alg, kid)
    return SigningKey(rsa.generate_private_key(65537, bits), alg, kid)


def jwks(*keys: SigningKey | Mapping[str, Any]) -> bytes:
    """A JWK set (RFC 7517 section 5)."""
    return json.dumps({"keys": [key.jwk() if isinstance(key, SigningKey) else dict(key) for key in keys]}).encode()


def compact(key: SigningKey, header: Mapping[str, Any] | bytes, payload: Mapping[str, Any] | bytes) -> str:
    """A JWS in compact form. Bytes are taken as they are, JSON or not."""
    parts = [part if isinstance(part, bytes) else json.dumps(_present(part)).encode() for part in (header, payload)]
    signing_input = ".".join(b64url(part) for part in parts)
    return signing_input + "." + b64url(key.sign(signing_input.encode()))


def header_of(key: SigningKey, **overrides: Any) -> dict[str, Any]:
    return _present({"typ": "at+jwt", "alg": key.alg, "kid": key.kid, **overrides})


def claims(now_s: int = NOW_S, jkt: str | None = None, x5t: str | None = None, **overrides: Any) -> dict[str, Any]:
    """The claims of a pharmacist who logged in ten minutes ago with a card, token issued a minute ago."""
    cnf = {"jkt": jkt} if jkt is not None else {"x5t#S256": x5t} if x5t is not None else ABSENT
    usual = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "8" + RPPS,
        "client_id": CLIENT,
        "iat": now_s - 60,
        "exp": now_s + 240,
        "jti": "token-1",
        "acr": "eidas3",
        "amr": ["sc", "pin", "mfa"],
        "auth_time": now_s - 600,
        "profession": "21",
        "finess": FINESS,
        "cnf": cnf,
    }
    return _present({**usual, **overrides})


def mint(
    key: SigningKey,
    now_s: int = NOW_S,
    *,
    jkt: str | None = None,
    x5t: str | None = None,
    header: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> str:
    """An access token. `header` and `overrides` replace members; `ABSENT` leaves one out."""
    return compact(key, header_of(key, **(header or {})), claims(now_s, jkt, x5t, **overrides))


def prove(
    key: SigningKey,
    token: str,
    method: str = "POST",
    url: str = URL,
    now_s: int = NOW_S,
    *,
    header: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> str:
    """A DPoP proof (RFC 9449 section 4.2) that `key` sends `token` with this request."""
    usual_header = {"typ": "dpop+jwt", "alg": key.alg, "jwk": bare_jwk(key.public)}
    usual = {"jti": "proof-1", "htm": method, "htu": url, "iat": now_s, "ath": ath(token)}
    return compact(key, {**usual_header, **(header or {})}, {**usual, **overrides})


def ath(token: str) -> str:
    """RFC 9449 section 4.2: base64url of the SHA-256 of the token's ASCII."""
    return b64url(hashlib.sha256(token.encode()).digest())


def dpop_headers(token: str, proof: str) -> tuple[tuple[bytes, bytes], ...]:
    """The two headers of a DPoP-bound request, names in lower case as `Facts` has them."""
    return ((b"authorization", b"DPoP " + token.encode()), (b"dpop", proof.encode()))


def bearer_headers(token: str) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"authorization", b"Bearer " + token.encode()),)


def _present(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not ABSENT}
