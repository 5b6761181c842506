"""Who asks: from the bytes of a request to a practitioner, or to a refusal that says what to do.

The order, and why:

1. grammar, header, issuer, key, signature, claims (`token`). Until here nobody is anybody.
2. revocation. What was revoked gets no further; its bearer is told no more than that the token is not accepted.
3. binding, all that can be decided alone. It comes before the strength of the login: whoever cannot prove that the
   token is theirs is told nothing about the login of the person it was taken from.
4. assurance. A weak or old login gets the challenge of RFC 9470, from a caller who is certainly the right one: the
   software then opens the login page, and only then is that the right thing to do.
5. the replay memory is not asked here: it is the only step that writes and waits, and goes with the charge. Whoever
   takes an `Authenticated` owes its proof to the memory, also when the request is refused for another reason.
"""

from msgspec.structs import replace

from paravent.effects import Deciding, ProofSeen
from paravent.identity.assurance import Requirement, Strength, judge
from paravent.identity.binding import check_binding
from paravent.identity.challenge import challenge_for
from paravent.identity.gate import Gate
from paravent.identity.revocation import check_revocations
from paravent.identity.token import Credentials, credentials, verify
from paravent.identity.verified import VerifiedToken
from paravent.model import Challenge, Evidence, Facts, Practitioner
from paravent.reasons import Reason
from paravent.rules import Assurance, Binding
from paravent.values import Value

__all__ = ["Authenticated", "Refusal", "Requirement", "authenticate"]


class Authenticated(Value, frozen=True):
    """A practitioner, and how they proved it."""

    practitioner: Practitioner
    evidence: Evidence
    proof: ProofSeen | None
    """What the replay memory must still be asked, before anything is done for this request. None: bound without."""
    observed: "Refusal | None"
    """Not None for a token that is bound to nothing, of an issuer that is only watched: whatever the rest says, the
    answer is this refusal."""
    next_nonce: str | None
    """What the next proof is to carry (RFC 9449 section 8.2), so that a client need not fail to learn it."""


class Refusal(Value, frozen=True):
    """Nobody, for this request."""

    reason: Reason
    challenge: Challenge | None
    """What a 401 asks for; None when the reason is not the caller's to mend."""
    practitioner: Practitioner | None
    """Who the token speaks of, once its signature has been verified: for the audit, never for the caller."""


def authenticate(
    facts: Facts, gate: Gate, assurance: Assurance, requirement: Requirement
) -> Deciding[Authenticated | Refusal]:
    """Judge who asks."""

    def refuse(reason: Reason, practitioner: Practitioner | None = None, accepted: Binding | None = None) -> Refusal:
        challenge = challenge_for(reason, assurance, requirement, accepted)
        if challenge is not None and reason is Reason.DPOP_NONCE:
            challenge = replace(challenge, nonce=gate.nonces.current(facts.now_s))
        return Refusal(reason, challenge, practitioner)

    sent = credentials(facts, gate.portal)
    if not isinstance(sent, Credentials):
        return refuse(sent)
    token = yield from verify(sent.text.reveal(), gate.issuers, gate.verified, facts.now_s)
    if not isinstance(token, VerifiedToken):
        return refuse(token.reason, token.practitioner)
    claims = token.claims

    revoked = yield from check_revocations(token.marks, claims.issued_s, facts.now_s, facts.connection)
    if revoked is not None:
        return refuse(revoked, claims.practitioner)

    bound = check_binding(facts, sent.scheme, token, assurance, gate)
    strength = judge(claims, assurance, requirement, facts.now_s)
    if isinstance(bound, Reason):
        refusal = refuse(bound, claims.practitioner)
        watched = bound is Reason.BINDING_MISSING and token.issuer.name in assurance.observe_unbound
        if not watched or not isinstance(strength, Strength):
            return refusal
        evidence = Evidence(strength.level, strength.auth_age_s, "none", claims.token_id)
        return Authenticated(claims.practitioner, evidence, None, refusal, None)
    proof, binding = (None, bound) if isinstance(bound, Binding) else (bound, Binding.DPOP)
    if not isinstance(strength, Strength):
        return refuse(strength, claims.practitioner, binding)

    evidence = Evidence(strength.level, strength.auth_age_s, binding.value, claims.token_id)
    next_nonce = gate.nonces.current(facts.now_s) if assurance.dpop_nonces and proof is not None else None
    return Authenticated(claims.practitioner, evidence, proof, None, next_nonce)
