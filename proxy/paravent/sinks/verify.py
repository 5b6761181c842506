"""Is the ledger of a folder whole? Every line of every writer, in memory that does not grow with it.

May run while the ledger is being written: the head is read before the lines, so that whatever it promises is there
to be found, and once more after them.
"""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from paravent.audit.chain import Broken, Head, genesis
from paravent.audit.keys import ChainKey
from paravent.audit.verify import FINDINGS_MAX, GROUP_MAX, Damage, Finding, Walk
from paravent.model import Secret
from paravent.rules import Place
from paravent.sinks.folder import head_path, read_head, read_lines, segment_path, segments_in, writers_in

NO_FILE: Final = frozenset({errno.ENOENT, errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENXIO})
"""Of opening what is not there, or is a folder, a device, a socket, a link in a circle. Any other failure is a matter
of who looks, and when: nothing is known of the file then."""


@dataclass(frozen=True, slots=True)
class WriterReport:
    """What one writer left."""

    writer: str
    files: int
    records: int
    """Lines whose seal is right, each counted once."""
    whole: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What the folder holds, and what is wrong with it."""

    records: int
    writers: tuple[WriterReport, ...]
    findings: tuple[Finding, ...]
    """What breaks the chain, by file and line, the first `FINDINGS_MAX`; none when the ledger is whole."""
    further: int
    """Findings that are not listed: there were too many."""
    notes: tuple[Finding, ...]
    """What is no damage: lines of the last moment before writing stopped."""
    unread: bool = False
    """Nothing is wrong with what could be read, but not everything could."""

    @property
    def whole(self) -> bool:
        return not self.findings


def nothing(_bytes: int) -> None:
    """Progress that nobody watches."""


def verify_directory(path: Path, chain_key: Secret[bytes], progress: Callable[[int], None] = nothing) -> Report:
    """Check every chain in `path`. `progress` is told of every file done, in bytes. Never raises for what it reads."""
    key = ChainKey.of(chain_key)
    try:
        writers = writers_in(path)
    except OSError as failure:
        return _no_folder(failure)
    if not writers:
        return _no_ledger("there is no ledger: the folder holds none of its files.")
    checks = [_Check(path, writer, key) for writer in writers]
    try:
        # After the heads: a running writer makes its next file before its head speaks of it.
        files = segments_in(path)
    except OSError as failure:
        return _no_folder(failure)
    for check in checks:
        check.run(files.get(check.writer, []), progress)
    findings = sorted((finding for check in checks for finding in check.findings), key=lambda it: (it.file, it.line))
    return Report(
        records=sum(check.walk.records for check in checks),
        writers=tuple(WriterReport(it.writer, len(it.numbers), it.walk.records, not it.findings) for it in checks),
        findings=tuple(findings[:FINDINGS_MAX]),
        further=sum(check.walk.further for check in checks) + len(findings[FINDINGS_MAX:]),
        notes=tuple(note for check in checks for note in check.walk.notes),
        unread={it.kind for it in findings} == {Damage.UNREADABLE},
    )


def ledger_bytes(path: Path) -> int:
    """Size of all files that `verify_directory` will read; 0 when the folder cannot be read."""
    try:
        return sum(
            segment_path(path, writer, number).stat().st_size
            for writer, numbers in segments_in(path).items()
            for number in numbers
        )
    except OSError:
        return 0


class _Check:
    """One writer's chain."""

    def __init__(self, directory: Path, writer: str, key: ChainKey) -> None:
        self.writer = writer
        self._directory = directory
        self._key = key
        self._files: list[Finding] = []
        self.numbers: list[int] = []
        head = self._head()
        self._segment = head.segment if head else 1
        """Of the line over which the head was sealed."""
        self.walk = Walk(key, genesis(writer), head)

    @property
    def findings(self) -> list[Finding]:
        return self._files + self.walk.findings

    def run(self, numbers: list[int], progress: Callable[[int], None]) -> None:
        """Check the files of these numbers, and whether they are all."""
        self.numbers = numbers
        self._missing_files()
        place = Place(head_path(self._directory, self.writer).name, 0)
        for number in self.numbers:
            path = segment_path(self._directory, self.writer, number)
            try:
                place = self._lines(path)
                progress(path.stat().st_size)
            except OSError as failure:
                self._not_read(path, failure)
        self.walk.end(place)
        self._head_s_file()
        self._head_afterwards()

    def _lines(self, path: Path) -> Place:
        place = Place(path.name, 0)
        for number, line in enumerate(read_lines(path), start=1):
            place = Place(path.name, number)
            self.walk.line(line, place)
        return place

    def _not_read(self, path: Path, failure: OSError) -> None:
        if failure.errno in NO_FILE:
            told = f"a file of writer {self.writer} is missing: what is so called is none."
            self._found(Damage.FILE_MISSING, path.name, told)
        else:
            self._found(Damage.UNREADABLE, path.name, "the file cannot be read.")
            self.walk.unread()

    def _head(self) -> Head | None:
        name = head_path(self._directory, self.writer).name
        try:
            head: Head | Broken | None = read_head(self._directory, self.writer, self._key)
        except OSError as failure:
            if failure.errno not in NO_FILE:
                self._found(Damage.UNREADABLE, name, "the head cannot be read.")
                return None
            head = Broken.FORM
        if isinstance(head, Head):
            return head
        if head is None:
            told = "the head is missing: nobody can tell whether lines were cut off at the end."
            self._found(Damage.HEAD_MISSING, name, told)
        elif head is Broken.KEY:
            self._found(Damage.WRONG_KEY, name, f"the head was sealed under another key than {self._key.id}.")
        else:
            self._found(Damage.HEAD_CHANGED, name, "the head is not what was sealed: it was changed or replaced.")
        return None

    def _missing_files(self) -> None:
        last = max([self._segment, *self.numbers[-1:]])
        present = set(self.numbers)
        for number in range(1, last + 1):
            if number not in present:
                which = "the first file" if number == 1 else "a file"
                name = segment_path(self._directory, self.writer, number).name
                self._found(Damage.FILE_MISSING, name, f"{which} of writer {self.writer} is missing.")
            if len(self._files) >= FINDINGS_MAX:
                return

    def _head_s_file(self) -> None:
        at, name = self.walk.head_at, segment_path(self._directory, self.writer, self._segment).name
        if at is not None and at.file != name:
            self._found(Damage.REORDERED, at.file, f"the line that was the last one stood in {name} and not here.")

    def _head_afterwards(self) -> None:
        """A running writer moves the head after every group, and makes a file more only for the next one."""
        try:
            head = read_head(self._directory, self.writer, self._key)
        except OSError:
            return
        if not isinstance(head, Head):
            return
        if self.walk.tip.seq - head.link.seq > GROUP_MAX:
            told = (
                f"the head stands at record {head.link.seq}, the lines go on to {self.walk.tip.seq}: it was put back."
            )
            self._found(Damage.HEAD_OLD, head_path(self._directory, self.writer).name, told)
        surplus = [number for number in self.numbers if number > head.segment + 1]
        if surplus:
            name = segment_path(self._directory, self.writer, surplus[0]).name
            told = f"the file does not belong there: the chain of writer {self.writer} ends in file {head.segment}."
            self._found(Damage.INSERTED, name, told)

    def _found(self, kind: Damage, file: str, sentence: str) -> None:
        self._files.append(Finding(kind, file, 0, sentence))


def _no_ledger(sentence: str) -> Report:
    return Report(0, (), (Finding(Damage.NO_LEDGER, "", 0, sentence),), 0, ())


def _no_folder(failure: OSError) -> Report:
    if failure.errno in {errno.ENOENT, errno.ENOTDIR}:
        return _no_ledger("there is no ledger: the folder does not exist.")
    finding = Finding(Damage.UNREADABLE, "", 0, "the folder of the ledger cannot be read.")
    return Report(0, (), (finding,), 0, (), unread=True)
