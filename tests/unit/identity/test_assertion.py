"""What the upstream is told of who asks: signed once in half a minute, and kept no longer."""

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from paravent.identity import assertion
from paravent.identity.assertion import PERIOD_S, Assertor
from paravent.model import Practitioner, Secret
from tokens import FINESS

SEED = Secret(b"a" * 32)


def practitioner(number: int) -> Practitioner:
    return Practitioner(f"998{number:08d}", "21", None, "portail", "operateur")


def remembered(assertor: Assertor) -> int:
    return len(assertor._signed)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # RFC 9864 has a new name for it; upstreams know the old one
@pytest.mark.parametrize("finess", [None, FINESS])
def test_another_library_reads_what_is_said(finess: str | None) -> None:
    """By the key that the proxy publishes: who asks, by which software, from when to when, and no word more."""
    assertor = Assertor(SEED)
    who = Practitioner("99800000001", "21", finess, "portail", "operateur")
    keys = KeySet.import_key_set(assertor.jwks())
    told = jwt.decode(assertor.sign(who, 10 * PERIOD_S + 7).decode(), keys, algorithms=["EdDSA"])
    assert told.header == {"alg": "EdDSA", "typ": "paravent-assertion+jwt", "kid": keys.keys[0].kid}
    assert told.claims == {
        "iss": "paravent",
        "sub": "899800000001",
        "client_id": "portail",
        "profession": "21",
        "iat": 10 * PERIOD_S,
        "exp": 11 * PERIOD_S + 60,
        **({} if finess is None else {"finess": finess}),
    }
    (key,) = assertor.jwks()["keys"]
    assert (key["use"], key["alg"], len(key["kid"])) == ("sig", "EdDSA", 16)


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
