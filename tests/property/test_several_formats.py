"""Answers about several persons in XML, pages, tables and JSON: whoever they are about, nobody else's values leave.

An answer is drawn as what it says, and then written in each format: in two of them as answers to questions, each about
one person with a family beside them, in the others as rows of which everybody has one. Every value is one of its own,
so that whatever leaves can be traced. The oracle knows who was asked about, and the specification read naively; it
shares no code with the engine.
"""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effort import examples
from masking_views import path, rule
from paravent.masking import Reduced, View, compile_view
from paravent.model import Asked
from paravent.reasons import Reason
from paravent.rules import (
    Format,
    HtmlField,
    HtmlRegion,
    HtmlShape,
    PersonFields,
    ResponseShape,
    ViewSpec,
    XmlShape,
)
from paravent.sandbox.population import Person, Population

MOST: Final = 8
KEPT: Final = ("nomUsuel", "prenom")
IDENTITY: Final = ("noNIRCertifie", "dateNaissance", "rangGemellaire")
NS: Final = "urn:exemple:1"

type Who = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Row:
    """What an answer says of one person."""

    who: Who
    marks: dict[str, str]
    """Of each named column, and of one that no line names."""
    hidden: str | None = None
    """A part of the identity that is not said."""

    def texts(self) -> dict[str, str]:
        identity = dict(zip(IDENTITY, (self.who[0], self.who[1], str(self.who[2])), strict=True))
        return {name: text for name, text in identity.items() if name != self.hidden} | self.marks

    @property
    def known(self) -> bool:
        return self.hidden is None


@dataclass(frozen=True, slots=True)
class Told:
    """One answer to a question: about whom, with their family."""

    about: Row
    family: list[Row]
    mark: str


@dataclass(frozen=True, slots=True)
class Case:
    """Whom a question named (nobody: a search), and what was answered."""

    several: tuple[Who, ...]
    answers: list[Told]
    marks: set[str] = field(default_factory=set)

    def rows(self) -> list[Row]:
        return [row for told in self.answers for row in (told.about, *told.family)]


@cache
def people() -> Population:
    return Population()


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Some families, nobody's twice; some persons of them asked about, or all of them searched."""
    marks: set[str] = set()

    def mark() -> str:
        marks.add(f"m{len(marks)}m")
        return f"m{len(marks) - 1}m"

    def row(person: Person, nir: str = "") -> Row:
        hidden = draw(st.sampled_from([None] * 9 + [*IDENTITY]))
        who = (nir or person.nir, person.birth_date, person.birth_rank)
        return Row(who, {name: mark() for name in (*KEPT, "commentaire")}, hidden)

    numbers = draw(st.lists(st.integers(0, people().size - 1), min_size=1, max_size=4))
    families = {one.family: one for one in map(people().person, numbers)}
    answers, wanted = [], []
    for serial, person in enumerate(families.values(), 1):
        members = list(people().family_of(person).members)
        about = draw(st.sampled_from([person, *members, *(one for one in members if not one.own_nir)]))
        # Some children have a number of their own, which whoever asks under a parent's does not know.
        own = f"{draw(st.sampled_from('12'))}{about.birth_date[2:6]}9999{serial:04}"
        told = row(about, "" if about.own_nir else draw(st.sampled_from(["", own, own])))
        if not about.own_nir and draw(st.integers(0, 2)) == 0:
            told = replace(told, hidden=IDENTITY[0])  # A newborn has none yet.
        answers.append(Told(told, [row(one) for one in members if one != about], mark()))
        asked = draw(st.sampled_from([about, about, about, *members]))
        wanted.append((asked.nir, asked.birth_date, asked.birth_rank))
        fate = draw(st.sampled_from(["", "", "", "", "somebody born with them", "two questions"]))
        if fate == "somebody born with them":
            answers.append(Told(row(about, f"{own[:-4]}5{serial:03}"), [], mark()))
        elif fate == "two questions":
            wanted.append((person.nir[:-3] + "999", asked.birth_date, asked.birth_rank))
    several = tuple(dict.fromkeys(wanted)) if draw(st.sampled_from([True, True, True, False])) else ()
    return Case(several, draw(st.permutations(answers)), marks)


