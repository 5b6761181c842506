"""CSV exports by column, and static files by digest or without an identifier."""

import csv
import hashlib
import io
from typing import Final

import pytest

from masking_views import FIELDS, NOBODY, path, rule
from paravent.masking import Reduced, View, check_view, compile_view
from paravent.masking.formats.base import MAX_MARKUP_BYTES
from paravent.masking.formats.csv import MAX_CELLS, MAX_ROWS
from paravent.model import Asked
from paravent.reasons import Reason
from paravent.rules import CsvShape, Format, ResponseShape, StaticShape, ViewSpec

TABLE: Final = ResponseShape(format=Format.CSV)


def compiled(of: ResponseShape, *lines: str) -> View:
    rules = tuple(rule(line.split()[0], *(line.split()[1:] or ["keep"])) for line in lines)
    return compile_view(ViewSpec("o", "21", "p", rules), of)


def left(view: View, body: bytes, asked: Asked = NOBODY) -> bytes | Reason:
    reduced = view.apply(body, asked)
    return reduced.body if isinstance(reduced, Reduced) else reduced


NAMES: Final = compiled(TABLE, "/lignes[]/b", "/lignes[]/a")


@pytest.mark.parametrize(
    ("body", "leaves"),
    [
        pytest.param(b"a,b,c\r\n1,2,3\r\n", b"b,a\r\n2,1\r\n", id="named columns, in the order of the view"),
        pytest.param(b"a,c\n1,3\n", b"b,a\r\n,1\r\n", id="a column that is missing is empty"),
        pytest.param(b'a,b\n"x,y","""z"""\n', b'b,a\r\n"""z""","x,y"\r\n', id="quotes, where they are needed"),
        pytest.param(b'a,b\n"x\r\ny",z\n', b'b,a\r\nz,"x\r\ny"\r\n', id="a line end inside a value"),
        pytest.param(b'"a","b"\n"1","2"', b"b,a\r\n2,1\r\n", id="quotes around every cell, and no last line end"),
        pytest.param(b'a,b\n"1",2', b"b,a\r\n2,1\r\n", id="a last cell without quotes"),
        pytest.param(
            b"a,b\n" + b"1,2\n" * MAX_ROWS, b"b,a\r\n" + b"2,1\r\n" * MAX_ROWS, id="as many rows as there may be"
        ),
        pytest.param(b"a,b\n", b"b,a\r\n", id="a table without rows"),
        pytest.param(b"a;b,b\n1,2\n", b"b,a\r\n2,\r\n", id="a semicolon is no separator"),
    ],
)
def test_columns_leave_by_name(body: bytes, leaves: bytes) -> None:
    """A column that no line names stays behind."""
    assert left(NAMES, body) == leaves


FRENCH: Final = compiled(ResponseShape(format=Format.CSV, details=CsvShape(";")), "/lignes[]/b", "/lignes[]/a")


@pytest.mark.parametrize(
    ("body", "leaves"),
    [
        pytest.param("a;b;c\r\n1;2;3\r\n", "b;a\r\n2;1\r\n", id="named columns"),
        pytest.param("a;b\n-12,50;x,y\n", "b;a\r\nx,y;-12,50\r\n", id="a comma is no separator"),
        pytest.param('"a";"b"\n"x;y";"""z"""\n', 'b;a\r\n"""z""";"x;y"\r\n', id="quotes, where they are needed"),
        pytest.param("a;b\n1;2,=1+1\n", "b;a\r\n2,'=1+1;1\r\n", id="a formula where another reader cuts at commas"),
        pytest.param('a;b\n"1;=2";3\n', 'b;a\r\n3;"1;\'=2"\r\n', id="a formula behind a semicolon"),
        pytest.param('a;b\n"1",2;3\n', Reason.ANSWER_MALFORMED, id="text after a quote"),
        pytest.param("a;b\n1,2\n", Reason.ANSWER_MALFORMED, id="a record that is cut at commas"),
        pytest.param("a;b" + ";c" * MAX_CELLS, Reason.ANSWER_TOO_LARGE, id="more cells than are read"),
    ],
)
def test_a_table_may_be_cut_at_semicolons(body: str, leaves: str | Reason) -> None:
    """As spreadsheets that are set up for French write it, in which a comma is part of a number."""
    found = left(FRENCH, body.encode())
    assert (found.decode() if isinstance(found, bytes) else found) == leaves
    seen = FRENCH.dress.whole(body.encode()) if FRENCH.dress.whole is not None else None
    assert (seen is None) is isinstance(leaves, Reason)


def test_that_there_is_a_value_leaves_as_a_word() -> None:
    """Of a column that only exists may be said of."""
    assert left(compiled(TABLE, "/lignes[]/a exists", "/lignes[]/b"), b"a,b\nx,1\n,2\n") == b"a,b\r\ntrue,1\r\n,2\r\n"


