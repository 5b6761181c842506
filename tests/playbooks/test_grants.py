"""A grant to one practitioner: how many persons pass with it, before it, after it, and what is on record of it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asking import ISSUER_KEY
from conversation import run
from paravent.audit.record import record
from paravent.decide import Allow, Rulebook, Verdict, decide
from paravent.effects import Charge, FindKey, FindMeasures, FindRevocations, Measure, MeasureKind, StoreDown
from paravent.model import Deny
from paravent.quota.charges import Payers
from paravent.quota.measures import granted, raised
from paravent.reasons import Reason
from paravent.rules import Budgets, Grants, Window
from paravent.stores.memory import MemoryLedger
from reference import consultation, facts, rulebook
from tokens import NOW_MS, NOW_S

LIMIT, WINDOW_S = 2, 60
BOUNDS = Grants(extra_persons=3, longest_s=3 * 86_400)
GRANT = Measure("00000000000000a1", MeasureKind.GRANT, "ab" * 16, 2, NOW_S, NOW_S + 30)


def rules(bounds: Grants | None = BOUNDS) -> Rulebook:
    """The reference policy with two persons a minute for a pharmacist."""
    usual = rulebook()
    small = Budgets(persons=(Window(LIMIT, WINDOW_S),))
    quotas = replace(usual.policy.quotas, professions={"21": small}, grants=bounds)
    return replace(usual, policy=replace(usual.policy, quotas=quotas), payers=Payers())


class Door:
    """One pharmacist who asks about one new person after the other, against a real ledger."""

    def __init__(self, bounds: Grants | None = BOUNDS) -> None:
        self.rules = rules(bounds)
        self.ledger = MemoryLedger()
        self.asked = 0

    def ask(self, measures: tuple[Measure, ...] | StoreDown = (), after_s: int = 0) -> Verdict:
        self.asked += 1
        question = consultation(f"2840599990{self.asked:03d}", "19840517", 1)
        asked = facts(question, now_ms=NOW_MS + 1000 * after_s, request_id=f"{self.asked:032x}")
        told = run(decide(asked, self.rules), self._replies(measures))
        return told.result

    def _replies(self, measures: tuple[Measure, ...] | StoreDown) -> dict[type, Any]:
        # Without the proof: every question here carries the same one, and replays are not what this is about.
        charge = lambda effect: asyncio.run(self.ledger.charge(replace(effect, proof=None)))  # noqa: E731
        return {FindKey: ISSUER_KEY.public, FindRevocations: (), FindMeasures: measures, Charge: charge}

    def passes(self, measures: tuple[Measure, ...], after_s: int = 0) -> int:
        """How many more persons until the first refusal."""
        passed = 0
        while isinstance(verdict := self.ask(measures, after_s), Allow):
            passed += 1
        assert verdict.reason is Reason.PERSONS_OVER_BUDGET
        return passed


def test_exactly_the_limit_and_the_grant_pass() -> None:
    """The grant adds to what is left, whenever it comes."""
    assert Door().passes(()) == LIMIT
    assert Door().passes((GRANT,)) == LIMIT + GRANT.persons
    door = Door()
    assert [door.passes(()), door.passes((GRANT,)), door.passes(())] == [LIMIT, GRANT.persons, 0]


ROWS = [
    ("one that has not begun gives nothing", replace(GRANT, from_s=NOW_S + 1), 0),
    ("one that is over gives nothing", replace(GRANT, from_s=NOW_S - 60, until_s=NOW_S), 0),
    ("in its last second it still does", replace(GRANT, from_s=NOW_S - 60, until_s=NOW_S + 1), 2),
    ("more than the policy allows is what it allows", replace(GRANT, persons=50), BOUNDS.extra_persons),
    ("longer than the policy allows ends when it says", replace(GRANT, from_s=NOW_S - 3 * 86_400), 0),
]


@pytest.mark.parametrize(("grant", "extra"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_what_a_grant_gives_now(grant: Measure, extra: int) -> None:
    """Its time and the bounds of the policy in force, at every use."""
    assert Door().passes((grant,)) == LIMIT + extra


def test_a_policy_without_grants_gives_none() -> None:
    """Whatever stands in the book."""
    assert Door(bounds=None).passes((GRANT,)) == LIMIT


def test_its_end_restores_the_limit_exactly() -> None:
    """Four persons were seen with a grant of two; once the last of them have left the window, two pass, not four."""
    door = Door()
    assert isinstance(door.ask((GRANT,)), Allow)
    assert isinstance(door.ask((GRANT,)), Allow)
    assert door.passes((GRANT,), after_s=29) == 2
    assert door.passes((GRANT,), after_s=30) == 0
    assert door.passes((), after_s=WINDOW_S - 1) == 0
    assert door.passes((), after_s=WINDOW_S + 29) == LIMIT


def test_the_record_names_the_grants_that_were_in_force() -> None:
    """Of an answer and of a refusal; nobody else's record does."""
    door = Door()
    verdict = door.ask((GRANT, replace(GRANT, id="00000000000000a2", until_s=NOW_S)))
    assert isinstance(verdict, Allow)
    assert verdict.plan.about.measures == (GRANT.id,)
    denied = Deny(Reason.ANSWER_SHAPE, verdict.plan.about)
    made = record(facts(consultation("2840599990001", "19840517", 1)), denied, status=502, revision="", elapsed_ms=1)
    assert made["measures"] == [GRANT.id]
    plain = door.ask(())
    assert isinstance(plain, Allow)
    assert plain.plan.about.measures == ()


def test_a_book_too_old_to_tell_is_an_outage() -> None:
    """Before anything is charged."""
    door = Door()
    verdict = door.ask(StoreDown.UNAVAILABLE)
    assert isinstance(verdict, Deny)
    assert verdict.reason is Reason.STATE_UNAVAILABLE
    assert door.passes(()) == LIMIT


def test_only_the_practitioners_own_persons_are_raised() -> None:
    """Not their misses or requests, and nobody wider's."""
    verdict = Door().ask((GRANT,))
    assert isinstance(verdict, Allow)
    budgets = verdict.plan.charge.budgets
    assert budgets[0].windows == (Window(LIMIT + 2, WINDOW_S),)
    assert raised(budgets[1:], 5) == budgets[1:]


measures = st.lists(
    st.builds(
        Measure,
        st.just("0" * 16),
        st.just(MeasureKind.GRANT),
        st.just(""),
        st.integers(1, 9),
        st.integers(0, 20),
        st.integers(0, 40),
    ),
    max_size=5,
)


@given(measures, st.integers(1, 12), st.integers(1, 20), st.integers(0, 60))
def test_no_book_gives_more_than_the_policy(held: list[Measure], most: int, longest_s: int, now_s: int) -> None:
    """Whatever stands in it, and nothing once the longest grant must be over."""
    persons, ids = granted(held, Grants(most, longest_s), now_s)
    assert 0 <= persons <= most
    assert bool(ids) == bool(persons)
    if now_s >= max([each.from_s for each in held], default=0) + longest_s:
        assert persons == 0
