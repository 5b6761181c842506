"""Whose a resource is: what a Reference leads to, and to whom it does not (FHIR R4 section 2.36.4.1)."""

import json
from typing import Any, Final

import pytest

from masking_views import path, rule
from paravent.masking import Reduced, View, compile_view
from paravent.masking.formats.fhir import IDENTITY
from paravent.masking.formats.fhir_bundle import MAX_RESOURCES
from paravent.model import Asked
from paravent.reasons import Reason
from paravent.rules import Format, ResponseShape, ViewSpec

LINES: Final = (
    "/Patient[]/gender",
    "/Coverage[]/status",
    "/Coverage[]/beneficiary/reference",
    "/Coverage[]/payor[type=Patient]/reference",
    "/Coverage[]/payor[type=Organization]/reference",
)
VIEW: Final[View] = compile_view(
    ViewSpec("o", "21", "p", tuple(rule(line, "keep") for line in LINES)),
    ResponseShape((path("/Patient[]"),), IDENTITY, format=Format.FHIR),
)
ASKED: Final = Asked("1840399990011", "19840301", 1)
HERE, THERE, NAMED = (
    "https://api.example/fhir",
    "https://other.example/fhir",
    "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
)


INS: Final = "urn:oid:1.2.250.1.213.1.4.8"
NH: Final = {"coding": [{"code": "NH"}]}


def patient(url: str | None, id_: str | None = "1") -> dict[str, Any]:
    identifier = {"system": INS, "value": "1840399990011"}
    resource = {"resourceType": "Patient", "identifier": [identifier], "birthDate": "1984-03-01", "gender": "male"}
    return entry(resource, url, id_)


def entry(resource: dict[str, Any], url: str | None, id_: str | None) -> dict[str, Any]:
    return ({"fullUrl": url} if url else {}) | {"resource": resource | ({"id": id_} if id_ else {})}


def coverage(url: str | None, reference: str, **more: object) -> dict[str, Any]:
    resource = {"resourceType": "Coverage", "status": "active", "beneficiary": {"reference": reference}, **more}
    return entry(resource, url, "9")


def coverages_left(*entries: dict[str, Any]) -> list[dict[str, Any]] | Reason:
    """The Coverages that leave with the one Patient who was asked about."""
    reduced = VIEW.apply(json.dumps({"resourceType": "Bundle", "entry": entries}).encode(), ASKED)
    if isinstance(reduced, Reason):
        return reduced
    assert isinstance(reduced, Reduced)
    resources = [each["resource"] for each in json.loads(reduced.body)["entry"]]
    assert [each["resourceType"] for each in resources].count("Patient") == 1
    return [each for each in resources if each["resourceType"] == "Coverage"]


@pytest.mark.parametrize(
    ("whose", "what", "reference"),
    [
        pytest.param(None, None, "Patient/1", id="relative, in an answer that names no server"),
        pytest.param(f"{HERE}/Patient/1", f"{HERE}/Coverage/9", "Patient/1", id="relative, on the same server"),
        pytest.param(f"{HERE}/Patient/1", f"{HERE}/Coverage/9", f"{HERE}/Patient/1", id="by its full URL"),
        pytest.param(f"{THERE}/Patient/1", f"{HERE}/Coverage/9", f"{THERE}/Patient/1", id="by that of another server"),
        pytest.param("/fhir/Patient/1", "/fhir/Coverage/9", "Patient/1", id="on a server by its path alone"),
        pytest.param(NAMED, f"{HERE}/Coverage/9", NAMED, id="by a URN"),
        pytest.param(NAMED, "urn:uuid:a", "Patient/1", id="by its id, where URNs name no server"),
        pytest.param(
            f"{HERE}/Patient/1/_history/2", None, f"{HERE}/Patient/1/_history/2", id="a version, to the letter"
        ),
    ],
)
def test_what_refers_to_somebody_is_theirs(whose: str | None, what: str | None, reference: str) -> None:
    """It leaves with them."""
    left = coverages_left(patient(whose), coverage(what, reference))
    assert isinstance(left, list)
    assert [each["status"] for each in left] == ["active"]


