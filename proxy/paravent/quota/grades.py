"""How an answer changes as a budget fills: what stands between "yes" and "no"."""

from collections.abc import Iterable

from paravent.effects import BudgetKind, OverBudget, Scope, Usage
from paravent.rules import Quotas, StepUp, Window


def extra_of_login(quotas: Quotas, auth_age_s: int) -> int:
    """How many more persons a login of this age has room for, in each window of theirs.

    Nothing is kept: as the login grows old its extra goes, and what was used stays used.
    """
    step_up = quotas.step_up
    return 0 if step_up is None or auth_age_s > step_up.max_auth_age_s else step_up.extra_persons


def helps(step_up: StepUp, over: OverBudget, auth_age_s: int) -> bool:
    """Whether a fresh login would have let this charge pass, and this one was none."""
    return auth_age_s > step_up.max_auth_age_s and over.short is not None and over.short <= step_up.extra_persons


def nearly_spent(usage: Iterable[Usage], quotas: Quotas) -> tuple[Window, ...]:
    """The practitioner's own windows of persons that are as full as the policy warns of, or fuller."""
    percent = quotas.warn_at_percent
    if percent is None:
        return ()
    own = [use for use in usage if use.kind is BudgetKind.PERSONS and use.scope is Scope.PRACTITIONER]
    return tuple([use.window for use in own if use.used * 100 >= use.window.limit * percent])
