"""The invented population: consistent, inside its bounds, and found again by every way the API looks people up."""

import re
from collections import Counter
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.fr import nir as stdnum_nir

from effort import examples
from paravent.sandbox.births import ProvisionalRegister
from paravent.sandbox.families import BLOCK_FAMILIES, FAMILIES
from paravent.sandbox.population import FULL_SIZE, Person, Population
from paravent.sandbox.questions import NIR

FULL = Population()
indexes = st.integers(0, FULL_SIZE - 1)


@cache
def small() -> tuple[Population, list[Person]]:
    """A population small enough to read through: the oracle of every calculation."""
    people = Population(seed=7, size=9000)
    return people, [people.person(index) for index in range(people.size)]


@given(indexes)
@settings(max_examples=examples(300))
def test_anyone_is_found_by_number_date_and_rank(index: int) -> None:
    """Number, birth date and birth rank of any person lead back to that person and nobody else."""
    person = FULL.person(index)
    assert FULL.find(person.nir, person.birth_date, person.birth_rank) == person


@given(indexes)
@settings(max_examples=examples(300))
def test_numbers_are_well_formed_and_nobodys(index: int) -> None:
    """Every number fits the API's pattern, has the key python-stdnum computes, and names no real commune."""
    person = FULL.person(index)
    assert NIR.fullmatch(person.nir + person.nir_key)
    assert stdnum_nir.is_valid(person.nir + person.nir_key)
    assert 990 <= int(person.nir[7:10]) <= 999
    assert person.birth_place[2:] == person.nir[7:10]


