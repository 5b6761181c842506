"""A charge's budgets, sorted once into what a store must look up: sets of persons, and counters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from paravent.effects import Budget, BudgetKind, Scope
from paravent.quota.lines import is_exact
from paravent.rules import Span, Window

type CounterKey = tuple[str, str, Span]
"""Payer, kind, span: one window of one counter."""

type SetWindow = tuple[str, Span]
"""Payer, span: one window of one set."""


@dataclass(frozen=True, slots=True)
class Bill:
    """Who is to be asked for what."""

    payers: frozenset[str]
    """Everybody who pays."""
    sets: tuple[str, ...]
    """Payers of exact person budgets; also those without a window, whose persons are kept all the same."""
    own: str | None
    """The practitioner's payer: wider scopes count who is new to its set. None: everybody is new."""
    set_windows: tuple[tuple[SetWindow, Budget, Window], ...]
    person_counters: tuple[tuple[CounterKey, Budget, Window], ...]
    """Persons of the wider scopes."""
    event_counters: tuple[tuple[CounterKey, Budget, Window], ...]
    """Requests, units and misses."""
    misses: tuple[CounterKey, ...]
    """Those of the event counters that count misses."""
    longest_s: int
    """The longest window of all."""
    shortest_ms: int
    """The shortest window of persons; 0: there is none, or one of the calendar, which may have begun a moment ago."""


BILLS_KEPT: Final = 4096


class Bills[T]:
    """The bills of budgets that come again and again, or what a store makes of them."""

    def __init__(self, make: Callable[[tuple[Budget, ...]], T]) -> None:
        self._make = make
        self._made: dict[int, tuple[tuple[Budget, ...], T]] = {}

    def of(self, budgets: tuple[Budget, ...]) -> T:
        """As `make`. Looked up by which object they are: to compare them would cost as much as to sort them."""
        kept = self._made.get(id(budgets))
        if kept is not None:  # and holds the object, so that no other one can have its number
            return kept[1]
        if len(self._made) >= BILLS_KEPT:
            self._made.clear()
        made = self._make(budgets)
        self._made[id(budgets)] = (budgets, made)
        return made


def bill_of(budgets: Sequence[Budget]) -> Bill:
    """Sort them."""
    sets = [budget for budget in budgets if is_exact(budget)]
    counters = [
        ((budget.payer, budget.kind.value, window.span), budget, window)
        for budget in budgets
        if not is_exact(budget)
        for window in budget.windows
    ]
    return Bill(
        payers=frozenset(budget.payer for budget in budgets),
        sets=tuple(budget.payer for budget in sets),
        own=next((budget.payer for budget in sets if budget.scope is Scope.PRACTITIONER), None),
        set_windows=tuple(((b.payer, window.span), b, window) for b in sets for window in b.windows),
        person_counters=tuple(counter for counter in counters if counter[1].kind is BudgetKind.PERSONS),
        event_counters=tuple(counter for counter in counters if counter[1].kind is not BudgetKind.PERSONS),
        misses=tuple(key for key, budget, _ in counters if budget.kind is BudgetKind.MISSES),
        longest_s=max((window.per_s for budget in budgets for window in budget.windows), default=0),
        shortest_ms=_shortest_ms(budgets),
    )


def _shortest_ms(budgets: Sequence[Budget]) -> int:
    spans = [window.span for budget in budgets if budget.kind is BudgetKind.PERSONS for window in budget.windows]
    return 1000 * max(0, min(spans, default=0))
