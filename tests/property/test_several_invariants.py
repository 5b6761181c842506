"""Invariants of answers about several persons, in JSON and CSV: families of the sandbox, some of them asked about.

The oracle reads a document with the standard library and knows who was asked about and which lines there are. It shares
no code with the engine.
"""

import csv
import io
import json
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from effort import examples
from masking_views import path, rule, shape, spec
from paravent.masking import Reduced, View, compile_view
from paravent.masking.formats.csv import ROOT
from paravent.model import Asked
from paravent.reasons import Reason
from paravent.rules import Format, PersonFields, ResponseShape
from paravent.sandbox import documents_json
from paravent.sandbox.documents_json import Desk
from paravent.sandbox.population import Person, Population

MOST: Final = 8
KEPT: Final = ("nomUsuel", "prenom", "commentaire")
IDENTITY: Final = ("noNIRCertifie", "dateNaissance", "rangGemellaire")
LIST: Final = "/reponses[]/beneficiaireDeSoins"


@cache
def desk() -> Desk:
    return Desk.of(Population())


@cache
def batch_view() -> View:
    kept = [rule(f"{LIST}/{name}", "keep") for name in KEPT]
    echoed = [rule(f"{LIST}/{name}", "echo") for name in IDENTITY]
    return compile_view(
        spec(*kept, *echoed, rule("/reponses[]/codeRegime", "keep")),
        shape(LIST, "/reponses[]/famille[]", scope="listed", max_persons=MOST),
    )


@cache
def table_view() -> View:
    fields = PersonFields(*IDENTITY, nir_also=("cleNIR",))
    persons = ResponseShape((path(f"/{ROOT}[]"),), fields, "listed", MOST, Format.CSV)
    return compile_view(spec(*[rule(f"/{ROOT}[]/{name}", "keep") for name in KEPT]), persons)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


@st.composite
def families(draw: st.DrawFn) -> list[tuple[Person, list[Person]]]:
    """Some persons, each with a family, and nobody's family twice."""
    people = desk().people
    found = {one.family: one for one in map(people.person, draw(st.lists(st.integers(0, people.size - 1), max_size=5)))}
    return [(one, list(people.family_of(one).members)) for one in found.values()]


def marked(person: Person, family: Any, marks: set[str], own: list[str]) -> dict[str, Any]:
    """As the API writes a person, every text but the identity a mark; `own`: those at the lines."""
    document = documents_json.beneficiary(desk(), person, family, "99921000005")

    def mark(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: mark(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [mark(inner) for inner in value]
        if isinstance(value, str):
            marks.add(f"m{len(marks)}m")
            return f"m{len(marks) - 1}m"
        return value

    whole = {name: value if name in IDENTITY else mark(value) for name, value in document.items()}
    own += [whole[name] for name in KEPT if isinstance(whole.get(name), str)]
    return whole


@given(families(), st.data())
@settings(max_examples=examples(60), deadline=None)
def test_of_several_asked_about_each_leaves_alone(
    people: list[tuple[Person, list[Person]]], data: st.DataObject
) -> None:
    """Of whom was asked about and answered about what the lines name, of everybody else nothing; and what left is
    filtered into itself."""
    marks: set[str] = set()
    allowed: set[str] = set()
    several: list[tuple[str, str, int]] = []
    answers = []
    for person, members in people:
        family = desk().people.family_of(person)
        asked = data.draw(st.sampled_from([person, person, *members]))
        several.append((asked.nir, asked.birth_date, asked.birth_rank))
        own: list[str] = []
        regime = f"m{len(marks)}m"
        marks.add(regime)
        about = marked(person, family, marks, own)
        relatives = [marked(one, family, marks, []) for one in members if one != person]
        answers.append({"beneficiaireDeSoins": about, "famille": relatives, "codeRegime": regime})
        if asked == person:
            allowed |= {*own, regime}
    document = {"total": len(answers), "reponses": data.draw(st.permutations(answers))}
    told = Asked(several=tuple(several))
    reduced = batch_view().apply(json.dumps(document).encode(), told)
    assert isinstance(reduced, Reduced), reduced
    assert set(texts(json.loads(reduced.body))) & marks == allowed
    assert {(one.nir, one.birth_date, one.birth_rank) for one in reduced.persons} <= set(several)
    again = batch_view().apply(reduced.body, told)
    assert isinstance(again, Reduced)
    assert (again.body, again.persons) == (reduced.body, reduced.persons)


@given(families(), st.data())
@settings(max_examples=examples(60), deadline=None)
def test_each_row_of_a_table_is_somebody_who_is_counted(
    people: list[tuple[Person, list[Person]]], data: st.DataObject
) -> None:
    """As many persons as rows, none without an identity; more than may leave, and none does."""
    columns = [*IDENTITY, "cleNIR", *KEPT]
    everybody = [one for _, members in people for one in members]
    rows, marks = [], 0
    for one in everybody:
        hidden = data.draw(st.sampled_from([None, None, None, *IDENTITY]))
        identity = [one.nir, one.birth_date, str(one.birth_rank)]
        row = ["" if name == hidden else value for name, value in zip(IDENTITY, identity, strict=True)]
        rows.append((hidden is None, [*row, one.nir_key, *(f"m{marks + n}m" for n in range(len(KEPT)))]))
        marks += len(KEPT)
    out = io.StringIO()
    csv.writer(out).writerows([columns, *(row for _, row in rows)])
    reduced = table_view().apply(out.getvalue().encode(), Asked())
    counted = [row[-len(KEPT) :] for whole, row in rows if whole]
    if len(counted) > MOST:
        assert reduced is Reason.TOO_MANY_PERSONS
        return
    assert isinstance(reduced, Reduced), reduced
    head, *left = list(csv.reader(io.StringIO(reduced.body.decode())))
    assert head == list(KEPT)
    assert left == counted
    assert len(reduced.persons) == len(counted)
