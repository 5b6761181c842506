"""The WWW-Authenticate field of a 401 (RFC 9110 section 11.6.1): which refusals carry one, and its bytes.

    DPoP error="insufficient_user_authentication", acr_values="eidas2 eidas3", max_age="14400", algs="ES256 …"

No realm: there is one. No description: the problem document speaks to people, and a finer word here would be an oracle.
"""

import re
from typing import Final

from paravent.identity import algorithms
from paravent.identity.assurance import Requirement, sufficient_acr
from paravent.model import Challenge
from paravent.reasons import Problem, Reason
from paravent.rules import Assurance, Binding

_INVALID_TOKEN: Final = "invalid_token"  # noqa: S105 — RFC 6750 section 3.1
_INVALID_PROOF: Final = "invalid_dpop_proof"  # RFC 9449 section 7.1
_STEP_UP: Final = "insufficient_user_authentication"  # RFC 9470 section 3
_USE_NONCE: Final = "use_dpop_nonce"  # RFC 9449 section 9

_SCHEMES: Final = frozenset({"DPoP", "Bearer"})
_ERRORS: Final = frozenset({_INVALID_TOKEN, _INVALID_PROOF, _STEP_UP, _USE_NONCE})
_QUOTABLE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
"""RFC 6749 appendix A: NQCHAR. What can stand between quotes and be neither a blank nor the end of them."""


def challenge_for(
    reason: Reason, assurance: Assurance, requirement: Requirement, accepted: Binding | None = None
) -> Challenge | None:
    """What to ask of a caller who was refused for `reason`; None when logging in again would not help.

    `accepted` is the binding this caller has already shown: the challenge then speaks its scheme.
    """
    if reason.problem.status != 401:
        return None
    bindings = assurance.bindings if accepted is None else frozenset({accepted})
    scheme = "DPoP" if Binding.DPOP in bindings else "Bearer"
    error = _error(reason)
    if error == _STEP_UP:
        # Both, whichever of the two was missing: one login that meets them is all the practitioner has to do.
        return Challenge(scheme, error, sufficient_acr(assurance, requirement), requirement.max_auth_age_s)
    return Challenge(scheme, error)


def _error(reason: Reason) -> str | None:
    """RFC 6750 section 3.1: no error code when no credentials came."""
    if reason is Reason.TOKEN_MISSING:
        return None
    if reason is Reason.DPOP_NONCE:
        return _USE_NONCE
    if reason.problem is Problem.AUTHENTICATION_TOO_WEAK:
        return _STEP_UP
    # RFC 9449 section 7.1, figure 14: a proof by another key than the token's is an invalid token, not a bad proof.
    if reason.name.startswith("DPOP_") and reason is not Reason.DPOP_KEY:
        return _INVALID_PROOF
    return _INVALID_TOKEN


def www_authenticate(challenge: Challenge) -> bytes:
    """The field's value. ValueError for a scheme or an error that is none of ours: that is a bug.

    `acr_values` come from the policy. One that cannot stand in a quoted string is left out: it could close the quotes.
    """
    if challenge.scheme not in _SCHEMES or challenge.error not in _ERRORS | {None}:
        raise ValueError("not a challenge of this proxy")
    parameters: list[tuple[str, str]] = []
    if challenge.error is not None:
        parameters.append(("error", challenge.error))
    if acr_values := [value for value in challenge.acr_values if _QUOTABLE.fullmatch(value)]:
        parameters.append(("acr_values", " ".join(acr_values)))
    if challenge.max_age_s is not None:
        parameters.append(("max_age", str(int(challenge.max_age_s))))
    if challenge.scheme == "DPoP":
        parameters.append(("algs", " ".join(algorithms.OFFERED)))
    text = ", ".join(f'{name}="{value}"' for name, value in parameters)
    return f"{challenge.scheme} {text}".rstrip().encode("ascii")
