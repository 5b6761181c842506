"""A TOML file with the line and column of its keys.

tomllib does not say where a key stood; a second, simple reading of the same text finds `key =` under its `[section]`.
It is for people: where it finds nothing, a problem shows the section, or the file.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from paravent.problems import Problem

MAX_FILE_BYTES: Final = 256 * 1024

type Where = tuple[str, ...]
"""("issuers", "psc", "jwks")."""


@dataclass(frozen=True, slots=True)
class Toml:
    """One file, parsed, that remembers where its keys stood."""

    file: str
    tables: Mapping[str, Any] = field(repr=False)
    places: Mapping[Where, tuple[int, int]] = field(repr=False)

    def problem(self, where: Where, message: str, hint: str = "") -> Problem:
        """A problem with the key at `where`, or with the section around it."""
        while where and where not in self.places:
            where = where[:-1]
        return Problem(self.file, *self.places.get(where, (0, 0)), message, hint)


def parse(file: str, data: bytes) -> Toml | Problem:
    """The file, or the one thing that makes it unreadable."""
    if len(data) > MAX_FILE_BYTES:
        return Problem(file, 0, 0, f"the file is longer than {MAX_FILE_BYTES // 1024} KB")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return Problem(file, data[: error.start].count(b"\n") + 1, 0, "the file is not UTF-8 text")
    if _TOO_DEEP.search(_QUIET.sub("", text)):
        return Problem(file, 0, 0, "a key has more than 16 parts; none of ours has more than 3")
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return _syntax(file, str(error))
    except (ValueError, RecursionError):  # a number of thousands of digits; lists in lists in lists
        return Problem(file, 0, 0, "not a configuration: a number or a nesting beyond all measure")
    return Toml(file, tables, _places(text))


_QUIET: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"""'
    r"|'''.*?'''"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*",
    re.DOTALL,
)
"""Strings and comments: where a dot is only a dot."""
_TOO_DEEP: Final = re.compile(r"(?:\.[^.,=\n]*){16}")
"""tomllib keeps every beginning of a key: `a.a.a…` in a file of our size would take all memory there is."""


_AT: Final = re.compile(r"(.*) \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)", re.DOTALL)


def _syntax(file: str, message: str) -> Problem:
    match = _AT.fullmatch(message)
    if match is None:
        return Problem(file, 0, 0, "not valid TOML")
    what, line, column = match.groups()
    return Problem(file, int(line or 0), int(column or 0), f"not valid TOML: {what[:1].lower()}{what[1:]}")


_PART: Final = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED: Final = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_SECTION: Final = re.compile(rf"[ \t]*\[[ \t]*({_DOTTED})[ \t]*\]")
_ENTRY: Final = re.compile(rf"[ \t]*({_DOTTED})[ \t]*=")


def _places(text: str) -> dict[Where, tuple[int, int]]:
    places: dict[Where, tuple[int, int]] = {}
    section: Where = ()
    for number, line in enumerate(text.split("\n"), 1):
        heading, entry = _SECTION.match(line), _ENTRY.match(line)
        if heading:
            section = _names(heading.group(1))
            where = section
        elif entry:
            where = (*section, *_names(entry.group(1)))
        else:
            continue
        places.setdefault(where, (number, len(line) - len(line.lstrip()) + 1))
    return places


def _names(dotted: str) -> Where:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))
