"""Which settlements an answer need not wait for."""

from paravent.effects import BudgetKind, Settle


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
    windows = [w.per_s for budget in charge.budgets if budget.kind is BudgetKind.PERSONS for w in budget.windows]
    return max(now_ms, settle.now_ms) - charge.now_ms < min(windows, default=0) * 1000
