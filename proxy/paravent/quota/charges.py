"""Which budgets a practitioner's question falls on.

Everything comes from a verified token, in its canonical form: a second spelling of the same practitioner would be a
second budget. Payer names hold no limit and no policy revision, so that usage survives every edit of the policy.
"""

from collections.abc import Iterator
from typing import Final, assert_never

from paravent.effects import Budget, BudgetKind, OverBudget, Scope
from paravent.model import Practitioner
from paravent.quota.measures import raised
from paravent.reasons import Reason
from paravent.rules import Budgets, Quotas

PRACTITIONER: Final = "rpps:"
"""How the payer of a practitioner begins; their RPPS number follows."""


def budgets_of(quotas: Quotas, practitioner: Practitioner) -> tuple[Budget, ...] | None:
    """Every budget that a question of this practitioner is charged to, narrowest scope first.

    None: the policy gives this profession no budgets, and who has no budget may not ask.

    The practitioner's persons are always listed, even without a window: wider scopes count persons who are new *for
    the practitioner*, and a limit added tomorrow finds today's history.
    """
    own = quotas.professions.get(practitioner.profession)
    if own is None:
        return None
    practitioner_payer = PRACTITIONER + practitioner.rpps
    budgets = [Budget(Scope.PRACTITIONER, practitioner_payer, BudgetKind.PERSONS, own.persons)]
    budgets += (b for b in _budgets(Scope.PRACTITIONER, practitioner_payer, own) if b.kind is not BudgetKind.PERSONS)
    if practitioner.finess is not None:
        budgets += _budgets(Scope.ESTABLISHMENT, f"finess:{practitioner.finess}", quotas.establishment)
    budgets += _budgets(Scope.CLIENT, _client_payer(practitioner), quotas.client)
    budgets += _budgets(Scope.FLEET, "fleet", quotas.fleet)
    return tuple(budgets)


PRACTITIONERS_REMEMBERED: Final = 4096
"""About 1 kB each: more than ask through one worker in a minute."""


class Payers:
    """The budgets of those who asked lately, under one policy: the same list each time, not one like it."""

    def __init__(self, size: int = PRACTITIONERS_REMEMBERED) -> None:
        self._size = size
        self._budgets: dict[Practitioner, tuple[Budget, ...] | None] = {}
        self._raised: dict[tuple[Practitioner, int], tuple[Budget, ...]] = {}

    def budgets_of(self, quotas: Quotas, practitioner: Practitioner) -> tuple[Budget, ...] | None:
        """As the function of that name. `quotas` are always the same ones."""
        try:
            return self._budgets[practitioner]
        except KeyError:
            if len(self._budgets) >= self._size:
                self._budgets.clear()
            found = self._budgets[practitioner] = budgets_of(quotas, practitioner)
            return found

    def raised_of(self, budgets: tuple[Budget, ...], practitioner: Practitioner, persons: int) -> tuple[Budget, ...]:
        """These budgets of a practitioner, with so many more persons in their own windows."""
        try:
            return self._raised[practitioner, persons]
        except KeyError:
            if len(self._raised) >= self._size:
                self._raised.clear()
            found = self._raised[practitioner, persons] = raised(budgets, persons)
            return found


def reason_of(over: OverBudget) -> Reason:
    """What a refusal is called. It names the kind; the scope is for the metrics, not for the caller."""
    match over.kind:
        case BudgetKind.PERSONS:
            return Reason.PERSONS_OVER_BUDGET
        case BudgetKind.REQUESTS:
            return Reason.REQUESTS_OVER_BUDGET
        case BudgetKind.MISSES:
            return Reason.MISSES_OVER_BUDGET
        case _:
            assert_never(over.kind)


def _budgets(scope: Scope, payer: str, budgets: Budgets) -> Iterator[Budget]:
    kinds = (
        (BudgetKind.PERSONS, budgets.persons),
        (BudgetKind.REQUESTS, budgets.requests),
        (BudgetKind.MISSES, budgets.misses),
    )
    return (Budget(scope, payer, kind, windows) for kind, windows in kinds if windows)


def _client_payer(practitioner: Practitioner) -> str:
    # Two issuers may register the same client_id, so the issuer's name is part of the payer; a colon in that name is
    # escaped, else issuer "a:b" with client "c" would share a budget with issuer "a" and client "b:c".
    issuer = practitioner.issuer.replace("%", "%25").replace(":", "%3A")
    return f"client:{issuer}:{practitioner.client}"
