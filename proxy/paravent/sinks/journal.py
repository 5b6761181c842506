"""The files of one writer, written so that kill -9 at any moment loses nothing that was acknowledged.

Rules of this file
  1. Lines first, made durable; then the head moves on to them; only then has anything been acknowledged. The head
     itself is made durable before anything else is written. So after a power cut, as after a kill, it stands before
     one group of whole lines at most, and never ahead of them.
  2. What could not be made durable is taken back: the file ends again where the last acknowledged line ends.
  3. When it cannot be taken back, or the disk said that the sync of a file failed, nothing is written any more. After
     a failed sync the kernel may forget the pages and call the next one a success.
  4. The files are ours alone. When one has another size or has been moved away, nothing is written any more.
  5. Everything else passes: no room, no file to be had, a folder that cannot be looked at. The next try may succeed.

Synchronous: it blocks for as long as the disk does. `files.FileSink` calls it from a thread of its own.
"""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from paravent.audit.chain import Head, Link, genesis, seal_head
from paravent.audit.keys import ChainKey
from paravent.sinks.folder import WRITER, head_path, segment_path
from paravent.sinks.opening import (
    FLAGS,
    Ending,
    LedgerBusy,
    LedgerDamaged,
    find_ending,
    hand_over,
    make_folder,
    open_head,
    sync_folder,
    take_lock,
)

__all__ = ["Journal", "LedgerBusy", "LedgerDamaged"]

PROBE: Final = b" " * 4096
"""Written and taken back to see whether there is room again. One block of a usual file system; blanks without a
newline are an incomplete line, which the next start cuts off."""


