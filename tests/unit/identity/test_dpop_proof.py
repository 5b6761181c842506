"""Proofs that a key is held (RFC 9449 section 4.3), and all that looks like one. The token is always good."""

import json
from typing import Any

import pytest

from asking import CALLER_KEY, ISSUER_KEY, ask, facts, world
from paravent.effects import ProofSeen
from paravent.identity.authenticate import Authenticated, Refusal
from paravent.identity.htu import names_request
from paravent.model import Facts
from paravent.reasons import Reason
from tokens import (
    ABSENT,
    NOW_S,
    ORIGIN,
    PATH,
    URL,
    SigningKey,
    ath,
    b64url,
    bare_jwk,
    bearer_headers,
    compact,
    dpop_headers,
    mint,
    prove,
    signing_key,
)

TOKEN = mint(ISSUER_KEY, jkt=CALLER_KEY.jkt)
OTHER_KEY = signing_key("ES256", "thief")


def with_proof(proof: str, token: str = TOKEN, **request: Any) -> Facts:
    return facts(dpop_headers(token, proof), **request)


def reason_of(asked: Facts, replies: Any = None) -> Reason | None:
    result = ask(asked, replies).result
    return result.reason if isinstance(result, Refusal) else None


KEY: dict[str, Any] = bare_jwk(CALLER_KEY.public)


@pytest.mark.parametrize("alg", ["ES256", "ES384", "PS256", "EdDSA"])
def test_a_caller_may_use_any_of_the_algorithms(alg: str) -> None:
    """RFC 9449 leaves the choice to the client; what we accept is in the `algs` of every challenge."""
    key = signing_key(alg, "caller")
    token = mint(ISSUER_KEY, jkt=key.jkt)
    assert isinstance(ask(with_proof(prove(key, token), token)).result, Authenticated)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"iat": NOW_S - 60}, "a minute old"),
        ({"iat": NOW_S + 10}, "from a clock ten seconds ahead"),
        ({"jti": "j" * 128}, "the longest jti"),
        ({"nonce": "from-elsewhere", "extra": 1}, "claims that nobody asked for"),
        ({"header": {"jwk": KEY | {"key_ops": ["verify"], "ext": True}}}, "as browsers export a public key"),
        ({"header": {"jwk": KEY | {"key_ops": [], "ext": True}}}, "as browsers export one made for signing alone"),
        ({"header": {"jwk": KEY | {"key_ops": ["sign"]}}}, "the private key's JWK with d taken out"),
        ({"header": {"jwk": KEY | {"alg": "ES256", "use": "sig", "kid": "1"}}}, "the JWK as it stands in a key set"),
        ({"header": {"typ": "DPoP+JWT"}}, "RFC 7515 section 4.1.9: media types have no case"),
        ({"header": {"typ": "application/dpop+jwt"}}, "RFC 7515 section 4.1.9: application/ may be written"),
        ({"header": {"kid": "1", "x-note": [1]}}, "header members that nobody asked for"),
    ],
)
def test_honest_variants_are_accepted(changes: dict[str, Any], why: str) -> None:
    """What clients legitimately vary stops nobody."""
    assert reason_of(with_proof(prove(CALLER_KEY, TOKEN, **changes))) is None, why


def test_ed25519_has_two_names() -> None:
    """RFC 9864 renames EdDSA to Ed25519: a proof, an issuer's token and its key may each use either."""
    issuer, caller = signing_key("EdDSA", "k1"), signing_key("EdDSA", "caller")
    for issued in ("EdDSA", "Ed25519"):
        for proven in ("EdDSA", "Ed25519"):
            token = mint(issuer, jkt=caller.jkt, header={"alg": issued})
            asked = with_proof(prove(caller, token, header={"alg": proven}), token)
            assert isinstance(ask(asked, world(issuer)).result, Authenticated)


