"""Nothing that was not signed gets in: whatever is done to an honest request's credentials, they are refused.

And nothing raises: an exception at a front door is how such services have been passed before. The honest token has been
verified before each attempt, and is remembered: what is remembered must help nobody but its bearer.
"""

from dataclasses import replace
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from asking import ASSURANCE, CALLER_KEY, ISSUER_KEY, NONCES, ask, asked_with_dpop, facts, world
from conversation import run
from effort import examples
from paravent.effects import Introspect, Standing
from paravent.identity.authenticate import Authenticated, Refusal
from paravent.identity.issuers import Issuer, Profile
from paravent.identity.jws import split
from paravent.identity.logout import Logout, read_logout
from paravent.identity.psc import READ
from paravent.identity.verified import VerifiedTokens
from paravent.rules import Level, Methods
from psc_tokens import KEY as PSC_KEY
from psc_tokens import PSC, psc_claims, psc_token
from tokens import (
    ABSENT,
    CLIENT,
    NOW_S,
    RPPS,
    URL,
    ath,
    b64url,
    bearer_headers,
    claims,
    compact,
    dpop_headers,
    mint,
    prove,
)

TOKEN = mint(ISSUER_KEY, jkt=CALLER_KEY.jkt)
HEADERS = dpop_headers(TOKEN, prove(CALLER_KEY, TOKEN))
AUTHORIZATION, PROOF = HEADERS[0][1], HEADERS[1][1]
REQUIRED = sorted(claims(jkt=CALLER_KEY.jkt).keys() - {"finess"})

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


REMEMBERED = VerifiedTokens()


def offered(authorization: bytes, proof: bytes) -> Any:
    ask(facts(HEADERS), verified=REMEMBERED)
    assert len(REMEMBERED) == 1
    return ask(facts(((b"authorization", authorization), (b"dpop", proof))), verified=REMEMBERED).result


def test_untouched_credentials_are_accepted() -> None:
    """Guard of this file: what is tampered with below was good before."""
    assert isinstance(offered(AUTHORIZATION, PROOF), Authenticated)


@settings(max_examples=examples(150), deadline=None)
@given(st.integers(0, len(AUTHORIZATION) - 1), st.integers(0, 255))
def test_any_byte_of_the_token_changed(position: int, byte: int) -> None:
    """One byte of the Authorization header replaced by any other: refused."""
    assume(AUTHORIZATION[position] != byte)
    changed = AUTHORIZATION[:position] + bytes([byte]) + AUTHORIZATION[position + 1 :]
    assert isinstance(offered(changed, PROOF), Refusal)


@settings(max_examples=examples(150), deadline=None)
@given(st.integers(0, len(PROOF) - 1), st.integers(0, 255))
def test_any_byte_of_the_proof_changed(position: int, byte: int) -> None:
    """One byte of the DPoP header replaced by any other: refused."""
    assume(PROOF[position] != byte)
    changed = PROOF[:position] + bytes([byte]) + PROOF[position + 1 :]
    assert isinstance(offered(AUTHORIZATION, changed), Refusal)


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(0, len(AUTHORIZATION)), st.integers(0, len(PROOF)))
def test_credentials_cut_short(token_bytes: int, proof_bytes: int) -> None:
    """Cut anywhere: refused."""
    assume((token_bytes, proof_bytes) != (len(AUTHORIZATION), len(PROOF)))
    assert isinstance(offered(AUTHORIZATION[:token_bytes], PROOF[:proof_bytes]), Refusal)


