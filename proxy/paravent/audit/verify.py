"""Checks one chain, line by line, in memory that does not grow with it.

The walk knows the line it expects (`tip` + 1). What it meets instead says what was done:

    not what `seal` wrote            changed, or put there by someone without the key
    right MAC, other writer          inserted, from another chain
    right MAC and seq, wrong prev    inserted, from another history of this chain
    right MAC, seq too high          a gap: removed, unless its lines turn up later
    right MAC, seq in a gap          reordered
    right MAC, seq seen before       duplicated
    ends before the head             cut off
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from paravent.audit.chain import Broken, Head, Link, Sealed, unseal
from paravent.audit.keys import ChainKey
from paravent.rules import Place

FINDINGS_MAX: Final = 100
"""Listed for one chain. More are counted: a ledger read under the wrong key is one finding a line."""

GAPS_MAX: Final = 1000
"""Open at a time. The oldest is reported as removed when there are more."""

GROUP_MAX: Final = 1024
"""Lines that a writer makes durable before it moves the head. A head further behind than this has been put back."""


class Damage(StrEnum):
    """What is wrong, or worth knowing. Closed: machines read it in `audit verify --json`."""

    CHANGED = "changed"
    INSERTED = "inserted"
    REMOVED = "removed"
    REORDERED = "reordered"
    DUPLICATED = "duplicated"
    CUT_OFF = "cut_off"
    TORN = "torn"
    WRONG_KEY = "wrong_key"
    HEAD_MISSING = "head_missing"
    HEAD_CHANGED = "head_changed"
    HEAD_OLD = "head_old"
    FILE_MISSING = "file_missing"
    UNREADABLE = "unreadable"
    NO_LEDGER = "no_ledger"
    AFTER_HEAD = "after_head"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found, where, in one sentence that quotes nothing from the line."""

    kind: Damage
    file: str
    """Name within the ledger's folder; empty when it is the folder itself."""
    line: int
    """1-based; 0 when it is the whole file."""
    sentence: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.sentence}" if place else self.sentence


@dataclass(slots=True)
class _Gap:
    first: int
    last: int
    noticed: Place