@pytest.mark.parametrize(
    "htu",
    [
        "HTTPS://Droits.EXAMPLE" + PATH,
        "https://droits.example:443" + PATH,
        "https://droits.example:" + PATH,
        URL + "?a=1",
        URL + "#part",
        URL + "?a=1#part",
        URL.replace("consultation", "c%6Fnsultation"),
        URL.replace("v1", "%76%31"),
    ],
)
def test_one_address_in_several_spellings(htu: str) -> None:
    """RFC 9449 section 4.3: normalised by syntax and scheme, query and fragment ignored, so that no client is stopped
    by how it writes an address."""
    assert reason_of(with_proof(prove(CALLER_KEY, TOKEN, htu=htu))) is None


@pytest.mark.parametrize(
    ("htu", "claim"),
    [
        (URL.upper(), "the path in another case"),
        (URL.replace("droits/", "droits%2F"), "an escaped slash is no slash"),
        (URL.replace("v1", "%2576%31"), "escaped twice"),
        (URL.replace("v1", "v1%"), "half an escape"),
        (URL.replace("/v1", "/./v1"), "a dot-segment"),
        (URL.replace("/v1", "/%2e/v1"), "an escaped dot-segment"),
        (URL.replace("/v1", "/x/../v1"), "two dot-segments"),
        (URL.replace("/v1", "//v1"), "a slash more in front"),
        ("https://droits.example:444" + PATH, "another port"),
        ("https://droits.example:0443" + PATH, "the port with a zero in front"),
        ("https://droits.example:80" + PATH, "the other scheme's port"),
        ("http://droits.example:443" + PATH, "the other scheme with our port"),
        ("https://droits.example." + PATH, "a final dot in the host"),
        ("https://a@droits.example" + PATH, "a name before the host"),
        ("https://droits.example@evil.example" + PATH, "our host as a name"),
        ("https://evil.example?https://droits.example" + PATH, "our address in a query"),
        ("https://evil.example#@droits.example" + PATH, "our address in a fragment"),
        ("https:\\\\droits.example" + PATH, "backslashes, which browsers turn around"),
        ("https://droits.example\\" + PATH, "a backslash after the host"),
        ("https:/droits.example" + PATH, "one slash"),
        ("https://droits%2Eexample" + PATH, "an escape in the host"),
        ("https://droitſ.example" + PATH, "a letter that folds to one of ours"),
        (" " + URL, "a blank in front"),
        (URL + "\n", "a line end"),
        (URL + "?é", "a query that is not ASCII"),
        ("//droits.example" + PATH, "no scheme"),
        (PATH, "only the path"),
        ("", "nothing"),
    ],
)
def test_other_addresses_stay_others(htu: str, claim: str) -> None:
    """Threat row 39: what normalisation must not reach. Each of these is another address to somebody."""
    assert reason_of(with_proof(prove(CALLER_KEY, TOKEN, htu=htu))) is REQUEST, claim


def test_an_origin_with_a_port_and_one_in_brackets() -> None:
    """The configuration's origin is in small letters and without default port; the proof's follows it there."""
    for origin, htu, same in (
        ("https://droits.example:8443", "https://DROITS.example:8443/v1/compte", True),
        ("https://droits.example:8443", "https://droits.example/v1/compte", False),
        ("https://[2001:db8::1]", "https://[2001:DB8::1]:443/v1/compte", True),
        ("https://[2001:db8::1]", "https://[2001:db8::2]/v1/compte", False),
        ("http://localhost", "http://localhost:80/v1/compte", True),
    ):
        assert names_request(htu, origin, b"/v1/compte") is same
    assert names_request("https://droits.example", "https://droits.example", b"/")
    assert not names_request("https://droits.example/v1/a%2Fb", "https://droits.example", b"/v1/a2Fb")


def test_the_query_is_not_part_of_htu() -> None:
    """RFC 9449 section 4.3, check 9: query and fragment are ignored, on our side of the comparison."""
    assert reason_of(with_proof(prove(CALLER_KEY, TOKEN), target=f"{PATH}?a=1".encode())) is None


