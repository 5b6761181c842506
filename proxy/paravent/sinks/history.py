"""What the ledger of a folder holds about practitioners. Nothing is checked: `verify_directory` does that."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import orjson

from paravent.sinks.folder import read_last_line, read_lines, segment_path, segments_in


def records_of(directory: Path, rpps: str, since: str) -> Iterator[dict[str, object]]:
    """Every record of a practitioner since a moment, written as `at` is; each writer's oldest first.

    Files that end before it are not read. Raises OSError when the folder cannot be read, ValueError when a line that
    names them, or the last one of a file, is no record.
    """
    named = b'"practitioner":"%s"' % rpps.encode("ascii")  # lines are canonical: there is one way to write it
    for writer, numbers in sorted(segments_in(directory).items()):
        for number in numbers:
            path = segment_path(directory, writer, number)
            if _ended_before(path, since):
                continue
            for line in read_lines(path):
                if named in line and line.endswith(b"\n"):
                    at, record = _record(line)
                    if at >= since:
                        yield record


def _ended_before(path: Path, since: str) -> bool:
    """Its last line is whole, and older. A line that is being written is no reason to skip what stands before it."""
    last = read_last_line(path)
    return last.endswith(b"\n") and _record(last)[0] < since


def _record(line: bytes) -> tuple[str, dict[str, object]]:
    """When it was written, and what it says."""
    match orjson.loads(line):
        case {"at": str(at), "decision": str(), "reason": str() | None} as record:
            return at, record
        case _:
            raise ValueError("not a record")


_PROFESSION: Final = re.compile(rb'"practitioner":"([0-9]{11})","prev":"[0-9a-f]+","profession":"([0-9A-Z]{1,3})"')
"""The members of a line are in alphabetical order."""


def professions_in(directory: Path, since: str) -> dict[str, str]:
    """RPPS number → TRE_G15 code, in the last record that names them, of the files that do not end before a moment.

    Empty when there is no ledger; a file that cannot be read says nothing.
    """
    found: dict[str, str] = {}
    with suppress(OSError, ValueError):
        for writer, numbers in sorted(segments_in(directory).items()):
            for number in numbers:
                path = segment_path(directory, writer, number)
                if _ended_before(path, since):
                    continue
                for line in read_lines(path):
                    if match := _PROFESSION.search(line):
                        found[match[1].decode()] = match[2].decode()
    return found
