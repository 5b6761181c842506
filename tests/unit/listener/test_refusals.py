"""How refusals of a network add up, and what does not."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paravent.reasons import Problem, Reason
from paravent_mitmproxy.listener.refusals import WINDOW_S, Refusals, counts

HERE, THERE = "192.0.2.1", "192.0.2.2"
GUESS = Reason.TOKEN_SIGNATURE


def refused(times: int, source_ip: str = HERE, at_s: float = 0.0, most: int = 3) -> Refusals:
    refusals = Refusals(most)
    for _ in range(times):
        refusals.count(source_ip, GUESS, at_s)
    return refusals


def test_the_bound_is_reached_by_the_last_of_them() -> None:
    assert refused(2).wait_s(HERE, 0.0) is None
    assert refused(3).wait_s(HERE, 0.0) == WINDOW_S


def test_the_wait_ends_a_minute_after_the_first() -> None:
    """Also for whoever goes on guessing: what is refused without being verified is not counted anew."""
    refusals = refused(3, at_s=100.0)
    refusals.count(HERE, Reason.NETWORK_REFUSED_OFTEN, 130.0)
    assert refusals.wait_s(HERE, 130.5) == 30
    assert refusals.wait_s(HERE, 160.0) is None
    refusals.count(HERE, GUESS, 161.0)
    assert refusals.wait_s(HERE, 161.0) is None


SAME = [
    ("one IPv4 address, seen through IPv6", "192.0.2.1", "::ffff:192.0.2.1"),
    ("two addresses of one IPv6 site", "2001:db8:5:1::1", "2001:db8:5:ffff::9"),
]
OTHER = [
    ("two IPv4 addresses", HERE, THERE),
    ("two IPv6 sites", "2001:db8:5::1", "2001:db8:6::1"),
]


@pytest.mark.parametrize(("one", "another"), [row[1:] for row in SAME], ids=[row[0] for row in SAME])
def test_one_network(one: str, another: str) -> None:
    assert refused(3, one).wait_s(another, 0.0) is not None


@pytest.mark.parametrize(("one", "another"), [row[1:] for row in OTHER], ids=[row[0] for row in OTHER])
def test_two_networks(one: str, another: str) -> None:
    assert refused(3, one).wait_s(another, 0.0) is None


def test_nobodys_address_is_nobodys_fault() -> None:
    """A front proxy that introduces nobody brings everybody."""
    refusals = Refusals(1)
    refusals.count(None, GUESS, 0.0)
    assert (refusals.wait_s(None, 0.0), len(refusals)) == (None, 0)


@pytest.mark.parametrize("reason", Reason)
def test_what_counts_is_what_anybody_can_be_refused_for(reason: Reason) -> None:
    """401 without a login that is asked for; of these nothing that needs a good token, nor what any page can make a
    browser send."""
    needs_a_token = {Reason.DPOP_NONCE, Reason.BINDING_MISSING, Reason.BINDING_OBSERVED}
    of_any_page = {Reason.TOKEN_MISSING, Reason.TOKEN_MALFORMED, Reason.TOKEN_CROSS_SITE}
    anybodys = reason.problem.status == 401 and reason.problem is not Problem.AUTHENTICATION_TOO_WEAK
    assert counts(reason) is (anybodys and reason not in needs_a_token | of_any_page)


@given(st.lists(st.tuples(st.integers(0, 40), st.floats(0, 20)), max_size=200))
@example([(0, 4.960368980151878), (0, 0.0), (0, 0.0)])
def test_memory_is_bounded_and_nobody_is_turned_away_who_was_not_refused(steps: list[tuple[int, float]]) -> None:
    """Whatever is counted, whenever: as many networks as may be remembered, and no wait longer than the window."""
    refusals, now_s, told = Refusals(2, networks=8), 0.0, dict[int, int]()
    for number, passed_s in steps:
        now_s += passed_s
        wait_s = refusals.wait_s(f"198.51.100.{number}", now_s)
        assert wait_s is None or (0 < wait_s <= WINDOW_S and told.get(number, 0) >= 2)
        refusals.count(f"198.51.100.{number}", GUESS, now_s)
        told[number] = told.get(number, 0) + 1
        assert len(refusals) <= 8
