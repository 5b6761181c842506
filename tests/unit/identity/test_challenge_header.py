"""The WWW-Authenticate field: which refusals carry which, and that its bytes cannot be made to say anything else."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asking import ASSURANCE, REQUIREMENT
from paravent.identity.challenge import challenge_for, www_authenticate
from paravent.model import Challenge
from paravent.reasons import Problem, Reason
from paravent.rules import Binding

ALGS = b'algs="ES256 ES384 PS256 EdDSA Ed25519"'


@pytest.mark.parametrize(
    ("challenge", "expected"),
    [
        (Challenge("DPoP"), b"DPoP " + ALGS),
        (Challenge("Bearer"), b"Bearer"),
        (Challenge("Bearer", "invalid_token"), b'Bearer error="invalid_token"'),
        (Challenge("DPoP", "invalid_dpop_proof"), b'DPoP error="invalid_dpop_proof", ' + ALGS),
        (
            Challenge("DPoP", "insufficient_user_authentication", ("eidas2", "eidas3"), 14400),
            b'DPoP error="insufficient_user_authentication", acr_values="eidas2 eidas3", max_age="14400", ' + ALGS,
        ),
        (
            Challenge("Bearer", "insufficient_user_authentication", ("eidas3",), 0),
            b'Bearer error="insufficient_user_authentication", acr_values="eidas3", max_age="0"',
        ),
    ],
)
def test_challenges_as_the_standards_write_them(challenge: Challenge, expected: bytes) -> None:
    """RFC 6750 section 3, RFC 9449 section 7.1, RFC 9470 section 3."""
    assert www_authenticate(challenge) == expected


@given(st.lists(st.text(max_size=12), max_size=4), st.none() | st.integers(0, 10**9))
def test_no_acr_value_can_leave_its_quotes(acr_values: list[str], max_age_s: int | None) -> None:
    """Whatever a policy holds, the field is one line of visible ASCII, its parameters are ours and in our order."""
    challenge = Challenge("DPoP", "insufficient_user_authentication", tuple(acr_values), max_age_s)
    shape = rb'DPoP error="[a-z_]+"(, acr_values="[^"\\\x00-\x1f\x7f-\xff]+")?(, max_age="[0-9]+")?, ' + re.escape(ALGS)
    assert re.fullmatch(shape, www_authenticate(challenge))


def test_an_acr_value_that_cannot_be_quoted_is_left_out() -> None:
    """The others still tell the caller what to do."""
    challenge = Challenge(
        "Bearer", "insufficient_user_authentication", ('x", realm="y', "a\r\nSet-Cookie: b", "eidas3")
    )
    assert www_authenticate(challenge) == b'Bearer error="insufficient_user_authentication", acr_values="eidas3"'


@pytest.mark.parametrize("challenge", [Challenge("Basic"), Challenge("DPoP", 'x"'), Challenge("Bearer\r\nA: b")])
def test_words_that_are_not_ours_are_a_bug(challenge: Challenge) -> None:
    """Scheme and error are closed lists."""
    with pytest.raises(ValueError, match="challenge"):
        www_authenticate(challenge)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_401_has_a_challenge_and_nothing_else_has(reason: Reason) -> None:
    """RFC 9110 section 15.5.2: a 401 must carry one. It can always be written."""
    challenge = challenge_for(reason, ASSURANCE, REQUIREMENT)
    assert (challenge is not None) is (reason.problem.status == 401)
    if challenge is not None:
        assert www_authenticate(challenge).startswith(b"DPoP ")


def test_errors_by_reason() -> None:
    """Software acts on the error code: get a token, make a proof, or open the login page."""
    errors = {
        reason: challenge.error for reason in Reason if (challenge := challenge_for(reason, ASSURANCE, REQUIREMENT))
    }
    assert errors.pop(Reason.TOKEN_MISSING) is None
    assert errors.pop(Reason.DPOP_NONCE) == "use_dpop_nonce"
    for reason, error in errors.items():
        if reason.problem is Problem.AUTHENTICATION_TOO_WEAK:
            assert error == "insufficient_user_authentication"
        elif reason.value.startswith("dpop_") and reason is not Reason.DPOP_KEY:
            assert error == "invalid_dpop_proof"
        else:
            assert error == "invalid_token"


@pytest.mark.parametrize(
    ("bindings", "accepted", "scheme"),
    [
        ({Binding.DPOP, Binding.MTLS}, None, "DPoP"),
        ({Binding.DPOP}, None, "DPoP"),
        ({Binding.MTLS}, None, "Bearer"),
        ({Binding.DPOP, Binding.MTLS}, Binding.MTLS, "Bearer"),
        ({Binding.DPOP, Binding.MTLS}, Binding.DPOP, "DPoP"),
    ],
)
def test_the_scheme_of_a_challenge(bindings: set[Binding], accepted: Binding | None, scheme: str) -> None:
    """DPoP where the policy takes it; a caller who has already shown a certificate is answered in its own scheme."""
    assurance = replace(ASSURANCE, bindings=frozenset(bindings))
    challenge = challenge_for(Reason.AUTHENTICATION_TOO_OLD, assurance, REQUIREMENT, accepted)
    assert challenge is not None
    assert challenge.scheme == scheme
