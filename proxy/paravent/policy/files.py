"""Which files make a policy, and each of them read as far as it can be on its own."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter

from paravent.policy.complaints import validate, without_mistakes
from paravent.policy.hints import did_you_mean
from paravent.policy.schema import (
    ASSURANCE,
    OPERATIONS,
    QUOTAS,
    VIEWS,
    VOCABULARY,
    AssuranceFile,
    OperationsFile,
    QuotasFile,
    ViewsFile,
    VocabularyFile,
)
from paravent.policy.source import Document, load
from paravent.problems import Problem

SINGLE: Final = ("vocabulary.yaml", "assurance.yaml", "quotas.yaml")
_OPERATIONS: Final = re.compile(r"operations/[a-z0-9][a-z0-9-]*\.yaml")
_VIEWS: Final = re.compile(r"views/([a-z][a-z0-9-]*)\.yaml")
_SUITE: Final = re.compile(r"tests/.*_test\.yaml")


@dataclass(frozen=True, slots=True)
class Read[File]:
    """A file of the right shape, and where everything in it stands."""

    document: Document
    file: File


@dataclass(frozen=True, slots=True)
class Sources:
    """All files of a policy. What is absent or wrong is None or not in its tuple, and has its problem."""

    vocabulary: Read[VocabularyFile] | None
    assurance: Read[AssuranceFile] | None
    quotas: Read[QuotasFile] | None
    operations: tuple[Read[OperationsFile], ...]
    views: Mapping[str, Read[ViewsFile]]
    """By the profession in the file's name."""
    all_operations: bool
    """Whether every operations file could be read: only then is an operation that is in none of them unknown."""
    problems: tuple[Problem, ...]


def rule_files(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files that decide something, in order: not the suites under `tests/`."""
    return {name: files[name] for name in sorted(files) if _SUITE.fullmatch(name) is None}


def read_files(files: Mapping[str, bytes]) -> Sources:
    """Read every file, each on its own."""
    deciding = rule_files(files)
    problems = [*_names(deciding)]

    def read[File](name: str, adapter: TypeAdapter[File], *, line_by_line: bool = False) -> Read[File] | None:
        document = load(name, deciding[name])
        if not isinstance(document, Document):
            problems.extend(document)
            return None
        file = validate(adapter, document)
        # `validate` gives a tuple of problems, and no file of a policy is a tuple.
        if isinstance(file, tuple):
            problems.extend(file)
            rest = without_mistakes(adapter, document) if line_by_line else None
            return None if rest is None else Read(document, rest)
        return Read(document, file)

    def one(name: str, adapter: TypeAdapter[Any]) -> Read[Any] | None:
        return read(name, adapter) if name in deciding else None

    operations = [read(name, OPERATIONS) for name in deciding if _OPERATIONS.fullmatch(name)]
    views = {
        match.group(1): read(match.group(), VIEWS, line_by_line=True)
        for match in map(_VIEWS.fullmatch, deciding)
        if match
    }
    return Sources(
        vocabulary=one("vocabulary.yaml", VOCABULARY),
        assurance=one("assurance.yaml", ASSURANCE),
        quotas=one("quotas.yaml", QUOTAS),
        operations=tuple(one for one in operations if one is not None),
        views={profession: view for profession, view in views.items() if view is not None},
        all_operations=None not in operations,
        problems=tuple(problems),
    )


def _names(deciding: Mapping[str, bytes]) -> Iterator[Problem]:
    """Files that are missing, and files that nobody would read: a rule in them would silently not hold."""
    for name in SINGLE:
        if name not in deciding:
            yield Problem(name, 0, 0, "the file is missing")
    if not any(map(_OPERATIONS.fullmatch, deciding)):
        yield Problem("operations", 0, 0, "no file here, so nothing may be asked", "add operations/<topic>.yaml")
    if not any(map(_VIEWS.fullmatch, deciding)):
        yield Problem("views", 0, 0, "no file here, so nothing may leave", "add views/<profession>.yaml")
    for name in deciding:
        if name not in SINGLE and not _OPERATIONS.fullmatch(name) and not _VIEWS.fullmatch(name):
            hint = did_you_mean(name, (*SINGLE, "operations/<topic>.yaml", "views/<profession>.yaml"))
            yield Problem(name, 0, 0, "not a file of a policy: nothing would read it", hint)
