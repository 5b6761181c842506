"""The answers, before any socket: they keep to the OpenAPI file, and say as much too much as it promises."""

import base64
import csv
import io
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any

import jsonschema
import orjson
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree, html

from effort import examples
from paravent.sandbox import openapi
from paravent.sandbox.documents_json import Desk
from paravent.sandbox.operations import EXPORT_ROWS, Operations
from paravent.sandbox.population import FULL_SIZE, Family, Person, Population
from paravent.sandbox.practitioners import account_of, practitioner
from paravent.sandbox.replies import Reply
from paravent.sandbox.routes import OPERATIONS, answer, caller_of

PEOPLE = Population()
MORNING = datetime(2026, 11, 22, 9, 30, tzinfo=timezone(timedelta(hours=1)))
API = Operations(Desk.of(PEOPLE), lambda: MORNING)
CALLER = practitioner(0, "21").rpps
people = st.integers(0, FULL_SIZE - 1).map(PEOPLE.person)

D = "{urn:exemple:droits:1}"


def ask(method: str, target: str, body: bytes = b"", caller: str = CALLER) -> Reply:
    return answer(API, method, target, body, caller)[1]


def question(person: Person, **others: object) -> dict[str, object]:
    return {
        "immatriculation": person.nir + person.nir_key,
        "dateNaissance": person.birth_date,
        "rangGemellaire": person.birth_rank,
        **others,
    }


def consult(person: Person, caller: str = CALLER) -> dict[str, Any]:
    reply = ask("POST", "/v1/droits/consultation", orjson.dumps(question(person)), caller)
    assert reply.status == 200
    return orjson.loads(reply.body)


def _closed(schema: Any) -> Any:
    """The same schema with every object closed, so that a member that the file does not name is an error."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    return closed | ({"additionalProperties": False} if "properties" in schema else {})


@cache
def validator(path: str, method: str, status: str) -> jsonschema.Draft202012Validator:
    """Of the JSON body of one answer, from the project's own OpenAPI file."""
    document: Any = openapi.document()
    answer_ = document["paths"][path][method]["responses"][status]
    if "$ref" in answer_:
        answer_ = document["components"]["responses"][answer_["$ref"].rpartition("/")[2]]
    schema = answer_["content"]["application/json"]["schema"]
    checks = jsonschema.Draft202012Validator.FORMAT_CHECKER
    whole = _closed(schema) | {"components": _closed(document["components"])}
    return jsonschema.Draft202012Validator(whole, format_checker=checks)


def carded(start: int = 0) -> tuple[Person, Family]:
    """Somebody with a card, not alone on it."""
    for index in range(start, FULL_SIZE):
        family = PEOPLE.family_of(PEOPLE.person(index))
        if len(family.members) > 2 and PEOPLE.cards_of(family.number):
            return family.members[0], family
    raise AssertionError("nobody has a card")


# ---- droits.consultation


@given(people)
@settings(max_examples=examples(30), deadline=None)
def test_a_consultation_keeps_to_the_openapi_file(person: Person) -> None:
    """Whoever is asked about, the answer validates and holds no member that the file does not name."""
    validator("/v1/droits/consultation", "post", "200").validate(consult(person))


@given(people)
@settings(max_examples=examples(30), deadline=None)
def test_a_consultation_says_everything_about_everyone(person: Person) -> None:
    """The person asked about, the rest of the family, and on each contract the whole family again."""
    family = PEOPLE.family_of(person)
    document = consult(person)
    assert document["beneficiaireDeSoins"]["referenceInterne"] == f"REF-{person.index:08d}"
    others = {one["referenceInterne"] for one in document["famille"]}
    assert others == {f"REF-{one.index:08d}" for one in family.members if one != person}
    assert [one["numeroAdherent"] for one in document["contratsAMC"]] == [
        c.member for c in PEOPLE.cards_of(family.number)
    ]
    for contract in document["contratsAMC"]:
        assert [one["prenom"] for one in contract["beneficiaires"]] == [one.first_name for one in family.members]


def test_the_domain_asked_about_narrows_nothing() -> None:
    """A pharmacist's question gets every guarantee and the same body as one without a domain."""
    person, _ = carded()
    narrow = ask(
        "POST", "/v1/droits/consultation", orjson.dumps(question(person, domaine="PHAR", dateSoins="2026-11-22"))
    )
    assert orjson.loads(narrow.body) == consult(person)
    assert len(consult(person)["contratsAMC"][0]["garanties"]) == 6


