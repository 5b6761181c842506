"""What was decided about one practitioner, as a decision applies it.

A grant adds to the limit of each of the practitioner's own windows of persons, and to nothing else. Usage stays what it
is, so that the end of a grant restores the limit exactly. What the policy bounds is bounded here, at every use: a
policy that is made stricter takes back at once what was granted under the old one.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from paravent.effects import Budget, BudgetKind, Measure, MeasureKind, Scope
from paravent.rules import BreakGlass, Grants, Quotas, Window


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


def broken(measures: Iterable[Measure], glass: BreakGlass | None, now_s: int) -> tuple[int, tuple[str, ...]]:
    """How many more persons a broken glass gives now, and its id."""
    if glass is None:
        return 0, ()
    kind, lasts_s = MeasureKind.BREAK_GLASS, glass.lasts_s
    standing = [e for e in measures if e.kind is kind and e.from_s <= now_s < min(e.until_s, e.from_s + lasts_s)]
    return min(sum(each.persons for each in standing), glass.extra_persons), tuple(each.id for each in standing)


def none_to_break(measures: Iterable[Measure], now_s: int) -> bool:
    """The glass was broken so lately that there may be no second one."""
    return any(each.kind is MeasureKind.BREAK_GLASS and each.from_s <= now_s < each.until_s for each in measures)


def added(measures: Iterable[Measure], quotas: Quotas, now_s: int) -> tuple[int, tuple[str, ...]]:
    """How many more persons all of them give, and the ids of those that give any."""
    held = tuple(measures)
    (granted_persons, grants), (more, glass) = (
        granted(held, quotas.grants, now_s),
        broken(held, quotas.break_glass, now_s),
    )
    return granted_persons + more, grants + glass


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
