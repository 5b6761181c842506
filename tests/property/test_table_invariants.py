"""Invariants of pages, tables and files: whatever stands around the named cells, only what they say leaves; and a file
leaves as it came, or not at all.

The oracles are other readers than the engine's: the standard library's HTML tokeniser, which knows no tree, and a CSV
reader of a few lines written from RFC 4180.
"""

import csv
import hashlib
import io
import re
from html.parser import HTMLParser
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from dresses import CUTS as WAYS
from dresses import KINDS
from effort import examples
from masking_views import NOBODY, rule
from paravent.masking import Reduced, View, compile_view
from paravent.reasons import Reason
from paravent.rules import CsvShape, Format, HtmlField, HtmlRegion, HtmlShape, ResponseShape, StaticShape, ViewSpec

NAMES: Final = ("a", "b", "c")
FIELDS: Final = tuple(HtmlField(name, f"td.{name}", name.upper()) for name in NAMES)
PAGE: Final[View] = compile_view(
    ViewSpec("o", "21", "p", (rule("/r[]/a", "keep"), rule("/r[]/c", "keep"))),
    ResponseShape(format=Format.HTML, details=HtmlShape("T", (HtmlRegion("r", "#r > tbody > tr", FIELDS),))),
)
TABLES: Final[dict[str, View]] = {
    separator: compile_view(
        ViewSpec("o", "21", "p", (rule("/lignes[]/a", "keep"), rule("/lignes[]/c", "keep"))),
        ResponseShape(format=Format.CSV, details=CsvShape(separator)),
    )
    for separator in (",", ";")
}
SEPARATORS: Final = st.sampled_from([*TABLES])

STRAY: Final = st.sampled_from(
    [
        "",
        "<!-- {} -->",
        "<script>{}</script>",
        "<style>{}</style>",
        '<i title="{}"></i>',
        "<template>{}</template>",
        "\n",
    ]
)
ROWS: Final = st.lists(st.tuples(*[st.lists(STRAY, max_size=2) for _ in NAMES], STRAY), max_size=5)


def page(rows: list[tuple[list[str], list[str], list[str], str]]) -> tuple[bytes, list[list[str]]]:
    """A page with a value of its own in every place, and what its named cells say."""
    number = 0

    def value() -> str:
        nonlocal number
        number += 1
        return f"v{number}v"

    written, said = "", []
    for *columns, stray in rows:
        values = [value() for _ in NAMES]
        cells = "".join(
            f'<td class="{name}" data-x="{value()}">{text}{"".join(each.replace("{}", value()) for each in some)}</td>'
            for name, text, some in zip(NAMES, values, columns, strict=True)
        )
        written += f"<tr>{cells}<td>{value()}</td></tr>{stray.replace('{}', value())}"
        said.append([values[0], values[2]])
    around = f"<title>{value()}</title><script>{value()}</script><p>{value()}</p>"
    body = f'{around}<table id="r"><thead><tr><th>{value()}</th></tr></thead><tbody>{written}</tbody></table>{value()}'
    return body.encode(), said


