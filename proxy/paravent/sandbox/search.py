"""Search by civil status, by calculation: the inverse of how names and birth dates are given out.

A surname alone leads to every n-th block of the permutation of names, the same for each slot; a first name narrows it
to every (n x m)-th; so totals are sums of divisions, and any page is reached without passing over those before it. A
birth date leads to the cells of its day in every register, some three thousand persons at full size.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paravent.sandbox.families import SLOTS, Slot
from paravent.sandbox.names import FIRST_NAMES, SURNAMES, first_name_index, surname_index

if TYPE_CHECKING:
    from paravent.sandbox.population import Person, Population

PAGE_SIZE: Final = 50
SURNAME_STEP: Final = 17
FIRST_NAME_STEP: Final = 37


@dataclass(frozen=True, slots=True)
class _Run:
    """The matches in one slot: `count` values of the permutation, `step` apart."""

    slot: Slot
    start: int
    step: int
    count: int


def name_indexes(value: int, slot: Slot) -> tuple[int, int]:
    """Positions in the lists of surnames and first names, from a block's value in the permutation of names."""
    first, surname = divmod(value, len(SURNAMES))
    surname = (surname + SURNAME_STEP * slot.family) % len(SURNAMES)
    return surname, (first + FIRST_NAME_STEP * slot.index) % len(FIRST_NAMES[slot.sex])


def _run(slot: Slot, surname: int, prenom: str | None, blocks: int) -> _Run | None:
    """Which values give this slot these names: the inverse of `name_indexes`."""
    start, step = (surname - SURNAME_STEP * slot.family) % len(SURNAMES), len(SURNAMES)
    if prenom is not None:
        first, names = first_name_index(slot.sex, prenom), len(FIRST_NAMES[slot.sex])
        if first is None:
            return None
        start += (first - FIRST_NAME_STEP * slot.index) % names * len(SURNAMES)
        step *= names
    return _Run(slot, start, step, -(-(blocks - start) // step)) if start < blocks else None


def _at(people: "Population", runs: list[_Run], position: int) -> Iterator["Person"]:
    """The matches from `position` on."""
    for run in runs:
        for k in range(position, run.count):
            yield people.member(people.names.invert(run.start + k * run.step), run.slot)
        position = max(0, position - run.count)


def _born_and_named(people: "Population", surname: int, birth_date: str) -> Iterator["Person"]:
    for block, slot in people.born_on(birth_date):
        if name_indexes(people.names.apply(block), slot)[0] == surname:
            yield people.member(block, slot)


def search(
    people: "Population", nom: str, prenom: str | None, birth_date: str | None, page: int
) -> tuple[int, list["Person"]]:
    """How many match in all, and page `page` (from 1) of them. A name that nobody bears matches nobody."""
    surname = surname_index(nom)
    if surname is None:
        return 0, []
    position = (page - 1) * PAGE_SIZE
    if birth_date is not None and prenom is None:
        found = sorted(_born_and_named(people, surname, birth_date), key=lambda person: person.index)
        return len(found), found[position : position + PAGE_SIZE]
    runs = [run for slot in SLOTS if (run := _run(slot, surname, prenom, people.blocks)) is not None]
    if birth_date is not None:
        found = [person for person in _at(people, runs, 0) if person.birth_date == birth_date]
        return len(found), found[position : position + PAGE_SIZE]
    matches = _at(people, runs, position)
    return sum(run.count for run in runs), [person for person, _ in zip(matches, range(PAGE_SIZE), strict=False)]
