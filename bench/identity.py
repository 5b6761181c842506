"""`python -m bench.identity [--json]`: what it costs to judge who asks, by algorithm, and where it goes.

One process, no network, CPU time; the best of several rounds, since a machine in use only ever adds. `cold` has never
seen the token and its caller; `cached` has verified the same bytes before, as with a practitioner's second request. The
signature check of the library alone is measured beside them, in the same rounds: what is above it is ours.
"""

import argparse
import base64
import hashlib
import json
import platform
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from paravent.effects import FindKey, FindRevocations, KeyMissing
from paravent.identity import dpop, jwk, jws
from paravent.identity.authenticate import Authenticated, Requirement, authenticate
from paravent.identity.gate import Gate
from paravent.identity.issuers import Issuer
from paravent.identity.nonces import Nonces
from paravent.model import Connection, Facts, Secret
from paravent.rules import Assurance, Binding, Level, Methods, ThumbprintEncoding

RESULTS = Path(__file__).resolve().parent / "results" / "identity.json"

NOW_S = 1_767_225_600
ORIGIN, PATH = "https://droits.example", "/v1/droits/consultation"
ISSUER, AUDIENCE, CLIENT = "https://as.example", "urn:paravent:droits", "portail"
CERTIFICATE = b"\1" * 32

