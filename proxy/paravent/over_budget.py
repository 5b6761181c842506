"""A question that its practitioner has no room for: what can still be done, from the least loud to the loudest.

    log in anew          where a fresh login has room (`step_up`): asked for with a challenge, and nothing is kept
    break the glass      where the policy has such a thing, the request says why, and it was not done lately: it passes
    be refused           with the time to wait
    be suspended         when that refusal is one too many

All of it costs only questions that are refused without it. Whoever breaks the glass is not counted towards a
suspension: one question asks for one writing in the book at most, and ends within the guard's deadline.
"""

from msgspec.structs import replace

from paravent import effects
from paravent.effects import (
    Charge,
    Charged,
    Deciding,
    Enact,
    MeasureKind,
    OverBudget,
    Scope,
    Settle,
)
from paravent.identity.assurance import Requirement
from paravent.identity.challenge import challenge_for
from paravent.model import About, Deny, Evidence, Facts, Practitioner
from paravent.quota.charges import Payers, reason_of, refusals_of
from paravent.quota.grades import helps
from paravent.quota.windows import name_of
from paravent.reasons import Reason
from paravent.rules import Binding, BreakGlass, Policy, Suspension
from paravent.values import Value


class Spent(Value, frozen=True):
    """A question that has no room."""

    HIDDEN = frozenset({"justification"})

    over: OverBudget
    charge: Charge
    """What did not fit."""
    about: About
    who: Practitioner
    evidence: Evidence
    level: str
    """What the operation asks of a login."""
    justification: str | None
    """What the question brings to break the glass with."""


class Broken(Value, frozen=True):
    """The glass was broken, and the question passes."""

    charge: Charge
    charged: Charged
    about: About


def over_budget(spent: Spent, facts: Facts, policy: Policy, payers: Payers) -> Deciding[Deny | Broken]:
    """What becomes of it."""
    denied, glass = _refused(spent, policy), policy.quotas.break_glass
    if denied.challenge is not None:
        return denied
    if glass is not None and spent.justification and _fits(spent.over, glass):
        return (yield from _break(spent, denied, glass, payers, facts))
    return (yield from _counted(denied, spent, policy.quotas.suspension, facts))


def _refused(spent: Spent, policy: Policy) -> Deny:
    """To wait, or to log in anew where that helps."""
    over, step_up = spent.over, policy.quotas.step_up
    if step_up is None or not helps(step_up, over, spent.evidence.auth_age_s):
        return Deny(reason_of(over), spent.about, retry_after_s=over.retry_after_s)
    reason = Reason.PERSONS_NEED_LOGIN
    requirement = Requirement(spent.level, step_up.max_auth_age_s)
    challenge = challenge_for(reason, policy.assurance, requirement, Binding(spent.evidence.binding))
    return Deny(reason, spent.about, challenge, over.retry_after_s)


def _fits(over: OverBudget, glass: BreakGlass) -> bool:
    return over.short is not None and over.short <= glass.extra_persons


def _break(spent: Spent, denied: Deny, glass: BreakGlass, payers: Payers, facts: Facts) -> Deciding[Broken | Deny]:
    """Written in the book first, so that of two nodes one does it; then charged again, with more room.

    It stands in the book for as long as there may be no second one, and gives room for the first part of that time. The
    words are on record as soon as it may stand there, also where this question does not pass: the next ones will, and
    nobody asks those for any.
    """
    id = facts.request_id[:16]
    ends_s = facts.now_s + glass.once_per_s
    because = "the justification is in the ledger"
    written = yield from effects.enact(
        Enact(spent.who.rpps, MeasureKind.BREAK_GLASS, id, glass.extra_persons, facts.now_s, ends_s, because)
    )
    if written is False:
        return denied
    about = replace(spent.about, measures=(*spent.about.measures, id), justification=spent.justification)
    if written is not True:
        return replace(denied, about=about)
    # Without the proof: it has been remembered, and would be its own replay.
    again = replace(spent.charge, budgets=payers.raised_of(spent.charge.budgets, glass.extra_persons), proof=None)
    charged = yield from effects.charge(again)
    if isinstance(charged, Charged):
        return Broken(again, charged, about)
    if isinstance(charged, OverBudget):
        # What stands in the way now, and for how long: the first refusal is no longer true.
        return Deny(reason_of(charged), about, retry_after_s=charged.retry_after_s)
    return Deny(Reason.STATE_UNAVAILABLE, about, retry_after_s=1)


def _counted(denied: Deny, spent: Spent, suspension: Suspension | None, facts: Facts) -> Deciding[Deny]:
    """The same refusal, counted; or, when it is one too many, the beginning of a suspension.

    Counted are refusals over the practitioner's own budgets: a full fleet is nobody's doing, and who is asked to log in
    anew has not gone on asking. Where the count or the book cannot be had, nothing is suspended and nobody let in.
    """
    if suspension is None or spent.over.scope is not Scope.PRACTITIONER:
        return denied
    count = Charge(facts.request_id, facts.now_ms, refusals_of(spent.who.rpps, suspension), ())
    counted = yield from effects.charge(count)
    if isinstance(counted, Charged):
        yield from effects.settle(Settle(count, facts.now_ms, (), missed=False))
    if not isinstance(counted, OverBudget):
        return denied
    id = facts.request_id[:16]
    ends_s = facts.now_s + suspension.lasts_s
    because = f"{suspension.refusals} refusals in {name_of(suspension.within_s)}"
    written = yield from effects.enact(
        Enact(spent.who.rpps, MeasureKind.SUSPENSION, id, 0, facts.now_s, ends_s, because)
    )
    if written is not True:
        return denied
    about = replace(denied.about, measures=(*denied.about.measures, id))
    return Deny(reason_of(counted), about, retry_after_s=suspension.lasts_s)