class Walk:
    """One chain being checked. Feed it every line in order, then call `end`."""

    def __init__(self, key: ChainKey, start: Link, head: Head | None) -> None:
        """`start`: the link before the first line (`genesis`, or a line already checked). `head`: None when lost."""
        self.tip = start
        """The highest line met that belongs to this chain."""
        self.records = 0
        self.findings: list[Finding] = []
        self.notes: list[Finding] = []
        self.further = 0
        """Findings beyond `FINDINGS_MAX`."""
        self.head_at: Place | None = None
        """Where the line stands over which the head was sealed."""
        self._key = key
        self._head = head.link if head else None
        self._gaps: list[_Gap] = []
        self._unsure: float = 0
        """Lines since `tip` that could not be read: each may stand in the place of a line, or between two."""
        self._fragment: Place | None = None
        self._foreign_key = False

    def line(self, raw: bytes, place: Place) -> None:
        """Check the next line, with its newline if it has one."""
        if self._fragment is not None:
            self._unreadable(self._fragment)
            self._fragment = None
        if not raw.endswith(b"\n"):
            self._fragment = place
            return
        sealed = unseal(raw, self._key)
        if sealed is Broken.KEY:
            self._other_key(place)
        elif not isinstance(sealed, Sealed):
            self._unreadable(place)
        elif sealed.link.writer != self.tip.writer:
            self._found(Damage.INSERTED, place, "the line belongs to the chain of another writer.")
        elif sealed.link.seq <= self.tip.seq:
            self._late(sealed.link, place)
        else:
            self._next(sealed, place)

    def unread(self) -> None:
        """Here is a file that nobody may look at: it holds as many lines as are missing, or none."""
        if self._fragment is not None:
            self._unreadable(self._fragment)
            self._fragment = None
        self._unsure = math.inf

    def end(self, place: Place) -> None:
        """No more lines; `place` is where they ended."""
        for gap in self._gaps:
            self._removed(gap)
        head = self._head
        short = head is not None and self.tip.seq + self._unsure < head.seq
        if short and head is not None:
            lost = f"the head was sealed over record {head.seq}, the chain ends at record {self.tip.seq}"
            self._found(Damage.CUT_OFF, place, f"{lost}: lines were cut off at the end.")
        if self._fragment is not None:
            self._torn(self._fragment, whole=head is not None and self.tip.seq >= head.seq)
        if head is not None and self.tip.seq > head.seq:
            beyond = f"{self.tip.seq - head.seq} record(s) after the head: written in the moment before it stopped."
            self.notes.append(Finding(Damage.AFTER_HEAD, place.file, place.line, beyond))

    def _next(self, sealed: Sealed, place: Place) -> None:
        """A line after the tip: the one expected, or one beyond a gap."""
        link, expected = sealed.link, self.tip.seq + 1
        if link.seq > expected + self._unsure:
            self._gap(_Gap(expected, link.seq - 1, place))
        elif link.seq == expected and not self._unsure and sealed.prev != self.tip.mac:
            self._found(Damage.INSERTED, place, f"record {link.seq} continues another history than the line before it.")
        if self._head is not None and link.seq == self._head.seq:
            self.head_at = place
            if link.mac != self._head.mac:
                told = f"the head was sealed over another record {link.seq} than this one."
                self._found(Damage.HEAD_CHANGED, place, told)
        self.tip = link
        self._unsure = 0
        self.records += 1

    def _late(self, link: Link, place: Place) -> None:
        """A line whose place has passed."""
        for index, gap in enumerate(self._gaps):
            if gap.first <= link.seq <= gap.last:
                rest = (_Gap(gap.first, link.seq - 1, gap.noticed), _Gap(link.seq + 1, gap.last, gap.noticed))
                self._gaps[index : index + 1] = [part for part in rest if part.first <= part.last]
                self.records += 1
                self._found(Damage.REORDERED, place, f"record {link.seq} stands after record {self.tip.seq}.")
                return
        self._found(Damage.DUPLICATED, place, f"record {link.seq} stands here a second time.")

    def _gap(self, gap: _Gap) -> None:
        self._gaps.append(gap)
        if len(self._gaps) > GAPS_MAX:
            self._removed(self._gaps.pop(0))

    def _removed(self, gap: _Gap) -> None:
        which = f"record {gap.first} is" if gap.first == gap.last else f"records {gap.first} to {gap.last} are"
        self._found(Damage.REMOVED, gap.noticed, f"{which} missing before this line.")

    def _unreadable(self, place: Place) -> None:
        self._unsure += 1
        self._found(Damage.CHANGED, place, "the line is not what was sealed: it was changed, or put there.")

    def _other_key(self, place: Place) -> None:
        self._unsure += 1
        if not self._foreign_key:
            self._foreign_key = True
            told = f"the line was sealed under another key than {self._key.id}; lines like it are not listed again."
            self._found(Damage.WRONG_KEY, place, told)

    def _torn(self, place: Place, *, whole: bool) -> None:
        if whole:
            told = "an incomplete last line, never acknowledged: writing stopped there. The next start cuts it off."
            self.notes.append(Finding(Damage.TORN, place.file, place.line, told))
        else:
            self._found(Damage.TORN, place, "the last line is incomplete.")

    def _found(self, kind: Damage, place: Place, sentence: str) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(kind, place.file, place.line, sentence))
        else:
            self.further += 1


def verify_lines(lines: Iterable[bytes], key: ChainKey, start: Link, head: Head | None, file: str = "") -> Walk:
    """Check the lines of one file that holds a whole chain."""
    walk = Walk(key, start, head)
    number = 0
    for number, raw in enumerate(lines, start=1):
        walk.line(raw, Place(file, number))
    walk.end(Place(file, number))
    return walk
