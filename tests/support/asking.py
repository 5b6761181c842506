"""One practitioner at the door: the usual issuer, policy and request of the identity tests, and a way to ask.

told = ask(facts(dpop_headers(token, proof)))
assert told.result.reason is Reason.DPOP_KEY
"""

from collections.abc import Mapping
from typing import Any, Final

from conversation import Conversation, Replies, run
from paravent.effects import FindKey, FindRevocations, KeyMissing
from paravent.identity.authenticate import Authenticated, Refusal, Requirement, authenticate
from paravent.identity.gate import Gate
from paravent.identity.issuers import Issuer
from paravent.identity.nonces import Nonces
from paravent.identity.portal import Portal
from paravent.identity.verified import VerifiedTokens
from paravent.model import Connection, Facts, Secret
from paravent.rules import Assurance, Binding, Level, Methods, ThumbprintEncoding
from tokens import AUDIENCE, CLIENT, ISSUER, NOW_MS, ORIGIN, PATH, SigningKey, dpop_headers, mint, prove, signing_key

ISSUERS: Final = {ISSUER: Issuer("operateur", ISSUER, (AUDIENCE,), frozenset({CLIENT}))}

ASSURANCE: Final = Assurance(
    levels=(
        Level("eleve", frozenset({"eidas3"}), Methods(all=frozenset({"sc", "mfa"}))),
        Level(
            "substantiel",
            frozenset({"eidas2", "eidas3"}),
            Methods(all=frozenset({"mfa"}), none=frozenset({"email"})),
        ),
    ),
    bindings=frozenset({Binding.DPOP, Binding.MTLS}),
    thumbprint_encoding=ThumbprintEncoding.RFC8705,
)

NONCES: Final = Nonces(Secret(b"n" * 32))

REQUIREMENT: Final = Requirement("substantiel", 4 * 3600)

ISSUER_KEY: Final = signing_key("ES256", "k1")
CALLER_KEY: Final = signing_key("ES256", "caller")


def facts(
    headers: tuple[tuple[bytes, bytes], ...] = (),
    *,
    now_ms: int = NOW_MS,
    method: bytes = b"POST",
    target: bytes = PATH.encode(),
    certificate_sha256: bytes | None = None,
    front_sha256: bytes | None = None,
) -> Facts:
    """A request as it arrived."""
    connection = Connection("192.0.2.1", True, certificate_sha256, front_sha256=front_sha256)
    return Facts(now_ms, "request-1", method, target, headers, b"{}", connection)


def asked_with_dpop(key: SigningKey = ISSUER_KEY, **overrides: Any) -> Facts:
    """A request with a good proof for the usual token, whose claims and header may be replaced."""
    token = mint(key, jkt=CALLER_KEY.jkt, **overrides)
    return facts(dpop_headers(token, prove(CALLER_KEY, token)))


def world(*keys: SigningKey) -> Mapping[type, Any]:
    """Replies of a world that knows these keys, under their own ids and algorithms."""
    known = {(key.kid, key.alg): key.public for key in keys or (ISSUER_KEY,)}
    return {
        FindKey: lambda wanted: known.get((wanted.kid, wanted.algorithm), KeyMissing.UNKNOWN),
        FindRevocations: (),
    }


def gate() -> Gate:
    """The usual one, which has seen nobody yet."""
    return Gate(ISSUERS, ORIGIN, NONCES)


def ask(
    asked: Facts,
    replies: Replies | None = None,
    *,
    issuers: Mapping[str, Issuer] = ISSUERS,
    assurance: Assurance = ASSURANCE,
    requirement: Requirement = REQUIREMENT,
    verified: VerifiedTokens | None = None,
    portal: Portal | None = None,
) -> Conversation[Authenticated | Refusal]:
    """Play `authenticate` against the world; without `verified`, as the first request of a process."""
    memory = VerifiedTokens() if verified is None else verified
    generator = authenticate(asked, Gate(issuers, ORIGIN, NONCES, portal, memory), assurance, requirement)
    return run(generator, world() if replies is None else replies)
