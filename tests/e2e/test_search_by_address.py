"""The search and the export of docs/how-to/open-a-search-or-an-export.md, as a practitioner meets them: real processes.

The sandbox's search lists whole families, every card there is when it is asked without a number, and pages of them. The
node in front of it lets one card be asked for. The sandbox's export has a thousand rows, numbers included, unless it is
asked for fewer.
"""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from pages import policy_of
from paravent.sandbox.cards import Card
from reference import HOW_TO
from stack import Stack, population, running_stack, sandbox_hits

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("search")]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("search"), start=False) as running:
        for name, content in policy_of(HOW_TO / "open-a-search-or-an-export.md").items():
            (running.policies / name).write_bytes(content)
        running.start()
        yield running


def cards(persons: int = 2) -> list[Card]:
    """Cards of the first hundred families that have one, of at least so many persons."""
    people = population()
    found = (card for number in range(100) for card in people.cards_of(number)[:1])
    return [card for card in found if len(people.family(card.family).members) >= persons]


def address(card: Card, more: str = "") -> str:
    return (
        f"/fhir/Coverage?subscriber-id={card.member}&payor:identifier={card.amc.number}"
        f"&_include=Coverage:beneficiary{more}"
    )


def records(stack: Stack) -> list[dict[str, Any]]:
    files = sorted((stack.folder / "audit").glob("ledger-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_everybody_on_the_card_is_shown_and_charged(stack: Stack) -> None:
    """Their names and how long it is valid; not their numbers, birth dates, homes, doctors and contract."""
    card = cards(3)[0]
    family = population().family(card.family).members
    login = stack.login()
    reply = stack.call("GET", address(card), login)
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/fhir+json"
    Bundle.model_validate_json(reply.body)
    resources = [entry["resource"] for entry in reply.json()["entry"]]
    names = [each["name"][0]["given"][0] for each in resources if each["resourceType"] == "Patient"]
    assert sorted(names) == sorted(person.first_name for person in family)
    assert len(resources) == 2 * len(family)
    text = reply.body.decode()
    for person in family:
        assert person.nir not in text
        assert person.birth_date not in text.replace("-", "")
        assert f"{person.index:08d}" not in text
    assert len(records(stack)[-1]["persons"]) == len(family)
    again = stack.call("GET", address(card), login)
    assert again.body == reply.body
    assert records(stack)[-1]["persons"] == records(stack)[-2]["persons"]


def test_a_card_that_nobody_has_is_a_miss(stack: Stack) -> None:
    """As a person whom the API does not know: 404, and the same problem."""
    card = cards()[1]
    other = Card(card.index, card.family, card.amc, "0" * 10, card.second)
    assert stack.call("GET", address(other), stack.login(serial=1)).problem == "beneficiary_unknown"


def test_no_other_search_reaches_the_api(stack: Stack) -> None:
    """Not the one for everything, not by insurer, not by member number alone, not the next page."""
    card = cards()[1]
    before, login = sandbox_hits(stack)["hits"], stack.login(serial=2)
    for target in (
        "/fhir/Coverage",
        "/fhir/Coverage?_include=Coverage:beneficiary",
        f"/fhir/Coverage?payor:identifier={card.amc.number}&_include=Coverage:beneficiary",
        f"/fhir/Coverage?subscriber-id={card.member}&_include=Coverage:beneficiary",
        address(card, "&page=2"),
        address(card, f"&beneficiary.identifier={population().person(3).nir}"),
    ):
        assert stack.call("GET", target, login).problem == "malformed_request"
    assert sandbox_hits(stack)["hits"] == before


def test_a_colleague_without_a_view_of_it_is_refused(stack: Stack) -> None:
    """An optician has none."""
    reply = stack.call("GET", address(cards()[1]), stack.login("28"))
    assert reply.status == 403
    assert reply.problem == "not_allowed"


def test_an_export_has_the_columns_of_the_view_and_each_row_is_charged(stack: Stack) -> None:
    """Twelve rows of sixteen columns come from the API; four columns leave, and no NIR."""
    doctor = stack.login("10", acr="eidas3")
    reply = stack.call("POST", "/v1/exports", doctor, {"lignes": 12})
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    head, *rows = list(csv.reader(io.StringIO(reply.body.decode())))
    assert head == ["nomUsuel", "prenom", "numeroAMC", "numeroAdherent"]
    assert len(rows) == 12
    assert all(len(row) == 4 and row[0] and row[1] for row in rows)
    assert len(set(records(stack)[-1]["persons"])) == 12
    assert sandbox_hits(stack)["operations"]["exports.creation"] == 1


def test_a_larger_export_does_not_reach_the_api(stack: Stack) -> None:
    """Nor does one that names no number of rows, nor that of somebody whose profession has none."""
    before, doctor = sandbox_hits(stack)["hits"], stack.login("10", acr="eidas3", serial=1)
    for body in ({"lignes": 31}, {"lignes": 1000}, {"lignes": "12"}, {}, {"lignes": 12, "tout": True}):
        assert stack.call("POST", "/v1/exports", doctor, body).problem == "malformed_request"
    assert stack.call("POST", "/v1/exports", stack.login(acr="eidas3"), {"lignes": 12}).problem == "not_allowed"
    assert sandbox_hits(stack)["hits"] == before


def test_no_number_of_a_card_or_person_is_kept_anywhere(stack: Stack) -> None:
    """Not in what the node printed, its ledger or its metrics."""
    kept = [records(stack), stack.metrics(), stack.proxy and stack.proxy.log.read_text("utf-8", errors="replace")]
    for card in cards():
        people = population().family(card.family).members
        assert not any(number in str(kept) for number in (card.member, *(one.nir for one in people)))
