"""What an answer of the lookup API gives away: which persons, which numbers, how many fields about each.

Counted as an attacker would count it: from the document, and from what the attacker had sent. Where the counting has to
lean, it leans against the proxy: whoever has one field in an answer is exposed.
"""

import re
from dataclasses import dataclass
from typing import Final

from paravent.model import Json
from paravent.nir import SHORTEST, contains_identifier, normalise_answer, undress

type PersonKey = tuple[str, str, int]
"""NIR (thirteen characters; the names where it is not told), birth date, birth rank."""

ASKED: Final = "beneficiaireDeSoins"
"""The member that holds the person asked about."""
PERSONS: Final = frozenset({ASKED, "famille", "beneficiaires"})
"""The members whose objects are persons."""

_NIR_MEMBERS: Final = ("noNIRCertifie", "insMatricule")
_WRITTEN: Final = re.compile(r"(?<![0-9])([1-8][0-9]{4}(?:[0-9]{2}|2A|2B)[0-9]{6})(?:[0-9]{2})?(?![0-9])")

_MANY_DIGITS: Final = re.compile(r"(?:[0-9][^0-9]{0,3}){12}")
"""Even a Corsican number has twelve. Only to be quick."""


@dataclass(frozen=True, slots=True)
class Question:
    """One consultation: what the caller knows before it asks."""

    nir: str
    """Thirteen characters, without key. For a child, perhaps a parent's."""
    birth_date: str
    """YYYYMMDD, not always a calendar date."""
    birth_rank: int

    @property
    def person(self) -> PersonKey:
        return self.nir, self.birth_date, self.birth_rank


@dataclass(frozen=True, slots=True)
class Exposed:
    """What one answer gave away."""

    fields: dict[PersonKey, int]
    """Every person of whom at least one field came → how many came."""
    nirs: frozenset[str]
    """Every NIR anywhere in it, thirteen characters; those in free text too."""


def expose(question: Question, document: Json) -> Exposed:
    """Read the answer to a consultation.

    A field is a value that is not null. A person whom the answer lists twice counts once, at the fuller listing. What
    stands outside the person objects (fund, contracts, guarantees) is about the person who was asked about.
    """
    persons: list[tuple[str, dict[str, Json]]] = []
    around = _leaves(document, persons)
    persons.sort(key=lambda each: each[0] != ASKED)
    asked = question.person
    fields: dict[PersonKey, int] = {}
    nirs = _nirs_in(around)
    seen: list[dict[str, Json]] = []
    for member, person in persons:
        if person in seen:
            continue
        seen.append(person)
        own = _leaves(person)
        if not own:
            continue
        nirs |= _nirs_in(own)
        key = _key(person, question if member == ASKED else None)
        fields[key] = max(fields.get(key, 0), len(own))
        if member == ASKED:
            asked = key
    if around:
        fields[asked] = fields.get(asked, 0) + len(around)
    return Exposed(fields, frozenset(nirs))


def count_fields(document: Json) -> int:
    """How many values that are not null a document holds, whomever they are about."""
    return len(_leaves(document))


type _Leaf = tuple[str, str | int | float | bool]
"""The member that a value stands in, and the value."""


def _leaves(document: Json, persons: list[tuple[str, dict[str, Json]]] | None = None) -> list[_Leaf]:
    """Every value that is not null. With `persons`, the person objects are put there instead of being entered."""
    leaves: list[_Leaf] = []
    waiting: list[tuple[str, Json]] = [("", document)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            if persons is not None and name in PERSONS:
                persons.append((name, value))
            else:
                waiting.extend(value.items())
        elif isinstance(value, list):
            waiting.extend((name, child) for child in value)
        elif value is not None:
            leaves.append((name, value))
    return leaves


def _key(person: dict[str, Json], question: Question | None) -> PersonKey:
    """Who it is. The person asked about need not be named again: the caller knows whom it asked about."""
    nir = next((str(person[name]) for name in _NIR_MEMBERS if person.get(name)), None)
    date, rank = person.get("dateNaissance"), person.get("rangGemellaire")
    if nir is not None and isinstance(date, str) and isinstance(rank, int):
        return normalise_answer(nir) or nir, date, rank
    if question is not None:
        return question.person
    names = " ".join(str(person.get(name)) for name in ("nomUsuel", "nomPatronymique", "prenom", "referenceInterne"))
    return names, str(date), rank if isinstance(rank, int) else 0


def _nirs_in(leaves: list[_Leaf]) -> set[str]:
    found: set[str] = set()
    for name, value in leaves:
        if not isinstance(value, str) or len(value) < SHORTEST:
            continue
        if name in _NIR_MEMBERS:
            nir = normalise_answer(value)
            if nir is not None:
                found.add(nir)
        elif _MANY_DIGITS.search(value) and contains_identifier(value):
            found.update(match.group(1) for match in _WRITTEN.finditer(undress(value)))
    return found