def test_thirteen_characters_are_enough() -> None:
    """The key may be left out."""
    person, _ = carded()
    reply = ask("POST", "/v1/droits/consultation", orjson.dumps(question(person, immatriculation=person.nir)))
    assert orjson.loads(reply.body) == consult(person)


def test_a_doctor_is_told_that_a_patient_is_theirs() -> None:
    """`declareChezLeDemandeur` is true for the declared doctor alone."""
    person = next(p for p in map(PEOPLE.person, range(1000)) if consult(p)["beneficiaireDeSoins"]["medecinTraitant"])
    doctor = consult(person)["beneficiaireDeSoins"]["medecinTraitant"]
    assert doctor["declareChezLeDemandeur"] is False
    assert consult(person, doctor["rpps"])["beneficiaireDeSoins"]["medecinTraitant"]["declareChezLeDemandeur"] is True


def test_comments_hold_numbers_in_many_forms() -> None:
    """Among four thousand people some comments hold the number bare, spaced, dotted, hyphenated and in lower case."""
    comments = []
    for index in range(0, 4000 * 71, 71):
        person = PEOPLE.person(index)
        rights = Desk.of(PEOPLE).rights.of(person, PEOPLE.family_of(person))
        comments += [rights.comment] if rights.comment else []
    text = "\n".join(comments)
    for mark in ("NSS ", "n° sécu : ", "SS 2.", "numéro ", "\u00a0", "insee "):
        assert mark in text, mark


def test_rights_of_every_kind_occur() -> None:
    """Long-term illness, C2S, AME, no complementary cover, one contract and two."""
    documents = [consult(PEOPLE.person(index)) for index in range(0, 300 * 997, 997)]
    persons = [one["beneficiaireDeSoins"] for one in documents]
    assert any(one["lstPeriodeCodeCouverture"][0]["codeALD"] for one in persons)
    assert any(one["c2s"] for one in persons)
    assert any(one["ame"] and "insMatricule" not in one for one in persons)
    assert {len(one["contratsAMC"]) for one in documents} == {0, 1, 2}


WRONG: list[Any] = [
    pytest.param({"immatriculation": "284057505600326"}, 422, "284057505600326", id="a wrong key"),
    pytest.param({"immatriculation": "9840575990003"}, 422, "9840575990003", id="a first digit that no number has"),
    pytest.param({"immatriculation": 2840575990003}, 422, "2840575990003", id="a number as a JSON number"),
    pytest.param({"dateNaissance": "1984-05-17"}, 422, "1984-05-17", id="a date with hyphens"),
    pytest.param({"rangGemellaire": 0}, 422, "rangGemellaire = 0", id="rank 0"),
    pytest.param({"rangGemellaire": True}, 422, "rangGemellaire = True", id="a rank that is true"),
    pytest.param({"domaine": "VETO"}, 422, "VETO", id="a domain that does not exist"),
    pytest.param({"dateSoins": "hier"}, 422, "hier", id="a care date that is none"),
    pytest.param({"curiosite": "oui"}, 422, "curiosite = oui", id="a member that the schema does not name"),
    pytest.param({"dateNaissance": "19010101"}, 404, "19010101", id="nobody born that day with that number"),
]


@pytest.mark.parametrize(("change", "status", "repeated"), WRONG)
def test_errors_repeat_the_question(change: dict[str, object], status: int, repeated: str) -> None:
    """A refusal validates as `Erreur` and says again what was sent, as the breached portals did."""
    body = orjson.dumps(question(PEOPLE.person(0)) | change)
    reply = ask("POST", "/v1/droits/consultation", body)
    assert reply.status == status
    document = orjson.loads(reply.body)
    validator("/v1/droits/consultation", "post", str(status)).validate(document)
    assert repeated in document["message"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"null", b'{"immatriculation": "\\ud800"}'])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    assert ask("POST", "/v1/droits/consultation", body).status == 422


# ---- the other JSON operations


