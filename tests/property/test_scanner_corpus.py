"""The last look at what leaves, over a corpus of whole answers in which no identifier is left: no false alarm.

500 documents in `./dev test`, 25 000 in `./dev fuzz`, 100 000 with PARAVENT_EFFORT=200 (half an hour). Each is a
beneficiary's answer of the sandbox without its numbers of persons, an account with IBAN, SIRET and telephone, and
amounts, dates and numbers of every other kind; as it is, and every value of it in a document of each format, under a
view that keeps them all.
"""

import csv
import datetime
import io
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from html import escape
from typing import Any, Final

import pytest

from effort import examples
from masking_views import NO_PERSONS, rule
from one_text import EVERY_FORMAT, PATIENT
from paravent.masking import Reduced, View, compile_view
from paravent.masking.scanner import leaks
from paravent.reasons import Reason
from paravent.rules import ResponseShape, ViewSpec
from paravent.sandbox import documents_json
from paravent.sandbox.documents_json import Desk
from paravent.sandbox.identifiers import iban, luhn_digit
from paravent.sandbox.permutation import key_of, noise
from paravent.sandbox.population import Population
from paravent.sandbox.practitioners import practitioner

DOCUMENTS: Final = examples(500)
NUMBERED: Final = frozenset({"noNIRCertifie", "cleNIR", "insMatricule", "commentaire"})
NIR: Final = re.compile(r"(?<![0-9])[1-8][0-9]{4}(?:[0-9]{2}|2[AB])[0-9]{6}(?:[0-9]{2})?(?![0-9])")


@cache
def desk() -> Desk:
    return Desk.of(Population())


def without_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_numbers(inner) for name, inner in value.items() if name not in NUMBERED}
    return [without_numbers(inner) for inner in value] if isinstance(value, list) else value


