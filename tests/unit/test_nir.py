"""The identifier: what a request may write, what an answer may write, whose hash it is, and what the scanner sees."""

import itertools
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.fr import nir as reference

from effort import examples
from paravent.model import Secret
from paravent.nir import (
    contains_identifier,
    identifier_spans,
    identifiers,
    mentions,
    nir_key,
    normalise_answer,
    parse_request_nir,
    same_nir,
    says_nir,
    subject_of_card,
    subject_of_person,
)

NIR13 = st.builds(
    lambda sex, year, month, place, order: f"{sex}{year:02}{month:02}{place}{order:03}",
    st.integers(1, 2),
    st.integers(0, 99),
    st.integers(1, 12) | st.integers(20, 99),
    st.sampled_from(["69991", "2A990", "2B993", "97190", "99999", "13998"]),
    st.integers(1, 999),
)


@pytest.mark.parametrize(
    ("sent", "understood"),
    [
        pytest.param("2840575990003", "2840575990003", id="thirteen characters are the normal form"),
        pytest.param("284057599000326", "2840575990003", id="fifteen with the right key lose it"),
        pytest.param("182112A990014", "182112A990014", id="Corsica is written 2A"),
        pytest.param("177082B99304531", "177082B993045", id="the key of a Corsican number counts 2B as 18"),
        pytest.param("7201234567890", "7201234567890", id="a provisional number is accepted like a NIR"),
        pytest.param("1621965990015", "1621965990015", id="month 19 is not judged: cards with it exist"),
        pytest.param("284057599000399", None, id="a wrong key is a typing error and is refused"),
        pytest.param("284057599000300", None, id="key 00 does not exist"),
        pytest.param("2 84 05 75 990 003", None, id="spaces are not the API's pattern"),
        pytest.param("182112a990014", None, id="lower case is not the API's pattern"),
        pytest.param("28405759900032", None, id="fourteen characters are neither"),
        pytest.param("284057599000", None, id="twelve characters are too few"),
        pytest.param("0840575990003", None, id="no number begins with 0"),
        pytest.param("9840575990003", None, id="no number begins with 9"),
        pytest.param("28405759A0003", None, id="letters stand only at the département"),
        pytest.param("284052C990003", None, id="there is no département 2C"),
        pytest.param("2840575990003\n", None, id="a trailing line feed is not ignored"),
        pytest.param("２840575990003", None, id="a full-width digit is no digit here"),
        pytest.param("٢840575990003", None, id="an Arabic digit is no digit here"),
        pytest.param("", None, id="nothing is no number"),
    ],
)
def test_a_request_writes_a_number_in_one_of_two_ways(sent: str, understood: str | None) -> None:
    assert parse_request_nir(sent) == understood


@pytest.mark.parametrize(
    "written",
    [
        "255081416802538",
        "295109912611193",
        "178059933010817",
        "253072A07300443",
        "253072B07300470",
        "186022A21532523",
        "279035121518989",
        "180127512345642",
    ],
)
def test_the_key_agrees_with_published_test_numbers(written: str) -> None:
    """Public vectors, Corsica and births abroad among them."""
    assert nir_key(written[:13]) == written[13:]


@given(NIR13)
@settings(max_examples=examples(100))
def test_the_key_agrees_with_an_independent_implementation(nir13: str) -> None:
    """python-stdnum accepts every number with our key."""
    assert reference.is_valid(nir13 + nir_key(nir13))