def test_a_search_keeps_to_the_openapi_file() -> None:
    """Fifty whole persons, the count of all, and a next page whose address carries the search."""
    reply = ask("POST", "/v1/beneficiaires/recherche", orjson.dumps({"nom": "DURAND-TEST", "prenom": "ZOÉ"}))
    document = orjson.loads(reply.body)
    validator("/v1/beneficiaires/recherche", "post", "200").validate(document)
    assert (len(document["resultats"]), reply.persons) == (50, 50)
    assert document["total"] > 50
    assert document["pageSuivante"] == "/v1/beneficiaires/recherche?nom=DURAND-TEST&prenom=ZO%C3%89&page=2"
    assert all(one["noNIRCertifie"] for one in document["resultats"])


def test_a_search_for_nobody_is_empty() -> None:
    document = orjson.loads(ask("POST", "/v1/beneficiaires/recherche", b'{"nom": "PERSONNE"}').body)
    assert document == {"total": 0, "pageSuivante": None, "resultats": []}


@pytest.mark.parametrize(
    "body", [b"{}", b'{"nom": ""}', b'{"nom": "X", "page": 0}', b'{"nom": "X", "dateNaissance": "x"}']
)
def test_a_search_that_is_malformed_is_refused(body: bytes) -> None:
    reply = ask("POST", "/v1/beneficiaires/recherche", body)
    assert reply.status == 422
    validator("/v1/beneficiaires/recherche", "post", "422").validate(orjson.loads(reply.body))


def test_a_card_discloses_its_family() -> None:
    """The card's address leads to the contract and everyone on it; a number beside it is refused by repeating it."""
    _, family = carded()
    card = PEOPLE.cards_of(family.number)[0]
    reply = ask("GET", f"/v1/cartes/{card.amc.number}/{card.member}/beneficiaires")
    document = orjson.loads(reply.body)
    validator("/v1/cartes/{numeroAMC}/{numeroAdherent}/beneficiaires", "get", "200").validate(document)
    assert [one["noNIRCertifie"] for one in document["beneficiaires"]] == [one.nir for one in family.members]
    assert reply.persons == len(family.members)
    missing = ask("GET", f"/v1/cartes/{card.amc.number}/0000000001/beneficiaires")
    assert missing.status == 404
    assert "0000000001" in orjson.loads(missing.body)["message"]


def test_a_prior_agreement_gives_an_amount_and_far_more() -> None:
    """The amount is at most the ceiling; the person and the whole contract come with it."""
    person, family = carded()
    acts = [{"code": "LUN", "montantCentimes": 30_000}, {"code": "MON", "montantCentimes": 20_000}]
    reply = ask("POST", "/v1/prises-en-charge", orjson.dumps(question(person, domaine="OPTI", actes=acts)))
    document = orjson.loads(reply.body)
    validator("/v1/prises-en-charge", "post", "200").validate(document)
    guarantee = next(one for one in document["contrat"]["garanties"] if one["domaine"] == "OPTI")
    assert document["accord"] is True
    assert document["montantAMCCentimes"] == min(50_000, guarantee["plafondCentimes"])
    assert document["validite"] == {"dateDebut": "2026-11-22", "dateFin": "2027-02-20"}
    assert len(document["contrat"]["beneficiaires"]) == len(family.members)


def test_a_prior_agreement_without_a_card_is_refused_politely() -> None:
    """Somebody without an AMC gets no agreement, but is still named."""
    person = next(p for p in map(PEOPLE.person, range(3000)) if not PEOPLE.cards_of(p.family))
    body = orjson.dumps(question(person, domaine="OPTI", actes=[]))
    document = orjson.loads(ask("POST", "/v1/prises-en-charge", body).body)
    validator("/v1/prises-en-charge", "post", "200").validate(document)
    assert (document["accord"], "contrat" in document) == (False, False)
    assert document["beneficiaire"]["noNIRCertifie"] == person.nir


@pytest.mark.parametrize(
    "change", [{"actes": None}, {"actes": ["LUN"]}, {"actes": [{"code": "LUN"}]}, {"domaine": None}], ids=str
)
def test_a_malformed_quote_is_refused(change: dict[str, object]) -> None:
    body = orjson.dumps(question(PEOPLE.person(0), domaine="OPTI", actes=[]) | change)
    assert ask("POST", "/v1/prises-en-charge", body).status == 422


def test_the_account_is_the_callers() -> None:
    """Bank details and all, of whoever the assertion names."""
    optician = practitioner(12, "28")
    document = orjson.loads(ask("GET", "/v1/compte", caller=optician.rpps).body)
    validator("/v1/compte", "get", "200").validate(document)
    assert (document["identifiant"], document["iban"]) == (optician.rpps, account_of(optician.rpps).iban)


