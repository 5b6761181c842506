"""The memory of verified tokens: what it spares, and what it must never let in."""

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from asking import ASSURANCE, CALLER_KEY, ISSUER_KEY, REQUIREMENT, ask, facts
from paravent.effects import FindKey, KeyMissing
from paravent.identity.authenticate import Authenticated, Refusal, Requirement
from paravent.identity.issuers import Issuer
from paravent.identity.verified import VerifiedTokens
from paravent.model import Facts
from paravent.reasons import Reason
from paravent.rules import Binding, ThumbprintEncoding
from tokens import (
    AUDIENCE,
    CLIENT,
    ISSUER,
    NOW_MS,
    NOW_S,
    SigningKey,
    b64url,
    bearer_headers,
    dpop_headers,
    mint,
    prove,
    signing_key,
)

CERTIFICATE = b"\1" * 32
BOUND_TO_CERTIFICATE = mint(ISSUER_KEY, x5t=b64url(CERTIFICATE))
BOUND_TO_KEY = mint(ISSUER_KEY, jkt=CALLER_KEY.jkt)


def with_certificate(token: str = BOUND_TO_CERTIFICATE, now_ms: int = NOW_MS, shown: bytes = CERTIFICATE) -> Facts:
    return facts(bearer_headers(token), certificate_sha256=shown, now_ms=now_ms)


def with_proof(jti: str, key: SigningKey = CALLER_KEY) -> Facts:
    return facts(dpop_headers(BOUND_TO_KEY, prove(key, BOUND_TO_KEY, jti=jti)))


def reason(asked: Facts, verified: VerifiedTokens, *replies: Any, **known: Any) -> Reason | None:
    result = ask(asked, *replies, verified=verified, **known).result
    return result.reason if isinstance(result, Refusal) else None


@pytest.fixture
def verified() -> VerifiedTokens:
    """A memory that has seen an honest request with each of the two tokens."""
    memory = VerifiedTokens()
    for asked in (with_certificate(), with_proof("first")):
        assert isinstance(ask(asked, verified=memory).result, Authenticated)
    assert len(memory) == 2
    return memory


def calls(work: Callable[[], object]) -> Counter[str]:
    """How often each function of a compiled library was called."""
    counted: Counter[str] = Counter()

    def note(_frame: object, event: str, function: Any) -> None:
        if event == "c_call":
            counted[function.__name__] += 1

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return counted


def test_a_second_request_costs_no_signature_check_and_no_parsing(verified: VerifiedTokens) -> None:
    """With a certificate nothing is verified or parsed again; with a proof, the proof alone."""
    first = calls(lambda: ask(with_certificate(), verified=VerifiedTokens()))
    assert (first["verify"], first["from_json"]) == (1, 2)
    again = calls(lambda: ask(with_certificate(), verified=verified))
    assert (again["verify"], again["from_json"]) == (0, 0)

    asked = with_proof("second")
    again = calls(lambda: ask(asked, verified=verified))
    assert (again["verify"], again["from_json"]) == (1, 1)


def test_remembered_or_not_the_answer_is_the_same(verified: VerifiedTokens) -> None:
    """Practitioner, level, age of the login and binding do not depend on what was asked before."""
    for asked in (with_certificate(), with_proof("x")):
        assert ask(asked, verified=verified) == ask(asked, verified=VerifiedTokens())


def test_a_token_ends_at_its_second(verified: VerifiedTokens) -> None:
    """exp is judged at every use: the last second is good, the next is not."""
    assert reason(with_certificate(now_ms=(NOW_S + 239) * 1000), verified) is None
    assert reason(with_certificate(now_ms=(NOW_S + 240) * 1000), verified) is Reason.TOKEN_EXPIRED


def test_a_clock_that_was_put_back_is_noticed(verified: VerifiedTokens) -> None:
    """iat and nbf are judged at every use."""
    assert reason(with_certificate(now_ms=(NOW_S - 600) * 1000), verified) is Reason.TOKEN_NOT_YET_VALID


def test_a_login_grows_older(verified: VerifiedTokens) -> None:
    """The age of the login is judged at every use, against what this operation asks."""
    hurried = Requirement("substantiel", 700)
    assert reason(with_certificate(now_ms=(NOW_S + 100) * 1000), verified, requirement=hurried) is None
    asked = with_certificate(now_ms=(NOW_S + 101) * 1000)
    assert reason(asked, verified, requirement=hurried) is Reason.AUTHENTICATION_TOO_OLD


def test_an_operation_may_ask_more_than_the_last_one(verified: VerifiedTokens) -> None:
    """The strength of the login is judged at every use."""
    weak = mint(ISSUER_KEY, x5t=b64url(CERTIFICATE), acr="eidas2", amr=["mfa"])
    assert reason(with_certificate(weak), verified) is None
    strong = Requirement("eleve", REQUIREMENT.max_auth_age_s)
    assert reason(with_certificate(weak), verified, requirement=strong) is Reason.ASSURANCE_TOO_LOW


