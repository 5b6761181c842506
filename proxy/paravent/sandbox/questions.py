"""What is asked: parsed as the OpenAPI file says, refused in words that repeat what was sent.

The repetition is deliberate. Errors that quote the question are one of the ways in which the breached portals leaked.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from paravent.sandbox.identifiers import nir_key

NIR: Final = re.compile(r"[1-8][0-9]{2}[0-9]{2}(?:[0-9]{2}|2A|2B)[0-9]{6}(?:[0-9]{2})?")
BIRTH_DATE: Final = re.compile(r"[0-9]{8}")
CARE_DATE: Final = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])")
DOMAINS: Final = ("PHAR", "MED", "OPTI", "AUDI", "DENT", "LABO", "HOSP")

_SHOWN: Final = 500
"""How much of a body that cannot be read an error repeats, in characters."""


class Refused(Exception):
    """The question is not one. Carries the `code` and `message` of an `Erreur`, identifiers and all."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Question:
    """One beneficiary, as asked for."""

    sent: str
    """The number as sent, with its key if it had one."""
    nir: str
    """Its 13 characters."""
    birth_date: str
    birth_rank: int

    def __str__(self) -> str:
        return f"{self.sent}, né(e) le {self.birth_date}, rang {self.birth_rank}"


def json_object(body: bytes) -> dict[str, object]:
    """The body as a JSON object."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        raise Refused("CORPS_ILLISIBLE", f"Corps illisible : {body[:_SHOWN].decode('utf-8', 'replace')}")
    return parsed


def only(members: Mapping[str, object], allowed: tuple[str, ...]) -> None:
    """Refuse members that the schema does not name."""
    for name, value in members.items():
        if name not in allowed:
            raise Refused("CHAMP_INCONNU", f"Champ inconnu : {name} = {value}")


def text(members: Mapping[str, object], name: str, pattern: re.Pattern[str] | None = None) -> str:
    """A required text that matches the whole pattern."""
    value = members.get(name)
    if not isinstance(value, str) or not (value if pattern is None else pattern.fullmatch(value)):
        raise Refused("CHAMP_INVALIDE", f"Champ invalide : {name} = {value}")
    return value


def optional_text(members: Mapping[str, object], name: str, pattern: re.Pattern[str] | None = None) -> str | None:
    """As `text`, or None when the member is absent."""
    return text(members, name, pattern) if name in members else None


def whole_number(members: Mapping[str, object], name: str, low: int, high: int) -> int:
    """A required integer between two bounds, as JSON or, in a form or a SOAP element, as digits."""
    value = members.get(name)
    if isinstance(value, str) and BIRTH_DATE.fullmatch(value.rjust(8, "0")):
        value = int(value)
    if type(value) is not int or not low <= value <= high:
        raise Refused("CHAMP_INVALIDE", f"Champ invalide : {name} = {value}")
    return value


def domain(members: Mapping[str, object]) -> str:
    """A care domain."""
    value = text(members, "domaine")
    if value not in DOMAINS:
        raise Refused("CHAMP_INVALIDE", f"Champ invalide : domaine = {value}")
    return value


def split_key(sent: str) -> str:
    """The 13 characters of a number; refused when a key came and is not its own."""
    nir, key = sent[:13], sent[13:]
    if key and key != nir_key(nir):
        raise Refused("CLE_INVALIDE", f"Clé invalide : {sent}")
    return nir


def beneficiary(members: Mapping[str, object]) -> Question:
    """The three members that name a beneficiary in every consultation."""
    sent = text(members, "immatriculation", NIR)
    birth_date = text(members, "dateNaissance", BIRTH_DATE)
    rank = whole_number(members, "rangGemellaire", 1, 9)
    return Question(sent, split_key(sent), birth_date, rank)


def consultation(members: Mapping[str, object]) -> Question:
    """`ConsultationRequest`. The care date and the domain are checked, then ignored: everything comes back."""
    only(members, ("immatriculation", "dateNaissance", "rangGemellaire", "dateSoins", "domaine"))
    optional_text(members, "dateSoins", CARE_DATE)
    if "domaine" in members:
        domain(members)
    return beneficiary(members)
