"""Who lives on one card: the pattern of families that repeats every block, and which slot each person fills.

A family is written as its members, the insured first; the count stands before it:

    3  "M.M F.M F.Y"         a man and a woman born 1962-71, a daughter with a number of her own
    2  "F.N M.N M.1^1"       a boy born 2011-15, asked for under the number of member 1 (his father)
    1  "F.J M.J F.2 F.2~"    twin girls: ~ is the twin of the member before
    1  "F.M F.S=autre"       the insured's mother is on the card

    sex . group: S 1931-61   M 1962-71   N 1972-80   J 1981-92   A 1993-2000   Y 2001-10     with a number of their own
                 1 2011-15   2 2016-20   3 2021-25                                           under a parent's number
                 P           provisional numbers, born 1972-97

The groups are chosen so that parents are 19 to 48 years older than their children, and so that brothers and sisters who
share a parent's number never share a birth date unless they are twins.
"""

from dataclasses import dataclass
from typing import Final

CIVIL_YEARS: Final = {
    "S": range(1931, 1962), "M": range(1962, 1972), "N": range(1972, 1981), "J": range(1981, 1993),
    "A": range(1993, 2001), "Y": range(2001, 2011),
}  # fmt: skip
CHILD_YEARS: Final = {"1": range(2011, 2016), "2": range(2016, 2021), "3": range(2021, 2026)}
PROVISIONAL: Final = "P"
PROVISIONAL_YEARS: Final = range(1972, 1998)

_FAMILIES: Final = (
    (5, "F.S"), (5, "M.S"), (14, "M.S F.S"), (11, "F.S M.S"), (1, "M.S M.S"),
    (1, "F.M"), (2, "M.M"), (3, "M.M F.M"), (1, "F.M M.M"), (4, "M.M F.M F.Y"), (3, "F.M M.M M.Y"),
    (3, "F.M M.M M.Y F.Y"), (1, "M.M F.M M.Y M.Y F.Y"), (1, "F.M F.S=autre"), (1, "M.M M.Y"),
    (1, "F.N"), (2, "M.N"), (1, "M.N F.N"), (3, "F.N M.N M.Y M.1^1"), (3, "M.N F.N F.Y F.1^1"), (2, "F.N M.N F.2"),
    (2, "F.N M.N F.Y F.1 M.2"), (1, "F.N F.Y M.1"), (1, "F.N F.N M.2"), (1, "M.N F.N M.Y F.1^1 F.1~^1"), (1, "M.N M.Y"),
    (2, "M.J"), (1, "F.J"), (2, "M.J F.J"), (2, "F.J M.J F.2 M.3"), (2, "M.J F.J M.3^1"), (4, "F.J M.J M.1 F.2"),
    (3, "M.J F.J F.2 M.3"), (2, "M.J F.J M.1^1 F.2^1 M.3^1"), (1, "F.J M.J F.2 F.2~"), (1, "M.J F.J M.1 F.3 M.3~"),
    (2, "F.J M.2"), (1, "F.J F.1 F.3"), (1, "M.J M.J F.3"),
    (3, "F.A"), (3, "M.A"), (5, "M.A F.A"), (3, "F.A M.A"), (2, "F.A M.A F.3"), (2, "M.A F.A M.3^1"), (1, "F.A M.3"),
    (2, "F.Y"), (3, "M.Y"), (2, "F.Y M.Y"),
    (1, "M.P F.P"), (1, "F.P M.2"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Slot:
    """One place in the block: what is fixed about whoever fills it."""

    index: int
    """Position in the block."""
    family: int
    """Number of the family in the block."""
    member: int
    """Number in the family, 0 the insured."""
    quality: str
    """`qualite` of the API: assure, conjoint, enfant, autre."""
    sex: str
    """"M" or "F"."""
    cohort: str
    """Which register the birth is in: group and sex ("SF"), or the group alone for children ("2")."""
    cohort_rank: int
    """Which of the block's births in that register; twins share one."""
    holder: int
    """Index in the block of the slot whose number this person is asked for with: itself or a parent."""
    birth_rank: int
    """1, or 2 for the second twin."""


def _quality(member: int, group: str, insured_group: str) -> str:
    if member == 0:
        return "assure"
    return "enfant" if group in CHILD_YEARS or (group == "Y" and insured_group != "Y") else "conjoint"


def _family(number: int, text: str, first: int, births: dict[str, int]) -> list[Slot]:
    """The slots of one family. `births` counts the births given out so far, by register, and is advanced."""
    slots: list[Slot] = []
    for member, word in enumerate(text.split()):
        rest, _, quality = word.partition("=")
        rest, _, under = rest.partition("^")
        sex, group, twin = rest[0], rest[2], rest.endswith("~")
        child = group in CHILD_YEARS
        cohort = group if child else group + sex
        if not twin:
            births[cohort] = births.get(cohort, 0) + 1
        slots.append(
            Slot(
                index=first + member,
                family=number,
                member=member,
                quality=quality or _quality(member, group, text[2]),
                sex=sex,
                cohort=cohort,
                cohort_rank=births[cohort] - 1,
                holder=first + (int(under or 0) if child else member),
                birth_rank=2 if twin else 1,
            )
        )
    return slots


def _block() -> tuple[tuple[Slot, ...], ...]:
    """All families of a block, the kinds interleaved so that neighbours differ."""
    families: list[tuple[Slot, ...]] = []
    births: dict[str, int] = {}
    first = 0
    for turn in range(max(count for count, _ in _FAMILIES)):
        for text in (text for count, text in _FAMILIES if turn < count):
            families.append(tuple(_family(len(families), text, first, births)))
            first += len(families[-1])
    return tuple(families)


FAMILIES: Final = _block()
"""The families of a block."""
SLOTS: Final = tuple(slot for family in FAMILIES for slot in family)
"""The persons of a block, family by family."""
BLOCK_PERSONS: Final = len(SLOTS)
BLOCK_FAMILIES: Final = len(FAMILIES)


def _births() -> dict[str, tuple[tuple[Slot, ...], ...]]:
    found: dict[str, dict[int, list[Slot]]] = {}
    for slot in SLOTS:
        found.setdefault(slot.cohort, {}).setdefault(slot.cohort_rank, []).append(slot)
    return {cohort: tuple(tuple(ranks[rank]) for rank in range(len(ranks))) for cohort, ranks in found.items()}


BIRTHS: Final = _births()
"""Register → birth of the block → the slots born then: one, or two twins."""