class _Cells(HTMLParser):
    """The cells of a page, as a tokeniser sees them; and every other text and attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.others: list[str] = []
        self._in = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.others += [value or "" for _, value in attrs]
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self._in = True
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._in = self._in and tag != "td"

    def handle_data(self, data: str) -> None:
        if self._in:
            self.rows[-1][-1] += data
        else:
            self.others.append(data)


@given(ROWS)
@settings(max_examples=examples(80), deadline=None)
def test_only_the_named_cells_of_a_page_leave(rows: list[tuple[list[str], list[str], list[str], str]]) -> None:
    """Read by another parser, what leaves is the table of the named cells; and filtering twice is filtering once."""
    body, said = page(rows)
    reduced = PAGE.apply(body, NOBODY)
    assert isinstance(reduced, Reduced)
    seen = _Cells()
    seen.feed(reduced.body.decode())
    assert [row for row in seen.rows if row] == said
    assert not any("v" in text and text.strip("v").isdigit() for text in seen.others)
    again = PAGE.apply(reduced.body, NOBODY)
    assert isinstance(again, Reduced)
    assert again.body == reduced.body


MARKUP: Final = st.text(alphabet="<>/!-=\"' tdrablescip&;#x0", max_size=60).map(str.encode) | st.binary(max_size=60)


@given(MARKUP)
@settings(max_examples=examples(100), deadline=None)
def test_no_markup_makes_it_raise(body: bytes) -> None:
    """Whatever an upstream sends, the outcome is a value."""
    assert isinstance(PAGE.apply(body, NOBODY), Reduced | Reason)
    assert isinstance(PAGE.apply(b'<table id="r"><tbody><tr><td class="a">' + body, NOBODY), Reduced | Reason)


def records(text: str, separator: str) -> list[list[str]]:
    """RFC 4180 section 2, read character by character; a line feed alone ends a record too."""
    rows: list[list[str]] = [[""]]
    quoted, place = False, 0
    while place < len(text):
        character = text[place]
        if quoted:
            if character == '"' and text[place + 1 : place + 2] == '"':
                rows[-1][-1] += '"'
                place += 1
            elif character == '"':
                quoted = False
            else:
                rows[-1][-1] += character
        elif character == '"':
            quoted = True
        elif character == separator:
            rows[-1].append("")
        elif character == "\n" or text.startswith("\r\n", place):
            rows.append([""])
            place += character == "\r"
        else:
            rows[-1][-1] += character
        place += 1
    return rows[:-1]


CUTS: Final = {",": ";\t\r\n", ";": ",;\t\r\n"}
"""Where others cut inside the cells of a table that is cut at one of these. Commas that cut stand in quotes inside."""


def begins(cell: str, separator: str) -> list[str]:
    """What would begin a cell for whoever cuts there, quotes or not, and takes off blanks and quotes before it."""
    return [each.lstrip(' "') for each in re.split(f"[{CUTS[separator]}]", cell)]


def inert(cell: str, separator: str) -> str:
    """A cell of the alphabet below, with an apostrophe where a formula would begin."""
    pieces = re.split(f"([{CUTS[separator]}])", cell)
    return "".join(
        "'" + piece
        if place % 2 == 0
        and (piece.lstrip(' "')[:1] == "=" or (not piece.strip(' "') and pieces[place + 1 :][:1] == ["\r"]))
        else piece
        for place, piece in enumerate(pieces)
    )


CELLS: Final = st.text(alphabet="ab,\"\n\r ;'=é", max_size=8)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=6), SEPARATORS)
@settings(max_examples=examples(100), deadline=None)
def test_only_the_named_columns_of_a_table_leave(rows: list[tuple[str, str, str]], separator: str) -> None:
    """Whatever is in the cells: read by the reader above, and filtered twice. No cell is a formula, nor what a reader
    makes of the line who cuts it at semicolons, or at commas."""
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows([NAMES, *rows])
    reduced = TABLES[separator].apply(out.getvalue().encode(), NOBODY)
    assert isinstance(reduced, Reduced)
    said = [[inert(row[0], separator), inert(row[2], separator)] for row in rows]
    assert records(reduced.body.decode(), separator) == [["a", "c"], *said]
    assert not any(each.startswith("=") for row in said for cell in row for each in begins(cell, separator))
    for other in TABLES:
        elsewhere = csv.reader(io.StringIO(reduced.body.decode(), newline=""), delimiter=other)
        assert not any(cell.startswith("=") for row in elsewhere for cell in row)
    again = TABLES[separator].apply(reduced.body, NOBODY)
    assert isinstance(again, Reduced)
    assert again.body == reduced.body


@given(st.text(alphabet='ab,"\n\r', max_size=40), SEPARATORS)
@settings(max_examples=examples(300), deadline=None)
def test_what_is_read_of_a_table_is_read_so_by_others(text: str, separator: str) -> None:
    """By one to whom a quote is a quote wherever it stands, and only whole line ends are ends: or it is withheld."""
    text = text.replace(",", separator)
    reduced = TABLES[separator].apply((separator.join(NAMES) + "\n" + text).encode(), NOBODY)
    if isinstance(reduced, Reduced):
        rows = records(text if text.endswith("\n") or not text else text + "\n", separator)
        said = [[inert(row[0], separator), inert(row[2], separator)] for row in rows]
        assert records(reduced.body.decode(), separator) == [["a", "c"], *said]


@given(st.text(alphabet='ab,"\n\r', max_size=40).map(str.encode) | st.binary(max_size=40))
@settings(max_examples=examples(100), deadline=None)
def test_no_table_makes_it_raise(body: bytes) -> None:
    """Whatever an upstream sends, the outcome is a value."""
    assert isinstance(TABLES[","].apply(b"a,b,c\n" + body, NOBODY), Reduced | Reason)


# ---- files


def file(*known: bytes) -> View:
    digests = frozenset(hashlib.sha256(each).hexdigest() for each in known)
    shape = ResponseShape(format=Format.STATIC, details=StaticShape("text/css", digests))
    return compile_view(ViewSpec("o", "21", "p", (rule("/contenu", "keep"),)), shape)


@given(st.binary(max_size=60), st.binary(max_size=60))
@settings(max_examples=examples(60), deadline=None)
def test_of_files_that_the_policy_knows_these_leave_and_no_others(one: bytes, other: bytes) -> None:
    """To the byte, whatever the bytes are; and filtering twice is filtering once."""
    view = file(one)
    reduced = view.apply(one, NOBODY)
    assert isinstance(reduced, Reduced)
    assert reduced.body == one
    if other != one:
        assert view.apply(other, NOBODY) is Reason.ANSWER_SHAPE
    assert view.apply(one + b"\n", NOBODY) is Reason.ANSWER_SHAPE


@given(st.text(max_size=60), st.sampled_from(sorted(KINDS)), st.sampled_from(sorted(WAYS)), st.binary(max_size=20))
@settings(max_examples=examples(100), deadline=None)
def test_a_file_of_text_leaves_as_it_came_or_not_at_all(text: str, kind: str, cut: str, tail: bytes) -> None:
    """Not with a number in it, however it is cut, and not when it is no text."""
    view, number = file(), WAYS[cut](KINDS[kind])
    # Letters alone: what stands for digits, as a quarter in one character does, would make another number of it.
    body = "".join(each if each.isalpha() else "x" for each in text).encode() + b"/* 65 % */"
    reduced = view.apply(body, NOBODY)
    assert isinstance(reduced, Reduced)
    assert reduced.body == body
    again = view.apply(reduced.body, NOBODY)
    assert isinstance(again, Reduced)
    assert again.body == body
    assert view.apply(body + f" {number} ".encode() + body, NOBODY) is Reason.ANSWER_IDENTIFIER_LEFT
    outcome = view.apply(body + tail, NOBODY)
    assert isinstance(outcome, Reason) or outcome.body == body + tail
    try:
        tail.decode()
    except UnicodeDecodeError:
        assert outcome is Reason.ANSWER_MALFORMED
