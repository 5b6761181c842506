"""Cards lead to one family, member numbers can be walked."""

from hypothesis import given, settings
from hypothesis import strategies as st

from effort import examples
from paravent.sandbox.cards import AMCS, AME, C2S, COVERED
from paravent.sandbox.families import BLOCK_FAMILIES
from paravent.sandbox.population import Population

PEOPLE = Population()


@given(st.integers(0, PEOPLE.families - 1))
@settings(max_examples=examples(200))
def test_every_card_is_found_by_its_numbers(family: int) -> None:
    """AMC number and member number lead back to the card; no other AMC has it for this family."""
    for card in PEOPLE.cards_of(family):
        assert PEOPLE.card(card.amc.number, card.member) == card
        assert card.family == family
        assert card in PEOPLE.cards.with_member(card.member)


def test_amcs_are_invented_and_distinct() -> None:
    """Forty AMCs with 8 or 10 digits that start with 9999."""
    assert len({amc.number for amc in AMCS}) == 40
    assert {len(amc.number) for amc in AMCS} == {8, 10}
    assert all(amc.number.startswith("9999") and len(amc.routing) == 4 for amc in AMCS)


def test_walking_member_numbers_hits_often() -> None:
    """Between half and four fifths of consecutive member numbers of one AMC are a card's."""
    hits = sum(PEOPLE.card(AMCS[3].number, f"{12_100_000 + k:010d}") is not None for k in range(1000))
    assert 500 < hits < 800


def test_who_has_a_card() -> None:
    """AMC families have one card or two, state medical aid none, provisional numbers mean state medical aid."""
    for family in range(5 * BLOCK_FAMILIES):
        cards, coverage = PEOPLE.cards_of(family), PEOPLE.cards.coverage(family)
        assert len(cards) in {COVERED: {1, 2}, C2S: {0, 1}}.get(coverage, {0})
        provisional = any(member.provisional for member in PEOPLE.family(family).members)
        assert provisional == (coverage == AME)


def test_second_cards_are_other_cards() -> None:
    """A family with two cards has two different ones, and each is found as itself."""
    families = (family for family in range(1000) if len(PEOPLE.cards_of(family)) == 2)
    first, second = PEOPLE.cards_of(next(families))
    assert (first.second, second.second) == (False, True)
    assert (first.amc, first.member) != (second.amc, second.member)
    assert PEOPLE.cards.at(second.index) == second


def test_there_is_no_such_card() -> None:
    """Unknown AMC, short number, number of another script, number before the first and after the last."""
    card = PEOPLE.cards_of(0)[0]
    for amc, member in (
        ("99999999", card.member),
        (card.amc.number, card.member[1:]),
        (card.amc.number, "٠" * 10),
        (card.amc.number, "0000000001"),
        (card.amc.number, "9999999999"),
        ("", ""),
    ):
        assert PEOPLE.card(amc, member) is None
