"""The last look at what leaves, over a corpus of whole answers in which no identifier is left: no false alarm.

500 documents in `./dev test`; 100 000 with PARAVENT_EFFORT=200 (ten minutes). Each is a beneficiary's answer of the
sandbox without its numbers of persons, an account with IBAN, SIRET and telephone, and amounts, dates and numbers of
every other kind.
"""

import datetime
import json
import re
from functools import cache
from typing import Any, Final

import pytest

from effort import examples
from paravent.masking.scanner import leaks
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


def test_no_answer_without_an_identifier_is_withheld() -> None:
    """Amounts, dates, IBANs, telephones, SIRETs: none of them is taken for a number of a person."""
    people, key = desk().people, key_of(2022, "corpus")
    alarms = []
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
    assert alarms == []


@pytest.mark.parametrize("k", range(20))
def test_the_same_answers_with_their_numbers_are_all_found(k: int) -> None:
    """The corpus is one in which numbers would have been seen."""
    people = desk().people
    person = people.person(noise(key_of(2022, "corpus"), k) % people.size)
    document = documents_json.consultation(desk(), person, "", "2026-11-22T09:30:00+01:00")
    assert leaks(json.dumps(document).encode(), ())
