"""A question in a form, in XML or in FHIR is the same question: the same members, each of its type, written anew."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from effort import examples
from paravent.policy.bodies import headers
from paravent.policy.fields import is_near
from paravent.policy.question import Question, read_question
from paravent.reasons import Reason
from paravent.rules import BodyFormat, BodyShape, Envelope, FieldType, Operation, RequestField
from policies import compiled, problems

RIGHTS: Final = compiled().operations["droits.consultation"]
SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"


def operation(shape: BodyShape, *, date: bool = False) -> Operation:
    """The question of the small policy in another dress."""
    fields = (*RIGHTS.request, RequestField("dateSoins", FieldType.DATE, required=False))
    if date:
        fields = (*RIGHTS.request[:3], RequestField("dateSoins", FieldType.DATE))
    return Operation(
        RIGHTS.name, RIGHTS.method, RIGHTS.path, RIGHTS.level, RIGHTS.max_auth_age_s, fields, RIGHTS.parameters,
        RIGHTS.subject, RIGHTS.response, RIGHTS.place, shape,
    )  # fmt: skip


FORM: Final = operation(BodyShape(BodyFormat.FORM))
XML: Final = operation(
    BodyShape(BodyFormat.XML, "ConsulterDroits", "urn:exemple:droits:1", Envelope.SOAP11, "urn:exemple:consulter")
)
FHIR: Final = operation(BodyShape(BodyFormat.FHIR), date=True)

BARE: Final = operation(BodyShape(BodyFormat.XML, "ConsulterDroits"))
"""Without an envelope, its elements in no namespace."""

FORM_TYPE: Final = (b"application/x-www-form-urlencoded",)
XML_TYPE: Final = (b"text/xml; charset=utf-8",)
FHIR_TYPE: Final = (b"application/fhir+json",)

GOOD_FORM: Final = b"immatriculation=284057599000326&dateNaissance=19840517&rangGemellaire=1"


def envelope(inside: str, *, attributes: str = "", head: str = "") -> bytes:
    return (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns="urn:exemple:droits:1">{head}<s:Body>'
        f"<ConsulterDroits{attributes}>{inside}</ConsulterDroits></s:Body></s:Envelope>"
    ).encode()


MEMBERS: Final = (
    "<immatriculation>284057599000326</immatriculation><dateNaissance>19840517</dateNaissance>"
    "<rangGemellaire>1</rangGemellaire>"
)


INS: Final = "urn:oid:1.2.250.1.213.1.4."


def number(**changes: Any) -> list[dict[str, Any]]:
    """The identifier of the Patient, with more or other members."""
    return [{"system": f"{INS}8", "value": "284057599000326", **changes}]


def fhir(**changes: Any) -> bytes:
    """The request; `patient_…` changes its contained Patient, None takes a member away."""
    patient: dict[str, Any] = {
        "resourceType": "Patient",
        "id": "p",
        "identifier": number(),
        "birthDate": "1984-05-17",
        "multipleBirthInteger": 1,
    }
    request: dict[str, Any] = {
        "resourceType": "CoverageEligibilityRequest",
        "status": "active",
        "purpose": ["benefits"],
        "patient": {"reference": "#p"},
        "created": "2026-11-22T09:00:00+01:00",
        "insurer": {"display": "CPAM D'ESSAI"},
        "contained": [patient],
    }
    for name, value in changes.items():
        holder, key = (patient, name.removeprefix("patient_")) if name.startswith("patient_") else (request, name)
        holder[key] = value
        if value is None:
            del holder[key]
    return json.dumps(request).encode()


@pytest.mark.parametrize(
    ("asked_with", "body", "types"),
    [
        pytest.param(FORM, GOOD_FORM, FORM_TYPE, id="a form"),
        pytest.param(FORM, GOOD_FORM + b"&dateSoins=&domaine=", FORM_TYPE, id="a form with optional inputs left empty"),
        pytest.param(FORM, GOOD_FORM.replace(b"2840", b"%32840"), FORM_TYPE, id="a form with an escaped digit"),
        pytest.param(XML, envelope(MEMBERS), XML_TYPE, id="SOAP"),
        pytest.param(XML, envelope(MEMBERS, head="<s:Header><x/></s:Header>"), XML_TYPE, id="SOAP with a header"),
        pytest.param(XML, b'<?xml version="1.0"?>' + envelope(MEMBERS), XML_TYPE, id="SOAP with a declaration"),
        pytest.param(XML, envelope(MEMBERS.replace("><", ">\n  <")), XML_TYPE, id="SOAP in lines"),
        pytest.param(XML, envelope(MEMBERS.replace("1984", "19<!-- x -->84")), XML_TYPE, id="SOAP with a comment"),
        pytest.param(BARE, f"<ConsulterDroits>{MEMBERS}</ConsulterDroits>".encode(), XML_TYPE, id="XML, no namespace"),
        pytest.param(FHIR, fhir(), FHIR_TYPE, id="FHIR"),
        pytest.param(FHIR, fhir(servicedDate="2026-11-22"), FHIR_TYPE, id="FHIR with its care date"),
        pytest.param(FHIR, fhir(id="r1"), FHIR_TYPE, id="FHIR with an id"),
        pytest.param(FHIR, fhir(patient_multipleBirthInteger=None), FHIR_TYPE, id="FHIR without a rank"),
    ],
)
def test_one_person_is_asked_about_in_any_dress(asked_with: Operation, body: bytes, types: tuple[bytes, ...]) -> None:
    """NIR, birth date and rank are those of the JSON question."""
    question = read_question(asked_with, {}, body, types)
    assert isinstance(question, Question)
    asked = question.asked
    assert (asked.nir, asked.birth_date, asked.birth_rank) == ("2840575990003", "19840517", 1)


@pytest.mark.parametrize(
    ("asked_with", "body", "types"),
    [
        pytest.param(FORM, GOOD_FORM + b"&page=2", FORM_TYPE, id="form: an unknown input"),
        pytest.param(FORM, GOOD_FORM + b"&dateNaissance=19840518", FORM_TYPE, id="form: an input twice"),
        pytest.param(FORM, GOOD_FORM + b"&date%4Eaissance=19840518", FORM_TYPE, id="form: a name that is escaped"),
        pytest.param(FORM, GOOD_FORM + b"&", FORM_TYPE, id="form: an empty pair"),
        pytest.param(FORM, GOOD_FORM + b";domaine=PHAR", FORM_TYPE, id="form: a semicolon"),
        pytest.param(FORM, GOOD_FORM + b"&domaine=%ff", FORM_TYPE, id="form: bytes that are not UTF-8"),
        pytest.param(FORM, GOOD_FORM + b"&domaine=%4", FORM_TYPE, id="form: half an escape"),
        pytest.param(FORM, GOOD_FORM.replace(b"=1984", b"="), FORM_TYPE, id="form: a date cut off"),
        pytest.param(FORM, GOOD_FORM.replace(b"laire=1", b"laire=%EF%BC%91"), FORM_TYPE, id="form: a full-width rank"),
        pytest.param(FORM, GOOD_FORM.replace(b"laire=1", b"laire=01"), FORM_TYPE, id="form: a rank with a zero"),
        pytest.param(FORM, b"immatriculation=&dateNaissance=19840517&rangGemellaire=1", FORM_TYPE, id="form: no NIR"),
        pytest.param(FORM, b'{"immatriculation": "284057599000326"}', FORM_TYPE, id="form: JSON in its place"),
        pytest.param(FORM, GOOD_FORM, (b"application/json",), id="form: under another type"),
        pytest.param(FORM, GOOD_FORM, (b"multipart/form-data; boundary=x",), id="form: multipart"),
        pytest.param(XML, envelope(MEMBERS + "<page>2</page>"), XML_TYPE, id="XML: an unknown element"),
        pytest.param(XML, envelope(MEMBERS + MEMBERS), XML_TYPE, id="XML: an element twice"),
        pytest.param(
            XML, envelope(MEMBERS + '<page xmlns="urn:autre">2</page>'), XML_TYPE, id="XML: an element of others"
        ),
        pytest.param(
            XML,
            envelope(MEMBERS.replace("<rangGemellaire>", '<rangGemellaire nil="1">')),
            XML_TYPE,
            id="XML: an attribute of a value",
        ),
        pytest.param(
            XML, envelope(MEMBERS).replace(b"ConsulterDroits", b"ConsulterTout"), XML_TYPE, id="XML: another question"
        ),
        pytest.param(XML, envelope(MEMBERS, attributes=' total="1"'), XML_TYPE, id="XML: an attribute"),
        pytest.param(XML, envelope(MEMBERS.replace("<rang", "x<rang")), XML_TYPE, id="XML: text between elements"),
        pytest.param(XML, envelope(MEMBERS.replace(">1<", "><a/>1<")), XML_TYPE, id="XML: an element in a value"),
        pytest.param(
            XML, envelope(MEMBERS.replace(">1<", ' xmlns="urn:autre">1<')), XML_TYPE, id="XML: another namespace"
        ),
        pytest.param(XML, b"<!DOCTYPE s>" + envelope(MEMBERS), XML_TYPE, id="XML: a document type"),
        pytest.param(XML, envelope(MEMBERS).replace(b"<s:Body>", b"<?x y?><s:Body>"), XML_TYPE, id="XML: a PI"),
        pytest.param(XML, envelope(MEMBERS.replace("1984", "&x;1984")), XML_TYPE, id="XML: an entity"),
        pytest.param(XML, envelope(MEMBERS).decode().encode("utf-16"), XML_TYPE, id="XML: UTF-16"),
        pytest.param(XML, b"\xef\xbb\xbf" + envelope(MEMBERS), XML_TYPE, id="XML: a byte order mark"),
        pytest.param(
            XML,
            b"<?xml version='1.0' encoding='utf-7'?>" + envelope(MEMBERS),
            XML_TYPE,
            id="XML: UTF-7",
        ),
        pytest.param(XML, envelope(MEMBERS).replace(b"</s:Body>", b"<x/></s:Body>"), XML_TYPE, id="XML: two questions"),
        pytest.param(XML, MEMBERS.encode(), XML_TYPE, id="XML: no envelope"),
        pytest.param(
            BARE,
            f'<ConsulterDroits xmlns="urn:x">{MEMBERS}</ConsulterDroits>'.encode(),
            XML_TYPE,
            id="XML: a namespace",
        ),
        pytest.param(XML, envelope("<a>" * 300 + "</a>" * 300), XML_TYPE, id="XML: nesting over 256"),
        pytest.param(FHIR, fhir(patient_birthDate=None), FHIR_TYPE, id="FHIR: no birth date"),
        pytest.param(FHIR, fhir(patient_birthDate="1984"), FHIR_TYPE, id="FHIR: a birth year"),
        pytest.param(FHIR, fhir(patient={"identifier": {"value": "1"}}), FHIR_TYPE, id="FHIR: a patient by identifier"),
        pytest.param(FHIR, fhir(patient={"reference": "Patient/1"}), FHIR_TYPE, id="FHIR: a patient elsewhere"),
        pytest.param(FHIR, fhir(provider={"display": "x"}), FHIR_TYPE, id="FHIR: an element nobody reads"),
        pytest.param(FHIR, fhir(patient_name=[{"family": "X"}]), FHIR_TYPE, id="FHIR: a name to search by"),
        pytest.param(FHIR, fhir(contained=[]), FHIR_TYPE, id="FHIR: nobody contained"),
        pytest.param(FHIR, fhir(created=None), FHIR_TYPE, id="FHIR: no date at all"),
        pytest.param(FHIR, fhir(resourceType="Patient"), FHIR_TYPE, id="FHIR: another resource"),
        pytest.param(
            FHIR,
            fhir(patient_identifier=[{"system": "urn:oid:1.2.250.1.213.1.4.10", "value": "284057599000326"}]),
            FHIR_TYPE,
            id="FHIR: an identifier of test",
        ),
        pytest.param(
            FHIR,
            fhir(patient_identifier=[{"system": ["x"], "value": "1"}]),
            FHIR_TYPE,
            id="FHIR: a system that is a list",
        ),
        pytest.param(
            FHIR, fhir(patient_id=None, patient={"reference": "#None"}), FHIR_TYPE, id="FHIR: a patient without an id"
        ),
        pytest.param(
            FHIR, fhir(patient_id=5, patient={"reference": "#5"}), FHIR_TYPE, id="FHIR: an id that is no text"
        ),
        pytest.param(FHIR, fhir(patient_resourceType="Person"), FHIR_TYPE, id="FHIR: somebody who is no patient"),
        pytest.param(
            FHIR, fhir(patient_identifier={"value": "284057599000326"}), FHIR_TYPE, id="FHIR: an identifier alone"
        ),
        pytest.param(
            FHIR, fhir(patient_identifier=number(assigner={"display": "x"})), FHIR_TYPE, id="FHIR: a number's assigner"
        ),
        pytest.param(
            FHIR,
            fhir(patient_identifier=number(system=f"{INS}9", value=2840575990003)),
            FHIR_TYPE,
            id="FHIR: a NIA that is a number",
        ),
        pytest.param(
            FHIR,
            fhir(patient_identifier=number(type={"text": "x", "extension": []})),
            FHIR_TYPE,
            id="FHIR: a type with more than codes",
        ),
        pytest.param(
            FHIR, fhir(patient_identifier=number(type={"coding": {}})), FHIR_TYPE, id="FHIR: a type that is no list"
        ),
        pytest.param(FHIR, b"[]", FHIR_TYPE, id="FHIR: a list"),
    ],
)
def test_what_is_no_question_in_its_dress_is_refused(
    asked_with: Operation, body: bytes, types: tuple[bytes, ...]
) -> None:
    """Nothing is dropped, joined or guessed on the way in."""
    assert read_question(asked_with, {}, body, types) is Reason.REQUEST_NOT_IN_SCHEMA


CHARSET: Final = b"application/soap+xml; charset=utf-8"
TYPES: Final = [
    pytest.param(XML, CHARSET + b'; action="urn:exemple:consulter"', True, id="SOAP 1.2 with its action"),
    pytest.param(XML, b'application/soap+xml;action="";charset=UTF-8', True, id="an empty action before the charset"),
    pytest.param(XML, b"application/soap+xml; action=consulter", True, id="an action without quotes, and no charset"),
    pytest.param(XML, CHARSET + b'; action="a"; action="b"', False, id="two actions"),
    pytest.param(XML, CHARSET + b'; action="a', False, id="an action cut off"),
    pytest.param(XML, CHARSET + b"; start=a", False, id="another parameter"),
    pytest.param(
        XML, b'application/soap+xml; action="a"; charset=utf-16', False, id="another charset behind an action"
    ),
    pytest.param(FHIR, b"application/fhir+json; fhirVersion=4.0", True, id="FHIR R4"),
    pytest.param(FHIR, b'application/fhir+json;charset=utf-8;fhirversion="4.0"', True, id="FHIR R4, behind a charset"),
    pytest.param(FHIR, b"application/fhir+json; fhirVersion=5.0", False, id="FHIR R5"),
    pytest.param(FHIR, b"application/fhir+json; fhirVersion=4.0; fhirVersion=3.0", False, id="two versions"),
    pytest.param(FORM, b"application/x-www-form-urlencoded; action=a", False, id="a form with an action"),
]


@pytest.mark.parametrize(("asked_with", "kind", "read"), TYPES)
def test_content_types_that_libraries_write_are_read(asked_with: Operation, kind: bytes, read: bool) -> None:
    """With the parameters that SOAP 1.2 and FHIR have, each once, and with no other."""
    body = {FORM: GOOD_FORM, XML: envelope(MEMBERS), FHIR: fhir()}[asked_with]
    assert isinstance(read_question(asked_with, {}, body, (kind,)), Question) is read


def written(asked_with: Operation, body: bytes, types: tuple[bytes, ...]) -> Question:
    question = read_question(asked_with, {}, body, types)
    assert isinstance(question, Question)
    return question


def test_a_form_is_written_anew() -> None:
    """Plain pairs in the operation's order."""
    shuffled = b"rangGemellaire=1&dateNaissance=%31%39840517&immatriculation=284057599000326"
    question = written(FORM, shuffled, FORM_TYPE)
    assert question.body == GOOD_FORM
    assert question.headers == ((b"content-type", b"application/x-www-form-urlencoded"),)