@pytest.mark.parametrize(
    ("whose", "what", "reference"),
    [
        pytest.param(None, None, f"{THERE}/Patient/1", id="of a server that the answer does not name"),
        pytest.param(f"{HERE}/Patient/1", f"{HERE}/Coverage/9", f"{THERE}/Patient/1", id="of another server"),
        pytest.param(f"{HERE}/Patient/1", f"{THERE}/Coverage/9", "Patient/1", id="relative, from another server"),
        pytest.param(f"{HERE}/Patient/1", None, "Patient/1", id="relative, from a server that is not known"),
        pytest.param(None, f"{HERE}/Coverage/9", "Patient/1", id="relative, to one whose server is not known"),
        pytest.param("/fhir/Patient/1", "/fhir/Coverage/9", f"{HERE}/Patient/1", id="a server known by its path alone"),
        pytest.param(f"{HERE}/Patient/1", f"{HERE}/Coverage/9", "http://api.example/fhir/Patient/1", id="without TLS"),
        pytest.param(f"{HERE}/Patient/1", f"{HERE}/Coverage/9", "https://API.example/fhir/Patient/1", id="other case"),
        pytest.param(f"{HERE}/Patient/1", f"{HERE}/Coverage/9", f"{HERE}/x/../Patient/1", id="a way round"),
        pytest.param(f"{HERE}/Patient/1", f"{HERE}/Coverage/9", "Patient/1/_history/1", id="a version"),
        pytest.param(f"{HERE}/Patient/1/_history/2", None, "Patient/1", id="relative, to a version"),
        pytest.param(f"{HERE}/Patient/1", f"{HERE}/Coverage/9", "#1", id="a contained one"),
        pytest.param(f"{HERE}/Patient/1", f"{HERE}/Coverage/9", "#0", id="one that we could have written"),
        pytest.param(f"{HERE}/Patient/1", f"{HERE}/Coverage/9", "Patient?identifier=1", id="a search"),
        pytest.param(f"{HERE}/Patient/1", f"{HERE}/Coverage/9", "patient/1", id="another type"),
        pytest.param(f"{HERE}/Patient/1", f"{HERE}/Coverage/9", "1", id="an id alone"),
        pytest.param(f"{HERE}/Patient/1", f"{HERE}/Coverage/9", "", id="nothing"),
        pytest.param(NAMED, None, NAMED.upper(), id="a URN in other letters"),
    ],
)
def test_who_has_the_same_id_elsewhere_is_somebody_else(whose: str | None, what: str | None, reference: str) -> None:
    """What refers to them stays behind."""
    assert coverages_left(patient(whose), coverage(what, reference)) == []


def test_who_has_the_same_id_on_two_servers_is_two() -> None:
    """Each with what is on their own server: several insurers number from 1."""
    stranger = patient(f"{THERE}/Patient/1")
    stranger["resource"] |= {"birthDate": "1990-01-01"}
    theirs = coverage(f"{THERE}/Coverage/9", "Patient/1", status="cancelled")
    left = coverages_left(patient(f"{HERE}/Patient/1"), stranger, theirs, coverage(f"{HERE}/Coverage/9", "Patient/1"))
    assert isinstance(left, list)
    assert [each["status"] for each in left] == ["active"]


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param((patient(None), patient(None)), id="one id twice"),
        pytest.param((patient(f"{HERE}/Patient/1"), patient(f"{HERE}/Patient/1")), id="one URL twice"),
        pytest.param((patient(f"{HERE}/Patient/1"), patient(None)), id="one id, of which one is on no server"),
        pytest.param((patient(NAMED), patient(None, "2"), patient("urn:oid:1", "2")), id="one id, in a URN's entry"),
        pytest.param((patient(f"{HERE}/Patient/2", "1"),), id="a URL that says another id"),
        pytest.param((patient(f"{HERE}/Group/1", "1"),), id="a URL that says another type"),
        pytest.param((patient(f"{HERE}/Group/1", None),), id="a URL that says another type, and no id"),
        pytest.param((patient("#1"),), id="a URL within a resource"),
        pytest.param(({"resource": patient(None)["resource"], "fullUrl": 1},), id="a URL that is a number"),
        pytest.param(({"resource": patient(None)["resource"], "fullUrl": ""},), id="an empty URL"),
    ],
)
def test_names_that_two_readers_could_follow_differently_withhold_the_answer(entries: tuple[dict[str, Any]]) -> None:
    """Whoever follows a reference may take either."""
    assert coverages_left(*entries) is Reason.ANSWER_SHAPE


def test_a_bundle_has_so_many_resources_and_no_more() -> None:
    """Whatever they are: each costs time before it is known whose it is."""
    others = [entry({"resourceType": "Basic"}, None, str(number)) for number in range(MAX_RESOURCES - 2)]
    theirs = [patient(None), coverage(None, "Patient/1")]
    left = coverages_left(*theirs, *others)
    assert not isinstance(left, Reason)
    assert len(left) == 1
    assert coverages_left(*theirs, *others, others[0]) is Reason.ANSWER_TOO_LARGE


TYPE: Final = "http://hl7.org/fhir/StructureDefinition"
PAID: Final = compile_view(
    ViewSpec(
        "o",
        "21",
        "p",
        tuple(
            rule(line, "keep")
            for line in ("/Coverage[]/payor[]/identifier/value", "/Coverage[]/payor[]/display", "/Coverage[]/status")
        ),
    ),
    ResponseShape((path("/Patient[]"),), IDENTITY, format=Format.FHIR),
)


