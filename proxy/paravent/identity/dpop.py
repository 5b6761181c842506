"""The proof that a caller holds the key its token is bound to (RFC 9449 section 4.3), check by check.

Everything but the replay memory is decided here without asking anybody: a proof is good for a minute, for one request,
once; and where the policy says so, only with a nonce of ours (section 8).
"""

import hashlib
import hmac
import re
from functools import lru_cache
from typing import Final

from paravent.effects import ProofSeen, PublicKey
from paravent.identity import algorithms, base64url, jwk, jws
from paravent.identity.htu import names_request
from paravent.identity.jwk import KeyFault
from paravent.identity.jws import Parts
from paravent.identity.nonces import Nonces
from paravent.identity.thumbprint import thumbprint
from paravent.model import Facts, Json
from paravent.reasons import Reason
from paravent.values import Value

MAX_PROOF_BYTES: Final = 4096
"""A proof with an RSA key of 4096 bits has about 2.4 KB."""
MAX_AGE_S: Final = 60
"""RFC 9449 section 11.1: "a relatively brief period (on the order of seconds or minutes)"."""
MAX_AHEAD_S: Final = 10
"""FAPI 2.0 Security Profile section 5.3.2.1: times up to 10 seconds ahead are to be accepted, as clocks differ."""
CLOCK_SPREAD_S: Final = 30
"""How far the clocks of our own nodes may be apart: a proof is remembered that much longer, so that a node whose clock
is behind cannot take one that another node has already forgotten."""

_JTI: Final = re.compile(r"[\x21-\x7e]{1,128}")
"""Section 4.2 wants 96 random bits at least: 16 characters of base64url. The upper bound is ours."""


class ProofKey(Value, frozen=True):
    """What the header of a proof says."""

    HIDDEN = frozenset({"key", "thumbprint"})

    key: PublicKey
    algorithm: str
    thumbprint: str
    """RFC 7638, as `jkt` writes it."""


class Proof(Value, frozen=True):
    """A well-formed proof: the claims that section 4.2 requires, typed. Believed once its signature holds."""

    HIDDEN = frozenset({"jti", "htu", "ath", "nonce"})

    parts: Parts
    key: ProofKey
    jti: str
    htm: str
    htu: str
    iat_s: int
    ath: str
    nonce: Json
    """Whatever stands there: not looked at where none is asked for."""


def check_proof(
    facts: Facts, token_sha256: bytes, jkt: str, external_origin: str, nonces: Nonces | None
) -> ProofSeen | Reason:
    """All checks of section 4.3 but the last; when they hold, the effect that makes the last one.

    `nonces`: None where the policy asks for none.
    """
    proof = _read(facts.values(b"dpop"))
    if isinstance(proof, Reason):
        return proof
    if not jws.verifies(proof.parts, proof.key.key, proof.key.algorithm):
        return Reason.DPOP_SIGNATURE
    if not _names_request(proof, facts, external_origin):
        return Reason.DPOP_REQUEST
    # 10. the nonce; before 11., since a client learns from it that our clock is another.
    if nonces is not None and not nonces.accepts(proof.nonce, facts.now_s):
        return Reason.DPOP_NONCE
    # 11. made just now.
    if not -MAX_AHEAD_S <= facts.now_s - proof.iat_s <= MAX_AGE_S:
        return Reason.DPOP_TIME
    # "12. … ensure that the value of the ath claim equals the hash of that access token" (section 4.2: base64url of
    # the SHA-256 of its ASCII)
    if not _same(proof.ath, _ath(token_sha256)):
        return Reason.DPOP_TOKEN
    # "… confirm that the public key to which the access token is bound matches the public key from the DPoP proof"
    if not _same(jkt, proof.key.thumbprint):
        return Reason.DPOP_KEY
    # Section 11.1: `jti` is remembered for as long as the proof could be accepted, to the end of that second. Keyed on
    # the key and its `jti`, not on the proof's text: an ECDSA signature has a second form.
    until_s = proof.iat_s + MAX_AGE_S + CLOCK_SPREAD_S + 1
    return ProofSeen(hashlib.sha256(f"{jkt}|{proof.jti}".encode()).digest(), until_s * 1000)


def _read(values: tuple[bytes, ...]) -> Proof | Reason:
    """1. one DPoP header; 2. one well-formed JWT; 3. every required claim, and its key."""
    if not values:
        return Reason.DPOP_MISSING
    parts = jws.split(values[0], MAX_PROOF_BYTES) if len(values) == 1 else None
    key = _read_header(parts.header) if parts is not None else None
    payload = jws.read_object(parts.payload) if parts is not None else None
    if parts is None or key is None or payload is None:
        return Reason.DPOP_MALFORMED
    jti, htm, htu, iat, ath = (payload.get(name) for name in ("jti", "htm", "htu", "iat", "ath"))
    if not (isinstance(jti, str) and isinstance(htm, str) and isinstance(htu, str) and isinstance(ath, str)):
        return Reason.DPOP_MALFORMED
    if type(iat) is not int or _JTI.fullmatch(jti) is None:
        return Reason.DPOP_MALFORMED
    return Proof(parts, key, jti, htm, htu, iat, ath, payload.get("nonce"))


# A practitioner's software writes the same header all day. The memo is a cache of a pure function, as in `jwk`: 2048
# headers of 4 KB at the most. Who floods it with headers of their own makes honest ones be read again, no more.
@lru_cache(maxsize=2048)
def _read_header(part: bytes) -> ProofKey | None:
    """4. the type; 5. an asymmetric algorithm that we accept; 7. a public key and no private one. None: malformed."""
    header = jws.read_header(part)
    if header is None or jws.media_type(header) != "dpop+jwt":
        return None
    algorithm, members = algorithms.named(header.get("alg")), header.get("jwk")
    if algorithm is None or algorithm not in algorithms.DEFAULT or not isinstance(members, dict):
        return None
    key = jwk.public_key(members)
    return None if isinstance(key, KeyFault) else ProofKey(key, algorithm, base64url.encode(thumbprint(members)))


def _names_request(proof: Proof, facts: Facts, external_origin: str) -> bool:
    """8. `htm`, as case-sensitive as methods are (RFC 9110 section 9.1), and 9. `htu` are this request's."""
    path, _, _ = facts.target.partition(b"?")
    return proof.htm.encode() == facts.method and names_request(proof.htu, external_origin, path)


@lru_cache(maxsize=2048)
def _ath(token_sha256: bytes) -> str:
    """The same for every proof that comes with one token."""
    return base64url.encode(token_sha256)


def _same(claimed: str, expected: str) -> bool:
    """In constant time: a caller would like to learn the right value character by character."""
    return claimed.isascii() and hmac.compare_digest(claimed, expected)
