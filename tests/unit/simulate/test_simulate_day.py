"""The plan of an honest day."""

from collections import Counter

import pytest

from paravent.sandbox.population import Population
from paravent.simulate.answers import Question
from paravent.simulate.clock import ReplayClock
from paravent.simulate.day import HOURS, RHYTHM, Kind, care_date, mistyped, plan_day
from paravent.simulate.people import attackers_list, patients

PEOPLE = Population(size=10_000)
TWO_HUNDRED = patients(PEOPLE, 200, seed=1)
DAY = plan_day(TWO_HUNDRED, seed=1)


def test_every_patient_is_asked_about_rightly_once() -> None:
    """Two hundred distinct persons, each with one first question."""
    first = [event.question for event in DAY if event.kind is Kind.FIRST]
    assert len(first) == len(set(first)) == 200
    assert set(first) == set(TWO_HUNDRED)


def test_the_day_has_second_looks_and_slips() -> None:
    """15 % are looked up again, 2.5 % are mistyped first."""
    kinds = Counter(event.kind for event in DAY)
    assert kinds == {Kind.FIRST: 200, Kind.AGAIN: 30, Kind.SLIP: 5}


def test_time_runs_forward_through_ten_hours_and_a_little() -> None:
    """A second look may come up to an hour after the last patient."""
    times = [event.at_ms for event in DAY]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] < (HOURS + 1) * 3_600_000


def test_a_slip_is_corrected_within_half_a_minute() -> None:
    """The right question about the same number follows the wrong one."""
    for slip in (event for event in DAY if event.kind is Kind.SLIP):
        right = next(event for event in DAY if event.kind is Kind.FIRST and event.question.nir == slip.question.nir)
        assert 0 < right.at_ms - slip.at_ms < 30_000


def test_a_slip_asks_about_nobody() -> None:
    """Else it would be a disclosure, not a miss."""
    assert PEOPLE.find(TWO_HUNDRED[0].nir, TWO_HUNDRED[0].birth_date, TWO_HUNDRED[0].birth_rank) is not None
    wrong = mistyped(TWO_HUNDRED[0])
    assert PEOPLE.find(wrong.nir, wrong.birth_date, wrong.birth_rank) is None


def test_the_same_seed_gives_the_same_day() -> None:
    """Two runs of the demo differ in what the machine does, not in what is asked."""
    assert plan_day(TWO_HUNDRED, seed=1) == DAY


def test_the_rhythm_is_a_whole() -> None:
    """In per cent of the patients."""
    assert sum(RHYTHM) == 100
    assert len(RHYTHM) == HOURS


def test_accounts_of_an_attack_share_the_country_out() -> None:
    """No two bots ask about the same person, and each asks about one person a family."""
    asked: list[Question] = []
    for account in range(3):
        asked += [question for question, _ in zip(attackers_list(PEOPLE, account, 3), range(50), strict=False)]
    assert len({question.person for question in asked}) == 150


def test_the_attackers_list_is_right() -> None:
    """Every question on it finds somebody: the replay is an upper bound."""
    for question, _ in zip(attackers_list(PEOPLE, 0, 1), range(50), strict=False):
        assert PEOPLE.find(question.nir, question.birth_date, question.birth_rank) is not None


def test_a_replay_clock_is_seen_by_its_readers(tmp_path) -> None:
    """The proxy opens the file that the replay made, and sees each move at once."""
    ours = ReplayClock(tmp_path / "clock", start_ms=1_767_225_600_000)
    theirs = ReplayClock(tmp_path / "clock")
    assert theirs.now_ms() == 1_767_225_600_000
    ours.set(1_767_225_600_123)
    assert theirs.now_ms() == 1_767_225_600_123


def test_a_replay_clock_does_not_run_backwards(tmp_path) -> None:
    """Windows would be judged on a day that has been."""
    clock = ReplayClock(tmp_path / "clock", start_ms=1_000)
    with pytest.raises(ValueError, match="backwards"):
        clock.set(999)
    assert clock.now_ms() == 1_000


def test_the_date_of_care_is_written_as_the_api_reads_it() -> None:
    """ISO 8601."""
    assert care_date(1_767_225_600) == "2026-01-01"
