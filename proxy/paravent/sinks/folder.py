"""The folder of a ledger: which files it holds, and how they are read.

ledger-0-000001.jsonl   lines of writer 0, oldest file
ledger-0-000002.jsonl   … its first line continues the chain of the file before
.ledger-0.head          where the chain of writer 0 ends
.ledger-0.lock          held by the process that writes it
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import orjson

from paravent.audit.chain import HEAD_BYTES, LINE_MAX_BYTES, Broken, Head, unseal_head
from paravent.audit.keys import ChainKey

WRITER: Final = re.compile(r"[a-z0-9]{1,16}")
"""Names of writers: they are part of file names."""

_SEGMENT = re.compile(r"ledger-([a-z0-9]{1,16})-((?!000000)[0-9]{6}|[1-9][0-9]{6,11})\.jsonl")
"""The names that `segment_path` makes, and no other spelling of their numbers."""
_HEAD = re.compile(r"\.ledger-([a-z0-9]{1,16})\.head")

_TRIES = 3
"""Of reading a head that a running writer may be rewriting under our eyes."""


def segment_path(directory: Path, writer: str, number: int) -> Path:
    return directory / f"ledger-{writer}-{number:06d}.jsonl"


def head_path(directory: Path, writer: str) -> Path:
    return directory / f".ledger-{writer}.head"


def lock_path(directory: Path, writer: str) -> Path:
    return directory / f".ledger-{writer}.lock"


def writers_in(directory: Path) -> list[str]:
    """Every writer that left a file or a head."""
    names = os.listdir(directory)
    matches = [_SEGMENT.fullmatch(name) or _HEAD.fullmatch(name) for name in names]
    return sorted({match[1] for match in matches if match})


def segments_in(directory: Path) -> dict[str, list[int]]:
    """Numbers of the files of every writer, ascending. One look at the folder, however many writers it holds."""
    numbers: dict[str, list[int]] = {}
    for name in os.listdir(directory):
        match = _SEGMENT.fullmatch(name)
        if match:
            numbers.setdefault(match[1], []).append(int(match[2]))
    return {writer: sorted(mine) for writer, mine in numbers.items()}


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file of the ledger, to be read. OSError also when it is no file: a pipe put there would not even open, a
    device would never end."""
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a file")
        yield file


def _without_waiting(path: str, flags: int) -> int:
    # Opening a pipe waits for its other end (fifo(7)); on files the flag does nothing.
    return os.open(path, flags | os.O_NONBLOCK)


def read_head(directory: Path, writer: str, key: ChainKey) -> Head | Broken | None:
    """The head of one writer; None when there is none."""
    head: Head | Broken = Broken.FORM
    for _ in range(_TRIES):
        try:
            with opened(head_path(directory, writer)) as file:
                head = unseal_head(file.read(HEAD_BYTES + 1), key)
        except FileNotFoundError:
            return None
        if isinstance(head, Head):
            return head if head.link.writer == writer else Broken.MAC
    return head


def read_lines(path: Path) -> Iterator[bytes]:
    """Lines with their newline. The last may have none; one longer than any line of ours comes in pieces."""
    with opened(path) as file:
        while line := file.readline(LINE_MAX_BYTES + 1):
            yield line


def read_last_line(path: Path) -> bytes:
    """The last line, newline included; empty when the file is."""
    with opened(path) as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - LINE_MAX_BYTES - 1))
        return b"".join(file.read().splitlines(keepends=True)[-1:])


def read_records(directory: Path) -> Iterator[dict[str, object]]:
    """Every record, writer by writer, oldest first, as it stands. Nothing is checked: `verify_directory` does that.

    ValueError: a line is not JSON. An incomplete last line is no record and is left out.
    """
    for writer, numbers in sorted(segments_in(directory).items()):
        for number in numbers:
            for line in read_lines(segment_path(directory, writer, number)):
                if line.endswith(b"\n"):
                    yield orjson.loads(line)
