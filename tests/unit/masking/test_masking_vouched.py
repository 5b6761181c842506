"""What an operator has looked into is known by the last look at the bytes, however the format writes it."""

import csv
import io
import json
from html import escape
from typing import Final

import pytest

from masking_views import NO_PERSONS, rule
from paravent.masking import Reduced, View, compile_view
from paravent.model import Asked
from paravent.reasons import Reason
from paravent.rules import Format, HtmlField, HtmlRegion, HtmlShape, ResponseShape, ViewSpec, XmlShape

SENT: Final = "réf. \"2840575990003\"; 'a' <&> \\"
ASKED: Final = Asked(fields={"/ref": SENT})
REGION: Final = HtmlRegion("r", "p", (HtmlField("ref", "b", "Réf."),))


def table(cell: str) -> str:
    out = io.StringIO()
    csv.writer(out).writerows([["ref"], [cell]])
    return out.getvalue()


SHAPES: Final = {
    "json": (NO_PERSONS, ("/ref",), lambda text: json.dumps({"ref": text})),
    "csv": (ResponseShape(format=Format.CSV), ("/lignes[]/ref",), table),
    "html": (
        ResponseShape(format=Format.HTML, details=HtmlShape("T", (REGION,))),
        ("/r[]/ref",),
        lambda text: f"<p><b>{escape(text)}</b></p>",
    ),
    "xml": (
        ResponseShape(format=Format.XML, details=XmlShape("urn:x")),
        ("/r/ref", "/r/@a"),
        lambda text: f'<r xmlns="urn:x" a="{escape(text)}"><ref>{escape(text)}</ref></r>',
    ),
}


def view(of: ResponseShape, lines: tuple[str, ...], operator: str, parameter: str | None) -> View:
    return compile_view(ViewSpec("o", "21", "p", tuple(rule(line, operator, parameter) for line in lines)), of)


@pytest.mark.parametrize("name", SHAPES)
def test_what_the_caller_sent_leaves_however_it_is_written(name: str) -> None:
    """With quotes, brackets and a number in it: they know it already."""
    shape, lines, document = SHAPES[name]
    reduced = view(shape, lines, "echo", "/ref").apply(document(SENT).encode(), ASKED)
    assert isinstance(reduced, Reduced), reduced
    assert sum(reduced.released.values()) == len(lines)


@pytest.mark.parametrize("name", SHAPES)
def test_what_nobody_vouches_for_does_not(name: str) -> None:
    """The same text, kept."""
    shape, lines, document = SHAPES[name]
    assert view(shape, lines, "keep", None).apply(document(SENT).encode(), ASKED) is Reason.ANSWER_IDENTIFIER_LEFT


def test_a_member_number_that_is_a_number_leaves_as_one() -> None:
    """It was looked into as closely as a text of the same digits, and looks like a NIR as much."""
    for written in ("3999999990001", '"3999999990001"'):
        reduced = view(NO_PERSONS, ("/ref",), "keep", "member-number").apply(f'{{"ref":{written}}}'.encode(), ASKED)
        assert isinstance(reduced, Reduced), reduced
        assert reduced.body == f'{{"ref":{written}}}'.encode()
