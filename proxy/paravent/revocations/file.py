"""A YAML file of revocations, for whoever keeps such a list by hand or under version control.

    - practitioner: "10003461033"
      until: 2026-12-01T08:00:00Z
      because: ticket 4711
    - session: 7d0c…
      issuer: psc
    - key: k1
      issuer: operateur

Read whole or not at all. A file with a mistake changes nothing: the last good one stays in force, and what is wrong is
said. An empty file revokes nothing; one that is gone is a mistake.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from paravent.effects import Revocation
from paravent.identity.revocation import Kind
from paravent.model import Json
from paravent.policy.hints import did_you_mean
from paravent.policy.source import MAX_FILE_BYTES, Document, load
from paravent.problems import Problem
from paravent.revocations.entries import mark, revocation

_KINDS: Final = tuple(kind.value for kind in Kind)
_KEYS: Final = frozenset({*_KINDS, "issuer", "until", "issued_before", "because"})


@dataclass(frozen=True, slots=True)
class RevocationFile:
    """Where the file is, and which issuers it may name."""

    path: Path
    issuers: Mapping[str, str]
    """Name in the configuration → iss."""

    def read(self) -> tuple[Revocation, ...] | tuple[Problem, ...]:
        """All of it, or all that is wrong with it. Blocks on the disk."""
        data = _bytes(self.path)
        if isinstance(data, Problem):
            return (data,)
        return parse(self.path.name, data, self.issuers)


def parse(file: str, data: bytes, issuers: Mapping[str, str]) -> tuple[Revocation, ...] | tuple[Problem, ...]:
    document = load(file, data)
    if not isinstance(document, Document):
        return document
    if document.value is None:
        return ()
    if not isinstance(document.value, list):
        return (document.at_value((), "the file must be a list: each entry begins with -"),)
    read = [_entry(document, number, entry, issuers) for number, entry in enumerate(document.value)]
    problems = tuple(each for each in read if isinstance(each, Problem))
    return problems or tuple(each for each in read if isinstance(each, Revocation))


def _entry(document: Document, number: int, entry: Json, issuers: Mapping[str, str]) -> Revocation | Problem:
    here = (number,)
    if not isinstance(entry, dict):
        return document.at_value(here, 'an entry must be a mapping, such as practitioner: "10003461033"')
    for key, value in entry.items():
        if key not in _KEYS:
            return document.at_key((number, key), f"unknown key {key!r}", did_you_mean(key, _KEYS))
        if not isinstance(value, str):
            return document.at_value((number, key), f"{key} must be text", f'put it in quotes: "{value}"')
    texts = {key: str(value) for key, value in entry.items()}
    named = [kind for kind in _KINDS if kind in texts]
    if len(named) != 1:
        return document.at_value(here, "an entry names one thing", f"one of {', '.join(_KINDS)}")
    try:
        what = mark(Kind(named[0]), texts[named[0]], texts.get("issuer"), issuers)
        return revocation(what, texts.get("until"), texts.get("issued_before"), texts.get("because"))
    except ValueError as error:
        return document.at_value(here, str(error))


def _bytes(path: Path) -> bytes | Problem:
    if not os.path.isfile(path):
        return Problem(path.name, 0, 0, "there is no such file of revocations", "an empty file revokes nothing")
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        return Problem(path.name, 0, 0, f"the file of revocations cannot be read ({type(error).__name__})")