@pytest.mark.parametrize(
    ("written", "understood"),
    [
        pytest.param("2 84 05 75 990 003 26", "2840575990003", id="customary spaces"),
        pytest.param("2\u202f84\u00a005 75-990.003", "2840575990003", id="any space, hyphen or dot"),
        pytest.param("1 82 11 2a 990 014", "182112A990014", id="lower-case Corsica"),
        pytest.param("284057599000399", "2840575990003", id="the upstream's key is not judged"),
        pytest.param("2840575990003\u200b", "2840575990003", id="zero-width marks"),
        pytest.param("284057599", None, id="too short"),
        pytest.param("NIR 2840575990003", None, id="words around it"),
        pytest.param("", None, id="empty"),
    ],
)
def test_an_answer_may_write_a_number_in_any_dress(written: str, understood: str | None) -> None:
    assert normalise_answer(written) == understood


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param("2840575990003", "2 84 05 75 990 003 26", True, id="dress and key do not matter"),
        pytest.param("182112A990014", "182112a990014", True, id="case does not matter"),
        pytest.param("2840575990003", "2840575990004", False, id="another order number is another person"),
        pytest.param("", "", False, id="two absences are not the same person"),
        pytest.param("é", "é", False, id="two texts that are no numbers are not the same person"),
    ],
)
def test_numbers_are_compared_in_normal_form(one: str, other: str, same: bool) -> None:
    assert same_nir(one, other) is same