def test_another_policy_is_asked_of_what_was_verified_under_the_last_one(verified: VerifiedTokens) -> None:
    """Levels, bindings and how a thumbprint is written are the policy's, and nothing of them is remembered."""
    (higher,) = (each for each in ASSURANCE.levels if each.name == "eleve")
    for stricter, expected in (
        (replace(ASSURANCE, bindings=frozenset({Binding.DPOP})), Reason.BINDING_NOT_ACCEPTED),
        (replace(ASSURANCE, thumbprint_encoding=ThumbprintEncoding.ANS_HEX), Reason.BINDING_CERTIFICATE),
        (replace(ASSURANCE, levels=(replace(higher, name="substantiel", acr=frozenset()),)), Reason.ASSURANCE_TOO_LOW),
    ):
        assert reason(with_certificate(), verified, assurance=stricter) is expected
    assert reason(with_certificate(), verified) is None


def test_a_key_withdrawn_lets_nobody_in(verified: VerifiedTokens) -> None:
    """The key is asked for at every use: removed, or its set too old, and the token is as good as unsigned."""
    for missing, expected in (
        (KeyMissing.UNKNOWN, Reason.TOKEN_KEY_UNKNOWN),
        (KeyMissing.UNAVAILABLE, Reason.KEYS_UNAVAILABLE),
    ):
        assert reason(with_certificate(), verified, {FindKey: missing}) is expected


def test_a_key_replaced_under_its_kid_is_another_key(verified: VerifiedTokens) -> None:
    """What the withdrawn key signed is verified anew, with the key that now has its name."""
    replaced = signing_key("ES256", "another k1")
    assert reason(with_certificate(), verified, {FindKey: replaced.public}) is Reason.TOKEN_SIGNATURE


def test_other_terms_are_other_terms(verified: VerifiedTokens) -> None:
    """An issuer that is gone, or no longer lets this software in."""
    assert reason(with_certificate(), verified, issuers={}) is Reason.TOKEN_ISSUER_UNKNOWN
    narrowed = {ISSUER: Issuer("operateur", ISSUER, (AUDIENCE,), frozenset({"another"}))}
    assert reason(with_certificate(), verified, issuers=narrowed) is Reason.TOKEN_CLIENT
    widened = {ISSUER: Issuer("operateur", ISSUER, (AUDIENCE,), frozenset({CLIENT, "another"}))}
    assert reason(with_certificate(), verified, issuers=widened) is None


def test_what_is_remembered_helps_no_thief(verified: VerifiedTokens) -> None:
    """Certificate and proof are checked at every use: the token's own bytes, remembered, are worth nothing alone."""
    assert reason(with_certificate(shown=b"\2" * 32), verified) is Reason.BINDING_CERTIFICATE
    assert reason(with_proof("stolen", signing_key("ES256", "thief")), verified) is Reason.DPOP_KEY
    assert reason(facts(dpop_headers(BOUND_TO_KEY, "")[:1]), verified) is Reason.DPOP_MISSING
    assert reason(facts(bearer_headers(BOUND_TO_KEY)), verified) is Reason.BINDING_DOWNGRADE
    first, second = (ask(with_proof("one"), verified=verified).result for _ in range(2))
    assert isinstance(first, Authenticated)
    assert isinstance(second, Authenticated)
    assert first.proof == second.proof


def test_the_second_signature_of_a_text_is_verified_anew(verified: VerifiedTokens) -> None:
    """Threat row 42: (r, N - s) is another text. It costs a signature check, and is the same token to the audit."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    head, _, _ = BOUND_TO_CERTIFICATE.rpartition(".")
    signature = ISSUER_KEY.sign(head.encode())
    r, s = signature[:32], int.from_bytes(signature[32:])
    twins = [f"{head}.{b64url(r + each.to_bytes(32))}" for each in (s, order - s)]
    told = [ask(with_certificate(twin), verified=verified).result for twin in twins]
    assert told[0] == told[1]
    assert len(verified) == 4


def test_what_was_refused_is_not_remembered() -> None:
    """Expired, from another client, badly signed: the memory holds nothing that did not let somebody in."""
    memory = VerifiedTokens()
    stranger = SigningKey(signing_key("ES256", "stranger").private, "ES256", "k1")
    for token in (
        mint(ISSUER_KEY, x5t=b64url(CERTIFICATE), exp=NOW_S),
        mint(ISSUER_KEY, x5t=b64url(CERTIFICATE), client_id="another"),
        mint(stranger, x5t=b64url(CERTIFICATE)),
        "x.y.z",
    ):
        assert isinstance(ask(with_certificate(token), verified=memory).result, Refusal)
    assert len(memory) == 0


def test_it_is_bounded_and_forgets_what_was_not_used() -> None:
    """Of three tokens in a memory for two, the one that was used longest ago is verified anew."""
    memory = VerifiedTokens(size=2)
    first, second, third = (mint(ISSUER_KEY, x5t=b64url(CERTIFICATE), jti=f"t{number}") for number in range(3))
    for token in (first, second, first, third):
        ask(with_certificate(token), verified=memory)
    assert len(memory) == 2
    for token, checks in ((first, 0), (third, 0), (second, 1)):
        assert calls(partial(ask, with_certificate(token), verified=memory))["verify"] == checks


def test_no_token_lies_in_memory(verified: VerifiedTokens) -> None:
    """Nothing that could be presented again can be read out of it."""
    signature = BOUND_TO_CERTIFICATE.rpartition(".")[2]
    shown = repr([verified.get(digest) for digest in list(verified._tokens)])
    assert BOUND_TO_CERTIFICATE not in shown
    assert signature not in shown
    assert "token-1" not in shown
