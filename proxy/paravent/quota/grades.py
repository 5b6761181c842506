"""How an answer changes as a budget fills: what stands between "yes" and "no"."""

from collections.abc import Iterable

from paravent.effects import BudgetKind, Scope, Usage
from paravent.rules import Quotas, Window


def nearly_spent(usage: Iterable[Usage], quotas: Quotas) -> tuple[Window, ...]:
    """The practitioner's own windows of persons that are as full as the policy warns of, or fuller."""
    percent = quotas.warn_at_percent
    if percent is None:
        return ()
    return tuple(
        use.window
        for use in usage
        if use.scope is Scope.PRACTITIONER
        and use.kind is BudgetKind.PERSONS
        and use.used * 100 >= use.window.limit * percent
    )
