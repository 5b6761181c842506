"""Over a limit of persons a fresh login adds what the policy says: asked for where it helps, believed only when the
token shows it."""

from door import LIMIT, WINDOW_S, Door
from paravent.decide import Allow
from paravent.effects import Measure, MeasureKind
from paravent.identity.challenge import www_authenticate
from paravent.model import Deny
from paravent.reasons import Reason
from paravent.rules import Budgets, Grants, StepUp, Window
from tokens import NOW_S

FRESH_S, EXTRA = 300, 3
STEP_UP = StepUp(FRESH_S, EXTRA)
OLD = {"auth_age_s": FRESH_S + 1}
FRESH = {"auth_age_s": FRESH_S}


def refused(door: Door, **how: int) -> Deny:
    verdict = door.ask(**how)
    assert isinstance(verdict, Deny)
    return verdict


def passed(door: Door, **how: int) -> int:
    number = 0
    while isinstance(door.ask(**how), Allow):
        number += 1
    return number


def test_exactly_the_limit_passes_and_then_exactly_the_extra() -> None:
    """The old login is told to log in; the fresh one passes three more, and can then only wait."""
    door = Door(step_up=STEP_UP)
    assert passed(door, **OLD) == LIMIT
    told = refused(door, **OLD)
    assert told.reason is Reason.PERSONS_NEED_LOGIN
    assert told.reason.problem.status == 401
    assert told.challenge is not None
    field = www_authenticate(told.challenge)
    assert b'error="insufficient_user_authentication"' in field
    assert b'max_age="300"' in field
    assert told.retry_after_s == WINDOW_S
    assert passed(door, **FRESH) == EXTRA
    spent = refused(door, **FRESH)
    assert (spent.reason, spent.challenge) == (Reason.PERSONS_OVER_BUDGET, None)


def test_what_was_used_stays_used_when_the_login_grows_old() -> None:
    """The extra is no second budget: with it spent, an old login is not told to log in, since that would not help."""
    door = Door(step_up=STEP_UP)
    assert passed(door, **FRESH) == LIMIT + EXTRA
    assert refused(door, **OLD).reason is Reason.PERSONS_OVER_BUDGET


def test_a_login_that_would_not_help_is_not_asked_for() -> None:
    """Where another budget is spent as well."""
    door = Door(step_up=STEP_UP, fleet=Budgets(persons=(Window(LIMIT, WINDOW_S),)))
    assert passed(door, **OLD) == LIMIT
    assert refused(door, **OLD).reason is Reason.PERSONS_OVER_BUDGET


def test_a_policy_without_it_asks_for_none() -> None:
    """And gives none, however fresh."""
    door = Door()
    assert passed(door, auth_age_s=0) == LIMIT
    assert refused(door, **OLD).reason is Reason.PERSONS_OVER_BUDGET


def test_a_grant_and_a_fresh_login_add_up() -> None:
    """Each within its own bound."""
    door = Door(step_up=STEP_UP, grants=Grants(5, 3600))
    grant = Measure("0" * 16, MeasureKind.GRANT, "ab" * 16, 5, NOW_S, NOW_S + 60)
    number = 0
    while isinstance(door.ask((grant,), **FRESH), Allow):
        number += 1
    assert number == LIMIT + 5 + EXTRA
