"""Days, weeks and months in France: what care dates are compared with, and where calendar windows begin.

By rule rather than by time-zone files, which a core without disk cannot read: directive 2000/84/EC, summer time from
the last Sunday of March to the last Sunday of October, 01:00 UTC both. So a day has 23 hours, 24 or 25:

    29 March 2026     from 23:00 UTC of the 28th to 22:00 UTC: the clock goes from 02:00 to 03:00
    25 October 2026   from 22:00 UTC of the 24th to 23:00 UTC: from 03:00 to 02:00
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

type Period = tuple[int, int]
"""First moment, and first moment afterwards: milliseconds since 1970, both at a whole hour."""

_DAY: Final = timedelta(days=1)


def day_in_paris(now_s: int) -> str:
    """YYYYMMDD of a moment in seconds since 1970."""
    return _day(now_s // 3600)


@lru_cache(maxsize=8)
def _day(hour: int) -> str:
    """A day begins at a whole hour of UTC, and the requests of an hour share it."""
    return f"{_date(hour * 3600):%Y%m%d}"


def day_around(at_ms: int) -> Period:
    """The day that a moment is in."""
    day = _date(at_ms // 1000)
    return _midnight_ms(day), _midnight_ms(day + _DAY)


def week_around(at_ms: int) -> Period:
    """From Monday to Monday (ISO 8601)."""
    day = _date(at_ms // 1000)
    monday = day - day.weekday() * _DAY
    return _midnight_ms(monday), _midnight_ms(monday + 7 * _DAY)


def month_around(at_ms: int) -> Period:
    """From the first of a month to the first of the next."""
    first = _date(at_ms // 1000).replace(day=1)
    return _midnight_ms(first), _midnight_ms((first + 31 * _DAY).replace(day=1))


def _date(at_s: int) -> date:
    utc = datetime.fromtimestamp(at_s, UTC)
    return (utc + _offset(utc)).date()


def _midnight_ms(day: date) -> int:
    """22:00 or 23:00 UTC of the day before: clocks change between neither of them and midnight."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return int((midnight - _offset(midnight - timedelta(hours=1))).timestamp()) * 1000


def _offset(utc: datetime) -> timedelta:
    summer = _last_sunday(utc.year, 3) <= utc < _last_sunday(utc.year, 10)
    return timedelta(hours=2 if summer else 1)


def _last_sunday(year: int, month: int) -> datetime:
    """01:00 UTC of the last Sunday of a month with 31 days."""
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return last - timedelta(days=(last.weekday() + 1) % 7)