# ---- the specification, read naively


def other_birth(nir: str, date: str) -> bool:
    """Whether a number says another year or month of birth; incomplete civil status and other numbers say nothing."""
    calendar = re.fullmatch("0[1-9]|1[0-2]", nir[3:5]) and re.fullmatch("0[1-9]|1[0-2]", date[4:6])
    return nir[0] in "1234" and (nir[1:3] != date[2:4] or (bool(calendar) and nir[3:5] != date[4:6]))


def child_of(case: Case, row: Row) -> Who | None:
    """Under what name a child leaves who is answered about under a number of their own, or without one."""
    born, numbers = row.who[1:], [asked[0] for asked in case.several]
    standing = {each.who for each in case.rows() if each.known and each.who[1:] == born}
    strangers = {who for who in standing if who[0] not in numbers}
    about = [told.about for told in case.answers if told.about.who[1:] == born]
    nameless = [each for each in about if each.hidden == IDENTITY[0]]
    lost = [asked for asked in case.several if asked[1:] == born and asked not in standing]
    if len(lost) != 1 or not other_birth(*lost[0][:2]):
        return None
    if row.known:
        alone = {each.who for each in about if each.known} & strangers == {row.who} and not nameless
        return lost[0] if alone and not other_birth(*row.who[:2]) else None
    return lost[0] if nameless == [row] and not strangers else None


def leaves(case: Case, row: Row, *, answered: bool) -> bool:
    """Whether somebody may leave. `answered`: in a format that answers about one person at a time."""
    if row.known and (not case.several or row.who in case.several):
        return True
    return answered and child_of(case, row) is not None


def named(row: Row) -> set[str]:
    return {row.marks[name] for name in KEPT}


# ---- formats


def nested(persons: str, *prefix: str) -> tuple[ResponseShape, list[str]]:
    """The shape of answers to questions, and the lines of their view."""
    top = "".join(f"/{step}" for step in prefix)
    about, family = f"{top}/reponses[]/{persons}", f"{top}/reponses[]/famille[]"
    shape = ResponseShape((path(about), path(family)), PersonFields(*IDENTITY), "listed", MOST)
    return shape, [*(f"{about}/{name}" for name in KEPT), f"{top}/reponses[]/codeRegime"]


def compiled(shape: ResponseShape, lines: list[str], echoed: str) -> View:
    rules = [rule(line, "keep") for line in lines] + [rule(f"{echoed}/{name}", "echo") for name in IDENTITY]
    return compile_view(ViewSpec("o", "21", "p", tuple(rules)), shape)


def as_json(case: Case) -> bytes:
    def told(one: Told) -> dict[str, object]:
        family = [row.texts() for row in one.family]
        return {"beneficiaire": one.about.texts(), "famille": family, "codeRegime": one.mark}

    return json.dumps({"total": 9, "reponses": [told(one) for one in case.answers]}).encode()


def as_xml(case: Case) -> bytes:
    def person(name: str, row: Row) -> str:
        inside = "".join(f"<{member}>{text}</{member}>" for member, text in row.texts().items())
        return f"<{name}>{inside}</{name}>"

    told = "".join(
        f"<reponses>{person('beneficiaire', one.about)}{''.join(person('famille', row) for row in one.family)}"
        f"<codeRegime>{one.mark}</codeRegime></reponses>"
        for one in case.answers
    )
    return f'<r xmlns="{NS}"><total>9</total>{told}</r>'.encode()


def as_page(case: Case) -> bytes:
    rows = "".join(
        "<tr>" + "".join(f'<td class="{name}">{text}</td>' for name, text in row.texts().items()) + "</tr>"
        for row in case.rows()
    )
    return f'<p>9</p><table id="p"><tbody>{rows}</tbody></table>'.encode()