PRIVATE = bare_jwk(CALLER_KEY.public) | {"d": "AAAA"}
OFF_CURVE = bare_jwk(CALLER_KEY.public) | {"y": bare_jwk(OTHER_KEY.public)["y"]}
MALFORMED, REQUEST, TIME = Reason.DPOP_MALFORMED, Reason.DPOP_REQUEST, Reason.DPOP_TIME


@pytest.mark.parametrize(
    ("changes", "reason", "claim"),
    [
        ({"header": {"typ": "JWT"}}, MALFORMED, "37: not typed as a proof"),
        ({"header": {"typ": "at+jwt"}}, MALFORMED, "37: typed as an access token"),
        ({"header": {"typ": ABSENT}}, MALFORMED, "37: not typed at all"),
        ({"header": {"alg": "none"}}, MALFORMED, "37: none"),
        ({"header": {"alg": "HS256"}}, MALFORMED, "37: HMAC"),
        ({"header": {"alg": "RS256"}}, MALFORMED, "37: an algorithm that is not listed"),
        ({"header": {"alg": ["ES256"]}}, MALFORMED, "37: the algorithm in a list"),
        ({"header": {"alg": "ES384"}}, Reason.DPOP_SIGNATURE, "37: an algorithm of another curve"),
        ({"header": {"jwk": ABSENT}}, MALFORMED, "38: no key"),
        ({"header": {"jwk": "key"}}, MALFORMED, "38: a key that is no object"),
        ({"header": {"jwk": PRIVATE}}, MALFORMED, "38: the private key"),
        ({"header": {"jwk": {"kty": "oct", "k": "c2VjcmV0"}}}, MALFORMED, "38: a symmetric key"),
        ({"header": {"jwk": OFF_CURVE}}, MALFORMED, "38: not a point of the curve"),
        ({"header": {"jwk": {**bare_jwk(CALLER_KEY.public), "use": "enc"}}}, MALFORMED, "38: a key for encryption"),
        (
            {"header": {"jwk": bare_jwk(OTHER_KEY.public)}},
            Reason.DPOP_SIGNATURE,
            "40: another key than the one that signed",
        ),
        ({"header": {"jku": "https://evil.example"}}, MALFORMED, "8: where to fetch the key"),
        ({"header": {"crit": ["exp"]}}, MALFORMED, "9: an extension that must be understood"),
        ({"htm": "GET"}, REQUEST, "39: made for another method"),
        ({"htm": "post"}, REQUEST, "39: the method in another case"),
        ({"htm": ABSENT}, MALFORMED, "39: no method"),
        ({"htm": ["POST"]}, MALFORMED, "39: the method in a list"),
        ({"htu": ORIGIN + "/v1/autre"}, REQUEST, "39: made for another path"),
        ({"htu": "http://127.0.0.1:9000" + PATH}, REQUEST, "39: made for the service behind us"),
        ({"htu": "http" + URL[5:]}, REQUEST, "39: made for plain HTTP"),
        ({"htu": "https://droits.example.evil.example" + PATH}, REQUEST, "39: made for a host that begins like ours"),
        ({"htu": URL + "/"}, REQUEST, "39: a slash more"),
        ({"htu": URL.replace("droits/", "droits/../droits/")}, REQUEST, "39: the same after normalising, not before"),
        ({"htu": ABSENT}, MALFORMED, "39: no address"),
        ({"htu": None}, MALFORMED, "39: a null address"),
        ({"ath": ABSENT}, MALFORMED, "40: says nothing about the token"),
        ({"ath": ath(TOKEN + "x")}, Reason.DPOP_TOKEN, "40: made for another token"),
        ({"ath": ath(TOKEN) + "="}, Reason.DPOP_TOKEN, "40: padded"),
        ({"ath": "é"}, Reason.DPOP_TOKEN, "40: not ASCII"),
        ({"iat": NOW_S - 61}, TIME, "41: more than a minute old"),
        ({"iat": NOW_S + 11}, TIME, "41: eleven seconds from now"),
        ({"iat": -(10**30)}, TIME, "41: before all time"),
        ({"iat": ABSENT}, MALFORMED, "41: no time"),
        ({"iat": str(NOW_S)}, MALFORMED, "41: the time as a text"),
        ({"iat": float(NOW_S)}, MALFORMED, "41: the time as a float"),
        ({"iat": True}, MALFORMED, "41: the time as a boolean"),
        ({"jti": ABSENT}, MALFORMED, "41: no jti"),
        ({"jti": ""}, MALFORMED, "41: an empty jti"),
        ({"jti": "j" * 129}, MALFORMED, "41: a jti that would fill the memory"),
        ({"jti": "a b"}, MALFORMED, "41: a jti with a blank"),
        ({"jti": 1}, MALFORMED, "41: a jti that is a number"),
    ],
)
def test_proofs_that_are_refused(changes: dict[str, Any], reason: Reason, claim: str) -> None:
    """Threat rows 8, 9 and 37 to 41: refused, and the replay memory is not asked."""
    told = ask(with_proof(prove(CALLER_KEY, TOKEN, **changes)))
    assert isinstance(told.result, Refusal), claim
    assert told.result.reason is reason, claim
    assert not any(isinstance(effect, ProofSeen) for effect in told.asked), claim


