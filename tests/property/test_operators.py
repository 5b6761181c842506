"""Each operator keeps its word: one property for each, of any value that an answer can hold.

The oracles say in a line what the reference says in a sentence, and share no code with the operators.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import date
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jiter import LosslessFloat

from dresses import CORSE, CUTS, KINDS, NIR
from effort import examples
from paravent.handles import open_handle
from paravent.masking import REGISTRY
from paravent.masking.json import Scalar
from paravent.masking.operators import DROP, Drop, Identifies, Parameter
from paravent.model import Asked, Disguise, Secret
from paravent.nir import contains_identifier, nir_key

ONE: Final = Disguise(Secret(b"d" * 32), "99900000002", 1_795_000_000)
OTHER: Final = Disguise(Secret(b"d" * 32), "99900000010", 1_795_000_000)
ASKED: Final = Asked(NIR, "19840517", 1, {"/nom": "ESSAI"}, disguise=ONE)

NUMBERS: Final = st.builds(
    lambda cut, kind: CUTS[cut](KINDS[kind]), st.sampled_from(sorted(CUTS)), st.sampled_from(sorted(KINDS))
)
DATES: Final = st.dates(date(1900, 1, 1)).map(lambda day: f"{day:%Y-%m-%d}")
TEXTS: Final = st.text(max_size=20) | st.text("0123456789-./ AB", max_size=20) | NUMBERS | DATES
VALUES: Final[st.SearchStrategy[Any]] = (
    TEXTS
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False).map(lambda each: LosslessFloat(repr(each).encode()))
    | st.sampled_from(["ESSAI", "essai", NIR, int(NIR), "19840517", 19840517, "1", 1, "C.", "***"])
)


def run(operator: str, value: Scalar, parameter: Parameter = None, at: Identifies | None = None) -> Scalar | Drop:
    return REGISTRY[operator].bind(parameter, at)(value, ASKED)


def keep(draw: st.DataObject) -> None:
    """The value itself; of a kind of number, unless there is a number of a person in it that nobody sent."""
    value = draw.draw(VALUES)
    assert run("keep", value) is value
    left = run("keep", value, "member-number")
    assert left is value or left is DROP
    assert (
        run("keep", draw.draw(st.sampled_from([CORSE, "1990799990999" + nir_key("1990799990999")])), "member-number")
        is DROP
    )


def echo(draw: st.DataObject) -> None:
    """What was sent and nothing else: one character more, less or other, and it does not leave."""
    value = draw.draw(VALUES)
    text = str(value)
    assert (run("echo", value, "/nom") is value) is (text == "ESSAI")
    assert run("echo", value, "/prenom") is DROP
    nir = run("echo", value, at=Identifies.NIR)
    digits = re.sub(r"\D", "", unicodedata.normalize("NFKC", text))
    assert nir is DROP or (digits in {NIR, NIR + nir_key(NIR)} and str(nir) == digits)
    day = run("echo", value, at=Identifies.BIRTH_DATE)
    assert day is DROP or "".join(re.findall(r"\d", text)).startswith("19840517") or text == "17/05/1984"
    rank = run("echo", value, at=Identifies.BIRTH_RANK)
    assert (rank is value) is (value is not True and text == "1")
    at, other = draw.draw(st.integers(0, 12)), draw.draw(st.sampled_from("0123456789"))
    changed = NIR[:at] + other + NIR[at + 1 :]
    assert run("echo", changed, at=Identifies.NIR) == (NIR if changed == NIR else DROP)


def redact(draw: st.DataObject) -> None:
    """One constant: two values cannot be told apart by what leaves."""
    assert run("redact", draw.draw(VALUES)) == run("redact", draw.draw(VALUES)) == "***"


def mask(draw: st.DataObject) -> None:
    """At most its last characters, and always as many characters; nothing of a number of a person."""
    value, shown = draw.draw(VALUES), draw.draw(st.integers(1, 4))
    left = run("mask", value, shown)
    if not isinstance(value, str):
        assert left is DROP
        return
    assert isinstance(left, str)
    assert len(left) == 6 + shown
    assert left in {"*" * (6 + shown), "*" * 6 + value[-shown:]}
    assert left == "*" * (6 + shown) or (len(value) > 2 * shown and not contains_identifier(value))


def year(draw: st.DataObject) -> None:
    """The four digits of a year that the value begins with, or ends with as French pages write dates."""
    day = draw.draw(st.dates(date(1000, 1, 1)))
    for form in (f"{day:%Y}", f"{day:%Y%m%d}", f"{day:%Y-%m-%d}", f"{day:%Y-%m}", f"{day:%Y-%m-%d}T12:00:00+01:00"):
        assert run("year", form) == f"{day.year}"
    value = draw.draw(VALUES)
    left = run("year", value)
    if left is not DROP:
        assert isinstance(value, str)
        assert re.fullmatch("[0-9]{4}", str(left))
        assert left in {value[:4], value[-4:]}


def initial(draw: st.DataObject) -> None:
    """One letter, the first, and a full stop."""
    value = draw.draw(VALUES | st.text("ÉéœŒa'- \u0301", max_size=6))
    left = run("initial", value)
    if left is not DROP:
        assert isinstance(value, str)
        assert isinstance(left, str)
        assert re.fullmatch(r"[^\W\d_]\.", left)
        assert unicodedata.normalize("NFC", value.strip()).startswith(left[:-1])


def exists(draw: st.DataObject) -> None:
    """That there is a value, and nothing of what it is."""
    value = draw.draw(VALUES)
    assert run("exists", value) is (None if value == "" else True)


def free_text(draw: st.DataObject) -> None:
    """The text as it was, or without any number of a person."""
    text = draw.draw(TEXTS | st.builds("vu {} ; {} ok".format, NUMBERS, TEXTS))
    left = run("free-text", text)
    if left is not DROP:
        assert isinstance(left, str)
        assert not contains_identifier(left)
        assert left == text or "[masqué]" in left
    assert run("free-text", draw.draw(st.integers() | st.booleans())) is DROP


def pseudonym(draw: st.DataObject) -> None:
    """One name for one value and one practitioner; no value and no other practitioner has the same. A number of a
    person has one, however it is written."""
    kind, cut = draw.draw(st.sampled_from(sorted(KINDS))), draw.draw(st.sampled_from([" ", ".", "\u00a0"]))
    written = [KINDS[kind], cut.join(KINDS[kind])]
    assert len({run("pseudonym", each, at=Identifies.NIR) for each in written}) == 1
    one, other = draw.draw(VALUES), draw.draw(VALUES)
    name = run("pseudonym", one)
    if isinstance(one, bool | LosslessFloat) or one == "":
        assert name is DROP
        return
    assert re.fullmatch("[A-Z2-7]{16}", str(name))
    if isinstance(other, str | int) and not isinstance(other, bool) and other != "":
        assert (name == run("pseudonym", other)) is (str(one) == str(other))
    assert REGISTRY["pseudonym"].bind(None, None)(one, Asked(disguise=OTHER)) != name


def handle(draw: st.DataObject) -> None:
    """What opens to the same number, for its practitioner alone; of what is no number, nothing."""
    number = draw.draw(st.sampled_from(sorted(KINDS.values())) | VALUES)
    left = run("handle", number, at=Identifies.NIR)
    if left is not DROP:
        assert isinstance(left, str)
        assert open_handle(ONE, left) == re.sub(r"[^0-9AB]", "", str(number).upper())[:13]
        assert open_handle(OTHER, left) is None
        assert not contains_identifier(left)
    assert left is not DROP or number not in KINDS.values()


def code_map(draw: st.DataObject) -> None:
    """What the policy gives for a code, and nothing for any other."""
    codes = draw.draw(st.dictionaries(st.text("0123456789A", min_size=1, max_size=3), st.text(max_size=3), min_size=1))
    value = draw.draw(st.sampled_from(sorted(codes)) | VALUES)
    left = run("code-map", value, tuple(codes.items()))
    known = isinstance(value, str | int) and not isinstance(value, bool) and str(value) in codes
    assert left == (codes[str(value)] if known else DROP)


def filter_period(draw: st.DataObject) -> None:
    """A date as it came; what is none does not leave. Which elements leave is asked of whole answers."""
    day = draw.draw(st.dates(date(1000, 1, 1)))
    for form in (f"{day:%Y%m%d}", f"{day:%Y-%m-%d}", f"{day:%Y-%m-%d}T12:00:00Z"):
        assert run("filter-period", form, "fin") == form
    value = draw.draw(VALUES)
    left = run("filter-period", value, "fin")
    assert left is DROP or (left is value and not contains_identifier(str(value)))


PROPERTIES: Final[dict[str, Callable[[st.DataObject], None]]] = {
    each.__name__.replace("_", "-"): each
    for each in (
        *(keep, echo, redact, mask, year, initial, exists, free_text, pseudonym, handle, code_map, filter_period),
    )
}


def test_every_operator_has_a_property() -> None:
    """Also one that is added tomorrow."""
    assert PROPERTIES.keys() == REGISTRY.keys()


@pytest.mark.parametrize("name", REGISTRY)
@given(draw=st.data())
@settings(max_examples=examples(100), deadline=None)
def test_an_operator_keeps_its_word(name: str, draw: st.DataObject) -> None:
    """Each says its own above."""
    PROPERTIES[name](draw)
