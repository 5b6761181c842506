"""Answers about several persons through a whole node: everybody in one is charged, or nobody's data leaves.

The budget is that of the reference policy: sixty persons in ten minutes for a pharmacist.
"""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import pytest
from fhir.resources.R4B.bundle import Bundle

from node import RunningNode, running_node
from pages import policy_of, policy_with
from paravent.nir import nir_key
from reference import HOW_TO
from wire import http_answer, raw_upstream

LIMIT: Final = 60
POLICY: Final = {
    "operations/couvertures.yaml": """
fhir.couvertures:
  match: {method: GET, path: "/fhir/Group/{numeroAMC}/{numeroAdherent}/Coverage"}
  require: {level: substantiel, max_auth_age: 4h}
  parameters: {numeroAMC: amc-number, numeroAdherent: member-number}
  response:
    format: fhir
    persons: ["/Patient[]"]
    identified_by: {nir: identifier, birth_date: birthDate, birth_rank: multipleBirthInteger}
    scope: listed
    max_persons: 25
""",
    "operations/tournees.yaml": """
tournees.lecture:
  match: {method: GET, path: "/v1/tournees/{jour}"}
  require: {level: substantiel, max_auth_age: 4h}
  parameters: {jour: date}
  response:
    format: csv
    persons: ["/lignes[]"]
    identified_by: {nir: noNIRCertifie, birth_date: dateNaissance, birth_rank: rangGemellaire}
    scope: listed
    max_persons: 25
""",
    "views/pharmacien.yaml": """
tournees.lecture:
  dispensation:
    /lignes[]/nom: keep
fhir.couvertures:
  dispensation:
    /Bundle/type: keep
    /Patient[]/name[]/family: keep
    /Coverage[]/status: keep
    /Coverage[]/beneficiary/reference: keep
""",
}
PATH: Final = "/fhir/Group/99990001/0012345678/Coverage"
TABLE: Final = "/v1/tournees/2026-11-30"


def number(serial: int) -> str:
    return f"2840599990{serial:03}"


def name(serial: int) -> str:
    letters = "ABCDEFGHIJ"
    return f"ESSAI-{letters[serial // 10]}{letters[serial % 10]}"


def table(serials: Iterable[int]) -> bytes:
    """A row for each number."""
    rows = [f"{number(serial)},19840517,1,{name(serial)}" for serial in serials]
    text = "\r\n".join(["noNIRCertifie,dateNaissance,rangGemellaire,nom", *rows, ""])
    return http_answer(text.encode(), content_type=b"text/csv; charset=utf-8")


def searchset(serials: Iterable[int]) -> bytes:
    """One Patient and one Coverage for each number, with all that such an answer brings along."""
    entries: list[dict[str, Any]] = []
    for serial in serials:
        system, nir = "urn:oid:1.2.250.1.213.1.4.8", number(serial)
        patient = {
            "resourceType": "Patient",
            "id": f"p{serial}",
            "identifier": [{"system": system, "value": nir + nir_key(nir)}],
            "name": [{"family": name(serial)}],
            "birthDate": "1984-05-17",
            "text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{nir}</div>'},
        }
        holder = {"reference": f"Patient/p{serial}", "display": "ESSAI CLAIRE"}
        coverage = {"resourceType": "Coverage", "id": f"c{serial}", "status": "active", "beneficiary": holder}
        entries += [{"resource": coverage}, {"resource": patient}]
    link = [{"relation": "next", "url": "/fhir/Coverage?subscriber-id=0012345678&page=2"}]
    body = {"resourceType": "Bundle", "type": "searchset", "total": 4711, "link": link, "entry": entries}
    return http_answer(json.dumps(body).encode(), content_type=b"application/fhir+json")


ANSWERS: Final = (range(20), range(20, 40), range(40, 60), range(20), range(1, 21), range(41, 61), range(5))
"""Twenty others at each of the first three questions; then twenty known ones twice; then nineteen and one who is new;
then five known ones."""


async def shown(node: RunningNode, path: str) -> tuple[int, set[str]]:
    """The status, and the names that left."""
    status, headers, body = await node.ask(method="GET", path=path)
    if status != 200:
        assert b"ESSAI" not in body
        return status, set()
    if headers[b"content-type"].startswith(b"text/csv"):
        head, *names = body.decode().splitlines()
        assert head == "nom"
        return status, set(names)
    Bundle.model_validate_json(body)
    document = json.loads(body)
    assert document.keys() == {"resourceType", "type", "entry"}
    resources = [entry["resource"] for entry in document["entry"]]
    names = [each["name"][0]["family"] for each in resources if each["resourceType"] == "Patient"]
    assert len(resources) == 2 * len(names)
    return status, set(names)


FORMATS: Final = pytest.mark.parametrize(
    ("path", "written"), [pytest.param(PATH, searchset, id="a Bundle"), pytest.param(TABLE, table, id="a table")]
)
type Written = Callable[[Iterable[int]], bytes]


