"""Arithmetic of trailing windows, on integers: milliseconds since 1970 for moments, seconds for window lengths.

A window of W at moment t is the half-open span (t - W, t]. Sliding, never aligned: a burst before and a burst after
midnight are one burst.

Exact sets keep the moment of every person:

    600 s window, a person at 10:00:00.000 counts until 10:09:59.999 and has left at 10:10:00.000

Counters keep sixty buckets a window, and a bucket that the window's tail cuts through counts in full:

    600 s window, 10 s buckets; something at 10:00:03 stands in the bucket 10:00:00.000-10:00:09.999, which is gone
    at 10:10:09.999: up to one sixtieth of a window late, never early
"""

from functools import lru_cache
from typing import Final

BUCKETS_PER_WINDOW: Final = 60
"""A counter forgets up to 1/60 of a window late (10 s of 10 min, 24 min of a day) and costs at most 61 rows."""

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def leaves_ms(at_ms: int, per_s: int) -> int:
    """The first moment at which something of `at_ms` no longer counts in a window of `per_s`."""
    return at_ms + per_s * 1000


def counts(at_ms: int, now_ms: int, per_s: int) -> bool:
    """Something of `at_ms` is inside the window that ends now."""
    return now_ms < leaves_ms(at_ms, per_s)


def bucket_ms(per_s: int) -> int:
    """Length of a counter's bucket: a sixtieth of the window, rounded up to a whole millisecond."""
    return -(-per_s * 1000 // BUCKETS_PER_WINDOW)


def bucket_of(at_ms: int, per_s: int) -> int:
    """Number of the bucket that `at_ms` falls into, counted from 1970."""
    return at_ms // bucket_ms(per_s)


def bucket_leaves_ms(bucket: int, per_s: int) -> int:
    """The first moment at which a bucket no longer counts: when the last moment it may hold has left the window."""
    return leaves_ms((bucket + 1) * bucket_ms(per_s) - 1, per_s)


def retry_after_s(free_ms: int, now_ms: int) -> int:
    """Whole seconds from now until `free_ms`, rounded up, at least 1 (`delay-seconds`, RFC 9110 section 10.2.3).

    `now_ms` is the caller's clock, also after it was set back: the wait is what the caller will live through.
    """
    return max(1, -(-(free_ms - now_ms) // 1000))


@lru_cache(maxsize=64)
def name_of(per_s: int) -> str:
    """A window's length as a policy writes it: 600 → "10m", 86400 → "1d", 604800 → "7d", 90 → "90s"."""
    unit, seconds = next((unit, seconds) for unit, seconds in _UNITS if per_s % seconds == 0)
    return f"{per_s // seconds}{unit}"