def other_numbers(seed: int) -> dict[str, Any]:
    """Of every kind that an answer about rights, bills and accounts may hold."""
    key = key_of(2026, "corpus")

    def digits(place: int, count: int) -> str:
        return f"{noise(key, seed * 64 + place) % 10**count:0{count}d}"

    amount = int(digits(1, 9))
    day = datetime.date(1900, 1, 1) + datetime.timedelta(days=int(digits(2, 6)) % 60_000)
    siren, phone, account = digits(3, 8), digits(4, 8), iban(digits(5, 18) + digits(6, 5))
    establishment = siren + luhn_digit(siren) + digits(7, 4)
    siret = establishment + luhn_digit(establishment)
    return {
        "montant": amount,
        "montants": [amount, amount // 7, -amount],
        "ecrit": f"{amount / 100:,.2f} EUR".replace(",", " "),
        "decimal": amount / 100,
        "date": f"{day:%Y-%m-%d}",
        "compacte": f"{day:%Y%m%d}",
        "francaise": f"{day:%d/%m/%Y}",
        "periode": f"du {day:%d/%m/%Y} au {day:%d.%m.%Y}",
        "moment": f"{day:%Y-%m-%d}T{digits(8, 2)}:30:15.{digits(9, 6)}+01:00",
        "iban": account,
        "ibanEcrit": " ".join(account[at : at + 4] for at in range(0, 27, 4)),
        "telephone": f"0{phone[0]}{phone}",
        "telephoneEcrit": f"+33 {phone[0]} " + " ".join(phone[at : at + 2] for at in range(0, 8, 2)),
        "siret": siret,
        "siretEcrit": f"{siret[:3]} {siret[3:6]} {siret[6:9]} {siret[9:]}",
        "rpps": digits(10, 11),
        "finess": digits(11, 9),
        "adherent": digits(12, 10),
        "carte": f"4{digits(13, 15)}",
        "contrat": f"CTR-2026-{digits(14, 10)}-01",
        "taux": f"{digits(15, 2)} %",
    }


# ---- every value of a document, in each format


def scalars(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from scalars(inner)
    elif value is not None:
        yield value


def values_of(document: Any) -> list[Any]:
    """Each once, in their order."""
    return list({(type(each), each): each for each in scalars(document)}.values())


def _table(values: list[Any]) -> bytes:
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow("abcdef")
    table.writerows([(*values[at : at + 6], *[""] * 6)[:6] for at in range(0, len(values), 6)])
    return out.getvalue().encode()


def _elements(values: list[Any]) -> bytes:
    inside = "".join(f'<e a="{escape(str(each))}">{escape(str(each))}</e>' for each in values)
    return f"<r>{inside}</r>".encode()


def _page(values: list[Any]) -> bytes:
    return f"<table>{''.join(f'<tr><td>{escape(str(each))}' for each in values)}</table>".encode()


def _patient(values: list[Any]) -> bytes:
    patient = json.loads(FHIR.written(""))
    return json.dumps(patient | {"name": [{"given": list(map(str, values))}]}, ensure_ascii=False).encode()


def keeping(shape: ResponseShape, *lines: str) -> View:
    return compile_view(ViewSpec("o", "21", "p", tuple(rule(line, "keep") for line in lines)), shape)


FHIR: Final = EVERY_FORMAT["fhir"]
FORMATS: Final[dict[str, tuple[View, Callable[[list[Any]], bytes]]]] = {
    "json": (keeping(NO_PERSONS, "/v[]"), lambda values: json.dumps({"v": values}, ensure_ascii=False).encode()),
    "xml": (keeping(EVERY_FORMAT["xml"].shape, "/r/e[]/@a"), _elements),
    "xml, texts": (keeping(EVERY_FORMAT["xml"].shape, "/r/e[]"), _elements),
    "html": (EVERY_FORMAT["html"].view("keep"), _page),
    "csv": (keeping(EVERY_FORMAT["csv"].shape, *(f"/lignes[]/{name}" for name in "abcdef")), _table),
    "fhir": (keeping(FHIR.shape, "/Patient[]/name[]/given[]"), _patient),
    "static": (EVERY_FORMAT["static"].view("keep"), lambda values: ";\n".join(map(str, values)).encode()),
}


TOGETHER: Final = 100
"""Values in one document: a page of more rows would be too long."""


def outcomes(document: Any) -> Iterator[tuple[str, Reduced | Reason]]:
    values = values_of(document)
    for name, (view, written) in FORMATS.items():
        for at in range(0, len(values), TOGETHER):
            yield name, view.apply(written(values[at : at + TOGETHER]), PATIENT)


# ---- no false alarm


@pytest.mark.hypothesis  # for `./dev fuzz`: it draws its cases, too
def test_no_answer_without_an_identifier_is_withheld() -> None:
    """Amounts, dates, IBANs, telephones, SIRETs: none of them is taken for a number of a person."""
    people, key = desk().people, key_of(2022, "corpus")
    alarms: list[object] = []
    for k in range(DOCUMENTS):
        person = people.person(noise(key, k) % people.size)
        document = documents_json.consultation(desk(), person, "", "2026-11-22T09:30:00+01:00")
        whole = [
            without_numbers(document),
            documents_json.account(practitioner(k % 5_000, "21").rpps),
            other_numbers(k),
        ]
        body = json.dumps(whole, ensure_ascii=False).encode()
        if leaks(body, ()):
            alarms.append(NIR.findall(body.decode()))
        alarms += [(k, name, each) for name, each in outcomes(whole) if not isinstance(each, Reduced)]
    assert alarms == []


def test_every_value_of_the_corpus_leaves_in_every_format() -> None:
    """So that each was looked at: none is dropped, and none stands in a place that no line names."""
    values = list(scalars([other_numbers(1), documents_json.account(practitioner(1, "21").rpps)]))
    for name, (view, written) in FORMATS.items():
        outcome = view.apply(written(values), PATIENT)
        assert isinstance(outcome, Reduced), name
        left = outcome.body.decode()
        assert [text for text in map(str, values) if text not in left and json.dumps(text)[1:-1] not in left] == [], (
            name
        )


@pytest.mark.parametrize("k", range(20))
def test_the_same_answers_with_their_numbers_are_all_found(k: int) -> None:
    """The corpus is one in which numbers would have been seen."""
    people = desk().people
    person = people.person(noise(key_of(2022, "corpus"), k) % people.size)
    document = documents_json.consultation(desk(), person, "", "2026-11-22T09:30:00+01:00")
    assert leaks(json.dumps(document).encode(), ())
