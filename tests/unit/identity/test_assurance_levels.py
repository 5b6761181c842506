"""How strong a login is, how recent, and what a caller is told to do about it (RFC 9470)."""

from dataclasses import replace
from typing import Any

import pytest

from asking import ASSURANCE, ask, asked_with_dpop
from paravent.identity.assurance import Requirement, sufficient_acr
from paravent.identity.authenticate import Authenticated, Refusal
from paravent.model import Challenge
from paravent.reasons import Reason
from paravent.rules import Assurance, Level, Methods
from tokens import ABSENT, NOW_S

SUBSTANTIEL = Requirement("substantiel", 4 * 3600)
ELEVE = Requirement("eleve", 300)
STEP_UP = Challenge("DPoP", "insufficient_user_authentication", ("eidas2", "eidas3"), 4 * 3600)


def outcome(requirement: Requirement = SUBSTANTIEL, **claims: Any) -> str:
    result = ask(asked_with_dpop(**claims), requirement=requirement).result
    return result.evidence.level if isinstance(result, Authenticated) else result.reason.value


@pytest.mark.parametrize(
    ("claims", "expected", "claim"),
    [
        ({"acr": "eidas3", "amr": ["sc", "mfa"]}, "eleve", "the strongest level that matches is the one recorded"),
        ({"acr": "eidas3", "amr": ["swk", "mfa"]}, "substantiel", "no card: the next level"),
        ({"acr": "eidas2", "amr": ["sc", "mfa"]}, "substantiel", "a card, but a lower acr"),
        ({"acr": "eidas1", "amr": ["pwd", "mfa"]}, "assurance_too_low", "31: mfa in amr, but acr low"),
        ({"acr": "eidas3", "amr": ["pwd"]}, "assurance_too_low", "31: a password only, whatever acr says"),
        ({"acr": "eidas3", "amr": []}, "assurance_too_low", "31: no method"),
        (
            {"acr": "eidas3", "amr": ["mfa", "email"]},
            "assurance_too_low",
            "CNIL 2025-019: e-mail is no factor",
        ),
        ({"acr": "eidas3", "amr": ["mfa2", "sc"]}, "assurance_too_low", "31: a method that contains the word"),
        ({"acr": "eidas3", "amr": ["m", "f", "a"]}, "assurance_too_low", "31: the letters of the word"),
        ({"acr": "eidas", "amr": ["mfa"]}, "assurance_too_low", "31: a prefix of an acr"),
        ({"acr": "EIDAS3", "amr": ["mfa"]}, "assurance_too_low", "31: acr in another case"),
        ({"acr": ""}, "assurance_too_low", "31: an empty acr"),
        ({"acr": ABSENT}, "assurance_too_low", "30: no acr"),
        ({"amr": ABSENT}, "assurance_too_low", "30: no amr"),
        ({"auth_time": ABSENT}, "authentication_too_old", "30: no time of login"),
        ({"auth_time": NOW_S - 4 * 3600}, "eleve", "as old as allowed"),
        ({"auth_time": NOW_S - 4 * 3600 - 1}, "authentication_too_old", "32: a second too old"),
        ({"auth_time": 0}, "authentication_too_old", "32: in 1970"),
        ({"auth_time": -(10**20)}, "authentication_too_old", "32: before that"),
    ],
)
def test_evidence_and_what_it_is_worth(claims: dict[str, Any], expected: str, claim: str) -> None:
    """Threat rows 30 to 32: all conditions, by set logic; what is not shown is denied."""
    assert outcome(**claims) == expected, claim


def test_a_requirement_is_met_by_its_level_or_a_stronger_one() -> None:
    """Levels are ordered; a weaker one never does."""
    assert outcome(ELEVE, auth_time=NOW_S - 10) == "eleve"
    assert outcome(ELEVE, auth_time=NOW_S - 10, amr=["swk", "mfa"]) == "assurance_too_low"


def test_a_level_that_asks_nothing_of_the_methods_asks_which_they_were() -> None:
    """Left unsaid, one that the policy excludes elsewhere would be none the wiser."""
    assurance = replace(ASSURANCE, levels=(Level("faible", frozenset({"eidas1"})),))
    for amr, accepted in ((["pwd"], True), ([], True), (ABSENT, False)):
        asked = asked_with_dpop(acr="eidas1", amr=amr)
        result = ask(asked, assurance=assurance, requirement=Requirement("faible", 3600)).result
        assert isinstance(result, Authenticated) is accepted


def test_any_of_is_one_of() -> None:
    """amr_any asks for at least one of its methods, when it names some."""
    level = Level("fort", frozenset({"eidas2"}), Methods(any=frozenset({"hwk", "sc"})))
    assurance = replace(ASSURANCE, levels=(level,))
    for amr, accepted in ((["sc"], True), (["hwk", "pwd"], True), (["pwd"], False)):
        asked = asked_with_dpop(acr="eidas2", amr=amr)
        result = ask(asked, assurance=assurance, requirement=Requirement("fort", 3600)).result
        assert isinstance(result, Authenticated) is accepted


