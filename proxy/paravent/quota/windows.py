"""Arithmetic of windows, on integers: milliseconds since 1970 for moments, seconds for lengths.

A window of W at moment t is the half-open span (t - W, t]. Sliding, never aligned: a burst before and a burst after
midnight are one burst.

Exact sets keep the moment of every person:

    600 s window, a person at 10:00:00.000 counts until 10:09:59.999 and has left at 10:10:00.000

Counters keep sixty buckets a window, and a bucket that the window's tail cuts through counts in full:

    600 s window, 10 s buckets; something at 10:00:03 stands in the bucket 10:00:00.000-10:00:09.999, which is gone
    at 10:10:09.999: up to one sixtieth of a window late, never early

A calendar window of the policy holds everything since midnight in Paris, of this day, this Monday, or the first of this
month. It empties at once, so that a counter needs one bucket, and is exact. Wherever seconds may stand for a trailing
window, one of `Calendar`'s numbers may stand for such a one: a `Span`.
"""

from functools import lru_cache
from typing import Final

from paravent.paris import Period, day_around, month_around, week_around
from paravent.rules import Calendar, Span

BUCKETS_PER_WINDOW: Final = 60
"""A counter forgets up to 1/60 of a window late (10 s of 10 min, 24 min of a day) and costs at most 61 rows."""

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


_HOUR_MS: Final = 3_600_000


def period_of(at_ms: int, span: Span) -> Period:
    """The calendar period that a moment is in. Raises ValueError for a trailing window's seconds."""
    return _period(at_ms // _HOUR_MS, span)


@lru_cache(4096)
def _period(hour: int, span: Span) -> Period:
    """Periods begin at whole hours of UTC: what holds at the beginning of one holds in all of it."""
    at_ms = hour * _HOUR_MS
    match Calendar(span):
        case Calendar.DAY:
            return day_around(at_ms)
        case Calendar.WEEK:
            return week_around(at_ms)
        case Calendar.MONTH:
            return month_around(at_ms)


def tail_ms(now_ms: int, span: Span) -> int:
    """The last moment that the window which ends now does not hold."""
    return now_ms - span * 1000 if span > 0 else period_of(now_ms, span)[0] - 1


def leaves_ms(at_ms: int, span: Span) -> int:
    """The first moment at which something of `at_ms` no longer counts."""
    return at_ms + span * 1000 if span > 0 else period_of(at_ms, span)[1]


def counts(at_ms: int, now_ms: int, span: Span) -> bool:
    """Something of `at_ms` is inside the window that ends now."""
    return now_ms < leaves_ms(at_ms, span)


def bucket_ms(per_s: int) -> int:
    """Length of a trailing counter's bucket: a sixtieth of the window, rounded up to a whole millisecond."""
    return -(-per_s * 1000 // BUCKETS_PER_WINDOW)


def bucket_of(at_ms: int, span: Span) -> int:
    """Number of the bucket that `at_ms` falls into, counted from 1970; a calendar's is the hour it begins in."""
    return at_ms // bucket_ms(span) if span > 0 else period_of(at_ms, span)[0] // _HOUR_MS


def bucket_leaves_ms(bucket: int, span: Span) -> int:
    """The first moment at which a bucket no longer counts: when the last moment it may hold has left the window."""
    return leaves_ms((bucket + 1) * bucket_ms(span) - 1 if span > 0 else bucket * _HOUR_MS, span)


def retry_after_s(free_ms: int, now_ms: int) -> int:
    """Whole seconds from now until `free_ms`, rounded up, at least 1 (`delay-seconds`, RFC 9110 section 10.2.3).

    `now_ms` is the caller's clock, also after it was set back: the wait is what the caller will live through.
    """
    return max(1, -(-(free_ms - now_ms) // 1000))


@lru_cache(maxsize=64)
def name_of(span: Span) -> str:
    """As a policy writes it: 600 → "10m", 86400 → "1d", 604800 → "7d", 90 → "90s", -1 → "calendar-day"."""
    if span < 0:
        return Calendar(span).word
    unit, seconds = next((unit, seconds) for unit, seconds in _UNITS if span % seconds == 0)
    return f"{span // seconds}{unit}"
