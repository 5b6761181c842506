"""Thirty-three million people who do not exist. Person *i* is a pure function of a seed; nothing is stored.

    people = Population()                                  # seed 2022, 33 000 000 persons
    one = people.person(12_345_678)
    people.find(one.nir, one.birth_date, one.birth_rank)   # the same person, by calculation
    people.family_of(one).members
    people.search("DURAND-TEST", "CLAIRE")                 # (total, the first 50)

How a look-up by number avoids both scan and table. The index of a person splits into block and slot (`families`). The
births of a slot's register are numbered through all blocks; a keyed bijection (`permutation`) scatters those numbers
over the cells of the register (`births`), and the cell is the number: sex, year, month, place, order. Each step can be
undone, so number → cell → birth → block and slot → index. Cells that no birth was scattered to are nobody: dead,
emigrated, insured elsewhere.

Hit rate of whoever walks NIRs, at full size: of consecutive order numbers in one place, month and sex, 0.87 (born
1993-2000) to 0.43 (born before 1962) are somebody's; `walk` gives the questions such an attacker would ask. Of
consecutive member numbers of one AMC about 0.65 are a card's (`cards`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from paravent.sandbox import search
from paravent.sandbox.births import ChildRegister, CivilRegister, ProvisionalRegister, Register, day_of_order
from paravent.sandbox.cards import Card, Cards
from paravent.sandbox.families import (
    BIRTHS,
    BLOCK_FAMILIES,
    BLOCK_PERSONS,
    CHILD_YEARS,
    CIVIL_YEARS,
    FAMILIES,
    PROVISIONAL,
    PROVISIONAL_YEARS,
    SLOTS,
    Slot,
)
from paravent.sandbox.identifiers import nir_key
from paravent.sandbox.names import FIRST_NAMES, SURNAMES
from paravent.sandbox.permutation import Permutation, key_of, noise
from paravent.sandbox.places import ABROAD, Places

FULL_SIZE: Final = 33_000_000
"""Persons concerned in 2024 (CNIL, 7 February 2024)."""
_FULL_SLOTS: Final = 21_000
"""Births a month and sex that the registers have room for at full size; France registered some 35 000."""


@dataclass(frozen=True, slots=True)
class Person:
    """One beneficiary: civil status and numbers. Rights are in `rights`, cards in `cards`."""

    index: int
    """0 to size - 1; also the operator's own key of the person."""
    family: int
    """Number of the family, 0 to families - 1."""
    quality: str
    """assure, conjoint, enfant, autre."""
    sex: str
    """"M" or "F"."""
    surname: str
    """`nomUsuel`: the family's."""
    birth_name: str
    """`nomPatronymique`."""
    first_name: str
    birth_date: str
    """YYYYMMDD, not always a calendar date."""
    birth_rank: int
    """1; 2 for the second twin."""
    nir: str
    """The number this person is asked for with: 13 characters, their own or a parent's."""
    own_nir: bool
    """False for children under 16, who are asked for under a parent's number."""

    @property
    def nir_key(self) -> str:
        """The two-digit key of `nir`."""
        return nir_key(self.nir)

    @property
    def provisional(self) -> bool:
        """Whether `nir` only stands in for a number that is still awaited."""
        return self.nir[0] in "3478"

    @property
    def birth_place(self) -> str:
        """Five characters, département and commune or 99 and country; a child's is the parent's."""
        return ABROAD + self.nir[7:10] if self.provisional else self.nir[5:10]


@dataclass(frozen=True, slots=True)
class Family:
    """The persons on one card, the insured first."""

    number: int
    members: tuple[Person, ...]


class _Cohort:
    """One register, and which of its cells the births of the population are scattered to."""

    __slots__ = ("births", "per_block", "register", "scatter")

    def __init__(self, name: str, register: Register, seed: int) -> None:
        self.births = BIRTHS[name]
        self.per_block = len(self.births)
        self.register = register
        self.scatter = Permutation(register.size, key_of(seed, f"cohort/{name}"))

    def entry(self, block: int, slot: Slot) -> tuple[str, str]:
        return self.register.entry(self.scatter.apply(block * self.per_block + slot.cohort_rank))

    def born(self, cell: int, blocks: int) -> tuple[int, tuple[Slot, ...]] | None:
        """The block and the slots (one person, or twins) of a cell, or None when it is nobody's."""
        block, rank = divmod(self.scatter.invert(cell), self.per_block)
        return (block, self.births[rank]) if block < blocks else None


