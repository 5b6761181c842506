"""An answer that would hold everybody up is withheld, and no real one is near the bounds."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import combinations
from typing import Any, Final

import orjson
import pytest
from bench.holds import ASKED, OPERATION, ROOT
from bench.upstream import answer

from masking_views import path, view
from paravent.masking import json
from paravent.masking.json import Tree
from paravent.masking.operators import Parameter
from paravent.masking.scope import Scoped
from paravent.masking.sweep import MAX_EFFORT, sweep
from paravent.masking.view import Reduced, View
from paravent.masking.walk import MAX_ELEMENTS, MAX_TEXT_CHARACTERS, MAX_WORK, PERSON, Run, reduce_object
from paravent.model import Asked
from paravent.reasons import Reason
from paravent.rules import Format, PersonFields, ResponseShape
from paravent.settings import read_policy_folder
from paravent.wiring import compile_views
from reference import FHIR_EXAMPLE, JSON_EXAMPLE, PAGE_EXAMPLE, SOAP_EXAMPLE, view_of

VIEW = compile_views(read_policy_folder(ROOT / "policies"))[1][OPERATION, "21", "dispensation"]
DOCUMENT = orjson.loads(answer())
LISTED: Final = ResponseShape(
    persons=(path("/a[]"),), identified_by=PersonFields("nir", "born", "rank"), scope="listed", max_persons=1000
)
SEARCHING: Final = Asked(disguise=ASKED.disguise)


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


LOADS: Final[dict[str, tuple[str, Parameter, object]]] = {
    "pseudonyms": ("pseudonym", None, "12"),
    "numbers of members": ("keep", "member-number", "A1" * 10),
    "numbers of contracts": ("mask", 4, "1" * 18),
    "fractions": ("keep", None, 1.5),
    "texts that are looked through": ("free-text", None, "mutation demandée"),
}
"""Each of them something that a list of 700 may have."""


def loaded(*loads: str, rows: int = 700) -> Reduced | Reason:
    several = view({f"/a[]/{place}": operator_of(load) for place, load in enumerate(loads)})
    row = {str(place): LOADS[load][2] for place, load in enumerate(loads)}
    return several.apply(orjson.dumps({"a": [row] * rows}), ASKED)


def operator_of(load: str) -> Any:
    operator, parameter, _ = LOADS[load]
    return operator if parameter is None else {operator: parameter}


def test_what_each_may_be_by_itself_may_not_be_all_at_once() -> None:
    """One bound over all bounds: three answers' worth of work in one holds everybody up three times as long."""
    assert [load for load in LOADS if not isinstance(loaded(load), Reduced)] == []
    assert loaded(*LOADS) is Reason.ANSWER_TOO_LARGE
    assert isinstance(loaded(*LOADS, rows=200), Reduced)


@pytest.mark.parametrize("loads", list(combinations(LOADS, 2)), ids=" and ".join)
def test_two_loads_leave_less_room_than_either_alone(loads: tuple[str, str]) -> None:
    """Whichever two they are, they are counted in one place."""
    assert largest(loads) < min(largest((load,)) for load in loads)


def largest(loads: tuple[str, ...]) -> int:
    """So many rows leave."""
    return bisect_left(range(MAX_ELEMENTS), True, key=lambda rows: not isinstance(loaded(*loads, rows=rows), Reduced))


def test_pseudonyms_and_handles_are_so_many() -> None:
    """Each is a keyed hash or a seal, which cost thirty times what a value costs that leaves as it came."""
    assert isinstance(loaded("pseudonyms", rows=1400), Reduced)
    assert loaded("pseudonyms", rows=1700) is Reason.ANSWER_TOO_LARGE
    values = view({"/a[]": "pseudonym"})
    assert isinstance(values.apply(orjson.dumps({"a": ["12"] * 1400}), ASKED), Reduced)
    assert values.apply(orjson.dumps({"a": ["12"] * 1700}), ASKED) is Reason.ANSWER_TOO_LARGE
    handles = view({"/a[]/nir": "handle"}, LISTED)
    persons = [{"nir": f"28405999{n:05}", "born": "19840517", "rank": 1} for n in range(1000)]
    assert isinstance(handles.apply(orjson.dumps({"a": persons[:400]}), SEARCHING), Reduced)
    assert handles.apply(orjson.dumps({"a": persons}), SEARCHING) is Reason.ANSWER_TOO_LARGE


