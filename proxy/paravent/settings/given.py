"""What was written, by key: the TOML file with the environment laid over it, each value of its kind.

`Given` is also where problems are collected, so that each is shown where its value was written: a line of the file, or
the name of a variable.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from paravent.policy.hints import did_you_mean
from paravent.problems import Problem
from paravent.settings.keys import ISSUER_NAME, ISSUERS, SECTIONS, Key, Kind, issuer_of, our_variables, variable
from paravent.settings.toml import Toml, Where

type Scalar = str | tuple[str, ...] | bool | float | int


@dataclass(frozen=True, slots=True)
class _Value:
    value: Scalar
    variable: str | None
    """The environment variable it came from; None: the file."""


class Given:
    """Every value that was given, and every problem found so far."""

    def __init__(self, toml: Toml, environ: Mapping[str, str], base: Path) -> None:
        """`base`: the folder that relative paths are relative to."""
        self.problems: list[Problem] = []
        self.notes: list[Problem] = []
        """What works and should be known."""
        self._toml = toml
        self.base = base
        self._values: dict[Where, _Value] = {}
        self._wrong: set[Where] = set()
        self._issuers: set[str] = set()
        self._read_file()
        self._read_environment(environ)
        self._require()

    # ---- for those who make types of it

    @property
    def issuers(self) -> tuple[str, ...]:
        """Names of the issuers that anything was said about, sorted."""
        return tuple(sorted(self._issuers))

    def has(self, *where: str) -> bool:
        """Whether the key was given, rightly or wrongly."""
        return where in self._values or where in self._wrong

    def complain(self, where: Where, message: str, hint: str = "") -> None:
        """A problem with the value at `where`, shown where it was written."""
        self.problems.append(self._at(where, message, hint))

    def remark(self, where: Where, message: str, hint: str = "") -> None:
        """Nothing that is wrong with the value at `where`, only something to know."""
        self.notes.append(self._at(where, message, hint))

    def _at(self, where: Where, message: str, hint: str) -> Problem:
        given = self._values.get(where)
        if given is not None and given.variable is not None:
            return Problem(given.variable, 0, 0, message, hint)
        return self._toml.problem(where, message, hint)

    def value(self, *where: str) -> Scalar | None:
        """The value, of the kind that its key has."""
        given = self._values.get(where)
        return given.value if given is not None else None

    def text(self, *where: str) -> str | None:
        value = self.value(*where)
        return value if isinstance(value, str) else None

    def texts(self, *where: str) -> tuple[str, ...]:
        value = self.value(*where)
        return value if isinstance(value, tuple) else ()

    def parsed[T](self, parse: Callable[[str], T], *where: str) -> T | None:
        """The text through a reader that raises ValueError with the end of a sentence."""
        text = self.text(*where)
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError as error:
            self.complain(where, f"{where[-1]} {error}")
            return None

    def checked[T](self, check: Callable[[Scalar], T], *where: str) -> T | None:
        """The value, of whatever kind, through a reader that raises ValueError with the end of a sentence."""
        value = self.value(*where)
        if value is None:
            return None
        try:
            return check(value)
        except ValueError as error:
            self.complain(where, f"{where[-1]} {error}")
            return None

    def path(self, *where: str) -> Path | None:
        """An absolute path."""
        text = self.text(*where)
        return self.base / text if text is not None else None

    def file[T](self, read: Callable[[Path], T], *where: str) -> T | None:
        """What a file holds, through a reader that raises ValueError with the end of a sentence."""
        path = self.path(*where)
        if path is None:
            return None
        try:
            return read(path)
        except ValueError as error:
            self.complain(where, f"{where[-1]}: the file {self.text(*where)!r} {error}")
            return None

    # ---- reading

    def _read_file(self) -> None:
        for section, table in self._toml.tables.items():
            if section not in SECTIONS:
                self.complain((section,), f"unknown section [{_shown(section)}]", did_you_mean(section, SECTIONS))
            elif not isinstance(table, dict):
                self.complain((section,), f"{section} must be a section: [{section}]")
            elif section == ISSUERS:
                for name, issuer in table.items():
                    self._read_issuer(name, issuer)
            else:
                self._read_table((section,), table)

    def _read_issuer(self, name: str, table: object) -> None:
        if not isinstance(table, dict):
            self.complain((ISSUERS, name), f"{_shown(name)} must be a section: [issuers.NAME]")
        elif ISSUER_NAME.fullmatch(name) is None:
            message = f"{name!r} cannot name an issuer"
            self.complain((ISSUERS, name), message, "begin with a small letter; then small letters, digits, - and _")
        elif variable(name, "") in {variable(other, "") for other in self._issuers}:
            self.complain((ISSUERS, name), f"{name!r} and another issuer would share their environment variables")
        else:
            self._issuers.add(name)
            self._read_table((ISSUERS, name), table)

    def _read_table(self, section: Where, table: Mapping[str, Any]) -> None:
        keys = {key.name: key for key in SECTIONS[section[0]]}
        for name, value in table.items():
            where = (*section, name)
            if name not in keys:
                self.complain(where, f"unknown key {_shown(name)} in [{'.'.join(section)}]", did_you_mean(name, keys))
                continue
            kept = _of_kind(keys[name].kind, value)
            if kept is None:
                self._wrong.add(where)
                self.complain(where, f"{name} {_fault(keys[name].kind, value)}")
            else:
                self._values[where] = _Value(kept, None)

    def _read_environment(self, environ: Mapping[str, str]) -> None:
        known = dict(self._variables())
        for name in our_variables(environ):
            where, key = known.get(name) or _new_issuer(name) or (None, None)
            if where is None or key is None:
                self.problems.append(Problem(_shown(name), 0, 0, "no such setting", did_you_mean(name, known)))
                continue
            if where[0] == ISSUERS:
                self._issuers.add(where[1])
            kept = _from_text(key.kind, environ[name])
            if kept is None:
                self._wrong.add(where)
                self.problems.append(Problem(name, 0, 0, _fault(key.kind, environ[name])))
            else:
                self._wrong.discard(where)
                self._values[where] = _Value(kept, name)

    def _variables(self) -> Iterator[tuple[str, tuple[Where, Key]]]:
        for section, keys in SECTIONS.items():
            names = [section] if section != ISSUERS else [f"{ISSUERS}.{name}" for name in self.issuers]
            for name in names:
                for key in keys:
                    yield variable(name, key.name), ((*name.split("."), key.name), key)

    def _require(self) -> None:
        if not self.issuers and not self._toml.tables.get(ISSUERS):
            self.complain((ISSUERS,), "no [issuers.NAME]: no token would be accepted")
        for section, keys in SECTIONS.items():
            places: list[Where] = [(section,)] if section != ISSUERS else [(ISSUERS, name) for name in self.issuers]
            for place in places:
                for key in keys:
                    if key.required and not self.has(*place, key.name):
                        message = f"{key.name} is missing in [{'.'.join(place)}]"
                        self.complain(place, message, f"{key.meaning}; or {variable('.'.join(place), key.name)}")


def _new_issuer(name: str) -> tuple[Where, Key] | None:
    """An issuer that only the environment speaks of."""
    found = issuer_of(name)
    if found is None or ISSUER_NAME.fullmatch(found[0]) is None:
        return None
    return (ISSUERS, *found), next(key for key in SECTIONS[ISSUERS] if key.name == found[1])


_PLAIN: Final = re.compile(r"[A-Za-z0-9_.-]+")


def _shown(name: str) -> str:
    """A name that somebody wrote, as it can be printed: TOML lets a key hold whatever a terminal obeys."""
    return name if _PLAIN.fullmatch(name) else ascii(name)


_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
"""In no address, name or path of a sane person; NUL in none that an operating system knows."""

_DIGITS: Final = re.compile("[0-9]{1,9}")

_KINDS: Final[Mapping[Kind, str]] = {
    Kind.TEXT: "text that is not empty",
    Kind.TEXTS: "a list of texts with at least one, none empty",
    Kind.FLAG: "true or false",
    Kind.SECONDS: "a number of seconds",
    Kind.COUNT: "a whole number",
}


def _fault(kind: Kind, value: object) -> str:
    """Why a value is not of its kind: the end of a sentence."""
    texts = value if isinstance(value, list) else [value]
    if any(isinstance(text, str) and _CONTROL.search(text) for text in texts):
        return "has control characters"
    return f"must be {_KINDS[kind]}"


def _of_kind(kind: Kind, value: object) -> Scalar | None:
    """The value when it is of its kind. TOML has dates, tables and booleans; nothing is converted."""
    match kind, value:
        case Kind.FLAG, bool():
            return value
        case ((Kind.SECONDS | Kind.TEXT), str()):
            return value if _is_text(value) else None
        case Kind.SECONDS, int() | float() if not isinstance(value, bool):
            try:
                return float(value)
            except OverflowError:
                return math.inf
        case Kind.COUNT, int() if not isinstance(value, bool):
            return value
        case Kind.TEXTS, list():
            texts = tuple(item for item in value if isinstance(item, str) and _is_text(item))
            return texts if texts and len(texts) == len(value) else None
    return None


def _is_text(value: str) -> bool:
    return bool(value) and _CONTROL.search(value) is None


def _from_text(kind: Kind, text: str) -> Scalar | None:
    if kind is Kind.TEXTS:
        return _of_kind(kind, [item.strip() for item in text.split(",")])
    if kind is Kind.FLAG:
        return {"true": True, "false": False}.get(text)
    if kind is Kind.COUNT:
        return int(text) if _DIGITS.fullmatch(text) else None
    return _of_kind(Kind.TEXT, text)