@pytest.mark.parametrize(
    ("key", "claim"),
    [
        (signing_key("PS256", "short", 1024), "37: an RSA key of 1024 bits"),
        (signing_key("ES512", "p521"), "37: a curve that is not listed"),
        (signing_key("ES256K", "k256"), "37: a curve of another purpose"),
    ],
)
def test_keys_outside_the_limits(key: SigningKey, claim: str) -> None:
    """Threat row 37: the caller chooses its key, within limits."""
    token = mint(ISSUER_KEY, jkt=key.jkt)
    assert reason_of(with_proof(prove(key, token), token)) is MALFORMED, claim


def modulus_of(key: SigningKey) -> bytes:
    return key.public.public_numbers().n.to_bytes(256, "big")


@pytest.mark.parametrize(
    ("member", "claim"),
    [
        ({"e": "AQ"}, "an exponent of 1"),
        ({"e": "Aw"}, "an exponent of 3"),
        ({"e": "AQAAAAAAAAAB"}, "an exponent of 65 bits"),
        ({"e": ""}, "no exponent"),
        ({"e": "AAEAAQ"}, "an exponent with a leading zero: another spelling, another thumbprint"),
        ({"n": "AQAB" * 700}, "a modulus of 16 800 bits"),
        ({"n": ""}, "no modulus"),
        ({"n": b64url(b"\0" + modulus_of(signing_key("PS256", "caller")))}, "a modulus with a leading zero, the same"),
        ({"n": 5}, "a modulus that is a number"),
    ],
)
def test_rsa_keys_that_cost_more_than_they_prove(member: dict[str, Any], claim: str) -> None:
    """Threat row 37: sizes are checked before any arithmetic."""
    key = signing_key("PS256", "caller")
    token = mint(ISSUER_KEY, jkt=key.jkt)
    proof = prove(key, token, header={"jwk": {**bare_jwk(key.public), **member}})
    assert reason_of(with_proof(proof, token)) is MALFORMED, claim


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_length_is_none(size: int) -> None:
    """RFC 8037 section 2: an Ed25519 key has 32 bytes. What has more or less is refused before a library reads it."""
    key = signing_key("EdDSA", "caller")
    proof = prove(key, TOKEN, header={"jwk": {**bare_jwk(key.public), "x": b64url(b"x" * size)}})
    assert reason_of(with_proof(proof)) is MALFORMED


def test_the_key_of_the_proof_must_be_the_key_of_the_token() -> None:
    """Threat row 40: a thief's own key proves that the thief holds it. The answer is RFC 9449's: an invalid token."""
    result = ask(with_proof(prove(OTHER_KEY, TOKEN))).result
    assert isinstance(result, Refusal)
    assert result.reason is Reason.DPOP_KEY
    assert result.challenge is not None
    assert result.challenge.error == "invalid_token"


