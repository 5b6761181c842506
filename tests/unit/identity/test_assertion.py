"""What the upstream is told of who asks: signed once in half a minute, and kept no longer."""

from paravent.identity import assertion
from paravent.identity.assertion import PERIOD_S, Assertor
from paravent.model import Practitioner, Secret

SEED = Secret(b"a" * 32)


def practitioner(number: int) -> Practitioner:
    return Practitioner(f"998{number:08d}", "21", None, "portail", "operateur")


def remembered(assertor: Assertor) -> int:
    return len(assertor._signed)


def test_one_statement_serves_half_a_minute() -> None:
    """The same bytes until the period ends, others after it, and the same for every assertor of that key."""
    assertor = Assertor(SEED)
    first = assertor.sign(practitioner(1), 10 * PERIOD_S)
    assert assertor.sign(practitioner(1), 11 * PERIOD_S - 1) is first
    assert assertor.sign(practitioner(2), 10 * PERIOD_S) != first
    assert assertor.sign(practitioner(1), 11 * PERIOD_S) != first
    assert Assertor(SEED).sign(practitioner(1), 10 * PERIOD_S) == first


def test_nothing_is_kept_of_an_earlier_period() -> None:
    """Also when the clock goes back: it is signed again, as it was."""
    assertor = Assertor(SEED)
    before = [assertor.sign(practitioner(number), 10 * PERIOD_S) for number in range(50)]
    assertor.sign(practitioner(0), 11 * PERIOD_S)
    assert remembered(assertor) == 1
    assert [assertor.sign(practitioner(number), 10 * PERIOD_S) for number in range(50)] == before


def test_no_more_are_kept_than_the_bound() -> None:
    assertor = Assertor(SEED)
    for number in range(assertion.REMEMBERED + 3):
        assertor.sign(practitioner(number), 0)
        assert remembered(assertor) <= assertion.REMEMBERED
