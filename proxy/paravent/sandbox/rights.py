"""What the schemes know of a person: everything that an over-disclosing answer carries, computed from the seed.

Dates are those of the year the population lives in, 2026. Shares (long-term illness, C2S, comments) are of the right
order of magnitude and nothing more.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from paravent.sandbox.cards import AME, C2S
from paravent.sandbox.identifiers import DRESSES, dressed
from paravent.sandbox.names import STREETS, TOWNS
from paravent.sandbox.permutation import key_of, noise
from paravent.sandbox.population import Family, Person, Population
from paravent.sandbox.practitioners import Account, practitioner

YEAR: Final = 2026
DOCTORS: Final = 60_000

_LONG_TERM: Final = (
    ("01", "AVC invalidant"),
    ("03", "artériopathies chroniques"),
    ("05", "insuffisance cardiaque grave"),
    ("07", "infection par le VIH"),
    ("08", "diabète"),
    ("13", "maladie coronaire"),
    ("14", "insuffisance respiratoire chronique grave"),
    ("15", "maladie d'Alzheimer"),
    ("23", "affections psychiatriques de longue durée"),
    ("30", "tumeur maligne"),
)
"""Groups of the list of long-term illnesses (ALD 30): a code reveals a pathology."""
_SCHEMES: Final = ("01", "01", "01", "01", "01", "01", "01", "02", "91", "10")


@dataclass(frozen=True, slots=True)
class Period:
    """ISO dates; no end means open."""

    start: str
    end: str | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """One line of `lstPeriodeCodeCouverture`."""

    group: str
    period: Period
    code: str
    """`codeSituation`: what sets the rate."""
    label: str
    long_term: str | None = None
    """`codeALD`."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """`infosGlobales`: who manages the compulsory share of a family."""

    regime: str
    fund: str
    centre: str
    label: str


@dataclass(frozen=True, slots=True)
class Address:
    lines: tuple[str, ...]
    postcode: str
    town: str


@dataclass(frozen=True, slots=True)
class Rights:
    """One person's."""

    service: str
    """`codeServiceAMO`."""
    amo: Period
    situations: tuple[Situation, ...]
    c2s: Period | None
    c2s_manager: str
    ame: Period | None
    doctor: Account | None
    """The declared médecin traitant."""
    comment: str | None
    """Free text typed by an agent."""


class RightsDesk:
    """Answers for a population. Immutable."""

    def __init__(self, people: Population) -> None:
        self._people = people
        self._person_key = key_of(people.seed, "rights")
        self._family_key = key_of(people.seed, "households")

    def scheme(self, family: int) -> Scheme:
        """Of everyone in a family."""
        n = noise(self._family_key, family)
        departement = 1 + n % 95
        fund = f"{departement:02d}9"
        return Scheme(
            _SCHEMES[n >> 8 & 7], fund, f"{1 + (n >> 16) % 40:04d}", "CPAM D'ESSAI" if n >> 8 & 7 else "MSA D'ESSAI"
        )

    def address(self, family: int) -> Address:
        """Of everyone in a family."""
        n = noise(self._family_key, family)
        lines = [f"{1 + (n >> 24) % 140} {STREETS[(n >> 32) % len(STREETS)]}"]
        if n >> 40 & 3 == 0:
            lines.append(f"BÂTIMENT {'ABCDEFGH'[n >> 42 & 7]}")
        return Address(tuple(lines), f"{1 + n % 95:02d}099", TOWNS[(n >> 48) % len(TOWNS)])

    def of(self, person: Person, family: Family) -> Rights:
        """`family` is that person's."""
        n = noise(self._person_key, person.index)
        coverage = self._people.cards.coverage(person.family)
        adult = person.quality != "enfant" or person.own_nir
        return Rights(
            service="00" if n >> 20 & 31 else "18",
            amo=Period(f"{YEAR}-01-01", None if n >> 10 & 3 else f"{YEAR}-12-31"),
            situations=_situations(n, int(person.birth_date[:4])),
            c2s=Period(f"{YEAR}-0{1 + n % 9}-01", f"{YEAR + 1}-0{1 + n % 9}-01") if coverage == C2S else None,
            c2s_manager="CPAM D'ESSAI",
            ame=Period(f"{YEAR}-02-01", f"{YEAR + 1}-01-31") if coverage == AME else None,
            doctor=_doctor((n >> 30) % DOCTORS) if adult and (n >> 50) % 100 < 88 else None,
            comment=_comment(n, person, family),
        )


@lru_cache(maxsize=4096)
def _doctor(k: int) -> Account:
    return practitioner(k, "10")


def _situations(n: int, birth_year: int) -> tuple[Situation, ...]:
    standard = Situation("STD", Period(f"{YEAR}-01-01"), "0000", "Régime général")
    age = YEAR - birth_year
    if (n >> 3) % 1000 < max(30, 9 * (age - 15)):
        code, label = _LONG_TERM[(n >> 13) % len(_LONG_TERM)]
        since = YEAR - 1 - (n >> 17) % min(4, max(1, age))
        period = Period(f"{since}-05-01", f"{since + 5}-04-30")
        return (Situation("ALD", period, "0100", f"ALD exonérante - {label}", code), standard)
    if 20 <= age <= 40 and (n >> 3) % 1000 > 975:
        return (Situation("MAT", Period(f"{YEAR}-03-01", f"{YEAR}-11-30"), "0300", "Assurance maternité"), standard)
    return (standard,)


def _comment(n: int, person: Person, family: Family) -> str | None:
    """One person in twenty-five has one; two comments in three hold a number, sometimes a relative's."""
    choice = (n >> 5) % 150
    if choice >= 6:
        return None
    relative = family.members[(n >> 12) % len(family.members)]
    number = dressed((relative if choice == 1 else person).nir, DRESSES[(n >> 15) % len(DRESSES)])
    return (
        f"Rappeler l'assuré(e), {number}",
        f"Doublon probable avec {relative.first_name} {relative.surname}, {number}",
        f"Courrier revenu NPAI. {number} à vérifier",
        f"mutation demandée ({number.lower()}), pièces reçues",
        "Pièce d'identité à fournir avant le 31/12",
        f"Ne pas confondre avec {relative.first_name} {relative.birth_name}, né(e) {person.birth_date}",
    )[choice]
