"""RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-11)."""

import pytest

from paravent.effects import BudgetKind, Scope, Usage
from paravent.quota.headers import rate_limit_headers, warning_headers
from paravent.rules import Calendar, Window


def persons(used: int, limit: int, per_s: int) -> Usage:
    return Usage(Scope.PRACTITIONER, BudgetKind.PERSONS, Window(limit, per_s), used)


def limit_field(*usage: Usage) -> bytes:
    return dict(rate_limit_headers(usage))[b"RateLimit"]


def test_both_fields_of_a_practitioner_with_three_windows() -> None:
    """The tightest window in one field, all of them in the other."""
    assert rate_limit_headers((persons(48, 60, 600), persons(300, 600, 86_400), persons(900, 4_000, 2_592_000))) == (
        (b"RateLimit", b'"persons-10m";r=12'),
        (
            b"RateLimit-Policy",
            b'"persons-10m";q=60;w=600;paravent-unit="distinct-persons", '
            b'"persons-1d";q=600;w=86400;paravent-unit="distinct-persons", '
            b'"persons-30d";q=4000;w=2592000;paravent-unit="distinct-persons"',
        ),
    )


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        pytest.param((persons(1, 60, 600), persons(598, 600, 86_400)), b'"persons-1d";r=2', id="the least left wins"),
        pytest.param((persons(8, 10, 600), persons(8, 10, 86_400)), b'"persons-1d";r=2', id="as much left: the longer"),
        pytest.param((persons(60, 60, 600),), b'"persons-10m";r=0', id="spent"),
        pytest.param((persons(9, 5, 600),), b'"persons-10m";r=0', id="limit lowered below what is used"),
        pytest.param((persons(0, 10**20, 90),), b'"persons-90s";r=999999999999999', id="an Integer has 15 digits"),
    ],
)
def test_what_is_left(usage: tuple[Usage, ...], expected: bytes) -> None:
    """Available quota of the tightest window (section 4.1.1)."""
    assert limit_field(*usage) == expected


def test_units_are_shown_beside_persons() -> None:
    """The tightest window of each kind, and every window of both with what it counts."""
    units = Usage(Scope.PRACTITIONER, BudgetKind.UNITS, Window(900, 3_600), 560)
    more = Usage(Scope.PRACTITIONER, BudgetKind.UNITS, Window(9_000, 86_400), 560)
    assert rate_limit_headers((persons(48, 60, 600), units, more)) == (
        (b"RateLimit", b'"persons-10m";r=12, "units-1h";r=340'),
        (
            b"RateLimit-Policy",
            b'"persons-10m";q=60;w=600;paravent-unit="distinct-persons", '
            b'"units-1h";q=900;w=3600;paravent-unit="weighted-requests", '
            b'"units-1d";q=9000;w=86400;paravent-unit="weighted-requests"',
        ),
    )


def test_a_calendar_window_has_a_name_and_no_length() -> None:
    """A day has 23 hours, 24 or 25."""
    day = Usage(Scope.PRACTITIONER, BudgetKind.PERSONS, Window.over(600, Calendar.DAY), 590)
    assert rate_limit_headers((persons(48, 60, 600), day)) == (
        (b"RateLimit", b'"persons-calendar-day";r=10'),
        (
            b"RateLimit-Policy",
            b'"persons-10m";q=60;w=600;paravent-unit="distinct-persons", '
            b'"persons-calendar-day";q=600;paravent-unit="distinct-persons"',
        ),
    )
    assert warning_headers([day.window]) == ((b"Paravent-Warning", b'"persons-calendar-day"'),)


@pytest.mark.parametrize(
    "usage",
    [
        pytest.param((), id="no usage"),
        pytest.param((Usage(Scope.PRACTITIONER, BudgetKind.REQUESTS, Window(1, 1), 0),), id="requests only"),
        pytest.param((Usage(Scope.FLEET, BudgetKind.PERSONS, Window(1, 1), 0),), id="somebody else's persons"),
    ],
)
def test_no_fields_without_a_person_budget_of_the_practitioner(usage: tuple[Usage, ...]) -> None:
    """Other budgets would tell the caller about others, or invite to fill them."""
    assert rate_limit_headers(usage) == ()
