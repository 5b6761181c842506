"""The numbers of the sandbox carry the keys that the field's own tools compute."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import iban as stdnum_iban
from stdnum import luhn as stdnum_luhn
from stdnum.fr import siret as stdnum_siret

from effort import examples
from paravent.sandbox.identifiers import DRESSES, dressed, iban, luhn_digit, luhn_valid, nir_key
from paravent.sandbox.practitioners import MAX_SERIAL, PROFESSIONS, account_of, practitioner


@pytest.mark.parametrize(
    ("nir", "key"),
    [
        pytest.param("2550814168025", "38", id="an ordinary number"),
        pytest.param("1780599330108", "17", id="born abroad"),
        pytest.param("253072A073004", "43", id="2A counts as 19"),
        pytest.param("253072B073004", "70", id="2B counts as 18"),
        pytest.param("1421962965167", "94", id="month 19, as on a SESAM test card"),
    ],
)
def test_key_of_known_numbers(nir: str, key: str) -> None:
    assert nir_key(nir) == key


@pytest.mark.parametrize("dress", DRESSES, ids=lambda dress: repr(dress[0]))
def test_a_dressed_number_is_the_same_characters(dress: tuple[str, str, str | None]) -> None:
    """Without its label and separators, a dressed number is the number, with its key unless that dress has none."""
    label, nir = dress[0], "2921" + "12B993001"
    bare = "".join(char for char in dressed(nir, dress).removeprefix(label) if char.isalnum())
    assert bare == (nir if dress[2] is None else nir + nir_key(nir))


@given(st.text("0123456789", min_size=1, max_size=15))
@settings(max_examples=examples(100))
def test_luhn_agrees_with_stdnum(digits: str) -> None:
    """Our check digit is python-stdnum's, and only that one is valid."""
    digit = luhn_digit(digits)
    assert digit == stdnum_luhn.calc_check_digit(digits)
    assert [last for last in "0123456789" if luhn_valid(digits + last)] == [digit]


@given(st.integers(0, MAX_SERIAL), st.sampled_from(sorted(PROFESSIONS)))
@settings(max_examples=examples(100))
def test_practitioners_have_valid_numbers(k: int, profession: str) -> None:
    """RPPS, SIRET and IBAN of any invented practitioner pass their checks, and the RPPS leads back to them."""
    one = practitioner(k, profession)
    assert one.rpps.startswith("999")
    assert len(one.rpps) == 11
    assert stdnum_luhn.is_valid(one.rpps)
    assert len(one.finess) == 9
    assert one.finess.startswith("99")
    assert stdnum_siret.is_valid(one.siret)
    assert stdnum_iban.is_valid(one.iban, check_country=False)
    assert one.email.endswith(".invalid")
    assert account_of(one.rpps) == one


def test_pharmacists_share_a_pharmacy() -> None:
    """Three pharmacists, one FINESS; the fourth works elsewhere."""
    finess = [practitioner(k, "21").finess for k in range(4)]
    assert finess[0] == finess[1] == finess[2] != finess[3]


def test_no_two_establishments_share_a_finess() -> None:
    """Doctors and opticians with the same serial number work in different places."""
    finess = [practitioner(k, profession).finess for profession in ("10", "28", "26") for k in range(200)]
    assert len(set(finess)) == len(finess)


@pytest.mark.parametrize(("k", "profession"), [(-1, "21"), (100_000, "21"), (0, "98"), (0, "")])
def test_there_is_no_such_practitioner(k: int, profession: str) -> None:
    with pytest.raises(ValueError, match="no such invented practitioner"):
        practitioner(k, profession)


def test_an_rpps_of_others_still_has_an_account() -> None:
    """The API answers for any RPPS: what it shows bears that number and is the same every time."""
    assert account_of("10003461033").rpps == "10003461033"
    assert account_of("10003461033").iban == account_of("10003461033").iban


def test_iban_has_the_key_of_a_published_example() -> None:
    """The example of the French banking federation's format: FR14 2004 1010 0505 0001 3M02 606."""
    assert iban("20041010050500013M02606") == "FR1420041010050500013M02606"