def test_an_envelope_is_written_anew() -> None:
    """Without the caller's header and prefixes, and with the action that SOAP 1.1 asks for."""
    body = envelope(MEMBERS, head='<s:Header><w:Security xmlns:w="urn:w">jeton</w:Security></s:Header>')
    question = written(XML, body, XML_TYPE)
    root = etree.fromstring(question.body)
    (asked,) = root.iterfind(f"{{{SOAP}}}Body/*")
    assert {etree.QName(each).localname: each.text for each in asked} == {
        "immatriculation": "284057599000326",
        "dateNaissance": "19840517",
        "rangGemellaire": "1",
    }
    assert b"Header" not in question.body
    assert dict(question.headers)[b"soapaction"] == b'"urn:exemple:consulter"'


@pytest.mark.parametrize(
    ("shape", "described"),
    [
        pytest.param(
            XML.body,
            {b"content-type": b"text/xml; charset=utf-8", b"soapaction": b'"urn:exemple:consulter"'},
            id="SOAP 1.1",
        ),
        pytest.param(
            replace(XML.body, envelope=Envelope.SOAP12),
            {b"content-type": b"application/soap+xml; charset=utf-8"},
            id="SOAP 1.2",
        ),
        pytest.param(BARE.body, {b"content-type": b"text/xml; charset=utf-8"}, id="XML"),
        pytest.param(FHIR.body, {b"content-type": b"application/fhir+json"}, id="FHIR"),
    ],
)
def test_the_upstream_is_told_what_the_body_is(shape: BodyShape, described: dict[bytes, bytes]) -> None:
    """By its type; SOAP 1.1 by its action too (section 6.1.1), and no other."""
    assert dict(headers(shape)) == described