def test_an_export_is_a_thousand_people() -> None:
    """One row a person under a header, numbers included; another practitioner's portfolio is another."""
    reply = ask("POST", "/v1/exports")
    rows = list(csv.DictReader(io.StringIO(reply.body.decode())))
    assert len(rows) == EXPORT_ROWS == reply.persons
    first = rows[0]
    person = PEOPLE.find(first["noNIRCertifie"], first["dateNaissance"], int(first["rangGemellaire"]))
    assert person is not None
    assert first["nomUsuel"] == person.surname
    assert ask("POST", "/v1/exports", caller="99700427885").body != reply.body


# ---- the other formats: the same content


@given(people)
@settings(max_examples=examples(25), deadline=None)
def test_soap_says_what_json_says(person: Person) -> None:
    """Same persons in the same order, same numbers, same comments."""
    document = consult(person)
    body = f"""<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>
      <ConsulterDroits xmlns="urn:exemple:droits:1"><immatriculation>{person.nir}</immatriculation>
      <dateNaissance>{person.birth_date}</dateNaissance><rangGemellaire>{person.birth_rank}</rangGemellaire>
      </ConsulterDroits></s:Body></s:Envelope>"""
    reply = ask("POST", "/soap/adri", body.encode())
    assert (reply.status, reply.content_type) == (200, "text/xml; charset=utf-8")
    root = etree.fromstring(reply.body)
    contracts = document["contratsAMC"]
    expected = [document["beneficiaireDeSoins"], *document["famille"]]
    expected += [one for contract in contracts for one in contract["beneficiaires"]]
    assert [one.text for one in root.iter(D + "noNIRCertifie")] == [one["noNIRCertifie"] for one in expected]
    assert [one.text for one in root.iter(D + "nomUsuel")] == [one["nomUsuel"] for one in expected]
    comments = [one["commentaire"] for one in expected if one["commentaire"]]
    assert [one.text for one in root.iter(D + "commentaire")] == comments
    assert [one.get("numeroContrat") for one in root.iter(D + "contratAMC")] == [c["numeroContrat"] for c in contracts]


SOAP_WRONG: list[Any] = [
    pytest.param(b"<not xml", b"&lt;not xml", id="no XML"),
    pytest.param(b"\x00\x01", b"Enveloppe illisible", id="bytes that XML cannot quote"),
    pytest.param(openapi.example("adri.request.xml").replace(b"19921101", b"19921102"), b"19921102", id="nobody"),
    pytest.param(openapi.example("adri.request.xml").replace(b"PHAR", b"VETO"), b"VETO", id="no such domain"),
]


@pytest.mark.parametrize(("body", "repeated"), SOAP_WRONG)
def test_a_soap_fault_repeats_the_question(body: bytes, repeated: bytes) -> None:
    """Status 500, a soap:Fault, and the question in it."""
    reply = ask("POST", "/soap/adri", body)
    assert reply.status == 500
    assert etree.fromstring(reply.body).find(".//{http://schemas.xmlsoap.org/soap/envelope/}Fault") is not None
    assert repeated in reply.body


def test_soap_follows_no_entity() -> None:
    """A DOCTYPE's external entity is not read into the answer."""
    attack = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>' + openapi.example("adri.request.xml").replace(
        b'<?xml version="1.0" encoding="UTF-8"?>\n', b""
    ).replace(b"PHAR", b"&e;")
    reply = ask("POST", "/soap/adri", attack)
    with open("/etc/hostname", "rb") as secret:
        assert secret.read().strip() not in reply.body
    assert reply.status == 500


@given(people)
@settings(max_examples=examples(25), deadline=None)
def test_the_page_says_it_twice(person: Person) -> None:
    """The script block is the JSON answer; the table has a row for everyone in it."""
    form = f"immatriculation={person.nir}&dateNaissance={person.birth_date}&rangGemellaire={person.birth_rank}"
    reply = ask("POST", "/portail/droits", form.encode())
    assert (reply.status, reply.content_type) == (200, "text/html; charset=utf-8")
    page = html.fromstring(reply.body.decode())
    document = consult(person)
    assert orjson.loads(page.get_element_by_id("donnees").text) == document
    rows = page.get_element_by_id("beneficiaires").xpath(".//tbody/tr")
    assert [row[6].text for row in rows] == [
        one["noNIRCertifie"] for one in (document["beneficiaireDeSoins"], *document["famille"])
    ]


