"""Which budgets a practitioner's question falls on.

Practitioner, establishment and software come from a verified token, in canonical form: a second spelling of the same
practitioner would be a second budget. Certificate and network come from the connection, and stand as keyed hashes.
Payer names hold no limit and no policy revision, so that usage survives every edit of the policy.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, assert_never

from paravent.effects import Budget, BudgetKind, OverBudget, Scope
from paravent.model import Connection, Practitioner, Secret
from paravent.quota.measures import raised
from paravent.quota.origins import NOWHERE, Origin, origin_of, payer_of
from paravent.reasons import Reason
from paravent.rules import Budgets, Quotas, Suspension, Window

PRACTITIONER: Final = "rpps:"
"""How the payer of a practitioner begins; their RPPS number follows."""


def budgets_of(
    quotas: Quotas, practitioner: Practitioner, origin: Origin = NOWHERE, key: Secret[bytes] | None = None
) -> tuple[Budget, ...] | None:
    """Every budget that a question of this practitioner is charged to, narrowest scope first.

    None: the policy gives this profession no budgets, and who has no budget may not ask.

    The practitioner's persons are always listed, even without a window: wider scopes count persons who are new *for
    the practitioner*, and a limit added tomorrow finds today's history.

    `key` keys the hashes of what is in `origin`. Raises ValueError when something is, and there is no key: a bug.
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
    if origin != NOWHERE:
        budgets += _budgets_of_origin(quotas, origin, key)
    budgets += _budgets(Scope.FLEET, "fleet", quotas.fleet)
    return tuple(budgets)


PRACTITIONERS_REMEMBERED: Final = 4096
"""About 1 kB each: more than ask through one worker in a minute."""


class Payers:
    """The budgets of those who asked lately, under one policy: the same list each time, not one like it."""

    def __init__(self, key: Secret[bytes] | None = None, size: int = PRACTITIONERS_REMEMBERED) -> None:
        """`key`: as in `budgets_of`."""
        self._key = key
        self._size = size
        self._budgets: dict[tuple[Practitioner, Origin], tuple[Budget, ...] | None] = {}
        self._raised: dict[tuple[int, int], tuple[tuple[Budget, ...], tuple[Budget, ...]]] = {}

    def budgets_of(
        self, quotas: Quotas, practitioner: Practitioner, connection: Connection
    ) -> tuple[Budget, ...] | None:
        """As the function of that name. `quotas` are always the same ones."""
        asking = practitioner, origin_of(connection, quotas)
        try:
            return self._budgets[asking]
        except KeyError:
            if len(self._budgets) >= self._size:
                self._budgets.clear()
            found = self._budgets[asking] = budgets_of(quotas, *asking, self._key)
            return found

    def raised_of(self, budgets: tuple[Budget, ...], persons: int) -> tuple[Budget, ...]:
        """These budgets, with so many more persons in the practitioner's own windows."""
        kept = self._raised.get((id(budgets), persons))
        if kept is not None:  # and holds the object, so that no other one can have its number
            return kept[1]
        if len(self._raised) >= self._size:
            self._raised.clear()
        found = raised(budgets, persons)
        self._raised[id(budgets), persons] = (budgets, found)
        return found


@lru_cache(maxsize=PRACTITIONERS_REMEMBERED)
def refusals_of(rpps: str, suspension: Suspension) -> tuple[Budget, ...]:
    """What a practitioner's refusals are counted in: one less than suspends has room."""
    window = Window(suspension.refusals - 1, suspension.within_s)
    return (Budget(Scope.PRACTITIONER, PRACTITIONER + rpps, BudgetKind.REFUSALS, (window,)),)


def reason_of(over: OverBudget) -> Reason:
    """What a refusal is called. It names the kind; the scope is for the metrics, not for the caller."""
    match over.kind:
        case BudgetKind.PERSONS:
            return Reason.PERSONS_OVER_BUDGET
        case BudgetKind.REQUESTS:
            return Reason.REQUESTS_OVER_BUDGET
        case BudgetKind.MISSES:
            return Reason.MISSES_OVER_BUDGET
        case BudgetKind.UNITS:
            return Reason.UNITS_OVER_BUDGET
        case BudgetKind.REFUSALS:
            return Reason.PRACTITIONER_SUSPENDED
        case _:
            assert_never(over.kind)


def _budgets(scope: Scope, payer: str, budgets: Budgets) -> Iterator[Budget]:
    kinds = (
        (BudgetKind.PERSONS, budgets.persons),
        (BudgetKind.REQUESTS, budgets.requests),
        (BudgetKind.MISSES, budgets.misses),
        (BudgetKind.UNITS, budgets.units),
    )
    return (Budget(scope, payer, kind, windows) for kind, windows in kinds if windows)


def _budgets_of_origin(quotas: Quotas, origin: Origin, key: Secret[bytes] | None) -> Iterator[Budget]:
    if key is None:
        raise ValueError("certificates and networks are charged under keyed hashes, and there is no key")
    if origin.certificate is not None:
        payer = payer_of(key, "certificate", origin.certificate)
        yield from _budgets(Scope.CERTIFICATE, payer, quotas.certificate)
    if origin.network is not None:
        payer = payer_of(key, "network", origin.network.encode("ascii"))
        yield from _budgets(Scope.NETWORK, payer, quotas.network)


def _client_payer(practitioner: Practitioner) -> str:
    # Two issuers may register the same client_id, so the issuer's name is part of the payer; a colon in that name is
    # escaped, else issuer "a:b" with client "c" would share a budget with issuer "a" and client "b:c".
    issuer = practitioner.issuer.replace("%", "%25").replace(":", "%3A")
    return f"client:{issuer}:{practitioner.client}"