LOCAL: Final = operation(
    BodyShape(BodyFormat.XML, "ConsulterDroits", "urn:exemple:droits:1", Envelope.SOAP11, unqualified=True)
)


def test_members_without_a_namespace_are_read_and_written_where_the_policy_says_so() -> None:
    """As JAX-WS asks unless its schema says elementFormDefault="qualified"; and there, those with one are none."""
    named = '<d:ConsulterDroits xmlns:d="urn:exemple:droits:1">'
    body = (f'<s:Envelope xmlns:s="{SOAP}"><s:Body>{named}{MEMBERS}</d:ConsulterDroits></s:Body></s:Envelope>').encode()
    question = written(LOCAL, body, XML_TYPE)
    (asked,) = etree.fromstring(question.body).iterfind(f"{{{SOAP}}}Body/*")
    assert asked.tag == "{urn:exemple:droits:1}ConsulterDroits"
    assert [each.tag for each in asked] == ["immatriculation", "dateNaissance", "rangGemellaire"]
    assert read_question(LOCAL, {}, question.body, XML_TYPE) == question
    assert read_question(LOCAL, {}, envelope(MEMBERS), XML_TYPE) is Reason.REQUEST_NOT_IN_SCHEMA
    assert read_question(XML, {}, body, XML_TYPE) is Reason.REQUEST_NOT_IN_SCHEMA


