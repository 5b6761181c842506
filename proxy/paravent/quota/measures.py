"""What was decided about one practitioner, as a decision applies it.

A grant adds to the limit of each of the practitioner's own windows of persons, and to nothing else. Usage stays what it
is, so that the end of a grant restores the limit exactly. What the policy bounds is bounded here, at every use: a
policy that is made stricter takes back at once what was granted under the old one.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from paravent.effects import Budget, BudgetKind, Measure, MeasureKind, Scope
from paravent.rules import Grants, Quotas, Window


def granted(measures: Iterable[Measure], bounds: Grants | None, now_s: int) -> tuple[int, tuple[str, ...]]:
    """How many more persons, and the ids of the grants that give them. No grant lasts longer than the bound."""
    if bounds is None:
        return 0, ()
    standing = [
        each
        for each in measures
        if each.kind is MeasureKind.GRANT and each.from_s <= now_s < min(each.until_s, each.from_s + bounds.longest_s)
    ]
    return min(sum(each.persons for each in standing), bounds.extra_persons), tuple(each.id for each in standing)


def suspended(measures: Iterable[Measure], now_s: int) -> Measure | None:
    """The suspension that ends last of those in force."""
    standing = (
        each for each in measures if each.kind is MeasureKind.SUSPENSION and each.from_s <= now_s < each.until_s
    )
    return max(standing, key=lambda each: (each.until_s, each.id), default=None)


def most_extra(quotas: Quotas) -> int:
    """The most that somebody may add by decision to each of a practitioner's windows of persons."""
    return 0 if quotas.grants is None else quotas.grants.extra_persons


def more(windows: Iterable[Window], persons: int) -> tuple[Window, ...]:
    """The same windows with room for so many more."""
    return tuple(Window.over(window.limit + persons, window.span) for window in windows)


def raised(budgets: Iterable[Budget], persons: int) -> tuple[Budget, ...]:
    """The same payers, with so many more persons in each of the practitioner's own windows."""
    return tuple(
        replace(budget, windows=more(budget.windows, persons))
        if budget.scope is Scope.PRACTITIONER and budget.kind is BudgetKind.PERSONS
        else budget
        for budget in budgets
    )