def as_table(case: Case) -> bytes:
    out = io.StringIO()
    columns = (*IDENTITY, *KEPT, "commentaire")
    table = csv.writer(out)
    table.writerow(columns)
    table.writerows([[row.texts().get(name, "") for name in columns] for row in case.rows()])
    return out.getvalue().encode()


CELLS: Final = tuple(HtmlField(name, f"td.{name}", name) for name in (*IDENTITY, *KEPT, "commentaire"))
PAGE: Final = HtmlShape("T", (HtmlRegion("p", "#p > tbody > tr", CELLS),))


@cache
def view(name: str) -> View:
    fields = PersonFields(*IDENTITY)
    if name == "json":
        shape, lines = nested("beneficiaire")
        return compiled(shape, lines, "/reponses[]/beneficiaire")
    if name == "xml":
        shape, lines = nested("beneficiaire", "r")
        xml = ResponseShape(shape.persons, fields, "listed", MOST, Format.XML, XmlShape(NS))
        return compiled(xml, lines, "/r/reponses[]/beneficiaire")
    form, root, details = (Format.HTML, "p", PAGE) if name == "page" else (Format.CSV, "lignes", None)
    rows = ResponseShape((path(f"/{root}[]"),), fields, "listed", MOST, form, details)
    return compiled(rows, [f"/{root}[]/{name}" for name in KEPT], f"/{root}[]")


WRITTEN: Final[dict[str, Callable[[Case], bytes]]] = {
    "json": as_json,
    "xml": as_xml,
    "page": as_page,
    "table": as_table,
}


@pytest.mark.parametrize("name", WRITTEN)
@given(cases())
@settings(max_examples=examples(60), deadline=None)
def test_nobody_elses_values_leave(name: str, case: Case) -> None:
    """Of whom was asked about, or of everybody in a search, what the lines name; of all others nothing, and no number
    that nobody sent. As many persons are counted as leave."""
    reduced = view(name).apply(WRITTEN[name](case), Asked(several=case.several))
    answered = name in {"json", "xml"}
    listed = [told.about for told in case.answers] if answered else case.rows()
    shown = [row for row in listed if leaves(case, row, answered=answered)]
    if not case.several:
        whole = [told for told in case.answers if told.about.known] if answered else []
        counted = shown if not answered else [row for told in whole for row in (told.about, *told.family) if row.known]
        if len({row.who for row in counted}) > MOST:
            assert reduced is Reason.TOO_MANY_PERSONS
            return
    assert isinstance(reduced, Reduced), reduced
    text = reduced.body.decode()
    regimes = {told.mark for told in case.answers if answered and any(row is told.about for row in shown)}
    assert set(re.findall(r"m[0-9]+m", text)) == regimes.union(*map(named, shown))
    sent = {nir for nir, _, _ in case.several}
    assert not any(row.who[0] in text for row in case.rows() if row.who[0] not in sent)
    if case.several:
        persons = {(one.nir, one.birth_date, one.birth_rank) for one in reduced.persons}
        assert persons == {row.who if row.known and row.who in case.several else child_of(case, row) for row in shown}


@pytest.mark.parametrize("name", WRITTEN)
@given(cases())
@settings(max_examples=examples(30), deadline=None)
def test_what_left_is_filtered_into_itself(name: str, case: Case) -> None:
    """But for a child who left without their own number: of them the second time nothing is known."""
    if any(told.about.known and told.about.who not in case.several for told in case.answers) or not case.several:
        return
    asked = Asked(several=case.several)
    reduced = view(name).apply(WRITTEN[name](case), asked)
    assert isinstance(reduced, Reduced)
    again = view(name).apply(reduced.body, asked)
    assert isinstance(again, Reduced)
    assert (again.body, set(again.persons)) == (reduced.body, set(reduced.persons))
