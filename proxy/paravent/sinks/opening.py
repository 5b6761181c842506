"""Opening a ledger: make a new one, or find where the last one ended and refuse what was tampered with.

Nothing is written to a ledger that exists: what must be cut off or moved on is for the `Journal` to do.
"""

import errno
import fcntl
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from paravent.audit.chain import Broken, Head, Link, Sealed, genesis, seal_head, unseal
from paravent.audit.keys import ChainKey
from paravent.audit.verify import GROUP_MAX, Walk
from paravent.rules import Place
from paravent.sinks.folder import (
    head_path,
    lock_path,
    read_head,
    read_last_line,
    read_lines,
    segment_path,
    segments_in,
)

FLAGS: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""Of every file of the ledger that is opened to be written. Opening a pipe would wait for its other end (fifo(7)); on
files the last flag does nothing."""


class LedgerDamaged(Exception):
    """The ledger on disk is not what was written, and must not be continued as if it were."""

    def __init__(self, directory: Path, what: str) -> None:
        cure = "Run `paravent audit verify`, keep the folder aside as evidence, and start with an empty one."
        super().__init__(f"the ledger in {directory.name}/ is damaged: {what} {cure}")


class LedgerBusy(Exception):
    """Another process writes this chain: two would interleave."""

    def __init__(self, directory: Path, writer: str) -> None:
        super().__init__(f"the ledger in {directory.name}/ is in use: another process is its writer {writer}.")


@dataclass(frozen=True, slots=True)
class Ending:
    """Where a chain ends on disk."""

    head: Head
    """As it stands."""
    tip: Link
    """The last whole line: the head's, or one of the group after it."""
    segment: int
    """Number of the last file that is not empty."""
    size: int
    """Bytes of whole lines in it; what is beyond is half a line."""


def make_folder(directory: Path) -> None:
    """The folder, for us alone, when there is none."""
    if not directory.is_dir():
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)  # a command and a node may start at once
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | FLAGS)
        try:
            hand_over(folder, directory.parent)
        finally:
            os.close(folder)
        sync_folder(directory.parent)


def hand_over(made: int, directory: Path) -> None:
    """What root makes, who typed a command, belongs to whom the folder around it belongs to: the service's own user
    could neither read it nor go on with it. SQLite does the same with the files beside the state file."""
    with suppress(OSError):  # root of a container may not do everything
        if os.geteuid() != 0:
            return
        found = os.fstat(made)
        # A file that has another name too may be anybody's.
        if stat.S_ISDIR(found.st_mode) or found.st_nlink == 1:
            owner = directory.stat()
            os.fchown(made, owner.st_uid, owner.st_gid)


def sync_folder(directory: Path) -> None:
    """A new file survives a power cut once the folder that names it has been synced (fsync(2))."""
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def open_locked(path: Path, flags: int) -> int:
    """An open file that nobody else has open like this, until it is closed or the process dies. BlockingIOError."""
    file = os.open(path, os.O_RDWR | flags | FLAGS, 0o600)
    try:
        hand_over(file, path.parent)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file


def take_lock(directory: Path, writer: str) -> int:
    """The open file that holds the lock. LedgerBusy when another process holds it."""
    try:
        return open_locked(lock_path(directory, writer), os.O_CREAT)
    except BlockingIOError:
        raise LedgerBusy(directory, writer) from None


def open_head(directory: Path, writer: str) -> int:
    """The head, to be rewritten in place. Locked too: whoever cleans up old empty files takes the other lock away."""
    try:
        return open_locked(head_path(directory, writer), 0)
    except BlockingIOError:
        raise LedgerBusy(directory, writer) from None


def find_ending(directory: Path, writer: str, key: ChainKey) -> Ending:
    """Where the chain of `writer` ends; makes an empty one when nothing was ever written. LedgerDamaged."""
    head = read_head(directory, writer, key)
    numbers = segments_in(directory).get(writer, [])
    if head is None and _untouched(directory, writer, numbers):
        return Ending(_create(directory, writer, key), genesis(writer), 1, 0)
    if head is None:
        raise LedgerDamaged(directory, "its head is missing.")
    if head is Broken.KEY:
        raise LedgerDamaged(directory, "its head was sealed under another key.")
    if isinstance(head, Broken):
        raise LedgerDamaged(directory, "its head was changed.")
    if numbers != list(range(1, len(numbers) + 1)) or len(numbers) not in (head.segment, head.segment + 1):
        raise LedgerDamaged(directory, "a file is missing or does not belong there.")
    last = len(numbers)
    if last > head.segment and not segment_path(directory, writer, last).stat().st_size:
        # A rotation that died, or failed, after it had made the next file.
        last = head.segment
    return _read(directory, head, last, key)


def _untouched(directory: Path, writer: str, numbers: list[int]) -> bool:
    """Nothing was ever written: the folder is new, or the very first start died before its head."""
    return not numbers or (numbers == [1] and not segment_path(directory, writer, 1).stat().st_size)


def _create(directory: Path, writer: str, key: ChainKey) -> Head:
    """The first file, then the head, which appears whole or not at all."""
    _write_new(segment_path(directory, writer, 1), b"")
    head = Head(genesis(writer), 1)
    path = head_path(directory, writer)
    fresh = path.with_suffix(".new")
    _write_new(fresh, seal_head(head, key))
    fresh.rename(path)
    sync_folder(directory)
    return head


def _write_new(path: Path, content: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | FLAGS, 0o600)
    try:
        hand_over(file, path.parent)
        if os.write(file, content) != len(content):
            raise OSError(errno.ENOSPC, "short write")
        os.fsync(file)
    finally:
        os.close(file)


def _read(directory: Path, head: Head, last: int, key: ChainKey) -> Ending:
    """Check the file that holds the head's line, and what comes after; older files are the verifier's."""
    writer = head.link.writer
    walk = Walk(key, _before(directory, writer, head.segment, key), head)
    place = Place("", 0)
    size = 0
    for number in range(head.segment, last + 1):
        path = segment_path(directory, writer, number)
        size = 0
        for index, line in enumerate(read_lines(path), start=1):
            place = Place(path.name, index)
            walk.line(line, place)
            size += len(line) if line.endswith(b"\n") else 0
        if number < last and size != path.stat().st_size:
            raise LedgerDamaged(directory, f"{place}: the line is incomplete.")
    walk.end(place)
    if walk.findings:
        raise LedgerDamaged(directory, str(walk.findings[0]))
    at = walk.head_at.file if walk.head_at else None
    if head.link.seq and at != segment_path(directory, writer, head.segment).name:
        # Elsewhere nobody may have compared it with the head, and the journal would seal another head in its place.
        raise LedgerDamaged(directory, "its head was sealed over a line that does not stand where it stood.")
    if walk.tip.seq - head.link.seq > GROUP_MAX:
        raise LedgerDamaged(directory, "its head is older than its lines: it was put back.")
    return Ending(head, walk.tip, last, size)


def _before(directory: Path, writer: str, segment: int, key: ChainKey) -> Link:
    """The link before the first line of a file."""
    if segment == 1:
        return genesis(writer)
    before = segment_path(directory, writer, segment - 1)
    sealed = unseal(read_last_line(before), key)
    if not isinstance(sealed, Sealed):
        raise LedgerDamaged(directory, f"the last line of {before.name} is not what was sealed.")
    return sealed.link