def test_persons_that_are_counted_are_work_too() -> None:
    """A thousand of them leave with little, and not with much."""
    persons = [{"nir": f"28405999{n:05}", "born": "19840517", "rank": 1, "x": "1"} for n in range(1000)]
    body = orjson.dumps({"a": persons})
    assert isinstance(view({"/a[]/x": "keep"}, LISTED).apply(body, SEARCHING), Reduced)
    assert view({"/a[]/x": "pseudonym"}, LISTED).apply(body, SEARCHING) is Reason.ANSWER_TOO_LARGE


def test_the_last_looks_have_the_time_that_the_walk_left() -> None:
    """An answer that has spent its time, and then asks to be looked into at hundreds of places, does not leave."""
    foreign = {"t": ["一"] * 200}

    def rows(count: int) -> Reduced | Reason:
        lines = view({"/a[]": "pseudonym", "/t[]": "keep"})
        return lines.apply(orjson.dumps({"a": ["12"] * count} | foreign), ASKED)

    assert isinstance(rows(1000), Reduced)
    assert rows(1490) is Reason.ANSWER_IDENTIFIER_LEFT


@pytest.mark.parametrize("profession", ["10", "21", "28"])
@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("droits.consultation", JSON_EXAMPLE),
        ("soap.adri", SOAP_EXAMPLE),
        ("fhir.eligibilite", FHIR_EXAMPLE),
        ("portail.droits", PAGE_EXAMPLE),
    ],
    ids=["JSON", "SOAP", "FHIR", "a page"],
)
def test_no_real_answer_is_near_that_bound(operation: str, body: bytes, profession: str) -> None:
    """A family's answer takes less than a thirtieth of it, in every format."""
    assert spent(view_of(operation, profession), body) < MAX_WORK / 30


def test_nor_is_the_largest_family() -> None:
    """Nine relatives with three contracts each."""
    document = orjson.loads(JSON_EXAMPLE)
    document["contratsAMC"] *= 27
    document["famille"] = document["famille"][:1] * 9
    assert spent(view_of("droits.consultation", "21"), orjson.dumps(document)) < MAX_WORK / 20


@pytest.mark.parametrize(("columns", "persons", "leaves"), [(6, 1000, True), (12, 750, True), (12, 1000, False)])
def test_a_long_table_leaves(columns: int, persons: int, leaves: bool) -> None:
    """As docs/explanation/performance.md has it: ten times what a pharmacist may ask about in ten minutes."""
    at = path("/lignes[]")
    of = ResponseShape((at,), LISTED.identified_by, "listed", 1000, format=Format.CSV)
    table = view({f"/lignes[]/c{number}": "keep" for number in range(columns)}, of)
    header = ["nir", "born", "rank", *(f"c{number}" for number in range(columns))]
    rows = [[f"28405999{number:05}", "19840517", "1", *["Essai"] * columns] for number in range(persons)]
    left = table.apply("\r\n".join(map(",".join, [header, *rows])).encode(), SEARCHING)
    assert isinstance(left, Reduced) is leaves


def spent(compiled: View, body: bytes) -> int:
    """What everybody in an answer costs, before anybody is cut off."""
    root = compiled.dress.read(body, 2**20)
    assert not isinstance(root, Reason)
    everybody = frozenset(map(id, objects(root)))
    run = Run(ASKED, Scoped((), everybody), [0] * len(compiled.paths), work=PERSON * 10)
    reduce_object(compiled.tree, root, run)
    return run.work


def objects(value: Tree) -> Iterator[dict[str, Tree]]:
    if isinstance(value, dict):
        yield value
    for below in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(below)


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