@pytest.mark.parametrize(
    ("written", "says"),
    [
        pytest.param("2840575990003", True, id="itself"),
        pytest.param("2 84 05 75 990 003 26", True, id="itself, dressed, with its key"),
        pytest.param("284057599000399", False, id="with a wrong key: two digits that it does not imply"),
        pytest.param("2840575990004", False, id="another"),
        pytest.param("28405759900032", False, id="one digit of the key"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_a_number_says_a_nir_and_no_more(written: str, says: bool) -> None:
    assert says_nir(written, "2840575990003") is says


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("2841375990003", True, id="a number that no scanner would take for a NIR"),
        pytest.param("voir NIR 2 84 13 75 990 003 (mère)", True, id="dressed, in a sentence"),
        pytest.param("992841375990003001", True, id="glued to other digits"),
        pytest.param("２８４１３７５９９０００３", True, id="in full-width digits"),
        pytest.param("②⑧④①③⑦⑤⑨⑨⓪⓪⓪③", True, id="in circled digits"),
        pytest.param("⑵⑻⑷⑴⑶⑺⑸⑼⑼0003", True, id="in brackets"),
        pytest.param("2\u03158\u03004137599000\u0f71\u0f723", True, id="with marks over its digits"),
        pytest.param("182112A\u0301990014", True, id="with an accent on the A of Corsica"),
        pytest.param("1 82 11 2a 990 014", True, id="Corsican, in lower case"),
        pytest.param("2841375990004", False, id="another number"),
        pytest.param("284137599000", False, id="one digit short"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_a_known_nir_is_found_wherever_it_stands(text: str, found: bool) -> None:
    """Of numbers that are known to be somebody's, neither parts nor key have to be right."""
    assert mentions(text, frozenset({"2841375990003", "182112A990014"})) is found
    assert not mentions(text, frozenset())


@pytest.mark.parametrize(
    ("number", "seems"),
    [
        pytest.param("2840575990003", True, id="of a woman, with a calendar month"),
        pytest.param("284057599000326", True, id="with its key"),
        pytest.param("155206296522594", True, id="a pseudo-month, but the right key"),
        pytest.param("1 82 11 2A 990 014", True, id="of a Corsican"),
        pytest.param("ADH-2840575990003", True, id="behind letters"),
        pytest.param("1552062965225", False, id="a pseudo-month and no key"),
        pytest.param("7201234567890", False, id="the form of a provisional number"),
        pytest.param("3840575990003", False, id="the form of a number that awaits a NIR"),
        pytest.param("4970101234567", False, id="any other thirteen digits"),
        pytest.param("284057599000399", False, id="fifteen digits with a wrong key"),
    ],
)
def test_what_is_known_to_be_another_number_is_judged_more_strictly(number: str, seems: bool) -> None:
    """Decision 7: of thirteen digits two in three have the parts of some NIR, one in forty those of a likely one."""
    assert contains_identifier(number, number=True) is seems


def test_few_other_numbers_are_taken_for_a_nir() -> None:
    """Of member numbers with thirteen digits, one in forty; of any other length, hardly one."""
    draw = random.Random(2022)
    taken = {
        length: sum(
            contains_identifier(str(draw.randrange(10 ** (length - 1), 10**length)), number=True) for _ in range(4000)
        )
        for length in range(10, 19)
    }
    assert 0.01 < taken.pop(13) / 4000 < 0.04
    assert max(taken.values()) / 4000 < 0.01


SECRET = Secret(bytes(range(32)))


@pytest.mark.parametrize(
    ("other", "claim"),
    [
        (subject_of_person(SECRET, "2840575990003", "20190713", 2), "birth rank tells twins apart"),
        (subject_of_person(SECRET, "2840575990003", "20190714", 1), "birth date tells siblings apart"),
        (subject_of_person(SECRET, "2840575990004", "20190713", 1), "the NIR tells families apart"),
        (subject_of_person(Secret(bytes(32)), "2840575990003", "20190713", 1), "another key, another world"),
        (subject_of_card(SECRET, "2840575990003", "201907131"), "a card is never a person"),
    ],
)
def test_two_persons_never_share_a_subject(other: object, claim: str) -> None:
    """Whatever differs between two persons differs between their keyed hashes."""
    assert subject_of_person(SECRET, "2840575990003", "20190713", 1) != other, claim


def test_a_subject_is_stable_and_short() -> None:
    """Same person, same key, same sixteen bytes, today and after a restart."""
    subject = subject_of_person(SECRET, "2840575990003", "20190713", 1)
    assert subject == subject_of_person(Secret(bytes(range(32))), "2840575990003", "20190713", 1)
    assert subject.key.hex() == "661b0cec2497f5bca9ef0fd18c9fff71"


def test_the_parts_of_a_card_cannot_slide_into_each_other() -> None:
    """("1", "23") and ("12", "3") are two cards."""
    assert subject_of_card(SECRET, "1", "23") != subject_of_card(SECRET, "12", "3")


@pytest.mark.parametrize(
    ("nir13", "date", "rank"),
    [("284057599000326", "20190713", 1), ("2840575990003", "2019-07-13", 1), ("2840575990003", "20190713", 0)],
)
def test_a_person_out_of_normal_form_is_a_bug(nir13: str, date: str, rank: int) -> None:
    """It raises, and the message quotes nothing of the person."""
    with pytest.raises(ValueError, match="normal form") as caught:
        subject_of_person(SECRET, nir13, date, rank)
    assert nir13 not in str(caught.value)
    assert date not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2840575990003", id="thirteen digits"),
        pytest.param("284057599000326", id="fifteen digits with the right key"),
        pytest.param("Rappeler l'assurée, NSS 2 84 05 75 990 003 26", id="customary spaces, in a sentence"),
        pytest.param("2 84 05 75 990 003", id="customary spaces without key"),
        pytest.param("2840575990003 26", id="the key apart"),
        pytest.param("2-84-05-75-990-003-26", id="hyphens"),
        pytest.param("2.84.05.75.990.003.26", id="dots"),
        pytest.param("2\u00a084\u00a005\u00a075\u00a0990\u00a0003", id="non-breaking spaces"),
        pytest.param("2 84 05 75 990 003\t26", id="a tab"),
        pytest.param("28405 75990 00326", id="groups of five, right key"),
        pytest.param("2 8 4 0 5 7 5 9 9 0 0 0 3", id="digit by digit, as in the boxes of a form"),
        pytest.param("28405\u200b75990\u200b003", id="zero-width spaces"),
        pytest.param("28405\u00ad75990003", id="soft hyphen"),
        pytest.param("２８４０５７５９９０００３", id="full-width digits"),
        pytest.param("٢٨٤٠٥٧٥٩٩٠٠٠٣", id="Arabic digits"),
        pytest.param("𝟐𝟖𝟒𝟎𝟓𝟕𝟓𝟗𝟗𝟎𝟎𝟎𝟑", id="mathematical digits"),
        pytest.param("182112A990014", id="Corsica"),
        pytest.param("1 82 11 2a 990 014", id="Corsica, lower case, spaces"),
        pytest.param("1 8 2 1 1 2 A 9 9 0 0 1 4", id="Corsica, in the boxes of a form"),
        pytest.param("x2840575990003y", id="glued to letters"),
        pytest.param("nir_2840575990003_2019", id="glued to underscores"),
        pytest.param("1502062965225 12", id="a wrong key that stands apart changes nothing"),
        pytest.param("1552062965225", id="pseudo-month of incomplete civil status"),
        pytest.param("2771999990001", id="month 19, as cards have it"),
        pytest.param("7201234567890", id="provisional number (NNP)"),
        pytest.param("tel 0612345678 nir 2840575990003 dossier 20190713", id="among other numbers"),
        pytest.param("0612345678 2840575990003", id="after a telephone, one space between"),
        pytest.param("12 345 67 2 84 05 75 990 003", id="after a number that begins like one"),
    ],
)
def test_the_scanner_sees_a_number(text: str) -> None:
    assert contains_identifier(text)


@pytest.mark.parametrize("form", ["2840575{}990003", "{}840575990003", "{}2840575990003{}", "1 82 11 2{} 990 014"])
def test_a_character_is_the_same_in_latin_and_in_other_texts(form: str) -> None:
    """What French is written in is looked into by another way than a text with a character of another script."""
    for code in range(0x2100):
        text = form.replace("{}", chr(code))
        assert list(identifiers(text)) == list(identifiers(f"{text}\u4e00")), hex(code)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("2026-11-22T09:30:00+01:00", id="a moment"),
        pytest.param("2026-01-01 2026-12-31", id="two dates"),
        pytest.param("01.01.2026 31.12.2026", id="two dates with dots"),
        pytest.param("du 01/01/2026 au 31/12/2026", id="two dates with slashes"),
        pytest.param("20261122093000", id="a compact moment"),
        pytest.param("01 23 45 67 89", id="a telephone"),
        pytest.param("+33 6 12 34 56 78 / +33 6 12 34 56 79", id="two international telephones"),
        pytest.param("06.12.34.56.78-06.12.34.56.79", id="two telephones"),
        pytest.param("12345678900012", id="a SIRET"),
        pytest.param("123 456 789 00012", id="a SIRET with spaces"),
        pytest.param("FR76 3000 6000 0112 3456 7890 189", id="an IBAN"),
        pytest.param("FR7630006000011234567890189", id="an IBAN in one piece"),
        pytest.param("4970 1012 3456 7890", id="a payment card"),
        pytest.param("1 234 567 890 123", id="an amount in thousands"),
        pytest.param("1.234.567.890.123", id="an amount with dots"),
        pytest.param("CTR-2026-0012345678-01", id="a contract number"),
        pytest.param("0012345678", id="a member number"),
        pytest.param("99990001 0012345678", id="AMC number and member number"),
        pytest.param("10003461033", id="an RPPS"),
        pytest.param("3400935955838", id="CIP13, the code on a box of medicine"),
        pytest.param("550e8400-e29b-41d4-a716-446655440000", id="a UUID"),
        pytest.param("284057599000399", id="fifteen digits with a wrong key"),
        pytest.param("2841375990003", id="thirteen digits with month 13"),
        pytest.param("2840500990003", id="thirteen digits with département 00"),
        pytest.param("2840575000003", id="thirteen digits with commune 000"),
        pytest.param("2840575990000", id="thirteen digits with order 000"),
        pytest.param("284 057 599 000 3", id="thirteen digits cut elsewhere"),
        pytest.param("Avenue du 2Bis, 75099 VILLE FICTIVE, bâtiment 2A 12", id="an address with 2A"),
        pytest.param("🙂 rendez-vous à 10 h 30, salle 12, étage 3, porte 45", id="a sentence with small numbers"),
    ],
)
def test_the_scanner_leaves_other_numbers_alone(text: str) -> None:
    assert not contains_identifier(text)


