"""What a disk would hold after a power cut, at its least: nothing that was not synced.

    with DurableFolder(folder) as disk:
        …                               # write, sync, rename, remove
    disk.after_power_cut(elsewhere)     # the files, as they would be found

A file's content lasts from its own fsync or fdatasync on, its name from a sync of the folder on (fsync(2)).
"""

import os
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import Self
from unittest.mock import patch


class DurableFolder:
    """Watches the syncs of one folder's files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._contents: dict[int, bytes] = {}
        self._names: dict[str, int] = {}
        self._patches = ExitStack()

    def __enter__(self) -> Self:
        # Bound now: whoever replaces them on top of us calls ours, and we call theirs of before.
        real = {name: getattr(os, name) for name in ("fsync", "fdatasync", "unlink")}
        self._stat = os.stat

        def sync(name: str, descriptor: int) -> None:
            real[name](descriptor)
            self._synced(descriptor)

        def unlink(path: Path) -> None:
            self._contents.pop(self._stat(path).st_ino, None)
            real["unlink"](path)

        self._patches.enter_context(patch.object(os, "fsync", lambda it: sync("fsync", it)))
        self._patches.enter_context(patch.object(os, "fdatasync", lambda it: sync("fdatasync", it)))
        self._patches.enter_context(patch.object(os, "unlink", unlink))
        return self

    def __exit__(self, *_: object) -> None:
        self._patches.close()

    def _synced(self, descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}")
        found = self._stat(path)
        if not stat.S_ISDIR(found.st_mode):
            self._contents[found.st_ino] = path.read_bytes()
        elif os.readlink(path) == str(self._folder):
            self._names = {entry.name: entry.inode() for entry in os.scandir(self._folder)}

    def after_power_cut(self, elsewhere: Path) -> Path:
        """The folder as the next start finds it."""
        elsewhere.mkdir(mode=0o700)
        for name, inode in self._names.items():
            (elsewhere / name).write_bytes(self._contents.get(inode, b""))
        return elsewhere
