"""An answer that would hold everybody up is withheld, and no real one is near the bounds."""

import orjson
import pytest
from bench.holds import ASKED, OPERATION, ROOT
from bench.upstream import answer

from masking_views import view
from paravent.masking import json
from paravent.masking.operators import Parameter
from paravent.masking.sweep import MAX_EFFORT, sweep
from paravent.masking.view import Reduced
from paravent.masking.walk import MAX_ELEMENTS, MAX_TEXT_CHARACTERS
from paravent.reasons import Reason
from paravent.settings import read_policy_folder
from paravent.wiring import compile_views

VIEW = compile_views(read_policy_folder(ROOT / "policies"))[1][OPERATION, "21", "dispensation"]
DOCUMENT = orjson.loads(answer())


def reduced(**members: object) -> Reduced | Reason:
    return VIEW.apply(orjson.dumps(DOCUMENT | members), ASKED)


@pytest.mark.parametrize("opening", [b"[", b"{", b","])
def test_a_document_has_so_many_values_and_no_more(opening: bytes) -> None:
    """Counted before it is parsed, by what it takes to write them."""
    inside = b'["' + opening * (json.MAX_VALUES - 1) + b'"]'
    assert json.decode(inside, limit_bytes=10**6) == ["" + opening.decode() * (json.MAX_VALUES - 1)]
    beyond = b'["' + opening * json.MAX_VALUES + b'"]'
    assert json.decode(beyond, limit_bytes=10**6) is json.Undecodable.TOO_LARGE


def test_so_many_elements_are_looked_at() -> None:
    """Of all lists together; an element that is not there for long counts too."""
    assert isinstance(reduced(contratsAMC=[{}] * (MAX_ELEMENTS - 50)), Reduced)
    assert reduced(contratsAMC=[{}] * (MAX_ELEMENTS + 1)) is Reason.ANSWER_TOO_LARGE
    assert reduced(contratsAMC=[0] * (MAX_ELEMENTS + 1)) is Reason.ANSWER_TOO_LARGE
    values = view({"/a[]": "keep"})
    assert isinstance(values.apply(orjson.dumps({"a": [0] * MAX_ELEMENTS}), ASKED), Reduced)
    assert values.apply(orjson.dumps({"a": [0] * (MAX_ELEMENTS + 1)}), ASKED) is Reason.ANSWER_TOO_LARGE


def test_an_operator_works_on_so_long_a_text() -> None:
    def member_number(length: int) -> Reduced | Reason:
        return reduced(contratsAMC=[DOCUMENT["contratsAMC"][0] | {"numeroAdherent": "1" * length}])

    assert isinstance(member_number(MAX_TEXT_CHARACTERS), Reduced)
    assert member_number(MAX_TEXT_CHARACTERS + 1) is Reason.ANSWER_TOO_LARGE


@pytest.mark.parametrize(("operator", "parameter"), [("mask", 4), ("keep", "member-number")])
def test_so_many_numbers_are_looked_through(operator: str, parameter: Parameter) -> None:
    """A thousand rows with one of thirty characters each, and no more; longer and shorter ones are not looked at."""
    masked = view({"/a[]/b": {operator: parameter}})

    def rows(count: int, number: str) -> Reduced | Reason:
        return masked.apply(orjson.dumps({"a": [{"b": number}] * count}), ASKED)

    assert isinstance(rows(1000, "A1" * 15), Reduced)
    assert rows(1100, "A1" * 15) is Reason.ANSWER_TOO_LARGE
    assert isinstance(rows(1900, "A1" * 6), Reduced)
    assert isinstance(rows(1900, "A1" * 50), Reduced)


def test_so_much_text_is_looked_through() -> None:
    """Words cost little, long numbers more; whatever was not looked through does not leave."""
    assert sweep(["a" * MAX_EFFORT], frozenset()) is None
    assert sweep(["é" * MAX_EFFORT], frozenset()) is None
    assert sweep(["a" * MAX_EFFORT, "a" * 13], frozenset()) is Reason.ANSWER_TOO_LARGE
    assert sweep(["1" * (MAX_EFFORT // 2)], frozenset()) is Reason.ANSWER_TOO_LARGE
    assert sweep(["a" * (MAX_EFFORT - 13), "2840575990003"], frozenset()) is Reason.ANSWER_TOO_LARGE
    assert sweep(["a" * 20_000, "né sous le 2840575990003"], frozenset()) is Reason.ANSWER_IDENTIFIER_LEFT


@pytest.mark.parametrize("text", ["(2)(84)(05)(75)(990)(003)", "2:84:05:75:990:003", "né 2:84:05:75:990:003"])
def test_a_number_of_the_answer_is_found_in_a_dress_that_nobody_knows(text: str) -> None:
    """What hides a number that could be anybody's hides none of a person whom the answer names."""
    assert sweep(["Essai", text], frozenset({"2840575990003"})) is Reason.ANSWER_IDENTIFIER_LEFT
    assert sweep(["Essai", text], frozenset({"2840575990004"})) is None
    assert sweep(["2:84:05:75", "990:003"], frozenset({"2840575990003"})) is None