def test_a_fhir_request_is_written_anew() -> None:
    """With what the resource must have, and nothing of the caller's but the four values."""
    question = written(FHIR, fhir(insurer={"display": "1840575990003"}), FHIR_TYPE)
    request = json.loads(question.body)
    assert request["contained"][0]["identifier"][0]["value"] == "284057599000326"
    assert (request["servicedDate"], request["created"]) == ("2026-11-22", "2026-11-22")
    assert request["insurer"] == {"display": "Assurance maladie"}
    assert read_question(FHIR, {}, question.body, FHIR_TYPE) == question


def identifier(last: int, code: str) -> list[dict[str, Any]]:
    """As the profile FRCorePatientINSProfile has it, whose type is mandatory."""
    coding = {"system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203", "code": code}
    system = f"urn:oid:1.2.250.1.213.1.4.{last}"
    return [{"use": "official", "type": {"coding": [coding]}, "system": system, "value": "284057599000326"}]


@pytest.mark.parametrize(
    ("last", "code", "read"),
    [
        pytest.param(8, "INS-NIR", True, id="a NIR"),
        pytest.param(9, "INS-NIA", True, id="a number that stands in for one"),
        pytest.param(8, "INS-NIA", False, id="a NIR whose type says that it stands in for one"),
        pytest.param(8, "INS-NIR-TEST", False, id="a NIR whose type says that it is for tests"),
        pytest.param(10, "INS-NIR-TEST", False, id="a number of tests"),
    ],
)
def test_a_number_in_fhir_keeps_its_system(last: int, code: str, read: bool) -> None:
    """The API may look for it there alone; a type, which FR Core asks for, says the same or nothing is asked."""
    question = read_question(FHIR, {}, fhir(patient_identifier=identifier(last, code)), FHIR_TYPE)
    assert isinstance(question, Question) is read
    if isinstance(question, Question):
        (sent,) = json.loads(question.body)["contained"][0]["identifier"]
        assert sent == {"system": f"urn:oid:1.2.250.1.213.1.4.{last}", "value": "284057599000326"}
        assert question.asked.nir == "2840575990003"
        assert type(question.asked.fields["/immatriculation"]) is str


