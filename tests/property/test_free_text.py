"""Free text that a view keeps: no number is left in it, in any dress and format, and other texts are as they were."""

import json
import re
import time
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dresses import CORSE, DRESSES, KEY, NIR, spaced
from effort import examples
from masking_views import CONSULTATION, NOBODY, view
from one_text import FORMATS, PATIENT
from paravent.masking import Reduced
from paravent.masking.operators.free_text import MARK, effort, without_identifiers
from paravent.masking.scanner import leaks, undressed
from paravent.model import Asked
from paravent.nir import contains_identifier
from paravent.reasons import Reason

HIDDEN: Final = frozenset(
    name for name in DRESSES if name.startswith(("URL-", "HTML-", "JSON-", "in base64"))
)  # fmt: skip
"""Dresses in which what stands for the number is not the number: the text goes whole."""

NUMBERS: Final = st.from_regex(
    r"[12][0-9]{2}(0[1-9]|1[0-2])(9[0-5]|2A|2B)99[0-9]00[1-9]([0-9]{2})?|7[12][0-9]{11}", fullmatch=True
)
BETWEEN: Final = st.sampled_from(["", " ", "\u00a0", "\u202f", ".", "-", "/", "\u2011", "\u200b", "\u00ad", " - "])
WORDS: Final = st.lists(
    st.sampled_from(["vu", "le", "12/10/2026", "à 10 h 30", "NSS", "tél. 01 99 00 12 34", "é\u0301", "№", "7", "½"])
    | st.text(alphabet="abcéœ 🙂,;!\n", max_size=6),
    max_size=6,
).map(" ".join)


def cut(number: str, between: str) -> str:
    return between.join(filter(None, (*re.split(r"(.)(..)(..)(..)(...)(...)", number),)))


@pytest.mark.parametrize("dress", sorted(DRESSES))
def test_a_number_is_replaced_in_any_dress_or_the_text_goes(dress: str) -> None:
    """Where it can be cut out the words around it stay; behind an escape or in base64 nothing does."""
    left = without_identifiers(f"vu le 3 ; {DRESSES[dress]} ; à rappeler")
    if dress in HIDDEN:
        assert left is None
    else:
        assert left is not None
        assert re.fullmatch(rf"vu le 3 ; [^;0-9]*{re.escape(MARK)}[^;0-9]* ; à rappeler", left), left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        pytest.param(f"{NIR} et {CORSE}", f"{MARK} et {MARK}", id="two numbers"),
        pytest.param(f"{NIR},{NIR}", f"{MARK},{MARK}", id="one number twice"),
        pytest.param(f"{spaced(NIR)} {KEY}.", f"{MARK}.", id="the key goes with its number"),
        pytest.param(f"{spaced(NIR)} 99.", f"{MARK}.", id="a wrong key too"),
        pytest.param(f"{NIR}99", MARK, id="in one piece with a wrong key: a slip of the keyboard"),
        pytest.param(f"{spaced(CORSE)} 17 ok", f"{MARK} ok", id="a Corsican key"),
        pytest.param(f"tel 0199001234 nir {NIR}", f"tel 0199001234 nir {MARK}", id="other numbers stay"),
        pytest.param("3400934857591", "3400934857591", id="a box of medicine stays"),
        pytest.param("FR76 9999 0999 9900 0123 4567 897", "FR76 9999 0999 9900 0123 4567 897", id="an IBAN stays"),
        pytest.param("", "", id="nothing is nothing"),
    ],
)
def test_what_is_left_of_a_text(text: str, left: str) -> None:
    """The mark stands where the number stood."""
    assert without_identifiers(text) == left


@given(WORDS, NUMBERS, BETWEEN, WORDS)
@settings(max_examples=examples(200), deadline=None)
def test_no_number_is_left(before: str, number: str, between: str, behind: str) -> None:
    """Nor half of one: nothing that the scanner finds, and filtering twice is filtering once."""
    left = without_identifiers(f"{before} nir {cut(number, between)} ; {behind}")
    if left is None:
        return
    assert not contains_identifier(left)
    assert not leaks(left.encode(), ())
    assert number[-8:] not in left
    assert without_identifiers(left) == left


@given(WORDS | st.text(max_size=60) | st.text(alphabet="0123456789 .-", max_size=30))
@settings(max_examples=examples(200), deadline=None)
def test_a_text_without_a_number_is_as_it_was(text: str) -> None:
    """Character for character; only fifteen digits may go for what they could be."""
    if not any(map(contains_identifier, undressed(text))):
        left = without_identifiers(text)
        assert left == text or (left is not None and MARK in left and re.search(r"(?:[0-9][\s._/-]*){15}", text))