@given(NIR13, st.sampled_from(["", " ", "\u00a0", ".", "-", " - ", "\u2009", "\u200b"]), st.booleans())
@settings(max_examples=examples(150))
def test_the_scanner_sees_every_plausible_number_in_every_dress(nir13: str, separator: str, keyed: bool) -> None:
    """Whoever it is, however it is spaced, with or without key, inside a sentence."""
    cuts = [0, 1, 3, 5, 7, 10, 13]
    parts = [nir13[start:end] for start, end in itertools.pairwise(cuts)] + [nir_key(nir13)] * keyed
    assert contains_identifier(f"vu le 3, NSS {separator.join(parts)} (à rappeler)")


@pytest.mark.parametrize(
    "unit", ["1", "1 ", "1   ", "123452A", "1 23 45 67 890 12 ", "１ ", "\ufdfa", "1-23-99-67-000-123 ", "1234 2 A "]
)
def test_the_scanner_is_linear(unit: str) -> None:
    """Eight times the text takes about eight times as long, not sixty-four."""

    def seconds(copies: int) -> float:
        text = unit * copies
        started = time.thread_time()
        contains_identifier(text)
        return time.thread_time() - started

    copies = 20_000 // len(unit)
    short, long = (min(seconds(copies * times) for _ in range(3)) for times in (1, 8))
    assert long < 32 * max(short, 0.000_5)


