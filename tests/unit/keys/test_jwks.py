"""What a published key set gives: which keys are used, which are left out and named, and what is no set at all."""

import json
from typing import Any

import pytest
from joserfc.jwk import KeySet as OracleKeySet

from paravent.identity.jwks import MAX_SET_BYTES, parse_key_set
from tokens import ABSENT, SigningKey, bare_jwk, jwks, signing_key

GOOD = signing_key("ES256", "good")


@pytest.mark.parametrize(
    ("key", "overrides", "usable"),
    [
        (signing_key("ES256", "a"), {}, {"ES256"}),
        (signing_key("ES384", "a"), {}, {"ES384"}),
        (signing_key("PS256", "a"), {}, {"PS256"}),
        (signing_key("RS256", "a"), {}, {"RS256"}),
        (signing_key("EdDSA", "a"), {}, {"EdDSA"}),
        (signing_key("ES256", "a"), {"alg": ABSENT, "use": ABSENT}, {"ES256"}),
        (signing_key("EdDSA", "a"), {"alg": "Ed25519"}, {"EdDSA"}),
        (signing_key("PS256", "a"), {"alg": ABSENT}, {"PS256", "RS256"}),
        (signing_key("ES256", "a"), {"alg": ABSENT, "use": ABSENT, "kid": "a", "x5t#S256": "x", "iat": 1}, {"ES256"}),
        (signing_key("ES256", "a"), {"key_ops": ["verify"], "x5t": "abc", "unknown": {"a": 1}}, {"ES256"}),
    ],
)
def test_keys_that_are_used(key: SigningKey, overrides: dict[str, Any], usable: set[str]) -> None:
    """A key verifies with its declared algorithm; without one, with its curve's, or with RSA's. Which RSA algorithm an
    issuer uses is said by its list, where RS256 is only when an operator has named it."""
    keys = parse_key_set(jwks(key.jwk(**overrides)))
    assert keys.problems == ()
    found = {alg for alg in ("ES256", "ES384", "PS256", "RS256", "EdDSA", "HS256", "none") if keys.find("a", alg)}
    assert found == usable
    assert keys.find("b", key.alg) is None


@pytest.mark.parametrize(
    ("member", "word"),
    [
        ({"kty": "oct", "k": "c2VjcmV0", "kid": "x", "alg": "HS256"}, "symmetric"),
        (signing_key("ES256", "x").jwk(d="AAAA"), "private"),
        (signing_key("PS256", "x").jwk(p="AAAA"), "private"),
        (signing_key("ES256", "x").jwk(use="tls"), "use"),
        (signing_key("ES256", "x").jwk(key_ops=["sign"]), "key_ops"),
        (signing_key("ES256", "x").jwk(key_ops="verify"), "key_ops"),
        (signing_key("PS256", "x", 1024).jwk(), "2048"),
        (signing_key("PS256", "x").jwk(e="Aw"), "65537"),
        (signing_key("ES512", "x").jwk(), "curve"),
        (signing_key("ES256K", "x").jwk(), "curve"),
        (signing_key("ES256", "x").jwk(alg="ES384"), "alg"),
        (signing_key("ES256", "x").jwk(alg="HS256"), "alg"),
        (signing_key("PS256", "x").jwk(alg="RSA-OAEP"), "alg"),
        (signing_key("ES256", "x").jwk(alg=None), "alg"),
        (signing_key("ES256", "x").jwk(x="AAAA"), "point"),
        (signing_key("ES256", "x").jwk(y=bare_jwk(GOOD.public)["y"]), "point"),
        (signing_key("EdDSA", "x").jwk(crv="Ed448"), "curve"),
        (signing_key("ES256", "x").jwk(kty="DSA"), "kty"),
        (signing_key("ES256", "x").jwk(kid=ABSENT), "kid"),
        (signing_key("ES256", "x").jwk(kid="../x"), "kid"),
        (signing_key("ES256", "x").jwk(kid="x" * 129), "kid"),
        (signing_key("ES256", "x").jwk(kid=7), "kid"),
        ("key", "object"),
    ],
)
def test_keys_that_are_left_out_and_named(member: Any, word: str) -> None:
    """Threat row 51: a key that is not safe is left out with a reason, and the good one beside it is used."""
    keys = parse_key_set(json.dumps({"keys": [member, GOOD.jwk()]}).encode())
    assert list(keys.keys) == ["good"]
    (problem,) = keys.problems
    assert "key 1" in problem
    assert word in problem


@pytest.mark.parametrize(
    "kid",
    [
        "Zm9v+/bar=",
        "urn:ietf:params:oauth:jwk-thumbprint:sha-256:NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
        "did:web:as.example#key-1",
        "2026-01-01T00:00:00Z",
        "a",
    ],
)
def test_kids_as_issuers_write_them(kid: str) -> None:
    """Standard base64, thumbprint URIs, DID URLs, dates: all of them name a key."""
    assert parse_key_set(jwks(GOOD.jwk(kid=kid))).find(kid, "ES256") is not None


def test_encryption_keys_are_passed_over() -> None:
    """Servers publish them in the same set: nothing to report."""
    other = signing_key("PS256", "good").jwk(use="enc", alg="RSA-OAEP")
    keys = parse_key_set(jwks(other, GOOD))
    assert list(keys.keys) == ["good"]
    assert keys.problems == ()


def test_a_kid_for_two_keys_is_nobodys() -> None:
    """Threat row 51: which of them signed cannot be told, so neither verifies."""
    keys = parse_key_set(jwks(signing_key("ES256", "same"), signing_key("ES384", "same"), GOOD))
    assert list(keys.keys) == ["good"]
    assert any("several keys" in problem for problem in keys.problems)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": []}',
        b"not json",
        b"\xff",
        b"\xef\xbb\xbf" + jwks(GOOD),
        jwks(GOOD)[:-1],
        jwks(GOOD).replace(b'"keys"', b'"keys": [], "keys"', 1),
        jwks(*(signing_key("ES256", "good").jwk(kid=f"k{number}") for number in range(101))),
        jwks({"kty": "oct", "k": "c2VjcmV0", "kid": "x"}),
        b'{"keys": [], "x": "' + b"a" * MAX_SET_BYTES + b'"}',
    ],
)
def test_what_is_no_set(text: bytes) -> None:
    """Anything else gives no key and at least one sentence; it never raises."""
    keys = parse_key_set(text)
    assert not keys.keys
    assert keys.problems


def test_problems_never_quote_the_set() -> None:
    """A sentence says what is wrong with a key, not what is in it."""
    secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQ"
    keys = parse_key_set(jwks({"kty": "oct", "k": secret, "kid": secret}, signing_key("ES256", "x").jwk(d=secret)))
    assert secret not in " ".join(keys.problems)


def test_a_set_written_by_another_implementation() -> None:
    """joserfc writes a set from its own keys; all of them verify here."""
    written = OracleKeySet.generate_key_set("EC", "P-256", {"use": "sig", "alg": "ES256"}, private=False, count=3)
    keys = parse_key_set(json.dumps(written.as_dict(private=False)).encode())
    assert len(keys.keys) == 3
    assert keys.problems == ()