@settings(max_examples=examples(200), deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_at_all(authorization: bytes, proof: bytes) -> None:
    """No bytes make it raise."""
    assert isinstance(offered(authorization, proof), Refusal)
    assert isinstance(offered(b"DPoP " + authorization, proof), Refusal)
    assert isinstance(offered(AUTHORIZATION, proof), Refusal)


def test_any_required_claim_removed() -> None:
    """Each claim of the profile but the establishment is needed."""
    for name in REQUIRED:
        asked = asked_with_dpop(**{name: ABSENT})
        assert isinstance(ask(asked, verified=REMEMBERED).result, Refusal), name
        assert isinstance(ask(asked, verified=REMEMBERED).result, Refusal), f"{name}, asked again"


@settings(max_examples=examples(200), deadline=None)
@given(st.sampled_from([*REQUIRED, "finess", "nbf", "azp", "sid", "authMode"]), JSON)
def test_any_claim_of_another_type(name: str, value: Any) -> None:
    """A claim with a value of another JSON type is refused; the issuer's signature does not help it."""
    usual = {**claims(jkt=CALLER_KEY.jkt), "nbf": 1, "azp": "portail", "sid": "1", "authMode": "CARD"}[name]
    assume(type(value) is not type(usual))
    # The one claim of two types (RFC 7519 section 4.1.3): a list of audiences, of which ours would be the only one.
    asked = asked_with_dpop(**{name: value})
    assert isinstance(ask(asked, verified=REMEMBERED).result, Refusal)
    assert isinstance(ask(asked, verified=REMEMBERED).result, Refusal)


CERTIFICATE = b"\1" * 32
CERTIFIED = b"Bearer " + mint(ISSUER_KEY, x5t=b64url(CERTIFICATE)).encode()


@settings(max_examples=examples(150), deadline=None)
@given(st.integers(0, len(CERTIFIED) - 1), st.integers(0, 255))
def test_any_byte_of_a_certified_token_changed(position: int, byte: int) -> None:
    """Without a proof to bind the text, the signature alone holds it: one byte replaced by any other, and it is
    refused, also beside the good one in memory."""
    assume(CERTIFIED[position] != byte)
    memory = VerifiedTokens()
    asked = [CERTIFIED, CERTIFIED[:position] + bytes([byte]) + CERTIFIED[position + 1 :], CERTIFIED]
    results = [
        ask(facts(((b"authorization", each),), certificate_sha256=CERTIFICATE), verified=memory).result
        for each in asked
    ]
    assert [isinstance(result, Authenticated) for result in results] == [True, False, True]


PROVEN: dict[str, Any] = {"jti": "proof-1", "htm": "POST", "htu": URL, "iat": NOW_S, "ath": ath(TOKEN)}
NONCE = NONCES.current(NOW_S)
NONCES_REQUIRED = replace(ASSURANCE, dpop_nonces=True)


def proven(**changes: Any) -> Any:
    """The honest request with another proof, where the policy asks for a nonce."""
    proof = prove(CALLER_KEY, TOKEN, **{"nonce": NONCE, **changes}).encode()
    asked = facts(((b"authorization", AUTHORIZATION), (b"dpop", proof)))
    return ask(asked, verified=REMEMBERED, assurance=NONCES_REQUIRED).result


@settings(max_examples=examples(200), deadline=None)
@given(st.sampled_from([*PROVEN, "nonce"]), JSON)
def test_any_claim_of_the_proof_removed_or_of_another_type(name: str, value: Any) -> None:
    """Signed by the right key, and refused: each claim is needed, and has one type."""
    assert isinstance(proven(), Authenticated)
    assert isinstance(proven(**{name: ABSENT}), Refusal)
    assume(type(value) is not type(PROVEN.get(name, NONCE)))
    assert isinstance(proven(**{name: value}), Refusal)


@settings(max_examples=examples(100), deadline=None)
@given(st.sampled_from(["typ", "alg", "jwk"]), JSON)
def test_any_member_of_the_proofs_header_removed_or_of_another_type(name: str, value: Any) -> None:
    """The same for its header."""
    assume(value not in ("DPoP+JWT", "ES256"))
    assert isinstance(proven(header={name: ABSENT}), Refusal)
    assert isinstance(proven(header={name: value}), Refusal)


@settings(max_examples=examples(200), deadline=None)
@given(st.text(alphabet="abc.ABC-_=+/ é", max_size=30))
def test_only_three_parts_are_a_token(text: str) -> None:
    """What is taken apart has exactly two points."""
    assert split(text.encode(), 8192) is None or text.count(".") == 2


PSC_ISSUER = Issuer(
    "psc",
    PSC,
    (),
    frozenset({CLIENT}),
    ("RS256",),
    Profile.PRO_SANTE_CONNECT,
    certificates={CLIENT: frozenset({CERTIFICATE})},
    introspection=True,
    untyped_logouts=True,
)
CARD = replace(
    ASSURANCE, levels=(Level("substantiel", frozenset({"eidas3"}), auth_mode=Methods(any=frozenset({"CARD"}))),)
)
UNREAD = {"nonce", "session_state", "scope", "otherIds", "sub"}
"""`sub` may say nothing where another claim names the person."""


def of_pro_sante_connect(token: str, answer: Any) -> Any:
    asked = facts(bearer_headers(token), certificate_sha256=CERTIFICATE)
    replies = {**world(PSC_KEY), Introspect: Standing(True, answer)}
    return ask(asked, replies, issuers={PSC: PSC_ISSUER}, assurance=CARD).result


@settings(max_examples=examples(150), deadline=None)
@given(st.sampled_from(sorted(psc_claims().keys() - UNREAD)), JSON)
def test_any_claim_of_pro_sante_connects_of_another_type(name: str, value: Any) -> None:
    """As with the other profile. Of two claims there is more than one form, or none: a role, a structure."""
    assert isinstance(of_pro_sante_connect(psc_token(), {}), Authenticated)
    assume(type(value) is not type(psc_claims()[name]))
    assume(value is not None and (name, type(value)) != ("SubjectRole", str))
    assert isinstance(of_pro_sante_connect(psc_token(**{name: value}), {}), Refusal)


@settings(max_examples=examples(150), deadline=None)
@given(st.dictionaries(st.sampled_from(READ), JSON), st.sampled_from([(), ("SubjectRole",), ("preferred_username",)]))
def test_any_answer_about_a_token(answer: Any, absent: tuple[str, ...]) -> None:
    """Whatever the issuer says when it is asked: nobody becomes somebody else, and nothing raises."""
    result = of_pro_sante_connect(psc_token(**dict.fromkeys(absent)), answer)
    assert isinstance(result, Refusal) or result.practitioner.rpps == RPPS


LOGOUT: dict[str, Any] = {
    "iss": PSC,
    "aud": CLIENT,
    "iat": NOW_S,
    "exp": NOW_S + 120,
    "jti": "logout-1",
    "typ": "Logout",
    "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    "sid": "login-1",
    "sub": "8" + RPPS,
}


@settings(max_examples=examples(150), deadline=None)
@given(st.sampled_from([*LOGOUT.keys() - {"sub"}, "nonce"]), JSON)
def test_any_claim_of_a_logout_of_another_type(name: str, value: Any) -> None:
    """It logs nobody out; and whole or not it is no access token."""
    assume(type(value) is not type(LOGOUT.get(name, ABSENT)))
    for changes, is_one in (({}, True), ({name: value}, False)):
        header = {"alg": PSC_KEY.alg, "typ": "JWT", "kid": PSC_KEY.kid}
        text = compact(PSC_KEY, header, {**LOGOUT, **changes})
        read = run(read_logout(text.encode(), {PSC: PSC_ISSUER}, NOW_S), world(PSC_KEY)).result
        assert isinstance(read, Logout) is is_one
        assert isinstance(of_pro_sante_connect(text, psc_claims()), Refusal)
