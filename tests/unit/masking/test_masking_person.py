"""How the members that identify a person may be written, and when a number is a parent's."""

import pytest

from paravent.masking.json import Tree
from paravent.masking.person import birth_date, birth_rank, under_a_parent, written_nir


@pytest.mark.parametrize(
    ("value", "nir"),
    [
        pytest.param("2790369991012", "2790369991012", id="as text"),
        pytest.param("2 79 03 69 991 012 71", "2790369991012", id="with blanks and its key"),
        pytest.param(2790369991012, "2790369991012", id="as a number"),
        pytest.param(279036999101271, "2790369991012", id="as a number with its key"),
        pytest.param(2790369991012.0, None, id="not with a fraction"),
        pytest.param(-2790369991012, None, id="not below nothing"),
        pytest.param(True, None, id="not as a yes"),
        pytest.param(["2790369991012"], None, id="not in a list"),
        pytest.param(10**5000, None, id="not in five thousand digits, which Python does not write"),
    ],
)
def test_a_number_is_read_in_one_form(value: Tree, nir: str | None) -> None:
    assert written_nir(value) == nir


@pytest.mark.parametrize(
    ("value", "date"),
    [
        pytest.param("19840517", "19840517", id="as text"),
        pytest.param("1984-05-17", "19840517", id="with dashes"),
        pytest.param(19840517, "19840517", id="as a number"),
        pytest.param("19840599", "19840599", id="a day that no calendar has"),
        pytest.param("17/05/1984", "19840517", id="as French pages write it"),
        pytest.param("99/05/1984", "19840599", id="there too"),
        pytest.param("05/17/1984", "19841705", id="the day first, whatever stands there"),
        pytest.param("17/05/84", None, id="not in two digits"),
        pytest.param("7/05/1984", None, id="nor the day in one"),
        pytest.param("17/05-1984", None, id="nor with one of each"),
        pytest.param("17-05-1984", None, id="nor the day first with dashes"),
        pytest.param("17.05.1984", None, id="nor with dots"),
        pytest.param("١٧/٠٥/١٩٨٤", None, id="nor in the digits of another script"),
        pytest.param("17/05/1984+02:00", None, id="nor with a zone"),
        pytest.param("1984-05-17+02:00", "19840517", id="as SOAP libraries write it"),
        pytest.param("1984-05-17T00:00:00", "19840517", id="as .NET writes a day: midnight, of no zone"),
        pytest.param("1984-05-17T00:00", "19840517", id="midnight without seconds"),
        pytest.param("1984-05-17T00:00:00.000", "19840517", id="midnight to the millisecond"),
        pytest.param("1984-05-17T00:00:00Z", None, id="not midnight elsewhere, where it may be another day"),
        pytest.param("1984-05-17T00:00:00+02:00", None, id="nor of any zone"),
        pytest.param("1984-05-17T22:00:00", None, id="nor another hour, which was midnight elsewhere"),
        pytest.param("17/05/1984T00:00:00", None, id="nor behind a French date"),
        pytest.param("1984/05/17", None, id="not with strokes"),
        pytest.param("1984-05/17", None, id="nor with one dash"),
        pytest.param("1984-05-1", None, id="not a day in one digit"),
        pytest.param("-1984-0517", None, id="not with dashes elsewhere"),
        pytest.param("1984051", None, id="not in seven digits"),
        pytest.param("١٩٨٤٠٥١٧", None, id="not in the digits of another script"),
        pytest.param("1984051a", None, id="not with a letter"),
        pytest.param(-1984051, None, id="not below nothing"),
        pytest.param(None, None, id="not absent"),
        pytest.param(10**5000, None, id="not in five thousand digits, which Python does not write"),
    ],
)
def test_a_birth_date_is_read_in_one_form(value: Tree, date: str | None) -> None:
    assert birth_date(value) == date


@pytest.mark.parametrize(
    ("value", "rank"),
    [(1, 1), (9, 9), ("1", 1), ("9", 9), (0, None), (10, None), ("0", None), ("01", None), ("²", None), (True, None)],
)
def test_a_birth_rank_is_one_to_nine(value: Tree, rank: int | None) -> None:
    assert birth_rank(value) == rank


@pytest.mark.parametrize(
    ("nir", "date", "parents"),
    [
        pytest.param("2790369991012", "19790314", False, id="of that year and month it may be their own"),
        pytest.param("2790369991012", "20790314", False, id="of that year in another century, too"),
        pytest.param("2790369991012", "19800314", True, id="of another year it is a parent's"),
        pytest.param("2790369991012", "19790414", True, id="of another month as well"),
        pytest.param("2790169991012", "19791214", True, id="January and December too"),
        pytest.param("2792069991012", "19790414", False, id="not where its month is one of incomplete civil status"),
        pytest.param("2790369991012", "19790014", False, id="nor where the date's is"),
        pytest.param("4790369991012", "19800314", True, id="a number that waits to be certified holds a date"),
        pytest.param("7790369991012", "19800314", False, id="one for a time holds none"),
        pytest.param("5790369991012", "19800314", False, id="nor does any other"),
    ],
)
def test_a_number_of_another_birth_is_a_parents(nir: str, date: str, parents: bool) -> None:
    assert under_a_parent(nir, date) is parents
