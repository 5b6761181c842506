"""One YAML file, strictly read, with the line and column of every key and value.

    droits.consultation:                  keys["droits.consultation",]             1:1
      require: {level: substantiel}       values["droits.consultation", "require", "level"]   2:20

YAML has more than a policy needs, and its readers disagree on the rest. Refused here, each with its place: duplicate
keys (YAML 1.2.2 section 3.2.1.1 forbids them, PyYAML keeps the last), anchors, aliases and merge keys, tags,
directives, several documents, characters that do not show. Of the plain scalars only those of the 1.2 core schema
that every reader understands alike are anything but text: `true`, `false`, `null` and decimal numbers. `no`, `12:30`,
`2026-11-22`, `0x1F` and `0123` are text, as written. Keys are always text.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import yaml

from paravent.model import Json
from paravent.problems import Problem

MAX_FILE_BYTES: Final = 256 * 1024
"""The longest file of the reference policy has 4 KB; libyaml needs some 40 times a file's size."""
MAX_DEPTH: Final = 12
"""The deepest value of a policy stands at depth 7."""

MAX_PROBLEMS: Final = 100
"""Of the text of one file. Nobody reads more, and a file of nothing but mistakes has tens of thousands."""

type Where = tuple[str | int, ...]
"""Keys and indexes from the root: ("quotas", "pharmacien", "persons", 0, "limit")."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in the text, both 1-based."""

    line: int
    column: int


_START: Final = Spot(1, 1)


@dataclass(frozen=True, slots=True)
class Document:
    """One file, parsed, that remembers where everything stood."""

    file: str
    value: Json
    keys: Mapping[Where, Spot] = field(repr=False)
    """Where each key of a mapping stands, by the path of its value."""
    values: Mapping[Where, Spot] = field(repr=False)

    def at_key(self, where: Where, message: str, hint: str = "") -> Problem:
        """A problem with what stands at `where`, shown at its key; without one (list items, the root) at the value."""
        return self._problem(self.keys.get(where) or self._nearest(where), message, hint)

    def at_value(self, where: Where, message: str, hint: str = "") -> Problem:
        """A problem with the value at `where`, or with the nearest thing around it."""
        return self._problem(self._nearest(where), message, hint)

    def line(self, where: Where) -> int:
        """The line of the key at `where`."""
        return (self.keys.get(where) or self._nearest(where)).line

    def nearest(self, where: Where) -> Where:
        """`where`, or the nearest thing around it that stands in the text."""
        while where and where not in self.values:
            where = where[:-1]
        return where

    def _nearest(self, where: Where) -> Spot:
        return self.values.get(self.nearest(where), _START)

    def _problem(self, spot: Spot, message: str, hint: str) -> Problem:
        return Problem(self.file, spot.line, spot.column, message, hint)


def load(file: str, data: bytes) -> Document | tuple[Problem, ...]:
    """Read one file, or say everything that is wrong with its text."""
    text = _text(file, data)
    if isinstance(text, Problem):
        return (text,)
    events: list[yaml.Event] = []
    try:
        problems = tuple(islice(_forbidden(file, yaml.parse(text, Loader=_PARSER), events), MAX_PROBLEMS))
    except yaml.YAMLError as error:
        return (_syntax(file, text, error),)
    return problems or _Composer(file, events).document()


# libyaml counts lines and columns as the Python parser does, and is ten times as fast. Only its events are used: what
# a scalar means is decided below, not by PyYAML's resolver.
_PARSER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# What YAML itself does not allow, and what does not show or shows elsewhere: a byte order mark, zero-width and
# bidirectional marks (Unicode TR 36 section 3), and the line ends U+0085, U+2028, U+2029 of YAML 1.1, not of 1.2.
_UNSEEN: Final = re.compile(
    "[^\\t\\n\\r\\x20-\\x7e\\xa0-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]|\\r(?!\\n)"
    "|[\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u2069\\ufeff]"
)

_INSTEAD: Final = {"\ufeff": "save the file without a byte order mark", "\r": "end lines with a line feed"}
_NO_INDENT: Final = re.compile(r" *[\t\u00a0]")
"""What an editor, a word processor or a web page puts where YAML has spaces alone."""


def _text(file: str, data: bytes) -> str | Problem:
    if len(data) > MAX_FILE_BYTES:
        return Problem(file, 0, 0, f"the file is longer than {MAX_FILE_BYTES // 1024} KB", "split it")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        return Problem(
            file, *_place(before), "the file is not UTF-8 text", "save it as UTF-8 without a byte order mark"
        )
    unseen = _UNSEEN.search(text)
    if unseen is None:
        return text
    name = f"U+{ord(unseen.group()):04X}"
    hint = _INSTEAD.get(unseen.group(), "remove it")
    return Problem(
        file, *_place(text[: unseen.start()]), f"the character {name} is not allowed: it does not show", hint
    )


