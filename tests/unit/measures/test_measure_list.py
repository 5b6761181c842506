"""The measures in memory, while two threads look at the book."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import override

from paravent.audit.keys import practitioner_hash
from paravent.effects import FindMeasures, Measure, MeasureKind, StoreDown
from paravent.measures.lists import MeasureList
from paravent.model import Secret
from tokens import NOW_S, RPPS

KEY = Secret(b"k" * 32)


def measure(id: str, rpps: str) -> Measure:
    return Measure(id, MeasureKind.SUSPENSION, practitioner_hash(KEY, rpps), 0, NOW_S, NOW_S + 60, "J. Essai", "")


class Slow(tuple[Measure, ...]):
    """A book that somebody is still going through."""

    began, go_on = threading.Event(), threading.Event()

    @override
    def __iter__(self) -> Iterator[Measure]:
        self.began.set()
        self.go_on.wait(10)
        return super().__iter__()


@dataclass
class Book:
    """A shared book, moved by hand."""

    entries: tuple[Measure, ...] = field(default_factory=tuple)

    def read(self) -> tuple[Measure, ...] | StoreDown:
        return self.entries

    def write(self, measure: Measure, now_s: int) -> StoreDown | None:
        raise NotImplementedError

    def write_new(self, measure: Measure, now_s: int) -> bool | StoreDown:
        raise NotImplementedError

    def lift(self, id: str) -> bool | StoreDown:
        raise NotImplementedError


def test_whoever_was_slow_does_not_undo_what_is_newer() -> None:
    """A suspension is written while another thread goes through the book of before: it is in force all the same, and
    not only from the next change on."""
    other = measure("0" * 16, "99700000000")
    book = Book(Slow((other,)))
    measures = MeasureList(book, KEY)
    looks = [threading.Thread(target=measures.look) for _ in range(2)]
    looks[0].start()
    Slow.began.wait(10)
    book.entries = (other, measure("1" * 16, RPPS))
    looks[1].start()
    looks[1].join(0.2)  # it must not end before the first
    Slow.go_on.set()
    for each in looks:
        each.join(10)
    measures.look()
    assert measures.find(FindMeasures(RPPS)) == (measure("1" * 16, RPPS),)