@pytest.mark.parametrize(
    ("form", "status"),
    [
        (b"immatriculation=2921101<b>&dateNaissance=1", 422),
        (b"", 422),
        (b"a=1&" * 60, 422),
        (b"immatriculation=292112B993001&dateNaissance=19921102&rangGemellaire=1", 404),
    ],
)
def test_error_pages_escape_what_they_repeat(form: bytes, status: int) -> None:
    reply = ask("POST", "/portail/droits", form)
    assert reply.status == status
    assert b"<b>" not in reply.body


@pytest.mark.parametrize("name", ["droits.css", "droits.js", "logo.svg"])
def test_static_files_name_nobody(name: str) -> None:
    reply = ask("GET", f"/portail/{name}")
    assert (reply.status, reply.persons) == (200, 0)


def fhir_request(person: Person, born: str | None, identifier_only: bool = False) -> bytes:
    identifier = [{"system": "urn:oid:1.2.250.1.213.1.4.8", "value": person.nir + person.nir_key}]
    if identifier_only:
        return orjson.dumps({"resourceType": "CoverageEligibilityRequest", "patient": {"identifier": identifier[0]}})
    patient = {"resourceType": "Patient", "id": "p", "identifier": identifier, "birthDate": born}
    contained = [patient | {"multipleBirthInteger": person.birth_rank}]
    request = {"resourceType": "CoverageEligibilityRequest", "patient": {"reference": "#p"}, "contained": contained}
    return orjson.dumps(request)


@given(people)
@settings(max_examples=examples(25), deadline=None)
def test_fhir_says_what_json_says(person: Person) -> None:
    """One response, one Patient for everyone in the family, one Coverage for each on each card."""
    date = person.birth_date
    born = f"{date[:4]}-{date[4:6]}-{date[6:]}" if "00" < date[4:6] < "13" else date[:4]
    reply = ask("POST", "/fhir/CoverageEligibilityRequest", fhir_request(person, born))
    assert (reply.status, reply.content_type) == (200, "application/fhir+json")
    resources = [entry["resource"] for entry in orjson.loads(reply.body)["entry"]]
    family, cards = PEOPLE.family_of(person), PEOPLE.cards_of(person.family)
    patients = [one for one in resources if one["resourceType"] == "Patient"]
    assert [one["identifier"][1]["value"] for one in patients] == [one.nir for one in family.members]
    coverages = [one["subscriberId"] for one in resources if one["resourceType"] == "Coverage"]
    assert coverages == [card.member for card in cards for _ in family.members]


def test_fhir_with_a_number_alone_answers_about_its_holder() -> None:
    person, _ = carded()
    reply = ask("POST", "/fhir/CoverageEligibilityRequest", fhir_request(person, None, identifier_only=True))
    response = orjson.loads(reply.body)["entry"][0]["resource"]
    assert response["patient"]["reference"] == f"Patient/REF-{person.index:08d}"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{}", 422),
        (b"[", 422),
        (b'{"resourceType": "CoverageEligibilityRequest"}', 422),
        (b'{"resourceType": "CoverageEligibilityRequest", "patient": {"identifier": {"value": "1"}}}', 422),
        (fhir_request(PEOPLE.person(0), "1901-01-01"), 404),
    ],
)
def test_a_fhir_error_is_an_outcome(body: bytes, status: int) -> None:
    reply = ask("POST", "/fhir/CoverageEligibilityRequest", body)
    document = orjson.loads(reply.body)
    assert (reply.status, document["resourceType"]) == (status, "OperationOutcome")
    assert document["issue"][0]["diagnostics"]


def test_coverage_search_includes_patients_on_request() -> None:
    """The same coverages with and without `_include`; Patients only with it."""
    _, family = carded()
    card = PEOPLE.cards_of(family.number)[0]
    plain = orjson.loads(ask("GET", f"/fhir/Coverage?subscriber-id={card.member}").body)
    target = f"/fhir/Coverage?subscriber-id={card.member}&_include=Coverage:beneficiary"
    full = orjson.loads(ask("GET", target).body)
    assert plain["total"] == full["total"] == len(PEOPLE.cards.with_member(card.member))
    assert {entry["search"]["mode"] for entry in plain["entry"]} == {"match"}
    numbers = [e["resource"]["identifier"][1]["value"] for e in full["entry"] if e["search"]["mode"] == "include"]
    assert {one.nir for one in family.members} <= set(numbers)


