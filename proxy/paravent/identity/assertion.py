"""Who asks, told to the upstream: a short signed statement of ours, never the caller's token.

A JWT (RFC 7519) signed with Ed25519 (RFC 8037). The upstream checks it with the public key that the management
listener serves as a JWK set at /jwks.json.
"""

import hashlib
from typing import Final

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from paravent.identity import base64url
from paravent.model import Practitioner, Secret

LIFETIME_S = 60
"""Long enough for the slowest upstream answer, short enough that a stolen one is worthless."""

PERIOD_S = 30
"""One statement serves all requests of a practitioner in the same half minute: a signature costs more than a lookup
of the budget, and a pharmacist asks several times a minute."""


REMEMBERED: Final = 4096
"""Practitioners who ask in one period. Half a kilobyte each."""


class Assertor:
    """Signs statements. The memo is a cache of a pure function: same practitioner and period, same bytes.

    Only one period is remembered: what an earlier one signed is not asked for again, and would be kept for nothing.
    """

    def __init__(self, seed: Secret[bytes]) -> None:
        """`seed`: 32 bytes."""
        self._key = Ed25519PrivateKey.from_private_bytes(seed.reveal())
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._x = _base64url(raw).decode()
        self._kid = hashlib.sha256(raw).hexdigest()[:16]
        header = {"alg": "EdDSA", "typ": "paravent-assertion+jwt", "kid": self._kid}
        self._header = _base64url(orjson.dumps(header))
        self._period = 0
        self._signed: dict[Practitioner, bytes] = {}

    def sign(self, who: Practitioner, now_s: int) -> bytes:
        """A compact JWS, valid from the start of the current period for `LIFETIME_S` + `PERIOD_S` seconds."""
        period = now_s // PERIOD_S
        if period != self._period or len(self._signed) >= REMEMBERED:
            self._period, self._signed = period, {}
        signed = self._signed.get(who)
        if signed is None:
            signed = self._signed[who] = self._sign_once(who, period)
        return signed

    def _sign_once(self, who: Practitioner, period: int) -> bytes:
        iat_s = period * PERIOD_S
        claims = {
            "iss": "paravent",
            "sub": "8" + who.rpps,
            "client_id": who.client,
            "profession": who.profession,
            "iat": iat_s,
            "exp": iat_s + PERIOD_S + LIFETIME_S,
        }
        if who.finess is not None:
            claims["finess"] = who.finess
        # RFC 7515 section 7.1: header, payload and signature; the signature is over the other two.
        signed = self._header + b"." + _base64url(orjson.dumps(claims))
        return signed + b"." + _base64url(self._key.sign(signed))

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public half (RFC 7517 section 5)."""
        key = {"kty": "OKP", "crv": "Ed25519", "x": self._x, "kid": self._kid, "use": "sig", "alg": "EdDSA"}
        return {"keys": [key]}


def _base64url(data: bytes) -> bytes:
    return base64url.encode(data).encode("ascii")
