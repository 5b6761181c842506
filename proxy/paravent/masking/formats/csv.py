"""CSV exports: columns by name, rows as persons (RFC 4180).

    /lignes[]/nomUsuel: keep

The first record names the columns. Refused: no header, a column twice, a record of another length, quotes that do not
close, a quote inside a cell that is not quoted, a carriage return that ends no line, a byte order mark, more rows than
a table that is about the person asked for has. How many persons may leave is `max_persons` of the operation. What
leaves has the columns of the view, in its order, and is cut as the upstream's is.

A spreadsheet takes a cell that begins with = + - or @ for a formula, and runs it. Such a cell leaves with an apostrophe
before it: docs/decisions/0021-cells-are-no-formulas.md.

    =1+1      '=1+1        "=1+1"    '"=1+1"        a;"=1+1"    a;'"=1+1"        -12,50    -12,50
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from paravent.masking.formats.base import MAX_MARKUP_BYTES, Dress
from paravent.masking.formats.json import MAX_WHOLE_BYTES
from paravent.masking.json import Outgoing
from paravent.masking.person import Members
from paravent.media_types import CSV_HEADER, media_type
from paravent.reasons import Reason
from paravent.rules import CsvShape, ResponseShape, ViewSpec, path_text

ROOT: Final = "lignes"
MAX_ROWS: Final = 1000
"""As many as persons in one answer."""
MAX_CELLS: Final = 32 * 1024
"""Counted by what parts them, inside texts too. Each costs 0.1 µs, and as much again where persons are counted;
thirty columns of as many rows are fewer."""

_SKIPPED: Final = r'"\x00-\x08\x0b\x0c\x0e-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f\u2060\u3000\ufeff'
"""What a reader may take off before it looks at a cell: blanks and marks that do not show, and quotes, which close an
empty text where a cell is cut inside our own (`""=1`), with the formula behind them."""
_BEGINNING: Final = r"[=+\-@\t\r\uff1d\uff0b\uff0d\uff20\ufe62\ufe63\ufe66\ufe6b]"
_PERHAPS: Final = re.compile(_BEGINNING)
"""Most cells hold none of them."""
_PLAIN_BEGINNING: Final = frozenset("=+-@")
_AMOUNT: Final = re.compile(r"[+-][0-9]{1,15}(?:[.,][0-9]{1,9})?")
"""A number is what it says, with a sign too."""


@dataclass(frozen=True, slots=True)
class _Cut:
    """How tables are cut that are cut at one separator."""

    separator: str
    ends: tuple[str, ...]
    """What a cell ends with, and where the document does."""
    behind: re.Pattern[str]
    """Where a cell begins to some reader, inside one of ours."""
    formula: re.Pattern[str]
    """Before what begins a formula. OWASP, CSV Injection; in full width too."""


def _cut(separator: str, others: str) -> _Cut:
    """`others`: where else a spreadsheet cuts that was not told how to: at tabs and line ends; in French at semicolons;
    elsewhere at commas, which stand in quotes where they are the separator."""
    formula = re.compile(rf"(?:^|(?<=[{others}]))(?=[{_SKIPPED}]*{_BEGINNING})")
    return _Cut(separator, ("", separator, "\r", "\n"), re.compile(rf"[{others}]"), formula)


_CUTS: Final = {",": _cut(",", r";\t\r\n"), ";": _cut(";", r",;\t\r\n")}


def csv_dress(spec: ViewSpec, shape: ResponseShape) -> Dress:
    """CSV for one view of one operation."""
    cut = _CUTS[shape.details.separator if isinstance(shape.details, CsvShape) else ","]
    columns = [rule.path[1].name for rule in spec.fields]

    def write(reduced: dict[str, Outgoing]) -> bytes:
        out = io.StringIO()
        table = csv.writer(out, delimiter=cut.separator, lineterminator="\r\n")
        table.writerow(columns)
        rows = reduced.get(ROOT)
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict):
                table.writerow([_text(row.get(column), cut) for column in columns])
        return out.getvalue().encode()

    def read(body: bytes, limit_bytes: int) -> Members | Reason:
        return _read(body, limit_bytes, cut)

    def said(text: str) -> tuple[str, ...]:
        return (_inert(text, cut).replace('"', '""'),)

    def whole(body: bytes) -> Members | None:
        found = _read(body, MAX_WHOLE_BYTES, cut)
        return None if isinstance(found, Reason) else found

    types = media_type(rb"text/csv", CSV_HEADER)
    return Dress(b"text/csv", types, b"text/csv; charset=utf-8", read, write, said, whole)


def _text(value: Outgoing, cut: _Cut) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _inert(value, cut) if isinstance(value, str) else ""


def _inert(cell: str, cut: _Cut) -> str:
    """The cell as a spreadsheet takes it for a text. What is inert already stays as it is."""
    if _PERHAPS.search(cell) is None or _AMOUNT.fullmatch(cell) is not None:
        return cell
    if cell[0] in _PLAIN_BEGINNING and cut.behind.search(cell) is None:
        # What follows does the same, in twice the time.
        return f"'{cell}"
    return cut.formula.sub("'", cell)


def _read(body: bytes, limit_bytes: int, cut: _Cut) -> Members | Reason:
    if len(body) > min(limit_bytes, MAX_MARKUP_BYTES):
        return Reason.ANSWER_TOO_LARGE
    try:
        text = body.decode("utf-8")
        if text.count(cut.separator) > MAX_CELLS:
            return Reason.ANSWER_TOO_LARGE
        if text.startswith("\ufeff") or "\0" in text or not _is_cut_in_one_way(text, cut.ends):
            return Reason.ANSWER_MALFORMED
        table = csv.reader(io.StringIO(text, newline=""), delimiter=cut.separator, strict=True)
        records = list(islice(table, MAX_ROWS + 2))
    except (UnicodeDecodeError, csv.Error):
        # Their texts can quote the document: they end here.
        return Reason.ANSWER_MALFORMED
    header, *rows = records or [[]]
    if len(rows) > MAX_ROWS:
        return Reason.ANSWER_TOO_LARGE
    if not header or len(set(header)) != len(header) or any(len(row) != len(header) for row in rows):
        return Reason.ANSWER_MALFORMED
    lines: list[Members] = [dict(zip(header, row, strict=True)) for row in rows]
    return {ROOT: [*lines]}


def _is_cut_in_one_way(text: str, ends: tuple[str, ...]) -> bool:
    """Whether quotes stand around whole cells alone, and carriage returns outside them at line ends alone (RFC 4180
    section 2, rules 1, 5 to 7). To other readers a quote is a quote wherever it stands, and a lone return no end."""
    first, *parts = text.split('"')
    if len(parts) % 2:
        return False
    last = parts.pop() if parts else ""
    between = set(parts[1::2]) - {""}  # Nothing between two of them, inside: one quote of a cell, written twice.
    if parts and not (first[-1:] in ends and last[:1] in ends):
        return False
    if not all([each[0] in ends and each[-1] in ends for each in between]):
        return False
    return not any(["\r" in each.replace("\r\n", "") for each in (first, *between, last)])


def csv_problems(spec: ViewSpec, shape: ResponseShape) -> Iterator[str]:
    """Paths that no table has."""
    for path in (*(rule.path for rule in spec.fields), *shape.persons):
        if path[0].name != ROOT or not path[0].array or len(path) > 2 or any(step.array for step in path[1:]):
            yield f"{path_text(path)}: a column of a table is /{ROOT}[]/column"
