"""A login that is too weak or too old, from refusal to answer (RFC 9470): what the challenge asks for can be done, does
help, and is never believed for having been asked."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from asking import ASSURANCE, CALLER_KEY, ISSUER_KEY, ask, facts
from effort import examples
from paravent.identity.assurance import Requirement, sufficient_acr
from paravent.identity.authenticate import Authenticated, Refusal
from paravent.identity.challenge import www_authenticate
from paravent.identity.verified import VerifiedTokens
from paravent.model import Challenge
from paravent.rules import Assurance, Level, Methods
from reference import compiled
from tokens import ABSENT, NOW_S, dpop_headers, mint, prove

POLICY = compiled()[0]
OPERATIONS = sorted(POLICY.operations)


def logged_in(age_s: int = 0, at_s: int = NOW_S, **evidence: Any) -> Any:
    """A request with a token of a login `age_s` ago."""
    token = mint(ISSUER_KEY, at_s, jkt=CALLER_KEY.jkt, auth_time=at_s - age_s, **evidence)
    return facts(dpop_headers(token, prove(CALLER_KEY, token, now_s=at_s)), now_ms=at_s * 1000)


def judged(request: Any, assurance: Assurance, requirement: Requirement, memory: VerifiedTokens | None = None) -> Any:
    return ask(request, assurance=assurance, requirement=requirement, verified=memory).result


def asked_of(name: str) -> Requirement:
    operation = POLICY.operations[name]
    return Requirement(operation.level, operation.max_auth_age_s)


def challenged(result: Any) -> Challenge:
    assert isinstance(result, Refusal)
    assert result.challenge is not None
    assert result.challenge.error == "insufficient_user_authentication"
    return result.challenge


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_old_login_goes_once_through_the_login_page(name: str) -> None:
    """For each operation of the reference policy: refused with acr_values and max_age, the software opens the login
    page with them, the practitioner logs in, and the same question is answered."""
    requirement = asked_of(name)
    memory = VerifiedTokens()
    old = logged_in(age_s=requirement.max_auth_age_s + 1)
    challenge = challenged(judged(old, POLICY.assurance, requirement, memory))
    assert b"acr_values=" in www_authenticate(challenge)
    for acr in challenge.acr_values:
        again = logged_in(age_s=challenge.max_age_s or 0, acr=acr, amr=["sc", "pin", "mfa"], jti=f"token-{acr}")
        assert isinstance(judged(again, POLICY.assurance, requirement, memory), Authenticated)


@pytest.mark.parametrize(
    ("evidence", "what"),
    [
        ({"acr": "eidas1", "amr": ["pwd"]}, "a password"),
        ({"acr": "eidas2", "amr": ["pwd", "otp", "email", "mfa"]}, "CNIL 2025-019: a password and a code by e-mail"),
        ({"acr": "eidas3", "amr": ["pwd", "email", "mfa"]}, "the same, under the name of the highest level"),
        ({"acr": "eidas2", "amr": ["pwd", "otp"]}, "two methods that are not said to be two factors"),
        ({"acr": "eidas2", "amr": ABSENT}, "methods that are not told"),
        ({"acr": ABSENT, "amr": ["mfa"]}, "a level that is not told"),
        ({"acr": "eidas2", "amr": ["sc", "mfa"], "auth_time": ABSENT}, "a time that is not told"),
    ],
)
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_login_that_is_not_enough(name: str, evidence: dict[str, Any], what: str) -> None:
    """No operation of the reference policy is open to it, and each says what would be."""
    times = {"auth_time": NOW_S} | evidence
    token = mint(ISSUER_KEY, jkt=CALLER_KEY.jkt, **times)
    request = facts(dpop_headers(token, prove(CALLER_KEY, token)))
    challenge = challenged(judged(request, POLICY.assurance, asked_of(name)))
    assert challenge.acr_values == sufficient_acr(POLICY.assurance, asked_of(name)), what


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_issuer_that_ignores_the_challenge_gains_nothing(name: str) -> None:
    """RFC 9470 section 4: acr_values and max_age are a wish. A new token with the old login is refused again, with the
    same challenge, as often as it comes."""
    requirement = asked_of(name)
    memory = VerifiedTokens()
    first = challenged(judged(logged_in(age_s=requirement.max_auth_age_s + 1), POLICY.assurance, requirement, memory))
    for number in range(3):
        renewed = logged_in(age_s=requirement.max_auth_age_s + 2, jti=f"renewed-{number}")
        assert challenged(judged(renewed, POLICY.assurance, requirement, memory)) == first


def test_a_login_grows_old_in_the_middle_of_the_day() -> None:
    """The same token, once good, is challenged from the second on that the operation no longer takes its login."""
    requirement = Requirement("substantiel", 700)
    memory = VerifiedTokens()
    token = mint(ISSUER_KEY, jkt=CALLER_KEY.jkt, auth_time=NOW_S - 600)
    for later_s, answered in ((0, True), (100, True), (101, False)):
        proof = prove(CALLER_KEY, token, now_s=NOW_S + later_s)
        request = facts(dpop_headers(token, proof), now_ms=(NOW_S + later_s) * 1000)
        assert isinstance(judged(request, ASSURANCE, requirement, memory), Authenticated) is answered


WORDS = st.sampled_from(["mfa", "sc", "pin", "pwd", "email", "hwk"])
METHODS = st.builds(Methods, *[st.frozensets(WORDS, max_size=2)] * 2, none=st.frozensets(WORDS, max_size=2))
LEVELS = st.lists(
    st.builds(Level, st.just("x"), st.frozensets(st.sampled_from("abc"), min_size=1, max_size=2), METHODS, METHODS),
    min_size=1,
    max_size=3,
)


@settings(max_examples=examples(150), deadline=None)
@given(LEVELS, st.data())
def test_whatever_a_policy_asks_can_be_shown(levels: list[Level], data: st.DataObject) -> None:
    """For any levels: with one of the acr of the challenge, and the methods of a level that takes it, one gets in."""
    named = tuple(replace(level, name=str(number)) for number, level in enumerate(levels))
    assurance = replace(ASSURANCE, levels=named)
    requirement = Requirement(named[-1].name, 3600)
    acr = data.draw(st.sampled_from(sufficient_acr(assurance, requirement)))
    level = data.draw(st.sampled_from([level for level in named if acr in level.acr]))
    for methods in (level.amr, level.auth_mode):
        assume(not (methods.all & methods.none) and (not methods.any or methods.any - methods.none))
    assume(len(level.auth_mode.all) <= 1 and not level.auth_mode.all - (level.auth_mode.any or level.auth_mode.all))
    amr = sorted(level.amr.all | (level.amr.any - level.amr.none))
    mode = min(level.auth_mode.all or (level.auth_mode.any - level.auth_mode.none) or {"CARD"})
    assert isinstance(judged(logged_in(acr=acr, amr=amr, authMode=mode), assurance, requirement), Authenticated)


@settings(max_examples=examples(150), deadline=None)
@given(LEVELS, st.sampled_from(["acr", "amr", "authMode", "auth_time"]))
def test_what_is_not_shown_is_denied(levels: list[Level], claim: str) -> None:
    """For any levels: evidence that all of them look at, left out, is never made up for by the rest."""
    named = tuple(replace(level, name=str(number)) for number, level in enumerate(levels))
    by_mode = [bool(level.auth_mode) for level in named]
    by_amr = [bool(level.amr) or not level.auth_mode for level in named]
    assume(claim not in {"amr", "authMode"} or all(by_amr if claim == "amr" else by_mode))
    assurance = replace(ASSURANCE, levels=named)
    for acr in "abc":
        shown = {"acr": acr, "amr": ["mfa", "sc", "pin", "hwk"], "authMode": "CARD", "auth_time": NOW_S}
        token = mint(ISSUER_KEY, jkt=CALLER_KEY.jkt, **{**shown, claim: ABSENT})
        request = facts(dpop_headers(token, prove(CALLER_KEY, token)))
        assert isinstance(judged(request, assurance, Requirement(named[-1].name, 3600)), Refusal)
