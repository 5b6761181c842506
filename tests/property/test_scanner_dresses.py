"""Numbers in any dress, in a text that a view keeps: the answer is withheld, whatever its format.

Each kind of number, cut in any way, behind any escape, with anything around it. What a writer puts around a text makes
no difference: an ampersand is escaped once more in markup, a backslash in JSON.
"""

import base64
from collections.abc import Callable
from html import escape
from typing import Final
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dresses import CUTS, DRESSES, KINDS, NIR
from effort import examples
from one_text import EVERY_FORMAT, PATIENT
from paravent.reasons import Reason

ESCAPES: Final[dict[str, Callable[[str], str]]] = {
    "none": str,
    "of URLs": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "of URLs, where there has to be one": lambda text: quote(text, safe=""),
    "of HTML": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "of HTML, in hexadecimal": lambda text: "".join(f"&#x{ord(each):x};" for each in text),
    "of HTML, of what is no digit": lambda text: "".join(
        each if each.isalnum() else f"&#{ord(each)};" for each in text
    ),
    "of HTML, of one digit": lambda text: text[:-2] + f"&#{ord(text[-2])};" + text[-1],
    "of JSON": lambda text: "".join(f"\\u{ord(each):04x}" for each in text),
}
AROUND: Final = ("{}", "vu le 3 ; {} ; à rappeler", "nir{}x", "_{}_", "?nir={}&page=2", "1,{},2")


@pytest.mark.parametrize("name", EVERY_FORMAT)
@pytest.mark.parametrize("dress", sorted(DRESSES))
def test_an_answer_with_a_number_in_any_dress_is_withheld(name: str, dress: str) -> None:
    """In a sentence."""
    form = EVERY_FORMAT[name]
    body = form.written(f"vu le 3 ; {DRESSES[dress]} ; à rappeler")
    assert form.view("keep").apply(body, PATIENT) is Reason.ANSWER_IDENTIFIER_LEFT


@given(
    st.sampled_from(sorted(EVERY_FORMAT)),
    st.sampled_from(sorted(KINDS)),
    st.sampled_from(sorted(CUTS)),
    st.sampled_from(sorted(ESCAPES)),
    st.sampled_from(AROUND),
)
@example("xml", "a NIR", "in one piece", "of HTML", "{}")
@example("json", "a NIR", "in one piece", "of JSON", "{}")
@example("html", "a NIR", "with zero-width characters", "of HTML, in hexadecimal", "{}")
@example("csv", "with its key", "digit by digit", "of JSON", "{}")
@settings(max_examples=examples(300), deadline=None)
def test_dresses_may_be_worn_one_over_the_other(name: str, kind: str, cut: str, behind: str, around: str) -> None:
    """A kind of number, a way to cut it, an escape, and what stands around it."""
    form = EVERY_FORMAT[name]
    body = form.written(around.format(ESCAPES[behind](CUTS[cut](KINDS[kind]))))
    assert form.view("keep").apply(body, PATIENT) is Reason.ANSWER_IDENTIFIER_LEFT


IN_BASE64: Final = {name: cut for name, cut in CUTS.items() if cut(NIR).isascii() and name != "with '_'"}
"""Other blanks and digits are several bytes each, and no nine of what is left stand together."""


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("cut", IN_BASE64)
@pytest.mark.parametrize("kind", KINDS)
def test_a_number_in_base64_is_found_wherever_it_begins(kind: str, cut: str, encode: Callable[[bytes], bytes]) -> None:
    """Three bytes are four characters: a number begins at one of three places of them."""
    form = EVERY_FORMAT["json"]
    for before in ("", "a", "ab", "nir "):
        text = encode(f"{before}{IN_BASE64[cut](KINDS[kind])} ok".encode()).decode()
        assert form.view("keep").apply(form.written(text), PATIENT) is Reason.ANSWER_IDENTIFIER_LEFT


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_a_text_with_many_escapes_and_no_number_leaves(name: str) -> None:
    """What people write in French, escaped for a page before it came here."""
    text = escape("L'été à 65 % & « plus » : <b>12/10/2026</b>, 1 234,50 €, FR76 9999 0999 9900 0123 4567 897 ") * 8
    form = EVERY_FORMAT[name]
    assert not isinstance(form.view("keep").apply(form.written(text), PATIENT), Reason)
