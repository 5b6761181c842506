"""When the upstream is asked, and when it is left alone."""

import pytest

from paravent_mitmproxy.listener.breaker import LATEST, OPEN_S, ROW, Breaker, Ticket


def entered(breaker: Breaker, now_s: float) -> Ticket:
    ticket = breaker.admit(now_s)
    assert ticket is not None
    return ticket


def after(*outcomes: bool) -> Breaker:
    """A breaker that saw these exchanges, one after the other, at 0 s."""
    breaker = Breaker()
    for well in outcomes:
        breaker.tell(entered(breaker, 0.0), well, 0.0)
    return breaker


CLOSED = [
    ("nothing has happened yet", ()),
    ("one failure less than a row", (False,) * (ROW - 1)),
    ("a success in the middle of a row", (*(False,) * (ROW - 1), True, *(False,) * (ROW - 1))),
    ("one failure in three, for ever", (True, True, False) * LATEST),
    ("half of a few exchanges: too few to tell", (True, False) * (LATEST // 2 - 1)),
]
OPEN = [
    ("failures in a row", (False,) * ROW),
    ("failures in a row after a good day", (*(True,) * 1000, *(False,) * ROW)),
    ("every second exchange, often enough to tell", (True, False) * (LATEST // 2)),
]


@pytest.mark.parametrize("outcomes", [row[1] for row in CLOSED], ids=[row[0] for row in CLOSED])
def test_it_stays_closed(outcomes: tuple[bool, ...]) -> None:
    """The next question is asked."""
    assert after(*outcomes).admit(0.0) is not None


@pytest.mark.parametrize("outcomes", [row[1] for row in OPEN], ids=[row[0] for row in OPEN])
def test_it_opens(outcomes: tuple[bool, ...]) -> None:
    """The next question is not asked, until it is time for the probe."""
    breaker = after(*outcomes)
    assert breaker.is_open
    assert breaker.admit(OPEN_S - 0.001) is None
    assert breaker.admit(OPEN_S) is not None


def opened() -> Breaker:
    return after(*(False,) * ROW)


def test_there_is_one_probe_at_a_time() -> None:
    """However many wait for it, and however long it takes."""
    breaker = opened()
    entered(breaker, OPEN_S)
    assert breaker.admit(OPEN_S) is None
    assert breaker.admit(1000 * OPEN_S) is None


def test_an_answered_probe_closes_it() -> None:
    """All at once, and with a clean slate: one failure after it opens nothing."""
    breaker = opened()
    breaker.tell(entered(breaker, OPEN_S), True, OPEN_S)
    assert not breaker.is_open
    breaker.tell(entered(breaker, OPEN_S), False, OPEN_S)
    assert breaker.admit(OPEN_S) is not None


def test_a_failed_probe_opens_it_again_from_now() -> None:
    """The next probe comes as late after this one."""
    breaker = opened()
    breaker.tell(entered(breaker, OPEN_S), False, OPEN_S + 3)
    assert breaker.admit(2 * OPEN_S + 2.9) is None
    assert breaker.admit(2 * OPEN_S + 3) is not None


def test_a_cancelled_probe_makes_room_for_another() -> None:
    """A caller who left, or a drain, leaves nobody waiting for an outcome that never comes."""
    breaker = opened()
    breaker.give_back(entered(breaker, OPEN_S))
    assert breaker.admit(OPEN_S) is not None


def test_what_was_asked_before_it_opened_says_nothing() -> None:
    """A slow answer to an old question neither closes the circuit nor postpones the probe."""
    breaker = Breaker()
    old = [entered(breaker, 0.0) for _ in range(3)]
    for _ in range(ROW):
        breaker.tell(entered(breaker, 0.0), False, 0.0)
    breaker.tell(old[0], True, 1.0)
    assert breaker.is_open
    breaker.tell(old[1], False, 4.0)
    probe = entered(breaker, OPEN_S)
    breaker.give_back(old[2])
    assert breaker.admit(OPEN_S) is None
    breaker.tell(probe, True, OPEN_S)
    breaker.tell(old[2], False, OPEN_S)
    assert not breaker.is_open