@pytest.mark.parametrize(
    ("payor", "leaves"),
    [
        pytest.param({}, True, id="an insurer by its number"),
        pytest.param({"reference": "Organization/7"}, True, id="an insurer elsewhere"),
        pytest.param({"reference": "#o"}, True, id="an insurer inside"),
        pytest.param({"reference": "#p"}, False, id="a relative inside"),
        pytest.param({"reference": "Patient/2"}, False, id="somebody who is not there"),
        pytest.param({"reference": "Patient/1"}, False, id="the Patient"),
        pytest.param({"reference": f"{THERE}/RelatedPerson/3/_history/1"}, False, id="a relative elsewhere"),
        pytest.param({"reference": "Patient?birthdate=1984-03-01"}, False, id="somebody who is to be searched for"),
        pytest.param({"reference": "#q"}, True, id="what is inside nothing"),
        pytest.param({"type": "Patient"}, False, id="somebody by their number"),
        pytest.param({"type": f"{TYPE}/Patient"}, False, id="somebody, by the URL of a type"),
        pytest.param({"type": f"{TYPE}/Organization"}, True, id="an insurer, by the URL of a type"),
        pytest.param({"reference": "urn:uuid:7"}, False, id="what is not there, and says not what it is"),
        pytest.param({"reference": "urn:uuid:7", "type": "Organization"}, True, id="an insurer who is not there"),
        pytest.param({"identifier": {"system": INS, "value": "99990001"}}, False, id="whom a system of the INS names"),
        pytest.param({"identifier": {"type": NH, "value": "99990001"}}, False, id="whom such a number names"),
        pytest.param({"type": ["Patient"], "reference": 7}, True, id="what is no reference at all"),
    ],
)
def test_who_pays_for_a_relative_is_not_told(payor: dict[str, object], leaves: bool) -> None:
    """A payor may be an insurer or a person; of a person the number of a line would be theirs."""
    known = {"identifier": {"value": "99990001"}, "display": "ESSAI"}
    inside = [{"resourceType": "RelatedPerson", "id": "p"}, {"resourceType": "Organization", "id": "o"}, 1]
    theirs = coverage(None, "Patient/1", payor=[known | payor, 1], contained=inside)
    reduced = PAID.apply(json.dumps({"resourceType": "Bundle", "entry": [patient(None), theirs]}).encode(), ASKED)
    assert isinstance(reduced, Reduced)
    assert (b"99990001" in reduced.body, b"ESSAI" in reduced.body) == (leaves, leaves)


OIDS: Final = "urn:oid:1.2.250.1.213.1.4"
ONE, OTHER = "1840399990011", "1840399990022"


@pytest.mark.parametrize(
    ("identifiers", "number"),
    [
        *[pytest.param([(f"{OIDS}.{last}", "", ONE)], ONE, id=f"system {last}") for last in (8, 9, 10, 11)],
        *[pytest.param([("", code, ONE)], ONE, id=f"type {code}") for code in ("INS-NIR", "INS-NIA", "NH")],
        pytest.param([(f"{OIDS}.7", "SS", ONE)], None, id="neither"),
        *[
            pytest.param([(worse, "NH", OTHER), (better, "NH", ONE)], ONE, id=f"{better} before {worse}")
            for better, worse in (
                (f"{OIDS}.8", f"{OIDS}.9"),
                (f"{OIDS}.9", f"{OIDS}.10"),
                (f"{OIDS}.10", f"{OIDS}.11"),
                (f"{OIDS}.11", "https://mutuelle.example"),
            )
        ],
        pytest.param([(f"{OIDS}.8", "", ONE), (f"{OIDS}.8", "", OTHER)], None, id="none of two"),
        pytest.param([(f"{OIDS}.8", "", ONE), (f"{OIDS}.8", "", f"{ONE} 45")], ONE, id="one, written twice"),
    ],
)
def test_the_number_of_a_patient_is_the_best_that_they_have(
    identifiers: list[tuple[str, str, str]], number: str | None
) -> None:
    """By the systems of the INS and the types of FR Core (FRCorePatientINSProfile)."""
    who = patient(None)
    who["resource"]["identifier"] = [
        {"system": system, "type": {"coding": [{"code": code}]}, "value": value} for system, code, value in identifiers
    ]
    tree = VIEW.dress.read(json.dumps(who["resource"]).encode(), 10**6)
    assert not isinstance(tree, Reason)
    (read,) = tree["Patient"]
    assert read["@nir"] == number


def test_a_patient_is_known_by_any_coding_of_their_number() -> None:
    """Of a number without the system of the INS: whichever of its codings says what it is."""
    known = patient(None)
    codings = [{"system": "http://interop.example", "code": "SS"}, {"code": "NH"}]
    known["resource"]["identifier"] = [{"type": {"coding": codings}, "value": "1840399990011"}]
    assert isinstance(coverages_left(known, coverage(None, "Patient/1")), list)


def test_a_reference_that_leaves_leads_where_it_led() -> None:
    """Also one that two lines name, and only to what leaves."""
    payors = [
        {"type": "Patient", "reference": "Patient/1"},
        {"type": "Patient", "reference": f"{THERE}/Patient/1"},
        {"type": "Organization", "reference": "Organization/7"},
    ]
    left = coverages_left(patient(f"{HERE}/Patient/1"), coverage(f"{HERE}/Coverage/9", "Patient/1", payor=payors))
    assert isinstance(left, list)
    (only,) = left
    assert only["payor"] == [only["beneficiary"]]
