"""Window arithmetic, against the definition of a window: the milliseconds t with now - W < t <= now."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paravent.quota.windows import (
    BUCKETS_PER_WINDOW,
    bucket_leaves_ms,
    bucket_ms,
    bucket_of,
    counts,
    leaves_ms,
    name_of,
    retry_after_s,
)

MOMENTS = st.integers(0, 10**14)
WINDOWS = st.integers(1, 400 * 86_400)


@given(at_ms=MOMENTS, per_s=WINDOWS)
def test_something_counts_for_exactly_its_window(at_ms: int, per_s: int) -> None:
    """It counts at its own moment and up to the last millisecond before it leaves."""
    leaves = leaves_ms(at_ms, per_s)
    assert counts(at_ms, at_ms, per_s)
    assert counts(at_ms, leaves - 1, per_s)
    assert not counts(at_ms, leaves, per_s)
    assert leaves - at_ms == per_s * 1000


@given(at_ms=MOMENTS, per_s=WINDOWS)
def test_a_bucket_counts_as_long_as_anything_it_may_hold(at_ms: int, per_s: int) -> None:
    """Never shorter than the window, never longer than the window and one bucket."""
    leaves = bucket_leaves_ms(bucket_of(at_ms, per_s), per_s)
    assert leaves_ms(at_ms, per_s) <= leaves < leaves_ms(at_ms, per_s) + bucket_ms(per_s)


@given(now_ms=MOMENTS, per_s=WINDOWS)
def test_a_window_never_has_more_than_one_bucket_too_many(now_ms: int, per_s: int) -> None:
    """Sixty, and the one that its tail cuts through: of those before, all are gone."""
    current = bucket_of(now_ms, per_s)
    assert bucket_leaves_ms(current - BUCKETS_PER_WINDOW - 1, per_s) <= now_ms < bucket_leaves_ms(current, per_s)


@given(now_ms=MOMENTS, wait_ms=st.integers(1, 10**11))
def test_retry_after_is_the_first_whole_second_at_which_there_is_room(now_ms: int, wait_ms: int) -> None:
    """Not too early, and less than a second too late."""
    wait_s = retry_after_s(now_ms + wait_ms, now_ms)
    assert (wait_s - 1) * 1000 < wait_ms <= wait_s * 1000


def test_retry_after_is_never_zero() -> None:
    """A caller told to wait 0 s would ask again at once."""
    assert retry_after_s(5_000, 5_000) == retry_after_s(4_000, 5_000) == 1


@pytest.mark.parametrize(
    ("per_s", "name"),
    [
        (10, "10s"),
        (90, "90s"),
        (600, "10m"),
        (5_400, "90m"),
        (3_600, "1h"),
        (86_400, "1d"),
        (604_800, "7d"),
        (2_592_000, "30d"),
    ],
    ids=str,
)
def test_a_window_is_named_in_the_greatest_unit_that_fits(per_s: int, name: str) -> None:
    """As a policy would write it."""
    assert name_of(per_s) == name
