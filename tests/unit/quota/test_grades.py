"""How an answer changes as a budget fills."""

import pytest
from msgspec.structs import replace

from door import Door
from paravent.decide import Allow
from paravent.effects import BudgetKind, Scope, Usage
from paravent.quota.grades import nearly_spent
from paravent.quota.headers import warning_headers
from paravent.rules import Budgets, Quotas, Window

WARNS = Quotas({}, warn_at_percent=80)
OWN = Usage(Scope.PRACTITIONER, BudgetKind.PERSONS, Window(60, 600), 0)


@pytest.mark.parametrize(
    ("used", "limit", "warns"), [(47, 60, False), (48, 60, True), (60, 60, True), (61, 60, True), (0, 1, False)]
)
def test_from_the_share_of_the_limit_on(used: int, limit: int, warns: bool) -> None:
    """48 of 60 are four fifths exactly; fuller than the limit, after it was lowered, is nearly spent too."""
    assert bool(nearly_spent([replace(OWN, used=used, window=Window(limit, 600))], WARNS)) is warns


def test_only_the_practitioners_own_persons_warn() -> None:
    """Requests of ten seconds are full at every burst, and the fleet's budget is nobody's to be told of."""
    full = [replace(OWN, scope=Scope.FLEET, used=60), replace(OWN, kind=BudgetKind.REQUESTS, used=60)]
    assert nearly_spent(full, WARNS) == ()


def test_a_policy_that_says_nothing_warns_of_nothing() -> None:
    """However full."""
    assert nearly_spent([replace(OWN, used=60)], Quotas({})) == ()


def test_the_header_names_the_windows() -> None:
    """As RateLimit-Policy does; without any there is no header."""
    assert warning_headers((Window(60, 600), Window(600, 86_400))) == (
        (b"Paravent-Warning", b'"persons-10m", "persons-1d"'),
    )
    assert warning_headers(()) == ()


def test_the_plan_of_a_question_knows() -> None:
    """The second of two persons a minute leaves nothing, the third of ten a day is far from it."""
    own = Budgets(persons=(Window(2, 60), Window(10, 86_400)))
    door = Door(professions={"21": own}, warn_at_percent=80)
    told = []
    for _ in range(2):
        verdict = door.ask()
        assert isinstance(verdict, Allow)
        told.append(verdict.plan.nearly_spent)
    assert told == [(), (Window(2, 60),)]
