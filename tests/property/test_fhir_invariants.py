"""Invariants of FHIR answers: families of the sandbox, every text of them made traceable, in Bundles in any order.

The oracle reads the document with the standard library and knows two things: the lines of the view, and whose each
resource is. It shares no code with the engine.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any, Final

from fhir.resources.R4B.bundle import Bundle
from hypothesis import given, settings
from hypothesis import strategies as st

from effort import examples
from masking_views import path, rule
from paravent.masking import Reduced, View, compile_view
from paravent.masking.formats.fhir import IDENTITY
from paravent.model import Asked
from paravent.reasons import Reason
from paravent.rules import Format, ResponseShape, ViewSpec
from paravent.sandbox import documents_fhir
from paravent.sandbox.documents_json import Desk
from paravent.sandbox.population import Population

LINES: Final = (
    "/Patient[]/name[]/family",
    "/Patient[]/address[]/city",
    "/CoverageEligibilityResponse[]/disposition",
    "/CoverageEligibilityResponse[]/insurance[]/item[]/name",
    "/Coverage[]/class[]/name",
    "/Coverage[]/payor[]/display",
)
ECHOED: Final = (
    "/Patient[]/identifier[system=urn:oid:1.2.250.1.213.1.4.8]/system",
    "/Patient[]/identifier[system=urn:oid:1.2.250.1.213.1.4.8]/value",
    "/Patient[]/birthDate",
    "/Patient[]/multipleBirthInteger",
    "/Coverage[]/beneficiary/reference",
    "/CoverageEligibilityResponse[]/patient/reference",
    "/CoverageEligibilityResponse[]/insurance[]/coverage/reference",
)
SHAPE: Final = ResponseShape((path("/Patient[]"),), IDENTITY, format=Format.FHIR)


MOST: Final = 30
LISTED: Final = replace(SHAPE, scope="listed", max_persons=MOST)


@cache
def view(shape: ResponseShape = SHAPE) -> View:
    kept = [rule(line, "keep") for line in LINES]
    echoed = [rule(line, "keep" if line.endswith(("reference", "system")) else "echo") for line in ECHOED]
    return compile_view(ViewSpec("o", "21", "p", (*kept, *echoed)), shape)


@cache
def desk() -> Desk:
    return Desk.of(Population())


STRUCTURE: Final = frozenset({"resourceType", "id", "reference", "system", "fullUrl", "birthDate", "status", "created"})
"""What the engine reads, and what a validator has an opinion of."""


def marked(value: Any, resource: str, at: str, marks: dict[str, tuple[str, str]]) -> Any:
    """Every free text made one of its own, whose place is known."""
    if isinstance(value, dict):
        return {
            name: inner
            if name in STRUCTURE or (name == "value" and at.endswith("/identifier"))
            else marked(inner, resource, f"{at}/{name}", marks)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [marked(inner, resource, at, marks) for inner in value]
    if not isinstance(value, str):
        return value
    mark = f"m{len(marks)}m"
    marks[mark] = (resource, at)
    return mark


def owner(resource: dict[str, Any]) -> str:
    """The reference of whose a resource is."""
    if resource["resourceType"] == "Patient":
        return f"Patient/{resource['id']}"
    holder = resource["beneficiary" if resource["resourceType"] == "Coverage" else "patient"]
    return str(holder["reference"])


def apart(resource: dict[str, Any], owners: dict[str, str], marks: dict[str, tuple[str, str]]) -> dict[str, Any]:
    """A resource made traceable; an insurance of it is whose its Coverage is."""
    at = f"/{resource['resourceType']}"
    insurances = resource.get("insurance")
    whole = {name: inner for name, inner in resource.items() if name != "insurance"}
    done: dict[str, Any] = marked(whole, owner(resource), at, marks)
    if insurances is not None:
        done["insurance"] = [
            marked(each, owners[each["coverage"]["reference"]], f"{at}/insurance", marks) for each in insurances
        ]
    return done


@st.composite
def cases(draw: st.DrawFn) -> tuple[bytes, Asked, set[str], dict[str, tuple[str, str]]]:
    """A Bundle, who is asked about, the marks that may leave, and all marks."""
    people = desk().people
    person = people.person(draw(st.integers(0, people.size - 1)))
    document = documents_fhir.eligibility(desk(), person, "2026-11-22T09:30:00+01:00")
    marks: dict[str, tuple[str, str]] = {}
    entries: Any = document["entry"]
    owners = {f"Coverage/{e['resource']['id']}": owner(e["resource"]) for e in entries if "/Coverage/" in e["fullUrl"]}
    resources = [apart(e["resource"], owners, marks) for e in entries]
    resources = draw(st.permutations(resources))
    if draw(st.booleans()):
        for resource in resources:
            resource["contained"] = [{"resourceType": "Patient", "id": "x", "name": [{"family": "m0m"}]}]
    body = {
        "resourceType": "Bundle",
        "type": "collection",
        "total": 9,
        "entry": [{"resource": each} for each in resources],
    }
    lines = {line.replace("[]", "") for line in LINES}
    own = f"Patient/REF-{person.index:08d}"
    allowed = {mark for mark, (whose, at) in marks.items() if whose == own and at in lines}
    return json.dumps(body).encode(), Asked(person.nir, person.birth_date, person.birth_rank), allowed, marks


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


@given(cases())
@settings(max_examples=examples(30), deadline=None)
def test_only_named_values_of_the_person_asked_about_leave(
    case: tuple[bytes, Asked, set[str], dict[str, tuple[str, str]]],
) -> None:
    """Valid R4, nothing of anybody else, nothing unnamed; and filtering twice is filtering once."""
    body, asked, allowed, marks = case
    reduced = view().apply(body, asked)
    if isinstance(reduced, Reason):
        # A birth date that is no calendar date cannot be written in FHIR, so nobody in the Bundle has it.
        assert reduced is Reason.ANSWER_OTHER_PERSON
        assert asked.birth_date is not None
        assert not "01" <= asked.birth_date[4:6] <= "12" or asked.birth_date[6:] == "00"
        return
    assert set(texts(json.loads(reduced.body))) & set(marks) == allowed
    Bundle.model_validate_json(reduced.body)
    again = view().apply(reduced.body, asked)
    assert isinstance(again, Reduced)
    assert again.body == reduced.body


# ---- a search: everybody is counted


SYSTEM: Final = "urn:oid:1.2.250.1.213.1.4.8"
IDENTITY_MEMBERS: Final = ("identifier", "birthDate", "multipleBirthInteger")

type Identity = tuple[str, str, int]


def identity(patient: dict[str, Any]) -> Identity | None:
    """As whom a Patient is counted; None: nobody who could be."""
    numbers = [each["value"] for each in patient["identifier"] if each.get("system") == SYSTEM]
    whole = len(numbers) == 1 and len(patient["birthDate"]) == 10
    return (numbers[0][:13], patient["birthDate"], patient["multipleBirthInteger"]) if whole else None


@st.composite
def searches(draw: st.DrawFn) -> tuple[bytes, list[dict[str, Any]], set[str], set[str]]:
    """A searchset of some cards; the Patients who are counted, in order; the marks that leave, and all marks."""
    people = desk().people
    numbers = draw(st.lists(st.integers(0, people.size - 1), min_size=1, max_size=4))
    families = {person.family: person for person in map(people.person, numbers)}
    cards = [card for family in families for card in people.cards_of(family)[:1]]
    page = documents_fhir.Page(cards, 9, "/fhir/Coverage?subscriber-id=1", "/fhir/Coverage?subscriber-id=1&page=2")
    document: Any = documents_fhir.coverages(desk(), page, include_patients=True)
    marks: dict[str, tuple[str, str]] = {}
    found = [entry["resource"] for entry in document["entry"]]
    resources = draw(st.permutations([marked(each, owner(each), f"/{each['resourceType']}", marks) for each in found]))
    patients = [each for each in resources if each["resourceType"] == "Patient"]
    for patient in patients:
        fate = draw(st.sampled_from(["counted", "counted", "counted", "no number", "left out", "a double"]))
        if fate == "no number":
            patient["identifier"] = patient["identifier"][1:]
            patient["identifier"][0]["type"] = {"text": "?"}
        elif fate == "left out":
            resources.remove(patient)
        elif fate == "a double":
            patient |= {name: patients[0][name] for name in IDENTITY_MEMBERS}
    counted: dict[Identity, dict[str, Any]] = {}
    for patient in resources:
        who = identity(patient) if patient["resourceType"] == "Patient" else None
        if who is not None:
            counted.setdefault(who, patient)
    owners, lines = {owner(each) for each in counted.values()}, {line.replace("[]", "") for line in LINES}
    allowed = {mark for mark, (whose, at) in marks.items() if whose in owners and at in lines}
    body = document | {"entry": [{"resource": each} for each in resources]}
    return json.dumps(body).encode(), list(counted.values()), allowed, set(marks)


@given(searches())
@settings(max_examples=examples(60), deadline=None)
def test_of_a_search_everybody_who_is_counted_leaves_and_nobody_else(
    case: tuple[bytes, list[dict[str, Any]], set[str], set[str]],
) -> None:
    """As many persons as leave; of each what the lines name; valid R4, without total and links. And what left, given
    back who is who, is filtered into itself."""
    body, counted, allowed, marks = case
    reduced = view(LISTED).apply(body, Asked())
    if len(counted) > MOST:
        assert reduced is Reason.TOO_MANY_PERSONS
        return
    assert isinstance(reduced, Reduced)
    document = json.loads(reduced.body)
    assert document.keys() <= {"resourceType", "type", "entry"}
    assert set(texts(document)) & marks == allowed
    assert len(reduced.persons) == len(counted)
    Bundle.model_validate_json(reduced.body)
    shown = [entry["resource"] for entry in document.get("entry", [])]
    patients = [each for each in shown if each["resourceType"] == "Patient"]
    assert len(patients) == len(counted)
    for patient, original in zip(patients, counted, strict=True):
        patient |= {name: original[name] for name in IDENTITY_MEMBERS}
    again = view(LISTED).apply(json.dumps(document).encode(), Asked())
    assert isinstance(again, Reduced)
    assert (again.body, again.persons) == (reduced.body, reduced.persons)


MEMBERS: Final = st.sampled_from(
    ["resourceType", "entry", "resource", "identifier", "reference", "beneficiary", "fullUrl", "id", "patient", "@of"]
)
NAMES: Final = st.sampled_from(
    ["Bundle", "Patient", "Coverage", "CoverageEligibilityResponse", "Patient/1", "https://a/Patient/1", "#1", "1"]
)
HOSTILE: Final = st.recursive(
    st.none() | st.booleans() | st.text(max_size=4) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=4),
    max_leaves=12,
)


@given(HOSTILE)
@settings(max_examples=examples(100), deadline=None)
def test_no_document_makes_it_raise(document: object) -> None:
    """Whatever an upstream sends, the outcome is a value."""
    for shape in (SHAPE, LISTED):
        assert isinstance(view(shape).apply(json.dumps(document).encode(), Asked("1", "2", 1)), Reduced | Reason)
