"""Days, weeks and months of Paris, against the time-zone database."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paravent.effects import Budget, BudgetKind, Charge, Scope, Settle
from paravent.model import Subject
from paravent.quota.settling import AROUND_MIDNIGHT_MS, adds_nobody
from paravent.quota.windows import bucket_leaves_ms, bucket_of, counts, leaves_ms, name_of, period_of, tail_ms
from paravent.rules import Calendar, Window

PARIS = ZoneInfo("Europe/Paris")
MOMENTS = st.integers(1_000_000_000_000, 4_000_000_000_000)
"""2001 to 2096: the directive holds, and Python's database goes on by its rule."""
HOUR_MS = 3_600_000


def at(text: str) -> int:
    """Milliseconds of a moment on a clock in Paris."""
    return int(datetime.fromisoformat(text).replace(tzinfo=PARIS).timestamp() * 1000)


def expected(calendar: Calendar, at_ms: int) -> tuple[int, int]:
    day = datetime.fromtimestamp(at_ms / 1000, PARIS).date()
    if calendar is Calendar.DAY:
        first, after = day, day + timedelta(days=1)
    elif calendar is Calendar.WEEK:
        first = day - timedelta(days=day.weekday())
        after = first + timedelta(days=7)
    else:
        first = day.replace(day=1)
        after = (first + timedelta(days=31)).replace(day=1)
    midnights = (datetime(each.year, each.month, each.day, tzinfo=PARIS).astimezone(UTC) for each in (first, after))
    start, end = (int(each.timestamp() * 1000) for each in midnights)
    return start, end


@given(at_ms=MOMENTS, calendar=st.sampled_from(Calendar))
def test_periods_are_those_of_the_time_zone_database(at_ms: int, calendar: Calendar) -> None:
    """Whatever the moment."""
    assert period_of(at_ms, calendar) == expected(calendar, at_ms)


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        pytest.param("2026-03-28", 24, id="the day before"),
        pytest.param("2026-03-29", 23, id="clocks go forward"),
        pytest.param("2026-10-25", 25, id="clocks go back"),
        pytest.param("2026-10-26", 24, id="the day after"),
    ],
)
def test_days_have_23_24_or_25_hours(day: str, hours: int) -> None:
    """From midnight to midnight of the clocks in Paris, whichever of its moments is asked about."""
    for hour in (0, 1, 2, 3, 12, 23):
        start, end = period_of(at(f"{day}T{hour:02}:30"), Calendar.DAY)
        assert (start, end - start) == (at(f"{day}T00:00"), hours * HOUR_MS)


@given(at_ms=MOMENTS, calendar=st.sampled_from(Calendar))
def test_a_calendar_window_is_exact_for_sets_and_counters(at_ms: int, calendar: Calendar) -> None:
    """Something counts until its period ends; so does its bucket; nothing before the period is in it."""
    start, end = period_of(at_ms, calendar)
    assert start <= at_ms < end == leaves_ms(at_ms, calendar) == bucket_leaves_ms(bucket_of(at_ms, calendar), calendar)
    assert counts(at_ms, end - 1, calendar)
    assert not counts(at_ms, end, calendar)
    assert tail_ms(at_ms, calendar) == start - 1
    assert tail_ms(end, calendar) == end - 1


@given(at_ms=MOMENTS, calendar=st.sampled_from(Calendar))
def test_no_period_is_longer_or_shorter_than_is_said(at_ms: int, calendar: Calendar) -> None:
    """The store keeps persons for the longest; the blast radius counts with the shortest."""
    start, end = period_of(at_ms, calendar)
    assert calendar.shortest_s(1) * 1000 <= end - start <= calendar.longest_s * 1000
    _, third = period_of(period_of(end, calendar)[1], calendar)
    assert third - start >= calendar.shortest_s(3) * 1000


def test_a_calendar_window_is_named_as_a_policy_writes_it() -> None:
    """And is another window than a trailing one of any length."""
    assert [name_of(Window.over(1, each).span) for each in Calendar] == [
        "calendar-day",
        "calendar-week",
        "calendar-month",
    ]
    assert Window.over(5, 86_400) == Window(5, 86_400)
    assert Window.over(5, -1).per_s == 25 * 3_600


@pytest.mark.parametrize(
    ("asked", "answered", "waits"),
    [
        pytest.param("12:00:00", "12:00:09", False, id="at noon nobody waits"),
        pytest.param("23:59:58", "00:00:01", True, id="over midnight the store is asked"),
        pytest.param("23:58:30", "23:59:01", True, id="a minute before, where a store may be ahead"),
        pytest.param("00:00:59", "00:01:01", True, id="a minute after, where it may be behind"),
        pytest.param("00:01:01", "00:01:02", False, id="and no longer"),
    ],
)
def test_who_is_disclosed_about_midnight_is_asked_of_the_store(asked: str, answered: str, waits: bool) -> None:
    """A place of yesterday is none of today, and no two clocks need agree on when that begins."""
    assert AROUND_MIDNIGHT_MS == 60_000
    asked_ms = at(f"2026-06-10T{asked}")
    answered_ms = at(f"2026-06-{'11' if answered < asked else '10'}T{answered}")
    budget = Budget(Scope.PRACTITIONER, "rpps:1", BudgetKind.PERSONS, (Window(9, 86_400), Window.over(9, Calendar.DAY)))
    person = (Subject(bytes(16)),)
    settle = Settle(Charge("id", asked_ms, (budget,), person), answered_ms, person, missed=False)
    assert adds_nobody(settle, answered_ms) is not waits