@pytest.mark.parametrize(
    ("mode", "amr", "accepted", "claim"),
    [
        ("CARD", ABSENT, True, "by card, as Pro Santé Connect says it: no amr is needed"),
        ("MOBILE", ABSENT, True, "by the mobile application"),
        ("CARD", ["pwd"], True, "amr is not looked at where the level does not ask for it"),
        ("PASSWORD", ABSENT, False, "by a means that the level does not name"),
        ("card", ABSENT, False, "in another case"),
        ("CAR", ABSENT, False, "a prefix"),
        ("", ABSENT, False, "nothing"),
        (ABSENT, ABSENT, False, "not told"),
        (ABSENT, ["sc", "mfa"], False, "amr does not stand in for it"),
    ],
)
def test_the_means_of_login_by_auth_mode(mode: Any, amr: Any, accepted: bool, claim: str) -> None:
    """authMode is evidence like amr, where the policy asks for it."""
    level = Level("psc", frozenset({"eidas3"}), auth_mode=Methods(any=frozenset({"CARD", "MOBILE"})))
    assurance = replace(ASSURANCE, levels=(level,))
    asked = asked_with_dpop(authMode=mode, amr=amr)
    result = ask(asked, assurance=assurance, requirement=Requirement("psc", 3600)).result
    assert isinstance(result, Authenticated) is accepted, claim


@pytest.mark.parametrize(
    ("methods", "mode", "accepted"),
    [
        (Methods(all=frozenset({"CARD"})), "CARD", True),
        (Methods(all=frozenset({"CARD", "MOBILE"})), "CARD", False),
        (Methods(none=frozenset({"PASSWORD"})), "CARD", True),
        (Methods(none=frozenset({"PASSWORD"})), "PASSWORD", False),
    ],
)
def test_every_set_is_asked_of_auth_mode(methods: Methods, mode: str, accepted: bool) -> None:
    """all, any and none, as of amr; and with conditions on both, both."""
    for amr in (Methods(), Methods(all=frozenset({"mfa"}))):
        assurance = replace(ASSURANCE, levels=(Level("psc", frozenset({"eidas3"}), amr, methods),))
        result = ask(asked_with_dpop(authMode=mode), assurance=assurance, requirement=Requirement("psc", 3600)).result
        assert isinstance(result, Authenticated) is accepted
    without = ask(
        asked_with_dpop(authMode=mode, amr=["pwd"]), assurance=assurance, requirement=Requirement("psc", 9999)
    )
    assert isinstance(without.result, Refusal)


@pytest.mark.parametrize("mode", [1, ["CARD"], None, {"CARD": True}])
def test_auth_mode_is_a_text(mode: Any) -> None:
    """30: of another type, it makes the token malformed, asked for or not."""
    assert outcome(authMode=mode) == "token_malformed"


def test_a_level_without_acr_matches_nobody() -> None:
    """An acr list that was left empty closes, it does not open."""
    assurance = replace(ASSURANCE, levels=(Level("vide", frozenset()),))
    result = ask(asked_with_dpop(), assurance=assurance, requirement=Requirement("vide", 3600)).result
    assert isinstance(result, Refusal)
    assert result.reason is Reason.ASSURANCE_TOO_LOW


def test_a_policy_that_asks_for_a_level_it_does_not_have_is_a_bug() -> None:
    """It is refused when a policy is loaded; if it got here it must not pass for any level."""
    with pytest.raises(ValueError, match="the levels of the policy list none"):
        ask(asked_with_dpop(), requirement=Requirement("absent", 3600))


@pytest.mark.parametrize("claims", [{"acr": "eidas1"}, {"auth_time": NOW_S - 5 * 3600}, {"acr": ABSENT}])
def test_a_weak_or_old_login_is_told_how_to_log_in(claims: dict[str, Any]) -> None:
    """RFC 9470: the error, every acr that would do, and how old the login may be; one login then meets both."""
    result = ask(asked_with_dpop(**claims)).result
    assert isinstance(result, Refusal)
    assert result.challenge == STEP_UP
    assert result.practitioner is not None


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [(SUBSTANTIEL, ("eidas2", "eidas3")), (ELEVE, ("eidas3",))],
)
def test_no_more_is_asked_than_is_needed(requirement: Requirement, expected: tuple[str, ...]) -> None:
    """RFC 9470 section 3: acr_values stand in order of preference; ours is the weakest that suffices."""
    assert sufficient_acr(ASSURANCE, requirement) == expected


def test_an_acr_of_several_levels_is_named_once() -> None:
    """An acr counts as strong as the strongest level that takes it."""
    levels = (Level("a", frozenset({"z"})), Level("b", frozenset({"y", "z"})), Level("c", frozenset({"a", "y"})))
    assurance = Assurance(levels, ASSURANCE.bindings, ASSURANCE.thumbprint_encoding)
    assert sufficient_acr(assurance, Requirement("c", 1)) == ("a", "y", "z")
    assert sufficient_acr(assurance, Requirement("b", 1)) == ("y", "z")
