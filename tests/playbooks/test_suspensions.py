"""Who goes on asking after being refused is suspended for a time, and who is suspended is refused altogether."""

import pytest

from door import LIMIT, Door
from paravent.decide import Allow
from paravent.effects import BudgetKind, Charged, Measure, MeasureKind, OverBudget, Settle, StoreDown
from paravent.model import Deny
from paravent.reasons import Reason
from paravent.rules import Budgets, Grants, StepUp, Suspension, Window
from paravent.stores.memory import MemoryLedger
from tokens import NOW_S

RULE = Suspension(refusals=3, within_s=60, lasts_s=600)
SUSPENDED = Measure("00000000000000b1", MeasureKind.SUSPENSION, "ab" * 16, 0, NOW_S, NOW_S + 600)


def refusals(door: Door, number: int, **how: int) -> list[Reason]:
    told = []
    for _ in range(number):
        verdict = door.ask(**how)
        assert isinstance(verdict, Deny)
        told.append(verdict.reason)
    return told


def spent(**quotas: object) -> Door:
    """A door whose pharmacist has used their two persons a minute."""
    door = Door(**quotas)
    assert door.passes() == LIMIT  # and was refused once
    return door


def test_the_refusal_that_is_one_too_many_suspends() -> None:
    """The third: told so, with the time that it lasts; then every question, also about somebody they have seen."""
    door = spent(suspension=RULE)
    assert refusals(door, 3) == [
        Reason.PERSONS_OVER_BUDGET,
        Reason.PRACTITIONER_SUSPENDED,
        Reason.PRACTITIONER_SUSPENDED,
    ]
    (measure,) = door.book
    assert (measure.kind, measure.until_s - measure.from_s, measure.persons) == (MeasureKind.SUSPENSION, 600, 0)
    verdict = door.ask(after_s=60)
    assert isinstance(verdict, Deny)
    assert (verdict.reason, verdict.retry_after_s) == (Reason.PRACTITIONER_SUSPENDED, 540)
    assert verdict.about.measures == (measure.id,)
    assert verdict.reason.problem.status == 429


def test_it_ends_by_itself() -> None:
    """In its last second it holds, and then neither it nor the refusals that brought it about do."""
    door = spent(suspension=RULE)
    refusals(door, 2)
    assert refusals(door, 1, after_s=599) == [Reason.PRACTITIONER_SUSPENDED]
    assert door.passes(after_s=600) == LIMIT
    assert refusals(door, 1, after_s=600) == [Reason.PERSONS_OVER_BUDGET]


def test_refusals_that_are_far_apart_suspend_nobody() -> None:
    """Two in any ten seconds are a busy day."""
    door = spent(suspension=Suspension(refusals=3, within_s=10, lasts_s=600))
    for after_s in range(11, 59, 11):
        assert refusals(door, 2, after_s=after_s) == [Reason.PERSONS_OVER_BUDGET] * 2
    assert door.book == []


def test_a_refusal_stays_counted() -> None:
    """Its count is settled: left as a reservation it would be given back, to whoever is patient enough."""
    door = Door(suspension=RULE)
    settled: list[Settle] = []

    class Noting(MemoryLedger):
        async def settle(self, settle: Settle) -> Charged | OverBudget | StoreDown:
            settled.append(settle)
            return await super().settle(settle)

    door.ledger = Noting()
    assert door.passes() == LIMIT
    (count,) = settled
    assert [each.kind for each in count.charge.budgets] == [BudgetKind.REFUSALS]
    assert not count.missed


def test_the_refusal_that_suspends_is_on_record_with_what_it_began() -> None:
    """Beside the grant that was not enough: by the ids that both have in the book."""
    door = Door(suspension=Suspension(refusals=1, within_s=60, lasts_s=600), grants=Grants(1, 3600))
    grant = Measure("00000000000000b2", MeasureKind.GRANT, "ab" * 16, 1, NOW_S, NOW_S + 60)
    while isinstance(verdict := door.ask((grant,)), Allow):
        pass
    assert verdict.about.measures == (grant.id, f"{door.asked:032x}"[:16])


def test_a_full_fleet_suspends_nobody() -> None:
    """Only refusals over the practitioner's own budgets are theirs."""
    door = Door(suspension=RULE, fleet=Budgets(persons=(Window(1, 60),)))
    assert door.passes() == 1
    assert set(refusals(door, 9)) == {Reason.PERSONS_OVER_BUDGET}


def test_who_is_asked_to_log_in_anew_is_not_counted() -> None:
    """They have not gone on asking in vain: the software asks once, opens the login page, and asks again."""
    door = Door(suspension=RULE, step_up=StepUp(300, 1))
    while isinstance(door.ask(), Allow):
        pass
    assert set(refusals(door, 9)) == {Reason.PERSONS_NEED_LOGIN}


def test_a_policy_without_suspensions_counts_nothing() -> None:
    """The refusals go on as they were."""
    assert set(refusals(spent(), 9)) == {Reason.PERSONS_OVER_BUDGET}


def test_a_book_that_cannot_be_written_suspends_nobody_and_lets_nobody_in() -> None:
    """The refusal stays what it is."""
    door = spent(suspension=RULE)
    door.book_answers = False
    assert set(refusals(door, 9)) == {Reason.PERSONS_OVER_BUDGET}


def test_a_suspension_by_command_needs_nothing_of_the_policy() -> None:
    """And no grant lifts it."""
    door = Door(grants=Grants(5, 3600))
    grant = Measure("00000000000000b2", MeasureKind.GRANT, "ab" * 16, 5, NOW_S, NOW_S + 60)
    verdict = door.ask((grant, SUSPENDED))
    assert isinstance(verdict, Deny)
    assert (verdict.reason, verdict.about.measures) == (Reason.PRACTITIONER_SUSPENDED, (SUSPENDED.id,))
    assert verdict.retry_after_s == 600
    assert isinstance(door.ask((grant,)), Allow)


def test_of_two_suspensions_the_later_end_is_told() -> None:
    """Waiting once is enough."""
    longer = Measure("00000000000000b3", MeasureKind.SUSPENSION, "ab" * 16, 0, NOW_S - 9, NOW_S + 900)
    verdict = Door().ask((SUSPENDED, longer))
    assert isinstance(verdict, Deny)
    assert (verdict.retry_after_s, verdict.about.measures) == (900, (longer.id,))


@pytest.mark.parametrize("from_s", [NOW_S + 1, NOW_S - 1000])
def test_one_that_is_not_in_force_holds_nobody(from_s: int) -> None:
    """Yet to begin, or over."""
    other = Measure("00000000000000b4", MeasureKind.SUSPENSION, "ab" * 16, 0, from_s, from_s + 100)
    assert isinstance(Door().ask((other,)), Allow)


def test_a_book_too_old_to_tell_is_an_outage() -> None:
    """Who is suspended cannot be known."""
    verdict = Door().ask(StoreDown.UNAVAILABLE)
    assert isinstance(verdict, Deny)
    assert verdict.reason is Reason.STATE_UNAVAILABLE
