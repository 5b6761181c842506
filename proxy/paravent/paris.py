"""The calendar day in France: what a care date is compared with when a question names none.

By rule rather than by time-zone files, which a core without disk cannot read: directive 2000/84/EC, summer time from
the last Sunday of March to the last Sunday of October, 01:00 UTC both.
"""

from datetime import UTC, datetime, timedelta


def day_in_paris(now_s: int) -> str:
    """YYYYMMDD of a moment in seconds since 1970."""
    utc = datetime.fromtimestamp(now_s, UTC)
    summer = _last_sunday(utc.year, 3) <= utc < _last_sunday(utc.year, 10)
    return f"{utc + timedelta(hours=2 if summer else 1):%Y%m%d}"


def _last_sunday(year: int, month: int) -> datetime:
    """01:00 UTC of the last Sunday of a month with 31 days."""
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return last - timedelta(days=(last.weekday() + 1) % 7)
