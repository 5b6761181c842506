"""Periods that do not cover the care date: which elements of an answer's lists a view leaves out for that."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from paravent.masking.operators.filter_period import NAME, day_of
from paravent.masking.person import Members
from paravent.rules import FieldRule, Path, Step


@dataclass(frozen=True, slots=True)
class PeriodAt:
    """One line with `filter-period`, made ready."""

    way: tuple[tuple[str, bool], ...]
    """Names to the list whose elements have the period, itself included, and whether a list is there."""
    inner: tuple[str, ...]
    """Names from an element to the object that holds the period."""
    start: str
    end: str


def periods_of(rules: Iterable[FieldRule]) -> tuple[PeriodAt, ...]:
    """The lines of a view that select by period."""
    return tuple(_period(rule) for rule in rules if rule.operator == NAME)


def ends_of(rules: Iterable[FieldRule]) -> Iterator[Path]:
    """Where the ends of those periods stand: looked at, whether or not a line names them."""
    return ((*rule.path[:-1], Step(str(rule.parameter))) for rule in rules if rule.operator == NAME)


def _period(rule: FieldRule) -> PeriodAt:
    steps = [(step.name, step.array) for step in rule.path]
    # `check_rule` holds that there is a list, and that the line itself is none.
    last = max(place for place, (_, array) in enumerate(steps) if array)
    inner = tuple(name for name, _ in steps[last + 1 : -1])
    return PeriodAt(tuple(steps[: last + 1]), inner, rule.path[-1].name, str(rule.parameter))


def uncovered(root: Members, periods: Iterable[PeriodAt], care_date: str | None) -> frozenset[int]:
    """By `id`, the elements whose period does not cover the day. Without a day, all of them."""
    return frozenset(
        id(element)
        for period in periods
        for element in _elements(root, period.way)
        if care_date is None or not _covers(element, period, care_date)
    )


def _elements(holder: Members, way: tuple[tuple[str, bool], ...]) -> Iterator[Members]:
    (name, array), *rest = way
    value = holder.get(name)
    for below in value if array and isinstance(value, list) else [value]:
        if isinstance(below, dict):
            if rest:
                yield from _elements(below, tuple(rest))
            else:
                yield below


def _covers(element: Members, period: PeriodAt, care_date: str) -> bool:
    holder = element
    for name in period.inner:
        below = holder.get(name)
        if not isinstance(below, dict):
            return False
        holder = below
    start, end = day_of(holder.get(period.start)), holder.get(period.end)
    if start is None or start > care_date:
        return False
    last = day_of(end)
    # null and "" are how software writes that there is no end; what is no date is no end that anybody can judge.
    return end in (None, "") if last is None else care_date <= last
