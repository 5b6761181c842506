"""The lists in memory: what they find, what an outage does, and when they may no longer be believed."""

import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from paravent.effects import FindRevocations, Revocation, StoreDown
from paravent.polled import PERIOD_S, STALE_FOR_S
from paravent.ports import Revocations
from paravent.revocations.file import RevocationFile
from paravent.revocations.lists import RevocationLists

PORTAL, OTHER = Revocation("client:portail"), Revocation("client:autre")


@dataclass
class Book:
    """A shared list, moved by hand."""

    entries: tuple[Revocation, ...] | StoreDown = ()
    now_s: float = 1000.0
    written: list[Revocation] = field(default_factory=list)

    def read(self) -> tuple[Revocation, ...] | StoreDown:
        return self.entries

    def write(self, revocation: Revocation, now_s: int) -> StoreDown | None:
        raise NotImplementedError

    def lift(self, mark: str) -> bool | StoreDown:
        raise NotImplementedError

    def clock_s(self) -> float:
        return self.now_s


def found(lists: Revocations, *marks: str) -> tuple[Revocation, ...] | StoreDown:
    return lists.find(FindRevocations(marks or ("client:portail", "client:autre")))


def test_what_is_listed_is_found() -> None:
    """Only what was asked for, and nothing in an empty list."""
    book = Book()
    lists = RevocationLists(book, clock_s=book.clock_s)
    assert lists.load() == ()
    assert found(lists) == ()
    book.entries = (PORTAL, Revocation("client:x"))
    lists.look()
    assert found(lists) == (PORTAL,)
    assert found(lists, "client:y") == ()
    book.entries = ()
    lists.look()
    assert found(lists) == ()


def test_a_look_that_hangs_does_not_undo_a_later_one() -> None:
    """One is under way while somebody logs out: what it read before does not take the place of what is read after."""
    began, go_on = threading.Event(), threading.Event()

    class Slow(Book):
        def read(self) -> tuple[Revocation, ...] | StoreDown:
            entries = self.entries
            if not began.is_set():
                began.set()
                go_on.wait(10)
            return entries

    book = Slow()
    lists = RevocationLists(book, clock_s=book.clock_s)
    looks = [threading.Thread(target=lists.look) for _ in range(2)]
    looks[0].start()
    began.wait(10)
    book.entries = (PORTAL,)
    looks[1].start()
    looks[1].join(0.2)  # it must not end before the first
    go_on.set()
    for each in looks:
        each.join(10)
    assert found(lists) == (PORTAL,)


def test_an_outage_changes_nothing_for_half_a_minute() -> None:
    """The last good list stays in force; then nobody can tell any more, and that is an outage of ours."""
    book = Book(entries=(PORTAL,))
    lists = RevocationLists(book, clock_s=book.clock_s)
    lists.load()
    book.entries = StoreDown.UNAVAILABLE
    book.now_s += STALE_FOR_S
    lists.look()
    assert found(lists) == (PORTAL,)
    book.now_s += 0.001
    assert found(lists) is StoreDown.UNAVAILABLE
    book.entries = ()
    lists.look()
    assert found(lists) == ()


def test_a_list_that_was_never_read_lets_nobody_in() -> None:
    """Not knowing is never "not revoked"."""
    book = Book(entries=StoreDown.UNAVAILABLE)
    lists = RevocationLists(book, clock_s=book.clock_s)
    lists.load()
    assert found(lists) is StoreDown.UNAVAILABLE


def test_two_looks_fit_into_a_second() -> None:
    """A revocation is in force within a second, also where a look has just been taken."""
    assert 2 * PERIOD_S <= 1


def test_file_and_store_are_one(tmp_path: Path) -> None:
    """What either of them names is revoked; what both name is found twice, and each is judged."""
    path = tmp_path / "revoked.yaml"
    path.write_text("- client: autre\n- client: portail\n")
    book = Book(entries=(PORTAL,))
    lists = RevocationLists(book, RevocationFile(path, {}), clock_s=book.clock_s)
    assert lists.load() == ()
    assert found(lists) == (PORTAL, PORTAL, OTHER)
    assert lists.entries() == {"state": 1, "file": 2}
    assert lists.ages_s() == {"state": 0, "file": 0}


def test_a_mistake_in_the_file_changes_nothing_and_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The last good file stays in force, for as long as it takes to mend the new one."""
    path = tmp_path / "revoked.yaml"
    path.write_text("- client: portail\n")
    book = Book()
    lists = RevocationLists(book, RevocationFile(path, {}), clock_s=book.clock_s)
    lists.load()
    of_file = lists._lists["file"]
    for broken in ("- client: [portail]\n", "\x00"):
        path.write_text(broken)
        with caplog.at_level(logging.ERROR):
            of_file.look()
        assert of_file.entries == found(lists) == (PORTAL,)
    assert [record.message for record in caplog.records].count("revocations_refused") == 2
    path.unlink()
    of_file.look()
    assert of_file.entries == found(lists) == (PORTAL,)


def test_a_mistake_at_the_start_is_in_the_way(tmp_path: Path) -> None:
    """There is no last good file yet."""
    book = Book()
    (problem,) = RevocationLists(book, RevocationFile(tmp_path / "revoked.yaml", {}), clock_s=book.clock_s).load()
    assert str(problem).startswith("revoked.yaml: there is no such file of revocations")
