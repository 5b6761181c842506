"""A mint of tokens like Pro Santé Connect's, for the laboratory; it also says whether they stand and whose they are.

    mint = PscMint("https://psc.example/realm", "portail")
    token = mint.mint(Wish(rpps="99921000006", profession="21"), now_s)
    mint.introspect(token, now_s)          # {"active": True, "sub": "f:…:899921000006", …}
    mint.userinfo(token, now_s)            # {"sub": …, "SubjectRole": ["21^1.2.250.1.213.1.1.5.5"], …}
    mint.end(token)                        # the session is over: {"active": False}

As `tokens`: IT SIGNS WHATEVER IT IS ASKED TO.
"""

import secrets
import uuid
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from paravent.sandbox.proofs import b64url
from paravent.sandbox.tokens import Wish

TTL_S: Final = 120
_ROLE: Final = "^1.2.250.1.213.1.1.5.5"
_PERSONS: Final = uuid.UUID("5c1de000-0000-4000-8000-000000000990")
"""Keycloak's name of the place where its users are kept. Invented."""


def lifetime_s(wish: Wish) -> int:
    """Never longer than the two minutes that they have there."""
    return min(wish.ttl_s, TTL_S)


class PscMint:
    """One RSA key at a time, RS256; old ones stay in the key set."""

    def __init__(self, issuer: str, client: str = "portail") -> None:
        self._issuer = issuer
        self._client = client
        self._keys: dict[str, rsa.RSAPrivateKey] = {}
        self._ended: set[str] = set()
        self.rotate()

    def rotate(self) -> str:
        """Sign with a new key from now on; its key id."""
        self._kid = secrets.token_hex(8)
        self._keys[self._kid] = rsa.generate_private_key(65537, 2048)
        return self._kid

    def jwks(self) -> dict[str, object]:
        """The key set (RFC 7517 section 5)."""
        return {"keys": [_public(key) | {"kid": kid} for kid, key in reversed(self._keys.items())]}

    def mint(self, wish: Wish, now_s: int) -> str:
        """A signed token. What the wish says of profession and establishment is told by `userinfo` alone, as there."""
        claims = {name: value for name, value in self._claims(wish, now_s).items() if value is not None}
        return jwt.encode(claims, self._keys[self._kid], algorithm="RS256", headers={"kid": self._kid})

    def introspect(self, token: str, now_s: int) -> dict[str, object]:
        """RFC 7662 section 2.2: nothing is said of a token that does not stand."""
        claims = self._read(token, now_s)
        return {"active": False} if claims is None else {**claims, "active": True, "client_id": claims.get("azp")}

    def userinfo(self, token: str, now_s: int) -> dict[str, object] | None:
        """None for a token that does not stand."""
        claims = self._read(token, now_s)
        if claims is None:
            return None
        profession, _, finess = str(claims["nonce"]).partition(".")
        person = {"sub": claims["sub"], "SubjectNameID": claims["preferred_username"]}
        organisation = {"SubjectOrganizationID": "F" + finess} if finess else {}
        return {**person, "SubjectRole": [profession + _ROLE], **organisation}

    def end(self, token: str) -> bool:
        """The session of this token is over. False for what is no token."""
        try:
            self._ended.add(str(jwt.decode(token, options={"verify_signature": False}).get("sid")))
        except jwt.InvalidTokenError:
            return False
        return True

    def _claims(self, wish: Wish, now_s: int) -> dict[str, object]:
        session = str(uuid.uuid4())
        return {
            "exp": now_s + lifetime_s(wish),
            "iat": now_s,
            "auth_time": now_s - wish.auth_age_s if wish.auth_time_s is None else wish.auth_time_s,
            "jti": str(uuid.uuid4()),
            "iss": self._issuer,
            "sub": f"f:{_PERSONS}:8{wish.rpps}",
            "typ": "Bearer",
            "azp": wish.client_id or self._client,
            # Where this laboratory remembers what `userinfo` will be asked.
            "nonce": f"{wish.profession}.{wish.finess or ''}",
            "session_state": session,
            "sid": session,
            "acr": wish.acr,
            "scope": "openid scope_all",
            "authMode": "CARD",
            "otherIds": [{"identifiant": wish.rpps, "origine": "RPPS", "qualite": 1}],
            "preferred_username": "8" + wish.rpps,
            **wish.claims,
        }

    def _read(self, token: str, now_s: int) -> dict[str, object] | None:
        try:
            key = self._keys[str(jwt.get_unverified_header(token).get("kid"))].public_key()
            claims = jwt.decode(token, key, algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False})
        except (jwt.InvalidTokenError, KeyError):
            return None
        return claims if claims["exp"] > now_s and claims.get("sid") not in self._ended else None


def _public(key: rsa.RSAPrivateKey) -> dict[str, object]:
    numbers = key.public_key().public_numbers()
    n, e = (b64url(value.to_bytes((value.bit_length() + 7) // 8)) for value in (numbers.n, numbers.e))
    return {"kty": "RSA", "n": n, "e": e, "use": "sig", "alg": "RS256"}
