"""What one node lets through by itself: never more than its part, whoever asks and however often."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgers import person
from paravent.quota.emergency import QUESTIONS_A_PERSON, EmergencyBook, Share
from paravent.rules import Emergency

LIMITS = Emergency(practitioner=2, node=5, total=10, per_s=60, longest_s=30)


@pytest.fixture
def take() -> Callable[..., bool]:
    book = EmergencyBook(Share())
    return lambda payer, *persons, at_s=0, limits=LIMITS: book.take(
        f"rpps:{payer}", map(person, persons), limits, at_s * 1000
    )


type Take = Callable[..., bool]


def test_each_practitioner_has_a_few_persons(take: Take) -> None:
    """Two of them; a third person is refused, and another practitioner has two of their own."""
    assert [take(1, n) for n in (1, 2, 3)] == [True, True, False]
    assert take(2, 3)


def test_the_node_has_a_few_for_all(take: Take) -> None:
    """Five together, however many practitioners ask. The same person counts for each who asks."""
    assert [take(payer, 1) for payer in range(7)] == [True] * 5 + [False] * 2


def test_a_question_about_several_is_let_through_whole_or_not(take: Take) -> None:
    """What was refused has cost nothing."""
    assert not take(1, 1, 2, 3)
    assert take(1, 1, 2)


def test_a_second_look_is_free_and_bounded(take: Take) -> None:
    """Ten questions a person of the limit, in all."""
    assert [take(1, 1) for _ in range(30)] == [True] * (2 * QUESTIONS_A_PERSON) + [False] * 10
    assert not take(1, 2)
    assert [take(1, 1, at_s=60) for _ in range(21)] == [True] * (2 * QUESTIONS_A_PERSON) + [False]


def test_a_second_outage_finds_what_the_first_one_left(take: Take) -> None:
    """The window trails: a minute after they were last asked about, and not before."""
    assert take(1, 1, at_s=0)
    assert take(1, 2, at_s=20)
    assert not take(1, 3, at_s=59)
    assert take(1, 3, at_s=60)
    assert not take(1, 4, at_s=79)
    assert take(1, 4, at_s=80)


def test_a_stricter_policy_holds_at_once(take: Take) -> None:
    """What was used counts against it."""
    assert take(1, 1)
    strict = Emergency(practitioner=1, node=1, total=1, per_s=60, longest_s=30)
    assert not take(1, 2, limits=strict)
    assert take(1, 1, limits=strict)


def test_who_was_asked_about_stays_known_under_a_stricter_policy(take: Take) -> None:
    """A second look at them discloses nobody new."""
    assert take(1, 1)
    assert take(1, 2)
    strict = Emergency(practitioner=1, node=1, total=1, per_s=60, longest_s=30)
    assert take(1, 2, limits=strict)
    assert not take(1, 3, limits=strict)


def test_a_worker_without_a_part_has_no_room() -> None:
    """One person a practitioner, on the first of two workers: the other lets nobody through, and says so."""
    limits = Emergency(practitioner=1, node=2, total=2, per_s=60, longest_s=30)
    assert [EmergencyBook(Share(2, worker)).has_room(limits, 0) for worker in (1, 2)] == [True, False]


def test_whether_there_is_room_can_be_asked_from_beside() -> None:
    """By the trailing window, and nothing is changed by it: readiness is asked on another thread than questions are."""
    book, alone = EmergencyBook(Share()), Emergency(practitioner=2, node=2, total=2, per_s=60, longest_s=30)
    assert book.has_room(alone, 0)
    assert book.take("rpps:1", (person(1),), alone, 0)
    assert book.take("rpps:2", (person(1),), alone, 20_000)
    assert [book.has_room(alone, at_s * 1000) for at_s in (20, 59, 60, 80)] == [False, False, True, True]
    assert len(book) == 2
    assert book.take("rpps:3", (person(1),), alone, 60_000)
    assert not book.has_room(alone, 60_000)


@given(limit=st.integers(0, 200), workers=st.integers(1, 64))
def test_workers_have_parts_of_a_whole(limit: int, workers: int) -> None:
    """All parts together are the node's, and none is larger than another by more than one."""
    parts = [Share(workers, worker).of(limit) for worker in range(1, workers + 1)]
    assert sum(parts) == limit
    assert max(parts) - min(parts) <= 1


@given(
    asked=st.lists(st.tuples(st.integers(0, 3), st.sets(st.integers(0, 9), min_size=1, max_size=3), st.integers(0, 20)))
)
def test_no_window_holds_more(asked: list[tuple[int, set[int], int]]) -> None:
    """In any sixty seconds: two persons a practitioner, five pairs together; and the book holds no more than those."""
    book, let_through, now_s = EmergencyBook(Share()), [], 0
    for payer, persons, later_s in asked:
        now_s += later_s
        if book.take(f"rpps:{payer}", map(person, persons), LIMITS, now_s * 1000):
            let_through += [(now_s, payer, one) for one in persons]
        seen = {(payer, one) for at_s, payer, one in let_through if now_s - at_s < LIMITS.per_s}
        assert len(seen) == len(book) <= LIMITS.node
        assert all(sum(payer == each for payer, _ in seen) <= LIMITS.practitioner for each in range(4))
