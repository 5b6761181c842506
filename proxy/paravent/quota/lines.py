"""One charge laid against one window: how full it is, how much would be added, whether that fits."""

from collections.abc import Callable, Iterable
from typing import Final

from paravent.effects import Budget, BudgetKind, Charge, OverBudget, Scope, Usage
from paravent.quota.windows import retry_after_s
from paravent.rules import Window
from paravent.values import Value

_EXACT: Final = frozenset({Scope.PRACTITIONER, Scope.ESTABLISHMENT})


def is_exact(budget: Budget) -> bool:
    """This budget is a set of persons, not a counter.

    A client's or the fleet's set would hold everyone's patients under one hot key: wider scopes count how many
    persons were new for their practitioner instead.
    """
    return budget.kind is BudgetKind.PERSONS and budget.scope in _EXACT


def event_adds(budget: Budget, charge: Charge) -> int:
    """What one question adds to a counter of requests, misses or units."""
    return charge.units if budget.kind is BudgetKind.UNITS else 1


class Line(Value, frozen=True):
    """One window of one budget, before a charge."""

    budget: Budget
    window: Window
    used: int
    adds: int
    """What the charge would add. 0 always fits, also where a policy put the limit below what is used: a second look at
    the same person discloses nobody new."""

    @property
    def excess(self) -> int:
        """How much must leave the window before the charge fits; 0 or less when it does."""
        return self.used + self.adds - self.window.limit if self.adds else 0


def refusal(lines: Iterable[Line], free_ms: Callable[[Line], int | None], now_ms: int) -> OverBudget | None:
    """The refusal to give, if any line does not fit: the one that lasts longest, so that waiting once is enough.

    `free_ms` tells when enough has left a line's window; None when nothing that leaves will ever be enough (a charge
    greater than the limit), which is answered with the whole window.
    """
    over = [line for line in lines if line.adds and line.used + line.adds > line.window.limit]
    worst: OverBudget | None = None
    for line in over:
        free = free_ms(line)
        wait_s = line.window.per_s if free is None else retry_after_s(free, now_ms)
        if worst is None or wait_s > worst.retry_after_s:
            worst = OverBudget(line.budget.scope, line.budget.kind, line.window, wait_s, _short(over))
    return worst


def _short(over: Iterable[Line]) -> int | None:
    """By how many persons it failed, where it failed by the practitioner's own persons alone."""
    if all(line.budget.scope is Scope.PRACTITIONER and line.budget.kind is BudgetKind.PERSONS for line in over):
        return max(line.excess for line in over)
    return None


def usage_after(lines: Iterable[Line]) -> tuple[Usage, ...]:
    """How full the practitioner's own windows are once the charge is written."""
    return tuple(
        [
            Usage(line.budget.scope, line.budget.kind, line.window, line.used + line.adds)
            for line in lines
            if line.budget.scope is Scope.PRACTITIONER
        ]
    )