def test_a_card_keeps_its_name() -> None:
    """Budgets and the ledger hold it for weeks: under another one every card would begin anew."""
    assert subject_of_card(SECRET, "99990001", "0012345678").key.hex() == "d5e82d8c36b09a27520de88662a7b23d"


def test_what_is_no_nir_is_the_same_as_none() -> None:
    assert not same_nir("x", "2840575990003")
    assert not same_nir("2840575990003", "x")


def test_a_number_of_corsica_has_a_month_too() -> None:
    """2A and 2B inside are not enough: codes of thirteen characters have them by chance."""
    assert not contains_identifier("192152A993001")
    assert identifier_spans("192152A993001") == []
    assert identifier_spans("x 192122A993001") == [(2, 15)]
    assert contains_identifier("340092A993001")  # begins like a medicine, which has digits alone


def test_a_number_with_its_key_is_found_without_it() -> None:
    assert set(identifiers("28405759 9000326")) == {"2840575990003"}
    assert set(identifiers("28405759 9000327")) == set()


def test_numbers_are_cut_out_in_the_order_in_which_they_stand() -> None:
    """Whatever kind of number each of them is."""
    assert identifier_spans("182112A990014 puis 2840575990003") == [(0, 13), (19, 32)]


@pytest.mark.parametrize("many", [1, 16, 17, 40])
def test_a_text_mentions_one_of_however_many(many: int) -> None:
    """A family or a table: each of them, and no other."""
    nirs = frozenset(f"28405759900{number:02}" for number in range(10, 10 + many))
    assert all(mentions(f"vu avec {nir} hier", nirs) for nir in nirs)
    assert not mentions("vu avec 2840575990099 hier", nirs)


def test_what_is_no_likely_number_is_none_by_its_length() -> None:
    """Fifteen digits that nobody would have typed for a NIR, and boxes of a form with a month that no year has."""
    assert identifier_spans("784057599000399") == []
    assert not contains_identifier(" ".join("2841375990003"))


def test_a_letter_is_no_separator() -> None:
    """Of whatever script: a code with letters in it is a code."""
    assert not contains_identifier("2840é575990003")
    assert not contains_identifier("284я0575990003")