def places(document: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in a document values stand, its own among them."""
    yield place
    inside = (
        document.items() if isinstance(document, dict) else enumerate(document if isinstance(document, list) else ())
    )
    for key, value in inside:
        yield from places(value, (*place, key))


WHOLE: Final = json.loads(fhir(patient_identifier=identifier(8, "INS-NIR"), servicedDate="2026-11-22"))


@settings(max_examples=examples(200), deadline=None)
@given(
    st.sampled_from([place for place in places(WHOLE) if place]),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
        max_leaves=4,
    ),
)
def test_whatever_stands_in_a_resource_is_read_or_refused(place: tuple[Any, ...], value: object) -> None:
    """A list where FHIR has a text is no bug of ours, and no internal error."""
    document = json.loads(json.dumps(WHOLE))
    holder = document
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    told = read_question(FHIR, {}, json.dumps(document).encode(), FHIR_TYPE)
    assert isinstance(told, Question) or told is Reason.REQUEST_NOT_IN_SCHEMA


SEARCH: Final = Operation(
    RIGHTS.name, RIGHTS.method, RIGHTS.path, RIGHTS.level, RIGHTS.max_auth_age_s,
    (RequestField("nom", FieldType.NAME), RequestField("prenom", FieldType.NAME)), (),
    RIGHTS.subject, RIGHTS.response, RIGHTS.place, BodyShape(BodyFormat.FORM),
)  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"nom=D%27ESSAI&prenom=JEAN+CLAUDE", id="as a browser sends a form"),
        pytest.param(b"nom=D'ESSAI&prenom=JEAN%20CLAUDE", id="as encodeURIComponent of JavaScript writes it"),
    ],
)
def test_a_name_with_an_apostrophe_is_read_in_both_ways_of_writing_a_form(body: bytes) -> None:
    """Whatever decodes forms takes an apostrophe for itself."""
    question = written(SEARCH, body, FORM_TYPE)
    assert question.asked.fields == {"/nom": "D'ESSAI", "/prenom": "JEAN CLAUDE"}
    assert question.body == b"nom=D%27ESSAI&prenom=JEAN+CLAUDE"


JOINED: Final = {
    "a question in JSON": (
        "{format: json}",
        b"application/json",
        b'{"n_ss":"2840575990003","date-naissance":"19840517","rang.gemellaire":1}',
    ),
    "a form": (
        "{format: form}",
        b"application/x-www-form-urlencoded",
        b"n_ss=2840575990003&date-naissance=19840517&rang.gemellaire=1",
    ),
    "a question in XML": (
        "{format: xml, element: droits_consultation}",
        b"text/xml",
        b"<?xml version='1.0' encoding='UTF-8'?>\n<droits_consultation><n_ss>2840575990003</n_ss>"
        b"<date-naissance>19840517</date-naissance><rang.gemellaire>1</rang.gemellaire></droits_consultation>",
    ),
}


@pytest.mark.parametrize(("shape", "kind", "body"), JOINED.values(), ids=JOINED)
def test_members_are_called_what_the_api_calls_them(shape: str, kind: bytes, body: bytes) -> None:
    """With words joined by _, - or a dot, in whatever dress."""
    policy = compiled(
        {
            "operations/droits.yaml": f"""\
droits.consultation:
  match: {{method: POST, path: /v1/droits}}
  require: {{level: substantiel, max_auth_age: 4h}}
  body: {shape}
  request: {{n_ss: nir, date-naissance: birth-date, rang.gemellaire: birth-rank}}
  subject: {{nir: /n_ss, birth_date: /date-naissance, birth_rank: /rang.gemellaire}}
  response:
    format: json
    persons: [/beneficiaire]
    identified_by: {{nir: n_ss, birth_date: date-naissance, birth_rank: rang.gemellaire, nir_also: [cle_n_ss]}}
""",
            "views/pharmacien.yaml": """\
droits.consultation:
  dispensation:
    /beneficiaire/n_ss: echo
cartes.lecture:
  dispensation:
    /numeroAMC: {echo: "{amc}"}
""",
        }
    )
    question = written(policy.operations["droits.consultation"], body, (kind,))
    assert (question.asked.nir, question.asked.birth_date, question.asked.birth_rank) == (
        "2840575990003",
        "19840517",
        1,
    )
    assert question.body == body


NEAR: Final = RequestField("dateSoins", FieldType.DATE, required=False, past_days=10, ahead_days=2)


def dated(asked_with: Operation, day: str, today: str | None = "20261122") -> Question | Reason:
    """The same question on a day, of an operation that lets days near today be asked about."""
    fields = tuple([NEAR if field.name == NEAR.name else field for field in asked_with.request])
    body, types = {
        BodyFormat.FORM: (GOOD_FORM + f"&dateSoins={day}".encode(), FORM_TYPE),
        BodyFormat.XML: (envelope(f"{MEMBERS}<dateSoins>{day}</dateSoins>"), XML_TYPE),
        BodyFormat.FHIR: (fhir(created=f"{day}T09:00:00+01:00"), FHIR_TYPE),
    }[asked_with.body.format]
    return read_question(replace(asked_with, request=fields), {}, body, types, today=today)


@pytest.mark.parametrize("asked_with", [FORM, XML, FHIR], ids=lambda each: str(each.body.format))
def test_a_date_is_as_near_to_today_as_the_policy_says(asked_with: Operation) -> None:
    """First and last day among them, whatever the dress; on no clock it is near nothing."""
    near, far = ("2026-11-12", "2026-11-22", "2026-11-24"), ("2026-11-11", "2026-11-25", "0001-01-01", "9999-12-31")
    read = [dated(asked_with, day) for day in near]
    assert [each.asked.care_date for each in read if isinstance(each, Question)] == ["20261112", "20261122", "20261124"]
    assert {dated(asked_with, day) for day in far} == {Reason.REQUEST_NOT_IN_SCHEMA}
    assert dated(asked_with, "2026-11-22", None) is Reason.REQUEST_NOT_IN_SCHEMA


@pytest.mark.parametrize(
    ("past", "ahead", "near"),
    [
        pytest.param(None, None, ("0001-01-01", "9999-12-31"), id="no bounds"),
        pytest.param(0, None, ("2026-11-22", "9999-12-31"), id="from today on"),
        pytest.param(None, 0, ("0001-01-01", "2026-11-22"), id="until today"),
        pytest.param(999_999, 99_999_999, ("0001-01-01", "9999-12-31"), id="bounds beyond the calendar"),
    ],
)
def test_a_date_has_one_bound_or_both_or_none(past: int | None, ahead: int | None, near: tuple[str, str]) -> None:
    """The first and the last day that may be asked about."""
    field = RequestField("d", FieldType.DATE, past_days=past, ahead_days=ahead)
    days = ("0001-01-01", "2026-11-21", "2026-11-22", "2026-11-23", "9999-12-31")
    assert [day for day in days if is_near(field, day, "20261122")] == [
        day for day in days if near[0] <= day <= near[1]
    ]


def test_a_list_of_acts_stands_in_json_alone() -> None:
    """Forms and XML have texts: nobody could ever ask."""
    domain = "    domaine: {type: domain, required: false, one_of: [PHAR, MED]}\n"
    acts = "    actes: acts\n"
    in_a_form = acts + "  body: {format: form}\n"
    assert problems({"operations/droits.yaml": (domain, acts)}) == []
    (told,) = problems({"operations/droits.yaml": (domain, in_a_form)})
    assert told.startswith("operations/droits.yaml:8:12: a list of acts stands in a JSON body alone")