@FORMATS
async def test_everybody_in_an_answer_is_charged_and_the_one_too_many_withholds_it(
    tmp_path: Path, path: str, written: Written
) -> None:
    """Three answers of twenty fill the budget of sixty. The same persons again cost nothing; nineteen of them with one
    who is new do not leave, none of the twenty, and the budget stands where it stood."""
    policies = policy_with(POLICY.items())
    async with (
        raw_upstream(lambda asked, _: written(ANSWERS[asked])) as upstream,
        running_node(tmp_path, upstream.port, policies=policies) as node,
    ):
        told = [await shown(node, path) for _ in ANSWERS]
        assert [status for status, _ in told] == [200, 200, 200, 200, 200, 429, 200]
        assert [len(names) for _, names in told] == [20, 20, 20, 20, 20, 0, 5]
        assert len(set().union(*(names for _, names in told))) == LIMIT
        records = [record for record in node.records() if "decision" in record]
        persons = [record.get("persons", []) for record in records]
        assert [len(some) for some in persons] == [20, 20, 20, 20, 20, 0, 5]  # type: ignore[arg-type]
        assert len({each for some in persons for each in some}) == LIMIT  # type: ignore[attr-defined]
        assert records[5]["reason"] == "persons_over_budget"
        assert len(upstream.requests) == len(ANSWERS)
        assert not any(number(serial) in node.logs.getvalue() for serial in range(LIMIT))


@FORMATS
async def test_more_than_the_operation_allows_do_not_leave_in_one_answer(
    tmp_path: Path, path: str, written: Written
) -> None:
    """Twenty-six where twenty-five may: none, and nobody is charged."""
    async with (
        raw_upstream(written(range(26))) as upstream,
        running_node(tmp_path, upstream.port, policies=policy_with(POLICY.items())) as node,
    ):
        assert (await shown(node, path))[0] == 403
        (record,) = [record for record in node.records() if "decision" in record]
        assert record["reason"] == "too_many_persons"
        assert not record.get("persons")


# ---- several persons in one question


def asked(serials: Iterable[int]) -> dict[str, object]:
    """The question of docs/how-to/open-a-search-or-an-export.md about these numbers."""
    named = [{"immatriculation": number(n), "dateNaissance": "19840517", "rangGemellaire": 1} for n in serials]
    return {"demandes": named}


def told(serials: Iterable[int]) -> bytes:
    """An answer about each number, with a relative who was not asked about."""

    def person(serial: int) -> dict[str, Any]:
        who = {"noNIRCertifie": number(serial), "dateNaissance": "19840517", "rangGemellaire": 1}
        return {**who, "nomUsuel": name(serial), "prenom": "CLAIRE", "commentaire": "Rappeler"}

    answers = [{"beneficiaireDeSoins": person(serial), "famille": [person(serial + 30)]} for serial in serials]
    return http_answer(json.dumps({"total": 4711, "reponses": answers}).encode())


async def lot(node: RunningNode, serials: Iterable[int]) -> tuple[int, list[str], int]:
    """The status, the names that left, and how many persons the doctor's first window has room for."""
    status, headers, body = await node.ask(asked(serials), path="/v1/droits/lot", profession="10")
    names = [each["beneficiaireDeSoins"]["nomUsuel"] for each in json.loads(body)["reponses"]] if status == 200 else []
    remaining = re.search(rb";r=(\d+)", headers.get(b"ratelimit", b""))
    return status, names, int(remaining[1]) if remaining else -1


async def test_everybody_who_is_asked_about_is_charged_before_the_api_is_asked(tmp_path: Path) -> None:
    """Found or not, and nobody else. One more than there is room for is refused with those around them, and none of
    them is charged. A doctor may look up twenty in ten minutes."""
    policies = policy_of(HOW_TO / "open-a-search-or-an-export.md")
    answers = [range(5), range(5, 8), [], range(20, 25), range(40, 45)]
    async with (
        raw_upstream(lambda before, _: told(answers[before])) as upstream,
        running_node(tmp_path, upstream.port, policies=policies) as node,
    ):
        assert await lot(node, range(5)) == (200, [name(serial) for serial in range(5)], 15)
        assert await lot(node, range(5, 10)) == (200, [name(serial) for serial in range(5, 8)], 10), "two are not found"
        assert (await lot(node, range(20, 25)))[0] == 404, "nor is anybody of these"
        assert await lot(node, range(20, 25)) == (200, [name(serial) for serial in range(20, 25)], 5), "paid for before"
        assert (await lot(node, range(40, 46)))[0] == 429
        assert len(upstream.requests) == 4
        assert await lot(node, range(40, 45)) == (200, [name(serial) for serial in range(40, 45)], 0)
        records = [record for record in node.records() if "decision" in record]
        assert [len(record.get("persons", [])) for record in records] == [5, 3, 0, 5, 0, 5]  # type: ignore[arg-type]
        assert not any(number(serial) in node.logs.getvalue() for serial in range(60))
        assert not any(number(serial).encode() in node.ledger() for serial in range(60))