ALGORITHMS = ("ES256", "ES384", "PS256", "EdDSA", "RS256")
ISSUERS = {ISSUER: Issuer("operateur", ISSUER, (AUDIENCE,), frozenset({CLIENT}), ALGORITHMS)}
ASSURANCE = Assurance(
    (Level("substantiel", frozenset({"eidas2", "eidas3"}), Methods(all=frozenset({"mfa"}))),),
    frozenset({Binding.DPOP, Binding.MTLS}),
    ThumbprintEncoding.RFC8705,
)
REQUIREMENT = Requirement("substantiel", 4 * 3600)


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured."""

    algorithm: str
    what: str
    cpu_us: float
    """Best of the rounds."""
    above_signature_us: float
    """Without the signature checks that it holds."""


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def private_key(algorithm: str) -> Any:
    match algorithm:
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ES384":
            return ec.generate_private_key(ec.SECP384R1())
        case "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            return rsa.generate_private_key(65537, 2048)


def public_jwk(key: Any, algorithm: str) -> dict[str, Any]:
    written = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    members: dict[str, Any] = {name: value for name, value in written.items() if name not in {"key_ops", "alg"}}
    return members


def thumbprint(members: dict[str, Any]) -> str:
    required = {name: members[name] for name in sorted(members) if name in {"crv", "kty", "x", "y", "n", "e"}}
    return b64url(hashlib.sha256(json.dumps(required, separators=(",", ":")).encode()).digest())


def access_token(key: Any, algorithm: str, cnf: dict[str, str]) -> str:
    claims = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "899700427885", "client_id": CLIENT, "iat": NOW_S - 60,
        "exp": NOW_S + 240, "jti": "0e3b8a52-6c3e-4d5f-9a35-5d1a6c0b7f11", "acr": "eidas3", "sid": "login-1",
        "amr": ["sc", "pin", "mfa"], "auth_time": NOW_S - 600, "profession": "21", "finess": "990000012", "cnf": cnf,
    }  # fmt: skip
    return jwt.encode(claims, key, algorithm, headers={"typ": "at+jwt", "kid": "k1"})


def proof(key: Any, algorithm: str, token: str) -> str:
    claims = {
        "jti": "a4f1c2d3e4b5a697", "htm": "POST", "htu": ORIGIN + PATH, "iat": NOW_S,
        "ath": b64url(hashlib.sha256(token.encode()).digest()),
    }  # fmt: skip
    return jwt.encode(claims, key, algorithm, headers={"typ": "dpop+jwt", "jwk": public_jwk(key, algorithm)})


def facts(*headers: tuple[bytes, bytes]) -> Facts:
    connection = Connection("192.0.2.1", True, CERTIFICATE)
    return Facts(NOW_S * 1000, "0" * 32, b"POST", PATH.encode(), headers, b"{}", connection)


def play(deciding: Generator[Any, Any, Any], key: Any) -> Any:
    """Answer as a node does: the key from memory, nothing revoked."""
    reply: Any = None
    while True:
        try:
            effect = deciding.send(reply)
        except StopIteration as finished:
            return finished.value
        match effect:
            case FindKey():
                reply = key
            case FindRevocations():
                reply = ()
            case _:
                reply = KeyMissing.UNKNOWN


def cpu_us(work: Callable[[], object], times: int) -> float:
    started = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - started) / times * 1e6


def cases(algorithm: str) -> dict[str, tuple[Callable[[], object], int]]:
    """What is measured → the work, and how many signature checks it holds. Tokens are the issuer's, with its key; a
    proof is always ES256, as browsers and software make it, but where it is measured alone."""
    issuer_key, caller_key = private_key(algorithm), private_key("ES256")
    key = issuer_key.public_key()
    bound = access_token(issuer_key, algorithm, {"x5t#S256": b64url(CERTIFICATE)})
    carried = access_token(issuer_key, algorithm, {"jkt": thumbprint(public_jwk(caller_key, "ES256"))})
    with_certificate = facts((b"authorization", b"Bearer " + bound.encode()))
    with_proof = facts(
        (b"authorization", b"DPoP " + carried.encode()), (b"dpop", proof(caller_key, "ES256", carried).encode())
    )
    nonces = Nonces(Secret(b"n" * 32))
    warm = Gate(ISSUERS, ORIGIN, nonces)

    def ask(asked: Facts, gate: Gate) -> object:
        result = play(authenticate(asked, gate, ASSURANCE, REQUIREMENT), key)
        assert isinstance(result, Authenticated), result
        return result

    def alone() -> Callable[[], object]:
        mine = private_key(algorithm)
        jkt = thumbprint(public_jwk(mine, algorithm))
        digest = hashlib.sha256(carried.encode()).digest()
        asked = facts((b"dpop", proof(mine, algorithm, carried).encode()))
        return lambda: dpop.check_proof(asked, digest, jkt, ORIGIN, None)

    parts = jws.split(bound.encode(), 8192)
    assert parts is not None
    measured = {
        "signature": (lambda: jws.verifies(parts, key, algorithm), 1),
        "certificate, cold": (lambda: ask(with_certificate, Gate(ISSUERS, ORIGIN, nonces)), 1),
        "certificate, cached": (lambda: ask(with_certificate, warm), 0),
        "proof of ES256, cached token": (lambda: ask(with_proof, warm), 0),
    }
    return measured | ({} if algorithm == "RS256" else {"proof alone": (alone(), 1)})


def measure(rounds: int, times: int) -> list[Figure]:
    """Every case in every round, so that what disturbs one disturbs all."""
    figures: list[Figure] = []
    for algorithm in ALGORITHMS:
        table = cases(algorithm)
        best = dict.fromkeys(table, float("inf"))
        for _ in range(rounds):
            for what, (work, _) in table.items():
                best[what] = min(best[what], cpu_us(work, times))
        for what, (_, checks) in table.items():
            figures.append(
                Figure(algorithm, what, round(best[what], 2), round(best[what] - checks * best["signature"], 2))
            )
    return figures


def steps(rounds: int, times: int) -> dict[str, float]:
    """Where the time of a DPoP proof (ES256) goes, step by step, in microseconds."""
    key = private_key("ES256")
    members = public_jwk(key, "ES256")
    text = proof(key, "ES256", "token").encode()
    parts = jws.split(text, dpop.MAX_PROOF_BYTES)
    assert parts is not None
    works: dict[str, Callable[[], object]] = {
        "split and decode the signature": lambda: jws.split(text, dpop.MAX_PROOF_BYTES),
        "header, read anew": lambda: dpop._read_header.__wrapped__(parts.header),
        "header, remembered": lambda: dpop._read_header(parts.header),
        "payload": lambda: jws.read_object(parts.payload),
        "key out of its JWK, remembered": lambda: jwk.public_key(members),
        "signature": lambda: jws.verifies(parts, key.public_key(), "ES256"),
    }
    public = key.public_key()
    works["signature"] = lambda: jws.verifies(parts, public, "ES256")
    return {name: round(min(cpu_us(work, times) for _ in range(rounds)), 2) for name, work in works.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.identity", description=__doc__)
    parser.add_argument("--json", action="store_true", help="the results as JSON on standard output")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--times", type=int, default=500, help="each thing, in each round")
    options = parser.parse_args()
    figures = measure(options.rounds, options.times)
    parts = steps(options.rounds, options.times)
    document = {
        "python": platform.python_version(),
        "figures": [asdict(each) for each in figures],
        "proof_steps_us": parts,
    }
    RESULTS.write_text(json.dumps(document, indent=2) + "\n")
    if options.json:
        print(json.dumps(document))
        return
    print(f"{'algorithm':<10} {'what':<30} {'µs CPU':>9} {'above the signature':>20}")
    for each in figures:
        print(f"{each.algorithm:<10} {each.what:<30} {each.cpu_us:>9.1f} {each.above_signature_us:>20.1f}")
    print("\nA DPoP proof (ES256), step by step:")
    for name, us in parts.items():
        print(f"  {name:<34} {us:>7.2f} µs")


if __name__ == "__main__":
    main()