@pytest.mark.parametrize(
    ("cell", "leaves"),
    [
        pytest.param("=1+1", "'=1+1", id="a formula"),
        pytest.param('=HYPERLINK("http://x";"y")', '\'=HYPERLINK("http://x";"y")', id="a formula that calls"),
        pytest.param("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0", id="one that begins with plus"),
        pytest.param("-2+3+cmd", "'-2+3+cmd", id="with minus"),
        pytest.param("@SUM(1)", "'@SUM(1)", id="with at"),
        pytest.param("\t=1", "'\t'=1", id="with a tab"),
        pytest.param("\r=1", "'\r'=1", id="with a carriage return"),
        pytest.param("＝1+1", "'＝1+1", id="in full width"),
        pytest.param("a;=1+1", "a;'=1+1", id="behind a semicolon, where a French spreadsheet cuts"),
        pytest.param("a\n=1+1", "a\n'=1+1", id="behind a line end"),
        pytest.param("a\t@b", "a\t'@b", id="behind a tab"),
        pytest.param('"=1+1"', '\'"=1+1"', id="behind a quote"),
        pytest.param('"";"=1', '"";\'"=1', id="behind a quote behind a semicolon, where a cell is cut inside ours"),
        pytest.param('a\n""=1', 'a\n\'""=1', id="behind quotes behind a line end"),
        pytest.param("'\"=1", "'\"=1", id="behind an apostrophe and a quote it is inert"),
        pytest.param(" =1", "' =1", id="behind a blank that a reader takes off"),
        pytest.param("\u00a0\u200b\ufeff=1", "'\u00a0\u200b\ufeff=1", id="behind what does not show"),
        pytest.param("a; =1", "a;' =1", id="behind a semicolon and a blank"),
        pytest.param("\x0b=1", "'\x0b=1", id="behind a control character"),
        pytest.param("﹦1", "'﹦1", id="in small form"),
        pytest.param('"a"', '"a"', id="a word in quotes stays"),
        pytest.param('a "=1"', 'a "=1"', id="quotes inside a text stay"),
        pytest.param("-12,50", "-12,50", id="an amount stays"),
        pytest.param("+33199001234", "+33199001234", id="a telephone abroad stays"),
        pytest.param("+33 1 99 00 12 34", "'+33 1 99 00 12 34", id="in groups it is a text"),
        pytest.param("a=b; c-d +e", "a=b; c-d +e", id="signs inside a text stay"),
        pytest.param("'=1", "'=1", id="what is inert stays as it is"),
        pytest.param("-", "'-", id="a hyphen alone"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_no_cell_is_a_formula(cell: str, leaves: str) -> None:
    """A spreadsheet would run it, with the rights of who opened the file."""
    out = io.StringIO()
    csv.writer(out).writerows([["a", "b"], ["x", cell]])
    body = left(compiled(TABLE, "/lignes[]/b"), out.getvalue().encode())
    assert isinstance(body, bytes)
    assert list(csv.reader(io.StringIO(body.decode(), newline="")))[1:] == [[leaves] if leaves else [""]]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", Reason.ANSWER_MALFORMED, id="nothing"),
        pytest.param(b"\n", Reason.ANSWER_MALFORMED, id="no header"),
        pytest.param(b"a,a\n1,2\n", Reason.ANSWER_MALFORMED, id="a column twice"),
        pytest.param(b"a,b\n1\n", Reason.ANSWER_MALFORMED, id="a record that is too short"),
        pytest.param(b"a,b\n1,2,3\n", Reason.ANSWER_MALFORMED, id="a record that is too long"),
        pytest.param(b'a,b\n"1,2\n', Reason.ANSWER_MALFORMED, id="a quote that does not close"),
        pytest.param(b'a,b\n"1"x,2\n', Reason.ANSWER_MALFORMED, id="text after a quote"),
        pytest.param(b'a,b\nx"y,z"w\n', Reason.ANSWER_MALFORMED, id="quotes inside cells: one cell to others"),
        pytest.param(b'a,b\n1, "2"\n', Reason.ANSWER_MALFORMED, id="a quote behind a blank"),
        pytest.param(b'a,b\n1,""2""\n', Reason.ANSWER_MALFORMED, id="a quote too many on each side"),
        pytest.param(b"a,b\n1,2\r3,4\n", Reason.ANSWER_MALFORMED, id="a carriage return alone: an end to some"),
        pytest.param(b"a,b\r1,2\r", Reason.ANSWER_MALFORMED, id="carriage returns as all line ends"),
        pytest.param(b"a,b\r\r\n1,2\r\r\n", Reason.ANSWER_MALFORMED, id="two of them before a line feed"),
        pytest.param(b'a,b\n1,"2"\r"3",4\n', Reason.ANSWER_MALFORMED, id="one between quoted cells"),
        pytest.param(b"a,b\n1,2\n\n", Reason.ANSWER_MALFORMED, id="an empty line"),
        pytest.param("a,b\né,2\n".encode("latin-1"), Reason.ANSWER_MALFORMED, id="Latin-1"),
        pytest.param("\ufeffa,b\n1,2\n".encode(), Reason.ANSWER_MALFORMED, id="a byte order mark"),
        pytest.param(b"a,b\n1\0,2\n", Reason.ANSWER_MALFORMED, id="a NUL"),
        pytest.param(b"a,b\n" + b"1" * MAX_MARKUP_BYTES + b",2\n", Reason.ANSWER_TOO_LARGE, id="over 256 KiB"),
        pytest.param(b"a,b\n" + b"1,2\n" * (MAX_ROWS + 1), Reason.ANSWER_TOO_LARGE, id="more rows than persons"),
        pytest.param(b"a,b" + b",c" * 64 * 1024 + b"\n", Reason.ANSWER_TOO_LARGE, id="more cells than are read"),
        pytest.param(b"a,b\n1,2840575990003\n", Reason.ANSWER_IDENTIFIER_LEFT, id="a number in a column that is kept"),
    ],
)
def test_a_table_that_two_readers_could_cut_differently_is_withheld(body: bytes, reason: Reason) -> None:
    """Nothing of it leaves."""
    assert left(NAMES, body) is reason


EXPORT: Final = compiled(
    ResponseShape((path("/lignes[]"),), FIELDS, "listed", 2, Format.CSV),
    "/lignes[]/nom",
    "/lignes[]/noNIRCertifie pseudonym",
)
HEADER: Final = "nom,noNIRCertifie,dateNaissance,rangGemellaire\n"


def test_the_persons_of_an_export_are_counted_and_bounded() -> None:
    """Two of them leave; three are too many; a row that names nobody does not leave."""
    rows = [f"N{n},28405759900{n:02},19840517,1\n" for n in (10, 11, 12)]
    reduced = EXPORT.apply((HEADER + "".join(rows[:2]) + "X,,,\n").encode(), NOBODY)
    assert isinstance(reduced, Reduced)
    assert reduced.body == b"nom,noNIRCertifie\r\nN10,\r\nN11,\r\n"
    assert len(reduced.persons) == 2
    assert left(EXPORT, (HEADER + "".join(rows)).encode()) is Reason.TOO_MANY_PERSONS


def test_a_column_is_named_below_the_rows() -> None:
    """Any other path is told when the policy is loaded."""
    told = check_view(ViewSpec("o", "21", "p", (rule("/rows[]/a", "keep"),)), TABLE)
    assert any("a column of a table is /lignes[]/column" in text for _, text in told)


# ---- static files

CSS: Final = b"body { color: #223 }"
FONT: Final = bytes((place * place) % 251 for place in range(100_000))
NUMBER: Final = b"/* 2 84 05 75 990 003 */"
PNG: Final = b"\x89PNG\r\n\x1a\n\xff\xfe"


def static(*digests: bytes) -> ResponseShape:
    shas = frozenset(hashlib.sha256(each).hexdigest() for each in digests)
    return ResponseShape(format=Format.STATIC, details=StaticShape("text/css", shas))


@pytest.mark.parametrize(
    ("known", "body", "leaves"),
    [
        pytest.param((), CSS, CSS, id="a text without an identifier"),
        pytest.param((), CSS + NUMBER, Reason.ANSWER_IDENTIFIER_LEFT, id="a text with one"),
        pytest.param((), PNG, Reason.ANSWER_MALFORMED, id="bytes that are no text"),
        pytest.param((PNG,), PNG, PNG, id="bytes that are known"),
        pytest.param((PNG, CSS), CSS, CSS, id="one of several that are known"),
        pytest.param((FONT,), FONT, FONT, id="a long one that is known, whatever its bytes look like"),
        pytest.param((CSS + NUMBER,), CSS + NUMBER, CSS + NUMBER, id="a known one with digits that look like a NIR"),
        pytest.param((), CSS * 2_000, Reason.ANSWER_TOO_LARGE, id="a text too long to be looked through"),
        pytest.param((PNG,), CSS, Reason.ANSWER_SHAPE, id="others than are known"),
    ],
)
def test_a_file_leaves_as_it_came_or_not_at_all(known: tuple[bytes, ...], body: bytes, leaves: bytes | Reason) -> None:
    """By digest where the policy has some, else as text that was looked through."""
    assert left(compiled(static(*known), "/contenu"), body) == leaves


@pytest.mark.parametrize(
    "lines", [("/autre",), ("/contenu redact",), ("/contenu[]",)], ids=["name", "operator", "list"]
)
def test_a_file_has_one_line(lines: tuple[str, ...]) -> None:
    """There is nothing in it to choose from."""
    rules = tuple(rule(line.split()[0], *(line.split()[1:] or ["keep"])) for line in lines)
    assert any("the only line" in text for _, text in check_view(ViewSpec("o", "21", "p", rules), static()))