def _place(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _syntax(file: str, text: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
    what = getattr(error, "problem", None) or "it cannot be read"
    hint = "check indentation, brackets, quotes and the blank after each colon, here and above"
    for number, row in enumerate(text.split("\n")[:line], 1):
        if _NO_INDENT.match(row):
            hint = f"line {number} begins with a tab or a no-break space: indent with spaces"
    return Problem(file, line, column, f"not valid YAML: {what}", hint)


def _forbidden(file: str, parsed: Iterable[yaml.Event], events: list[yaml.Event]) -> Iterator[Problem]:
    """Everything that the parser understands and a policy may not use. What it saw goes to `events`."""
    depth = documents = 0
    for event in parsed:
        events.append(event)
        for message, hint in _extras(event):
            yield _at(file, event, message, hint)
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents == 2:
                yield _at(file, event, "a second document begins here", "one file holds one document: remove the ---")
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                # Read no further: libyaml takes a minute over 100 KB of opening brackets.
                yield _at(file, event, f"nested more than {MAX_DEPTH} deep")
                return
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _extras(event: yaml.Event) -> Iterator[tuple[str, str]]:
    if isinstance(event, yaml.AliasEvent):
        yield "aliases (*) are not allowed", "write the value out"
    elif isinstance(event, yaml.NodeEvent) and event.anchor is not None:
        yield "anchors (&) are not allowed", "write the value out where it is needed"
    if getattr(event, "tag", None) is not None:
        yield "tags (!) are not allowed", "remove it; quote the value if it is text"
    if isinstance(event, yaml.DocumentStartEvent) and (event.version or event.tags):
        yield "directives (%) are not allowed", "remove the line"


def _at(file: str, event: yaml.Event, message: str, hint: str = "") -> Problem:
    spot = _spot(event)
    return Problem(file, spot.line, spot.column, message, hint)


class _Composer:
    """Builds the value of one document from its events, and notes the places on the way."""

    def __init__(self, file: str, events: list[yaml.Event]) -> None:
        self._file = file
        self._events = iter(events)
        self._keys: dict[Where, Spot] = {}
        self._values: dict[Where, Spot] = {}
        self._problems: list[Problem] = []

    def document(self) -> Document | tuple[Problem, ...]:
        value: Json = None
        for event in self._events:
            if isinstance(event, yaml.NodeEvent):
                value = self._node(event, ())
        if self._problems:
            return tuple(self._problems[:MAX_PROBLEMS])
        return Document(self._file, value, self._keys, self._values)

    def _node(self, event: yaml.Event, where: Where) -> Json:
        self._values[where] = _spot(event)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(where)
        if isinstance(event, yaml.SequenceStartEvent):
            items = enumerate(self._until(yaml.SequenceEndEvent))
            return [self._node(item, (*where, index)) for index, item in items]
        return _scalar(event) if isinstance(event, yaml.ScalarEvent) else None

    def _mapping(self, where: Where) -> dict[str, Json]:
        members: dict[str, Json] = {}
        for event in self._until(yaml.MappingEndEvent):
            key = self._key(event, where, members)
            value = self._node(next(self._events), (*where, key))
            members[key] = value
        return members

    def _key(self, event: yaml.Event, where: Where, members: Mapping[str, Json]) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._node(event, (*where, "?"))
            self._problems.append(_at(self._file, event, "a key must be plain text, not a list or a mapping"))
            return "?"
        key: str = event.value
        here = (*where, key)
        if key == "<<":
            self._problems.append(_at(self._file, event, "merge keys (<<) are not allowed", "write the keys out"))
        elif key in members:
            first = self._keys[here].line
            self._problems.append(_at(self._file, event, f"the key {key!r} stands here twice; first in line {first}"))
        self._keys.setdefault(here, _spot(event))
        return key

    def _until(self, end: type[yaml.Event]) -> Iterator[yaml.Event]:
        for event in self._events:
            if isinstance(event, end):
                return
            yield event


def _spot(event: yaml.Event) -> Spot:
    mark = event.start_mark
    return Spot(mark.line + 1, mark.column + 1) if mark is not None else _START


# YAML 1.2.2 section 10.3.2, without octal, hexadecimal, infinities, and numbers with a needless zero or plus in front.
_CORE: Final[tuple[tuple[re.Pattern[str], Callable[[str], Json]], ...]] = (
    (re.compile("null|Null|NULL|~|"), lambda _: None),
    (re.compile("true|True|TRUE"), lambda _: True),
    (re.compile("false|False|FALSE"), lambda _: False),
    (re.compile("-?(?:0|[1-9][0-9]{0,17})"), int),
    (re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,17})(?:[eE][-+]?[0-9]{1,2})?"), float),
)


def _scalar(event: yaml.ScalarEvent) -> Json:
    text: str = event.value
    plain = event.implicit[0]  # Quoted and block scalars are text.
    if plain:
        for form, read in _CORE:
            if form.fullmatch(text):
                return read(text)
    return text
