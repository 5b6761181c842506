"""A grant to one practitioner: how many persons pass with it, before it, after it, and what is on record of it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from door import LIMIT, WINDOW_S, Door
from paravent.audit.record import record
from paravent.decide import Allow
from paravent.effects import Measure, MeasureKind, StoreDown
from paravent.model import Deny
from paravent.quota.measures import granted, raised
from paravent.reasons import Reason
from paravent.rules import Grants, Window
from reference import consultation, facts
from tokens import NOW_S

BOUNDS = Grants(extra_persons=3, longest_s=3 * 86_400)
GRANT = Measure("00000000000000a1", MeasureKind.GRANT, "ab" * 16, 2, NOW_S, NOW_S + 30)


def door(bounds: Grants | None = BOUNDS) -> Door:
    return Door(grants=bounds)


def test_exactly_the_limit_and_the_grant_pass() -> None:
    """The grant adds to what is left, whenever it comes."""
    assert door().passes(()) == LIMIT
    assert door().passes((GRANT,)) == LIMIT + GRANT.persons
    d = door()
    assert [d.passes(()), d.passes((GRANT,)), d.passes(())] == [LIMIT, GRANT.persons, 0]


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
    assert door().passes((grant,)) == LIMIT + extra


def test_a_policy_without_grants_gives_none() -> None:
    """Whatever stands in the book."""
    assert door(None).passes((GRANT,)) == LIMIT


def test_its_end_restores_the_limit_exactly() -> None:
    """Four persons were seen with a grant of two; once the last of them have left the window, two pass, not four."""
    d = door()
    assert isinstance(d.ask((GRANT,)), Allow)
    assert isinstance(d.ask((GRANT,)), Allow)
    assert d.passes((GRANT,), after_s=29) == 2
    assert d.passes((GRANT,), after_s=30) == 0
    assert d.passes((), after_s=WINDOW_S - 1) == 0
    assert d.passes((), after_s=WINDOW_S + 29) == LIMIT


def test_the_record_names_the_grants_that_were_in_force() -> None:
    """Of an answer and of a refusal; nobody else's record does."""
    d = door()
    verdict = d.ask((GRANT, replace(GRANT, id="00000000000000a2", until_s=NOW_S)))
    assert isinstance(verdict, Allow)
    assert verdict.plan.about.measures == (GRANT.id,)
    denied = Deny(Reason.ANSWER_SHAPE, verdict.plan.about)
    made = record(facts(consultation("2840599990001", "19840517", 1)), denied, status=502, revision="", elapsed_ms=1)
    assert made["measures"] == [GRANT.id]
    plain = d.ask(())
    assert isinstance(plain, Allow)
    assert plain.plan.about.measures == ()


def test_a_book_too_old_to_tell_is_an_outage() -> None:
    """Before anything is charged."""
    d = door()
    verdict = d.ask(StoreDown.UNAVAILABLE)
    assert isinstance(verdict, Deny)
    assert verdict.reason is Reason.STATE_UNAVAILABLE
    assert d.passes(()) == LIMIT


def test_only_the_practitioners_own_persons_are_raised() -> None:
    """Not their misses or requests, and nobody wider's."""
    verdict = door().ask((GRANT,))
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