@given(indexes)
@settings(max_examples=examples(200))
def test_a_civil_number_says_sex_year_and_month(index: int) -> None:
    """The holder of a number that is not provisional was born in the year and month it says, of the sex it says."""
    person = FULL.person(index)
    if person.own_nir and not person.provisional:
        assert person.nir[0] == {"M": "1", "F": "2"}[person.sex]
        assert person.nir[1:3] == person.birth_date[2:4]
        month = person.nir[3:5]
        assert month == person.birth_date[4:6] or (month > "12" and person.birth_date[4:] == "0000")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda p: (p.nir, "19010101", p.birth_rank), "another birth date"),
        (lambda p: (p.nir, p.birth_date, 9), "another rank"),
        (lambda p: (p.nir[:10] + "999", p.birth_date, p.birth_rank), "an order number beyond the register"),
        (lambda p: (p.nir[:10] + "000", p.birth_date, p.birth_rank), "order number 000"),
        (lambda p: (p.nir[:7] + "056" + p.nir[10:], p.birth_date, p.birth_rank), "a real commune"),
        (lambda p: (p.nir[:3] + "00" + p.nir[5:], p.birth_date, p.birth_rank), "month 00"),
        (lambda p: (p.nir[:3] + "13" + p.nir[5:], p.birth_date, p.birth_rank), "a month that nobody has"),
        (lambda p: ("9" + p.nir[1:], p.birth_date, p.birth_rank), "a first digit that nobody has"),
        (lambda p: (p.nir[:12], p.birth_date, p.birth_rank), "twelve characters"),
        (lambda p: (p.nir + p.nir_key, p.birth_date, p.birth_rank), "fifteen characters"),
        (lambda p: ("", p.birth_date, p.birth_rank), "nothing"),
        (lambda p: (p.nir[:10] + "٠٠١", p.birth_date, p.birth_rank), "digits of another script"),
        (lambda p: (p.nir, "", p.birth_rank), "no date"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_wrong_question_finds_nobody(change, why: str) -> None:
    """A question that differs from the right one in one part is not answered."""
    adults = (FULL.person(index) for index in range(600))
    person = next(p for p in adults if p.own_nir and not p.provisional and p.nir[10:] == "001" and p.nir[3:5] < "13")
    assert FULL.find(person.nir, person.birth_date, person.birth_rank) == person
    assert FULL.find(*change(person)) is None


def test_nobody_shares_all_three_identifiers() -> None:
    """In a population read in full, (number, birth date, rank) is unique and own numbers are unique."""
    people, everyone = small()
    assert len({(p.nir, p.birth_date, p.birth_rank) for p in everyone}) == people.size
    own = [p.nir for p in everyone if p.own_nir]
    assert len(set(own)) == len(own)
    assert all(people.holder(p.nir) == p for p in everyone if p.own_nir)


def test_children_under_sixteen_are_asked_for_under_a_parents_number() -> None:
    """Whoever was born after 2010 has no number; the one they carry is that of a parent 18 to 50 years older."""
    people, everyone = small()
    for person in everyone:
        year = int(person.birth_date[:4])
        assert person.own_nir == (year <= 2010)
        if not person.own_nir:
            parent = people.holder(person.nir)
            assert parent is not None
            assert parent.family == person.family
            assert 18 <= year - int(parent.birth_date[:4]) <= 50


def test_twins_differ_in_rank_alone() -> None:
    """Every second twin has a first: same parent's number, same date, ranks 1 and 2."""
    people, everyone = small()
    second = [person for person in everyone if person.birth_rank == 2]
    assert second
    for person in second:
        first = people.find(person.nir, person.birth_date, 1)
        assert first is not None
        assert (first.family, first.own_nir) == (person.family, False)


def test_brothers_and_sisters_under_one_number_have_different_dates() -> None:
    """No pattern puts two births of one register under one parent, so that a date can never be ambiguous."""
    for family in FAMILIES:
        under = Counter(
            (slot.holder, slot.cohort) for slot in family if slot.holder != slot.index and slot.birth_rank == 1
        )
        assert set(under.values()) <= {1}


def test_the_population_holds_everyone_who_breaks_software() -> None:
    """Corsica, overseas, born abroad, incomplete dates and provisional numbers all occur in ten thousand people."""
    everyone = [FULL.person(index) for index in range(0, FULL_SIZE, 3301)]
    places = Counter(person.birth_place[:2] for person in everyone)
    assert all(places[code] for code in ("2A", "2B", "97", "99", "75"))
    assert any(person.birth_date.endswith("0000") for person in everyone)
    assert any(person.birth_date[4:6] > "12" for person in everyone)
    assert {person.nir[0] for person in everyone} == set("123478")


def test_families_stand_together() -> None:
    """A family is the person and everyone with the same family number; its first member is the insured."""
    people, everyone = small()
    for number in range(0, people.families, 17):
        family = people.family(number)
        assert list(family.members) == [person for person in everyone if person.family == number]
        assert [person.quality for person in family.members].count("assure") == 1
        assert family.members[0].quality == "assure"
        assert len({person.surname for person in family.members}) == 1


def test_the_seed_makes_the_population() -> None:
    """The same seed gives the same person in another instance; another seed gives somebody else."""
    assert Population().person(12_345_678) == FULL.person(12_345_678)
    assert Population(seed=2023).person(12_345_678).nir != FULL.person(12_345_678).nir


@pytest.mark.parametrize("index", [-1, FULL_SIZE])
def test_there_is_nobody_outside(index: int) -> None:
    with pytest.raises(IndexError):
        FULL.person(index)


def test_size_is_whole_blocks() -> None:
    """Thirty-three million exactly by default; other sizes are rounded up to whole blocks of families."""
    assert (FULL.size, FULL.families) == (33_000_000, 33_000_000 * BLOCK_FAMILIES // 300)
    assert Population(size=1).size == 300
    with pytest.raises(ValueError, match="at least one"):
        Population(size=0)


@pytest.mark.parametrize(
    ("digit", "year", "place"),
    [
        pytest.param("1", 1985, "75990", id="Paris, men of 1985"),
        pytest.param("2", 1945, "13990", id="Bouches-du-Rhône, women of 1945"),
        pytest.param("2", 1999, "99990", id="born abroad, women of 1999"),
        pytest.param("1", 2008, "59991", id="Nord, boys of 2008"),
    ],
)
def test_walking_numbers_hits_often(digit: str, year: int, place: str) -> None:
    """Between 30 and 90 % of the consecutive order numbers of one place, over a year, are somebody's."""
    questions = [question for month in range(1, 13) for question in FULL.walk(digit, year, month, place)]
    hits = [person for question in questions if (person := FULL.find(*question)) is not None]
    assert len(questions) > 200
    assert 0.30 < len(hits) / len(questions) < 0.90
    assert all(person.birth_place == place for person in hits)


def test_order_numbers_run_without_a_hole() -> None:
    """A walk starts at 001, goes up by one, and its dates never go back."""
    walk = list(FULL.walk("2", 1984, 2, "69990"))
    assert [int(nir[10:]) for nir, _, _ in walk] == list(range(1, len(walk) + 1))
    dates = [birth_date for _, birth_date, _ in walk]
    assert dates == sorted(dates)
    assert (dates[0], dates[-1][:6]) == ("19840201", "198402")


def test_nobody_registers_where_there_is_no_place() -> None:
    assert list(FULL.walk("1", 1985, 5, "75056")) == []


def test_provisional_numbers_are_decoded_exactly() -> None:
    """Each cell's number leads back to the cell; numbers of another form lead nowhere."""
    register = ProvisionalRegister("M", range(1955, 2000), 500, key=3)
    for cell in range(500):
        number, _ = register.entry(cell)
        assert re.fullmatch(r"[37]199[0-9]{3}99[0-9]{4}", number)
        assert register.cell(number) == cell
    number, _ = register.entry(0)
    for wrong in (number[:1] + "2" + number[2:], number[:7] + "12" + number[9:], number[:-1], number[:12] + "X"):
        assert register.cell(wrong) is None


# ---- search: a calculation, held against reading everyone


@pytest.mark.parametrize("with_first_name", [False, True], ids=["any first name", "one first name"])
@pytest.mark.parametrize("with_date", [False, True], ids=["any date", "one date"])
def test_search_finds_exactly_who_matches(with_first_name: bool, with_date: bool) -> None:
    """Whatever is given beside the surname, the pages together are everyone who matches, once each."""
    people, everyone = small()
    for model in everyone[::701]:
        prenom = model.first_name if with_first_name else None
        date = model.birth_date if with_date else None
        expected = {
            p.index
            for p in everyone
            if p.surname == model.surname and prenom in (None, p.first_name) and date in (None, p.birth_date)
        }
        total, found = people.search(model.surname, prenom, date)
        page = 1
        while len(found) < total:
            page += 1
            more = people.search(model.surname, prenom, date, page)[1]
            assert more
            found += more
        assert total == len(expected)
        assert [len(found), {p.index for p in found}] == [total, expected]


@given(indexes)
@settings(max_examples=examples(15), deadline=None)
def test_search_at_full_size_finds_the_person(index: int) -> None:
    """Name, first name and birth date of any of thirty-three million find that person."""
    person = FULL.person(index)
    assert person in FULL.search(person.surname, person.first_name, person.birth_date)[1]
    assert person in FULL.search(person.surname.lower(), None, person.birth_date)[1]


def test_a_surname_alone_pages_through_a_crowd() -> None:
    """One surname matches tens of thousands; pages hold fifty, always the same; the last holds the rest."""
    total, first = FULL.search("DURAND-TEST")
    assert total > 50_000
    assert first == FULL.search(" durand-test ")[1]
    assert len(first) == 50
    pages = -(-total // 50)
    assert len(FULL.search("DURAND-TEST", page=pages)[1]) == total - 50 * (pages - 1)
    assert FULL.search("DURAND-TEST", page=pages + 1)[1] == []


@pytest.mark.parametrize(
    ("nom", "prenom", "date"),
    [
        pytest.param("DURAND", None, None, id="a surname without its mark"),
        pytest.param("", None, None, id="an empty surname"),
        pytest.param("DURAND-TEST", "GERTRUDE", None, id="a first name that nobody has"),
        pytest.param("DURAND-TEST", None, "18850101", id="a year before everyone"),
        pytest.param("DURAND-TEST", None, "20150231", id="a day that does not exist"),
    ],
)
def test_search_finds_nobody(nom: str, prenom: str | None, date: str | None) -> None:
    assert FULL.search(nom, prenom, date) == (0, [])