# ---- in every format


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("dress", sorted(DRESSES))
def test_the_answer_leaves_and_the_number_does_not(name: str, dress: str) -> None:
    """Under `keep` the same answer is withheld whole: test_scanner_dresses."""
    form = FORMATS[name]
    reduced = form.view("free-text").apply(form.written(f"vu le 3 ; {DRESSES[dress]} ; à rappeler"), PATIENT)
    assert isinstance(reduced, Reduced), reduced
    assert NIR[-8:] not in reduced.body.decode()
    assert not leaks(reduced.body, ())
    text = form.said(reduced.body)
    assert text == "" if dress in HIDDEN else text.startswith("vu le 3 ; ") and MARK in text


@pytest.mark.parametrize("name", FORMATS)
def test_a_text_without_a_number_leaves_as_it_was(name: str) -> None:
    """In every format."""
    form = FORMATS[name]
    text = "né à l'étranger ; 2 <enfants> & 1 à naître, tél. 01 99 00 12 34"
    reduced = form.view("free-text").apply(form.written(text), PATIENT)
    assert isinstance(reduced, Reduced)
    assert form.said(reduced.body) == text


def test_a_number_of_somebody_whom_the_answer_names_goes_with_its_text() -> None:
    """Glued to other digits no scanner would know it; this answer says whose it is."""
    person = {"noNIRCertifie": NIR, "dateNaissance": "19840517", "rangGemellaire": 1}
    texts = ("mère 991990799990999001", "mère 1990799990999", "mère absente")
    family = [{"noNIRCertifie": "1990799990999", "dateNaissance": "19990701", "rangGemellaire": 1}]
    compiled = view({"/beneficiaireDeSoins/texte": "free-text"}, CONSULTATION)

    def left(text: str) -> object:
        reduced = compiled.apply(
            json.dumps({"beneficiaireDeSoins": person | {"texte": text}, "famille": family}).encode(),
            Asked(NIR, "19840517", 1),
        )
        assert isinstance(reduced, Reduced)
        return json.loads(reduced.body)["beneficiaireDeSoins"].get("texte")

    assert list(map(left, texts)) == [None, f"mère {MARK}", "mère absente"]


def test_so_much_free_text_is_looked_through() -> None:
    """Numbers cost more than words; an answer with more of them than people type is withheld, not let through."""
    compiled = FORMATS["json, a list"].view("free-text")

    def outcome(text: str, times: int) -> Reduced | Reason:
        return compiled.apply(json.dumps({"a": [text] * times}).encode(), NOBODY)

    assert isinstance(outcome("mutation demandée, pièces reçues " * 10, 50), Reduced)
    assert isinstance(outcome(f"nir {NIR} " * 20, 5), Reduced)
    assert outcome(f"nir {NIR} " * 20, 50) is Reason.ANSWER_TOO_LARGE
    assert outcome("1 23 45 67 890 12 " * 100, 3) is Reason.ANSWER_TOO_LARGE


def test_no_more_is_looked_through_than_there_is_room_for() -> None:
    """Its cost is known before: a text that is longer than the room is not looked into, nor one dress of it more."""
    assert effort("mutation " * 100, 10_000) == 900
    assert effort(f"nir {NIR} " * 10, 10_000) == 9 * len(f"nir {NIR} " * 10)
    assert effort(f"nir {NIR} " * 10, 100) == len(f"nir {NIR} " * 10)
    assert effort("%41" * 1000, 3500) == 3000 + 1000
    assert effort("&#39;" * 1000, 3500) == 5000
    assert effort("", 0) == 0


@pytest.mark.parametrize("unit", ["&" + "a" * 32, "ILMNILMNILMNILMN ", "\ufdfa", "\u0315\u0300", "mutation "])
def test_what_is_too_much_is_not_searched_text_by_text(unit: str) -> None:
    """Twice as many texts behind the one that is too much cost the time to read them, and no more."""
    compiled = FORMATS["json, a list"].view("free-text")
    text = (unit * 4000)[:4000]
    few, many = (json.dumps({"a": [text] * times}, ensure_ascii=False).encode() for times in (40, 80))

    def cpu_ms(body: bytes) -> float:
        return min(_cpu_ms(lambda: compiled.apply(body, NOBODY)) for _ in range(5))

    assert compiled.apply(few, NOBODY) is Reason.ANSWER_TOO_LARGE
    assert cpu_ms(many) - cpu_ms(few) < 5


def _cpu_ms(work: Callable[[], object]) -> float:
    before_ns = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - before_ns) / 1e6
