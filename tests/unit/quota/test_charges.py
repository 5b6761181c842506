"""Which budgets a practitioner falls on, and what their refusals are called."""

from dataclasses import replace

import pytest

from paravent.effects import Budget, BudgetKind, OverBudget, Scope
from paravent.model import Practitioner
from paravent.quota.bill import bill_of
from paravent.quota.charges import budgets_of, reason_of
from paravent.reasons import Reason
from paravent.rules import Budgets, Quotas, Window

HOUR, DAY = Window(10, 3_600), Window(100, 86_400)
QUOTAS = Quotas(
    professions={"21": Budgets(persons=(HOUR, DAY), misses=(HOUR,), requests=(HOUR,)), "28": Budgets(requests=(HOUR,))},
    establishment=Budgets(persons=(DAY,)),
    client=Budgets(persons=(DAY,), requests=(HOUR,)),
    fleet=Budgets(persons=(DAY,)),
)
PHARMACIST = Practitioner("99700427885", "21", "990000012", "portail", "operateur")


def budgets(who: Practitioner, quotas: Quotas = QUOTAS) -> tuple[Budget, ...]:
    found = budgets_of(quotas, who)
    assert found is not None
    return found


def test_every_scope_that_applies_pays() -> None:
    """The practitioner first, then establishment, client and fleet, each under a stable name."""
    assert budgets(PHARMACIST) == (
        Budget(Scope.PRACTITIONER, "rpps:99700427885", BudgetKind.PERSONS, (HOUR, DAY)),
        Budget(Scope.PRACTITIONER, "rpps:99700427885", BudgetKind.REQUESTS, (HOUR,)),
        Budget(Scope.PRACTITIONER, "rpps:99700427885", BudgetKind.MISSES, (HOUR,)),
        Budget(Scope.ESTABLISHMENT, "finess:990000012", BudgetKind.PERSONS, (DAY,)),
        Budget(Scope.CLIENT, "client:operateur:portail", BudgetKind.PERSONS, (DAY,)),
        Budget(Scope.CLIENT, "client:operateur:portail", BudgetKind.REQUESTS, (HOUR,)),
        Budget(Scope.FLEET, "fleet", BudgetKind.PERSONS, (DAY,)),
    )


def test_a_profession_without_budgets_may_not_ask() -> None:
    """No budget is not an unlimited budget."""
    assert budgets_of(QUOTAS, replace(PHARMACIST, profession="10")) is None


def test_a_token_without_an_establishment_pays_for_none() -> None:
    """A practitioner in no establishment is bounded by the other scopes."""
    assert Scope.ESTABLISHMENT not in {budget.scope for budget in budgets(replace(PHARMACIST, finess=None))}


def test_the_practitioners_persons_are_kept_without_a_limit_too() -> None:
    """Wider scopes count persons new to the practitioner, so the set exists even where the policy gives no window."""
    assert budgets(replace(PHARMACIST, profession="28"))[0] == Budget(
        Scope.PRACTITIONER, "rpps:99700427885", BudgetKind.PERSONS, ()
    )


def test_payers_do_not_depend_on_the_limits() -> None:
    """Another revision of the policy finds the same payers, and with them their usage."""
    other = replace(QUOTAS, professions={"21": Budgets(persons=(DAY,))}, client=Budgets(persons=(HOUR,)))
    assert {budget.payer for budget in budgets(PHARMACIST, other)} == {budget.payer for budget in budgets(PHARMACIST)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("a", "b"), ("b", "a"), id="issuer and client swapped"),
        pytest.param(("a:b", "c"), ("a", "b:c"), id="a colon moved from the issuer to the client"),
        pytest.param(("a%3Ab", "c"), ("a:b", "c"), id="an issuer that spells an escaped colon"),
    ],
)
def test_two_clients_never_share_a_budget(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Whatever names issuers and clients have, two of them are two payers."""
    payers = {
        budget.payer
        for issuer, client in (one, other)
        for budget in budgets(replace(PHARMACIST, issuer=issuer, client=client))
        if budget.scope is Scope.CLIENT
    }
    assert len(payers) == 2


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (BudgetKind.PERSONS, Reason.PERSONS_OVER_BUDGET),
        (BudgetKind.REQUESTS, Reason.REQUESTS_OVER_BUDGET),
        (BudgetKind.MISSES, Reason.MISSES_OVER_BUDGET),
    ],
)
@pytest.mark.parametrize("scope", list(Scope))
def test_a_refusal_is_called_after_its_kind_in_every_scope(scope: Scope, kind: BudgetKind, reason: Reason) -> None:
    """The caller learns what is spent, not whose."""
    assert reason_of(OverBudget(scope, kind, HOUR, 1)) is reason


def test_a_bill_leaves_no_budget_out() -> None:
    """Every window of every budget is looked up exactly once, as a set or as a counter."""
    bill = bill_of(budgets(PHARMACIST))
    listed = [
        (budget, window) for _, budget, window in (*bill.set_windows, *bill.person_counters, *bill.event_counters)
    ]
    assert sorted(listed, key=repr) == sorted(
        ((budget, window) for budget in budgets(PHARMACIST) for window in budget.windows), key=repr
    )
    assert bill.sets == ("rpps:99700427885", "finess:990000012")
    assert bill.own == "rpps:99700427885"
    assert bill.misses == (("rpps:99700427885", "misses", 3_600),)
    assert bill.longest_s == 86_400
