"""A JWK set (RFC 7517 section 5), reduced to the keys that can verify tokens.

What is not understood or not safe is left out and named, and the rest is used: one bad key at an authorization server
must not stop every pharmacist. A set that leaves nothing is no set: the last good one stays in force.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from paravent.effects import PublicKey
from paravent.identity import algorithms
from paravent.identity.jwk import KeyFault, may_verify, public_key
from paravent.identity.jws import parse_object
from paravent.identity.signed import KEY_ID
from paravent.model import Json

MAX_SET_BYTES: Final = 256 * 1024
"""The largest public sets, of identity providers with many tenants' keys, have some tens of kilobytes."""
MAX_KEYS: Final = 100


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One usable key and the algorithms it may be used with."""

    key: PublicKey
    algorithms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of one issuer at one moment."""

    keys: Mapping[str, VerificationKey] = field(default_factory=dict)
    """By `kid`. Empty: this text is not to be used."""
    problems: tuple[str, ...] = ()
    """A sentence for each key left out, or for the text as a whole. Never a key's content."""

    def find(self, kid: str, algorithm: str) -> PublicKey | None:
        found = self.keys.get(kid)
        return found.key if found is not None and algorithm in found.algorithms else None


def parse_key_set(text: bytes) -> KeySet:
    """Read a set. Never raises: what is wrong is in `problems`."""
    if len(text) > MAX_SET_BYTES:
        return KeySet(problems=(f"the key set has more than {MAX_SET_BYTES} bytes",))
    document = parse_object(text)
    members = document.get("keys") if document is not None else None
    if not isinstance(members, list):
        return KeySet(
            problems=("it is not a JWK set: UTF-8 without byte order mark, an object with `keys`, no member twice",)
        )
    if len(members) > MAX_KEYS:
        return KeySet(problems=(f"the key set has more than {MAX_KEYS} keys",))
    return _collect(members)


def _collect(members: list[Json]) -> KeySet:
    keys: dict[str, VerificationKey] = {}
    problems: list[str] = []
    twice: set[str] = set()
    for number, member in enumerate(members, 1):
        if isinstance(member, dict) and member.get("use") == "enc":
            continue  # Servers publish their encryption keys in the same set. Not ours, and nothing is wrong.
        read = _read_key(member)
        if isinstance(read, str):
            problems.append(f"key {number} is not used: {read}")
            continue
        kid, key = read
        if kid in keys:
            twice.add(kid)
        keys[kid] = key
    if twice:
        # Which of them signed cannot be told, so neither is trusted.
        problems.append(f"{len(twice)} kid(s) stand for several keys; none of those keys is used")
    if not (usable := {kid: key for kid, key in keys.items() if kid not in twice}):
        problems.append("no key is left that could verify a token")
    return KeySet(usable, tuple(problems))


def _read_key(member: Json) -> tuple[str, VerificationKey] | str:
    if not isinstance(member, dict):
        return "it is not an object"
    kid = member.get("kid")
    if not isinstance(kid, str) or KEY_ID.fullmatch(kid) is None:
        return "its kid is absent, longer than 128 characters, or has characters that a kid may not have here"
    key = public_key(member) if may_verify(member) else KeyFault.PURPOSE
    if isinstance(key, KeyFault):
        return key.value
    usable = _algorithms(member, key)
    return (kid, VerificationKey(key, usable)) if usable else KeyFault.ALGORITHM.value


def _algorithms(member: Mapping[str, Json], key: PublicKey) -> tuple[str, ...]:
    """RFC 7517 section 4.4: `alg` is optional, and many issuers leave it out. A curve says it all; an RSA key that says
    nothing can be used with each RSA algorithm, of which the issuer's own list has RS256 only where it names it."""
    possible = algorithms.of_key(key)
    if "alg" not in member:
        return possible
    named = algorithms.named(member["alg"])
    return (named,) if named in possible else ()