class Journal:
    """An open chain. `commit` is all or nothing."""

    def __init__(self, directory: Path, key: ChainKey, writer: str, segment_bytes: int) -> None:
        """Create or resume the chain. LedgerDamaged, LedgerBusy, or OSError when the folder cannot be used."""
        if not WRITER.fullmatch(writer):
            raise ValueError("a writer's name is 1 to 16 lower-case letters and digits")
        self._directory = directory
        self._key = key
        self._writer = writer
        self._segment_bytes = segment_bytes
        self._fds: list[int] = []
        self._segment = 1
        self._size = 0
        """Bytes of the segment that are lines."""
        self._full = False
        """The file in hand takes no more: the next one could not be made yet."""
        self._head_moved = False
        """Since it was last made durable."""
        self.tip = genesis(writer)
        """The last acknowledged line: the next one chains on to it."""
        self.closed = False
        """Nothing will be written any more."""
        self.trouble: str | None = None
        """Why the last commit failed: a constant or the name of an errno. None when it did not."""
        try:
            make_folder(directory)
            self._kept(take_lock(directory, writer))
            self._resume(find_ending(directory, writer, key))
        except BaseException:
            self.close()
            raise

    def commit(self, lines: bytes, tip: Link) -> bool:
        """Append sealed lines that end in `tip`. True: they are durable, and the head stands behind them; whoever waits
        may be told, and `keep_head` is due. False: count on none of them."""
        try:
            return self._commit(lines, tip)
        except BaseException as bug:
            # Whatever it was, the chain in memory may no longer be the one on disk.
            self.shut(type(bug).__name__)
            raise

    def keep_head(self) -> None:
        """Make the head durable, if it moved. Should that fail, nothing is written any more."""
        if not self._head_moved or self.closed:
            return
        try:
            os.fdatasync(self._head_file)
        except OSError as failure:
            self._shut(failure)
        except BaseException as bug:
            self.shut(type(bug).__name__)
            raise
        else:
            self._head_moved = False

    def _commit(self, lines: bytes, tip: Link) -> bool:
        self.keep_head()
        if self.closed or not self._undisturbed():
            return False
        try:
            if self._full or (self._size and self._size + len(lines) > self._segment_bytes):
                self._rotate()
            self._append(lines)
        except OSError as failure:
            return self._take_back(failure)
        try:
            os.fdatasync(self._file)
            self._move_head(Head(tip, self._segment))
        except OSError as failure:
            return self._shut(failure)
        self._size += len(lines)
        self.tip = tip
        self.trouble = None
        return True

    def probe(self) -> None:
        """After a failure: would the next commit succeed? Sets `trouble`."""
        if self.closed or not self._undisturbed():
            return
        try:
            if self._full:
                self._rotate()
            self._append(PROBE)
            os.ftruncate(self._file, self._size)
        except OSError as failure:
            self._take_back(failure)
        else:
            self.trouble = None

    def shut(self, trouble: str) -> None:
        """Write nothing any more, and say why."""
        self.closed = True
        self.trouble = trouble

    def close(self) -> None:
        """Give up the files and the locks."""
        self.closed = True
        while self._fds:
            with suppress(OSError):
                os.close(self._fds.pop())

    # ---- writing

    def _append(self, data: bytes) -> None:
        """One write. Half a write is a full disk that has not said so yet."""
        if os.write(self._file, data) != len(data):
            raise OSError(errno.ENOSPC, "short write")

    def _move_head(self, head: Head) -> None:
        sealed = seal_head(head, self._key)
        self._head_moved = True
        if os.pwrite(self._head_file, sealed, 0) != len(sealed):
            raise OSError(errno.ENOSPC, "short write")

    def _take_back(self, failure: OSError) -> bool:
        try:
            os.ftruncate(self._file, self._size)
            os.fdatasync(self._file)
        except OSError as worse:
            return self._shut(worse)
        self.trouble = _name(failure)
        return False

    def _shut(self, failure: OSError) -> bool:
        """Lines may be on disk, the head may have moved: whichever, the next start reads it as it is."""
        self.shut(_name(failure))
        return False

    def _undisturbed(self) -> bool:
        """Are the files still those we wrote, where we wrote them? A log rotator that moves one away stops us here."""
        try:
            lines, head = (os.stat(path, follow_symlinks=False) for path in (self._path, self._head_path))
        except FileNotFoundError:
            self.shut("a file of the ledger was removed")
        except OSError as failure:
            # No answer. Nothing is written before there is one.
            self.trouble = _name(failure)
            return False
        else:
            if (_identity(lines), _identity(head)) != (self._identity, self._head_identity):
                self.shut("a file of the ledger was replaced")
            elif lines.st_size != self._size:
                self.shut("a file of the ledger was written by someone else")
        return not self.closed

    # ---- files

    def _resume(self, ending: Ending) -> None:
        """Take up the files where the chain ends: cut off half a line, move the head on to whole ones."""
        self.tip = ending.tip
        self._segment = ending.segment
        self._size = ending.size
        self._head_path = str(head_path(self._directory, self._writer))
        self._head_file = self._kept(open_head(self._directory, self._writer))
        self._head_identity = _identity(os.fstat(self._head_file))
        self._path = str(segment_path(self._directory, self._writer, self._segment))
        self._file = self._kept(os.open(self._path, os.O_WRONLY | os.O_APPEND | FLAGS))
        # Whoever made the newest file may have died before the folder was synced.
        sync_folder(self._directory)
        found = os.fstat(self._file)
        self._identity = _identity(found)
        if found.st_size != ending.size:
            # Never acknowledged: a line that a kill or a power cut left half written.
            os.ftruncate(self._file, ending.size)
        os.fdatasync(self._file)
        if ending.tip != ending.head.link:
            self._move_head(Head(ending.tip, ending.segment if ending.size else ending.head.segment))
            os.fdatasync(self._head_file)
            self._head_moved = False

    def _rotate(self) -> None:
        """The next file becomes the one in hand. On failure the one before stays, and the next try begins anew."""
        self._full = True
        path = segment_path(self._directory, self._writer, self._segment + 1)
        _remove_empty(path)
        fresh = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | FLAGS, 0o600)
        try:
            sync_folder(self._directory)
            identity = _identity(os.fstat(fresh))
            hand_over(fresh, self._directory)
        except BaseException:
            os.close(fresh)
            raise
        before, self._file = self._file, self._kept(fresh)
        self._path, self._identity = str(path), identity
        self._segment += 1
        self._size = 0
        self._full = False
        self._fds.remove(before)
        with suppress(OSError):  # everything in it is durable
            os.close(before)

    def _kept(self, fd: int) -> int:
        self._fds.append(fd)
        return fd


def _remove_empty(path: Path) -> None:
    """What a rotation left that made the next file and could not sync the folder. Made anew, not reused: rule 3 holds
    for folders too, and a new entry is one that the next sync must write."""
    with suppress(FileNotFoundError):
        found = path.lstat()
        if stat.S_ISREG(found.st_mode) and not found.st_size:
            path.unlink()


def _identity(found: os.stat_result) -> tuple[int, int]:
    """Which file it is, whatever it is called."""
    return found.st_dev, found.st_ino


def _name(failure: OSError) -> str:
    """ENOSPC, EIO …: never the text, which names a path."""
    return errno.errorcode.get(failure.errno or 0, "unknown error")
