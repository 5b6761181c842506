"""How soon a worker that ended is started again."""

import itertools

from paravent_mitmproxy.workers import BACK_OFF_MAX_S, BACK_OFF_S, STEADY_S, back_off_s


def test_one_that_ends_again_and_again_waits_longer_each_time() -> None:
    """Twice as long, up to a bound: it takes no core, and is not forgotten."""
    waits = list(itertools.accumulate(range(12), lambda last, _: back_off_s(last, 0.5), initial=0.0))[1:]
    assert waits[:4] == [BACK_OFF_S, 2 * BACK_OFF_S, 4 * BACK_OFF_S, 8 * BACK_OFF_S]
    assert waits[-1] == BACK_OFF_MAX_S


def test_one_that_lived_is_started_at_once_again() -> None:
    """What ended it lies in the present."""
    assert back_off_s(BACK_OFF_MAX_S, STEADY_S) == BACK_OFF_S
