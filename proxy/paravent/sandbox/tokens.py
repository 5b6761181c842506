"""A mint of access tokens (RFC 9068) for the laboratory. IT SIGNS WHATEVER IT IS ASKED TO: no login, no check.

    mint = TokenMint("https://as.example", "urn:paravent:droits", "portail")
    token = mint.mint(Wish(rpps="99921000006", profession="21", jkt=key.jkt), now_s=int(time.time()))
    mint.jwks()                 # the public keys, for the proxy

A token of this mint proves nothing about anybody. Never name its address as an issuer of a deployment.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from paravent.sandbox.proofs import b64url, public_jwk

TTL_S: Final = 300
"""Pro Santé Connect's access tokens live for two minutes; the ANS transport guide allows hours."""
AUTH_AGE_S: Final = 60


@dataclass(frozen=True, slots=True)
class Wish:
    """What a token shall say. The defaults are those of a pharmacist who has just logged in with two factors."""

    rpps: str
    profession: str = "21"
    """TRE_G15 code."""
    finess: str | None = None
    client_id: str | None = None
    """None: the mint's own."""
    acr: str | None = "eidas2"
    amr: tuple[str, ...] | None = ("swk", "pin", "mfa")
    auth_time_s: int | None = None
    """None: `auth_age_s` before now."""
    auth_age_s: int = AUTH_AGE_S
    jkt: str | None = None
    """RFC 7638 thumbprint of the caller's DPoP key."""
    x5t_s256: str | None = None
    """RFC 8705 thumbprint of the caller's certificate."""
    ttl_s: int = TTL_S
    claims: Mapping[str, object] = field(default_factory=dict)
    """Claims to put in place of the usual ones; None leaves one out."""


@dataclass(frozen=True, slots=True)
class _Key:
    kid: str
    private: ec.EllipticCurvePrivateKey = field(repr=False)


def _new_key() -> _Key:
    return _Key(secrets.token_hex(8), ec.generate_private_key(ec.SECP256R1()))


class TokenMint:
    """Signing keys of one issuer, ES256, made at start and on `rotate`. Old ones stay in the key set."""

    def __init__(self, issuer: str, audience: str, client: str = "portail") -> None:
        self._issuer = issuer
        self._audience = audience
        self._client = client
        self._keys = [_new_key()]

    def rotate(self) -> str:
        """Sign with a new key from now on; its key id."""
        self._keys.append(_new_key())
        return self._keys[-1].kid

    def jwks(self) -> dict[str, object]:
        """The key set (RFC 7517 section 5), newest key first."""
        usual = {"use": "sig", "alg": "ES256"}
        return {"keys": [public_jwk(key.private) | {"kid": key.kid} | usual for key in reversed(self._keys)]}

    def mint(self, wish: Wish, now_s: int) -> str:
        """A signed token. Members of `wish` that are None are left out."""
        key = self._keys[-1]
        claims = {name: value for name, value in self._claims(wish, now_s).items() if value is not None}
        return jwt.encode(claims, key.private, algorithm="ES256", headers={"typ": "at+jwt", "kid": key.kid})

    def _claims(self, wish: Wish, now_s: int) -> dict[str, object]:
        confirmation = {"jkt": wish.jkt, "x5t#S256": wish.x5t_s256}
        bound = {name: value for name, value in confirmation.items() if value is not None}
        return {
            "iss": self._issuer,
            "aud": self._audience,
            # ANS: IdNat_PS is "8" and the RPPS.
            "sub": "8" + wish.rpps,
            "client_id": wish.client_id or self._client,
            "iat": now_s,
            "exp": now_s + wish.ttl_s,
            "jti": b64url(secrets.token_bytes(12)),
            "acr": wish.acr,
            "amr": None if wish.amr is None else list(wish.amr),
            "auth_time": now_s - wish.auth_age_s if wish.auth_time_s is None else wish.auth_time_s,
            "cnf": bound or None,
            "profession": wish.profession,
            "finess": wish.finess,
            **wish.claims,
        }
