"""The order of the checks: what a caller learns when several things are wrong, and what is asked of the world."""

import pytest
from msgspec.structs import replace

from asking import CALLER_KEY, ISSUER_KEY, REQUIREMENT, ask, asked_with_dpop, facts
from paravent.effects import FindKey, FindRevocations, KeyMissing, ProofSeen
from paravent.identity.authenticate import Authenticated, Refusal
from paravent.model import Connection
from paravent.reasons import Reason
from tokens import NOW_S, b64url, bearer_headers, dpop_headers, mint, prove

FIND_KEY = FindKey("operateur", "k1", "ES256")


def test_an_honest_request_is_two_questions() -> None:
    """One look for the key, one for revocations; the proof is for whoever goes on to ask the store."""
    told = ask(asked_with_dpop(), [(FIND_KEY, ISSUER_KEY.public), (FindRevocations, ())])
    assert isinstance(told.result, Authenticated)
    assert isinstance(told.result.proof, ProofSeen)


def test_a_weak_login_writes_nothing() -> None:
    """A caller sent to the login page leaves no proof to remember."""
    told = ask(asked_with_dpop(acr="eidas1"), [(FIND_KEY, ISSUER_KEY.public), (FindRevocations, ())])
    assert isinstance(told.result, Refusal)
    assert told.result.reason is Reason.ASSURANCE_TOO_LOW


def test_a_stranger_costs_no_signature_check() -> None:
    """Without a key there is nothing to verify, and no proof is read."""
    told = ask(asked_with_dpop(), [(FIND_KEY, KeyMissing.UNKNOWN)])
    assert isinstance(told.result, Refusal)


def test_a_thief_learns_nothing_of_the_login() -> None:
    """A stolen token with a weak login, without its key: the refusal is about the key."""
    token = mint(ISSUER_KEY, jkt=CALLER_KEY.jkt, acr="eidas1", auth_time=0)
    for headers in (bearer_headers(token), dpop_headers(token, "x")):
        result = ask(facts(headers)).result
        assert isinstance(result, Refusal)
        assert result.challenge is not None
        assert result.challenge.error in {"invalid_token", "invalid_dpop_proof"}
        assert result.challenge.acr_values == ()


def test_an_expired_token_is_expired_whatever_else_is_wrong_with_it() -> None:
    """Renewing it is the first thing to do."""
    result = ask(asked_with_dpop(exp=NOW_S - 1, acr="eidas1")).result
    assert isinstance(result, Refusal)
    assert result.reason is Reason.TOKEN_EXPIRED


def test_strength_is_judged_before_age() -> None:
    """Logging in again just as weakly would not help."""
    result = ask(asked_with_dpop(acr="eidas1", auth_time=0)).result
    assert isinstance(result, Refusal)
    assert result.reason is Reason.ASSURANCE_TOO_LOW


def test_a_certificate_bound_caller_is_challenged_as_bearer() -> None:
    """Who has shown a certificate is told to log in under the scheme it uses."""
    digest = b"\1" * 32
    token = mint(ISSUER_KEY, x5t=b64url(digest), auth_time=0)
    result = ask(facts(bearer_headers(token), certificate_sha256=digest)).result
    assert isinstance(result, Refusal)
    assert result.challenge is not None
    assert (result.challenge.scheme, result.challenge.max_age_s) == ("Bearer", REQUIREMENT.max_auth_age_s)


def test_nothing_that_a_request_carries_is_printed() -> None:
    """Secrets do not show in what gets logged by accident: effects, results, facts."""
    token = mint(ISSUER_KEY, jkt=CALLER_KEY.jkt)
    asked = facts(dpop_headers(token, prove(CALLER_KEY, token)))
    told = ask(asked)
    shown = repr((asked, told.result, told.asked))
    for secret in (token, token.rpartition(".")[2], CALLER_KEY.jkt, "token-1", "proof-1"):
        assert secret not in shown


def test_the_address_of_the_caller_plays_no_part() -> None:
    """CNIL 2025-019: where somebody is, is not a factor."""
    asked = asked_with_dpop()
    elsewhere = replace(asked, connection=Connection("203.0.113.9", False))
    assert ask(asked).result == ask(elsewhere).result


def test_no_issuer_is_no_entry() -> None:
    """A proxy without issuers lets nobody in, and asks nobody."""
    told = ask(asked_with_dpop(), [], issuers={})
    assert isinstance(told.result, Refusal)
    assert told.result.reason is Reason.TOKEN_ISSUER_UNKNOWN


def test_an_unforeseen_reply_is_a_bug_and_closes() -> None:
    """A driver that answers with another effect's reply is stopped by an exception, never by a yes."""
    with pytest.raises(TypeError):
        ask(asked_with_dpop(), {FindKey: True})