def test_coverage_search_without_a_number_pages_through_every_card() -> None:
    """`next` leads to the following cards, without end in sight."""
    first = orjson.loads(ask("GET", "/fhir/Coverage").body)
    assert first["total"] == PEOPLE.cards.count
    following = next(link["url"] for link in first["link"] if link["relation"] == "next")
    second = orjson.loads(ask("GET", following).body)
    ids = [{entry["resource"]["id"] for entry in page["entry"]} for page in (first, second)]
    assert ids[0]
    assert ids[1]
    assert not ids[0] & ids[1]


# ---- routes, caller, examples


def test_every_operation_of_the_file_is_served() -> None:
    """Each operationId is a name that requests are counted under, and each path answers under that name."""
    document: Any = openapi.document()
    described = {
        (method.upper(), path): operation["operationId"]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert sorted(described.values()) == sorted(OPERATIONS)
    for (method, path), name in described.items():
        target = path.format(numeroAMC="99990001", numeroAdherent="1", asset="droits.css")
        assert answer(API, method, target, b"", CALLER)[0] == name


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/v1/droits/consultation", 405),
        ("DELETE", "/v1/compte", 405),
        ("POST", "/v2/droits/consultation", 404),
        ("GET", "/v1/cartes/1/2/3/beneficiaires", 404),
        ("GET", "/portail/../etc/passwd", 404),
        ("GET", "/portail/autre.css", 404),
        ("GET", "/", 404),
    ],
)
def test_anything_else_is_not_there(method: str, target: str, status: int) -> None:
    assert ask(method, target).status == status


def _assertion(sub: object) -> str:
    payload = base64.urlsafe_b64encode(orjson.dumps({"sub": sub})).rstrip(b"=").decode()
    return f"e30.{payload}.not-a-signature"


@pytest.mark.parametrize(
    ("assertion", "rpps"),
    [
        pytest.param(_assertion("899700427885"), "99700427885", id="whoever the assertion names, unsigned as it is"),
        pytest.param(None, CALLER, id="nobody named"),
        pytest.param("rubbish", CALLER, id="no JWT"),
        pytest.param("a.@@@.c", CALLER, id="no base64"),
        pytest.param("a.e30.c", CALLER, id="no sub"),
        pytest.param(_assertion("099700427885"), CALLER, id="a sub that is no RPPS"),
        pytest.param(_assertion(7), CALLER, id="a sub that is a number"),
    ],
)
def test_the_caller_is_believed(assertion: str | None, rpps: str) -> None:
    assert caller_of(assertion) == rpps


def test_the_json_example_is_what_the_server_answers() -> None:
    """The examples of the OpenAPI file are in step with the code."""
    reply = ask("POST", "/v1/droits/consultation", openapi.example("consultation.request.json"))
    assert orjson.loads(reply.body) == orjson.loads(openapi.example("consultation.response.json"))


def test_the_soap_example_is_what_the_server_answers() -> None:
    """Up to the blanks that make it readable."""
    blank = etree.XMLParser(remove_blank_text=True)
    reply = ask("POST", "/soap/adri", openapi.example("adri.request.xml"))
    shown = etree.fromstring(openapi.example("adri.response.xml"), blank)
    assert etree.tostring(etree.fromstring(reply.body, blank), method="c14n") == etree.tostring(shown, method="c14n")


def test_the_fhir_example_is_answered() -> None:
    assert ask("POST", "/fhir/CoverageEligibilityRequest", openapi.example("eligibilite.request.json")).status == 200


def test_every_example_that_the_file_points_to_exists() -> None:
    """Each externalValue is a file of the package."""
    text = yaml.safe_dump(openapi.document())
    named = {line.split("examples/")[1].strip() for line in text.splitlines() if "externalValue" in line}
    assert named == {
        "consultation.request.json", "consultation.response.json", "adri.request.xml", "adri.response.xml",
        "eligibilite.request.json",
    }  # fmt: skip
    assert all(openapi.example(name) for name in named)