@pytest.mark.parametrize(
    ("headers", "reason", "claim"),
    [
        (dpop_headers(TOKEN, "")[:1], Reason.DPOP_MISSING, "40: no DPoP header"),
        ((*dpop_headers(TOKEN, prove(CALLER_KEY, TOKEN)), (b"dpop", b"")), MALFORMED, "40: two DPoP headers"),
        (dpop_headers(TOKEN, ", ".join([prove(CALLER_KEY, TOKEN)] * 2)), MALFORMED, "40: two proofs joined by a comma"),
        (dpop_headers(TOKEN, ""), MALFORMED, "40: an empty proof"),
        (dpop_headers(TOKEN, TOKEN), MALFORMED, "the token as its own proof"),
        (dpop_headers(TOKEN, prove(CALLER_KEY, TOKEN, extra="x" * 4000)), MALFORMED, "16: a proof of more than 4 KB"),
        (bearer_headers(TOKEN), Reason.BINDING_DOWNGRADE, "35: a bound token as Bearer"),
        (
            bearer_headers(TOKEN) + dpop_headers(TOKEN, prove(CALLER_KEY, TOKEN))[1:],
            Reason.BINDING_DOWNGRADE,
            "35: as Bearer, even with a proof",
        ),
    ],
)
def test_exactly_one_proof(headers: tuple[tuple[bytes, bytes], ...], reason: Reason, claim: str) -> None:
    """Threat rows 16, 35 and 40."""
    assert reason_of(facts(headers)) is reason, claim


def test_an_unbound_token_gains_nothing_from_a_proof() -> None:
    """Threat row 36: without cnf, scheme DPoP and a proof by any key are refused."""
    token = mint(ISSUER_KEY)
    assert reason_of(with_proof(prove(CALLER_KEY, token), token)) is Reason.BINDING_MISSING


def test_a_thumbprint_in_another_spelling_is_another_thumbprint() -> None:
    """Row 34, for jkt: padded or in another case it does not match."""
    for jkt in (CALLER_KEY.jkt + "=", CALLER_KEY.jkt.swapcase(), "é" * 43, ""):
        token = mint(ISSUER_KEY, jkt=jkt)
        assert reason_of(with_proof(prove(CALLER_KEY, token), token)) is Reason.DPOP_KEY


def test_a_member_twice_in_a_proof() -> None:
    """Threat row 19, for proofs."""
    usual = {"jti": "1", "htm": "POST", "htu": URL, "iat": NOW_S, "ath": ath(TOKEN)}
    payload = json.dumps(usual).replace("{", '{"htm": "GET", ', 1).encode()
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": bare_jwk(CALLER_KEY.public)}
    assert reason_of(with_proof(compact(CALLER_KEY, header, payload))) is MALFORMED


# ---- the replay memory


def remembered(proof: str, token: str = TOKEN) -> ProofSeen:
    """What the caller of `authenticate` owes to the memory (threat row 41: it has the last word)."""
    result = ask(with_proof(proof, token)).result
    assert isinstance(result, Authenticated)
    assert result.proof is not None
    return result.proof


def test_the_memory_knows_the_proof_by_key_and_jti() -> None:
    """The same jti signed again is the same proof; another jti, or another key's, is another."""
    first = remembered(prove(CALLER_KEY, TOKEN))
    again = remembered(prove(CALLER_KEY, TOKEN, iat=NOW_S - 1))
    other = remembered(prove(CALLER_KEY, TOKEN, jti="proof-2"))
    their_token = mint(ISSUER_KEY, jkt=OTHER_KEY.jkt)
    theirs = remembered(prove(OTHER_KEY, their_token), their_token)
    assert first.key == again.key
    assert len({first.key, other.key, theirs.key}) == 3
    assert len(first.key) == 32


def test_the_memory_outlives_the_proof() -> None:
    """When it may be forgotten, a node whose clock is half a minute behind already refuses it by its time."""
    forgotten_ms = remembered(prove(CALLER_KEY, TOKEN)).until_ms
    asked = with_proof(prove(CALLER_KEY, TOKEN), now_ms=forgotten_ms - 30_000)
    assert reason_of(asked) is Reason.DPOP_TIME