class Population:
    """All of them. Immutable; safe to share between threads and to build again in another process."""

    def __init__(self, seed: int = 2022, size: int = FULL_SIZE) -> None:
        """`size` is rounded up to whole blocks (see `families`). Registers shrink with it, hit rates do not."""
        if size < 1:
            raise ValueError("a population has at least one person")
        self.seed = seed
        self.blocks = -(-size // BLOCK_PERSONS)
        self.size = self.blocks * BLOCK_PERSONS
        """Number of persons."""
        self.families = self.blocks * BLOCK_FAMILIES
        """Number of families."""
        self.places = Places(max(1, -(-_FULL_SLOTS * self.size // FULL_SIZE)))
        self.cards = Cards(seed, self.families)
        self.names = Permutation(self.blocks, key_of(seed, "names"))
        """Block → the value that `search.name_indexes` turns into names."""
        self._birth_names = key_of(seed, "birth names")
        self._cohorts = {name: _Cohort(name, self._register(name), seed) for name in BIRTHS}

    def _register(self, name: str) -> Register:
        group, births = name[0], len(BIRTHS[name]) * self.blocks
        if group in CHILD_YEARS:
            return ChildRegister(CHILD_YEARS[group], births)
        if group == PROVISIONAL:
            return ProvisionalRegister(name[1], PROVISIONAL_YEARS, births, key_of(self.seed, "provisional"))
        return CivilRegister("1" if name[1] == "M" else "2", CIVIL_YEARS[group], self.places)

    # ---- from an index

    def person(self, index: int) -> Person:
        """Person `index`; IndexError outside 0 to size - 1."""
        if not 0 <= index < self.size:
            raise IndexError("no such person")
        block, slot = divmod(index, BLOCK_PERSONS)
        return self.member(block, SLOTS[slot])

    def member(self, block: int, slot: Slot) -> Person:
        """Whoever fills a slot of a block."""
        nir, birth_date = self._cohorts[slot.cohort].entry(block, slot)
        if slot.holder != slot.index:
            parent = SLOTS[slot.holder]
            nir, _ = self._cohorts[parent.cohort].entry(block, parent)
        index = block * BLOCK_PERSONS + slot.index
        surname, first_name = search.name_indexes(self.names.apply(block), slot)
        own_name = noise(self._birth_names, index)
        married = slot.quality == "conjoint" or (slot.sex == "F" and slot.quality == "assure" and own_name % 5 < 2)
        return Person(
            index=index,
            family=block * BLOCK_FAMILIES + slot.family,
            quality=slot.quality,
            sex=slot.sex,
            surname=SURNAMES[surname],
            birth_name=SURNAMES[own_name % len(SURNAMES) if married else surname],
            first_name=FIRST_NAMES[slot.sex][first_name],
            birth_date=birth_date,
            birth_rank=slot.birth_rank,
            nir=nir,
            own_nir=slot.holder == slot.index,
        )

    def family(self, number: int) -> Family:
        """Family `number`; IndexError outside 0 to families - 1."""
        if not 0 <= number < self.families:
            raise IndexError("no such family")
        block, pattern = divmod(number, BLOCK_FAMILIES)
        return Family(number, tuple(self.member(block, slot) for slot in FAMILIES[pattern]))

    def family_of(self, person: Person) -> Family:
        """Everyone on that person's card."""
        return self.family(person.family)

    def cards_of(self, family: int) -> tuple[Card, ...]:
        """The AMC cards of a family: none, one, or two."""
        return self.cards.of(family)

    # ---- from what is known of a person

    def find(self, nir13: str, birth_date: str, rank: int) -> Person | None:
        """Who is asked for with this number, birth date and birth rank: the holder, or a child under it."""
        found = self._located(nir13)
        if found is None:
            return None
        block, holder = found
        for slot in FAMILIES[holder.family]:
            if slot.holder == holder.index and slot.birth_rank == rank:
                person = self.member(block, slot)
                if person.birth_date == birth_date:
                    return person
        return None

    def holder(self, nir13: str) -> Person | None:
        """Whose own number this is."""
        found = self._located(nir13)
        return None if found is None else self.member(*found)

    def _located(self, nir13: str) -> tuple[int, Slot] | None:
        for cohort in self._cohorts.values():
            cell = cohort.register.cell(nir13)
            born = None if cell is None else cohort.born(cell, self.blocks)
            if born is not None:
                return born[0], born[1][0]
        return None

    def card(self, amc: str, member: str) -> Card | None:
        """The card with this AMC and member number."""
        return self.cards.find(amc, member)

    def born_on(self, birth_date: str) -> Iterator[tuple[int, Slot]]:
        """Block and slot of everyone with this birth date, without looking at anybody else."""
        for cohort in self._cohorts.values():
            for cell in cohort.register.cells_on(birth_date):
                born = cohort.born(cell, self.blocks)
                if born is not None:
                    yield from ((born[0], slot) for slot in born[1])

    def search(
        self, nom: str, prenom: str | None = None, birth_date: str | None = None, page: int = 1
    ) -> tuple[int, list[Person]]:
        """All matches counted, and the persons of one page (from 1) of at most 50."""
        return search.search(self, nom, prenom, birth_date, page)

    def walk(self, sex_digit: str, year: int, month: int, place: str) -> Iterator[tuple[str, str, int]]:
        """What a walker of numbers asks: NIR, birth date and rank of every order number of one month's register.

        `place`: five characters ("75990"). The date is read off the order number, as anyone can who knows that
        registers run in the order of the days. At full size 0.43 to 0.87 of the questions hit, by age.
        """
        capacity = self.places.capacity(place)
        for order in range(1, capacity + 1):
            day = day_of_order(year, month, order, capacity)
            yield f"{sex_digit}{year % 100:02d}{month:02d}{place}{order:03d}", f"{year}{month:02d}{day:02d}", 1
