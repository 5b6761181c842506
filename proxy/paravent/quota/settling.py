"""Which settlements an answer need not wait for."""

from typing import Final

from paravent.effects import BudgetKind, Settle
from paravent.quota.windows import counts, period_of
from paravent.rules import Span

AROUND_MIDNIGHT_MS: Final = 60_000
"""The clock of a store, or of another process on it, may be in the next day already, or in the last one still."""


def adds_nobody(settle: Settle, now_ms: int) -> bool:
    """This settlement only confirms and gives back: whom it discloses was reserved, and the reservation still counts.

    `now_ms` is the highest moment known to the caller. A reservation that left its window while the upstream thought
    gives no right to a place that is taken by now, so there the store must be asked.
    """
    charge = settle.charge
    if not settle.disclosed:
        return True
    if not set(settle.disclosed).issubset(charge.persons):
        return False
    spans = [w.span for budget in charge.budgets if budget.kind is BudgetKind.PERSONS for w in budget.windows]
    now_ms = max(now_ms, settle.now_ms)
    if not spans:
        return False
    shortest = min(spans)
    if shortest > 0:  # no calendar's among them: what counts in the shortest counts in all
        return counts(charge.now_ms, now_ms, shortest)
    return all(_still_counts(charge.now_ms, now_ms, span) for span in spans)


def _still_counts(at_ms: int, now_ms: int, span: Span) -> bool:
    if span > 0:
        return counts(at_ms, now_ms, span)
    since_ms, until_ms = period_of(now_ms, span)
    return since_ms + AROUND_MIDNIGHT_MS <= at_ms and now_ms < until_ms - AROUND_MIDNIGHT_MS
