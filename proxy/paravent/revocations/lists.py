"""The lists of revocations in memory: one of the state store, one of a file where there is one.

Each is read twice a second on a thread of its own, so that a hanging store keeps no file waiting and every node knows
within a second. What cannot be read changes nothing: the last good list stays. But the list that all nodes share may
not be older than `STALE_FOR_S`: who is revoked there must not walk in through the one node that does not hear of it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from paravent.effects import FindRevocations, Revocation, StoreDown
from paravent.polled import PERIOD_S, Polled, usual_stale_for_s
from paravent.ports import RevocationBook
from paravent.problems import Problem
from paravent.revocations.file import RevocationFile

STATE: Final = "state"
FILE: Final = "file"

log = logging.getLogger("paravent")


class RevocationLists:
    """`ports.Revocations`."""

    def __init__(
        self,
        book: RevocationBook,
        file: RevocationFile | None = None,
        *,
        clock_s: Callable[[], float] = time.monotonic,
        stale_for_s: Callable[[], float] = usual_stale_for_s,
    ) -> None:
        """`stale_for_s`: how old the shared list may be, at the moment."""
        self._book = book
        self._stale_for_s = stale_for_s
        self._file = file
        self._problems: tuple[Problem, ...] = ()
        self._shared = Polled[Revocation]("revocations", STATE, self._read_book, clock_s)
        self._lists = {STATE: self._shared}
        if file is not None:
            self._lists[FILE] = Polled("revocations", FILE, self._read_file, clock_s)
        self._by_mark: Mapping[str, tuple[Revocation, ...]] = {}
        self._merging = threading.Lock()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def load(self) -> tuple[Problem, ...]:
        """Read both once, before serving. What is returned must be mended before starting."""
        for each in self._lists.values():
            each.look()
        self._merge()
        return self._problems

    def start(self) -> None:
        """Begin reading. Once; the threads end with `stop` or with the process."""
        for each in self._lists.values():
            thread = threading.Thread(target=self._keep, args=(each,), name=f"revocations-{each.source}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout_s)

    def find(self, wanted: FindRevocations) -> tuple[Revocation, ...] | StoreDown:
        """Looks in memory."""
        if self._shared.age_s() > self._stale_for_s():
            return StoreDown.UNAVAILABLE
        held = self._by_mark
        return tuple(each for mark in wanted.marks for each in held.get(mark, ())) if held else ()

    def look(self) -> None:
        """Read the shared list now: what this node itself has just written is in force at once."""
        if self._shared.look():
            self._merge()

    def entries(self) -> Mapping[str, int]:
        """How many stand in each list."""
        return {name: len(each.entries) for name, each in self._lists.items()}

    def ages_s(self) -> Mapping[str, float]:
        """Seconds since each list was last read."""
        return {name: each.age_s() for name, each in self._lists.items()}

    def _keep(self, each: Polled[Revocation]) -> None:
        while not self._stopping.wait(PERIOD_S):
            if each.look():
                self._merge()
                log.info("revocations_changed", extra={"source": each.source, "count": len(each.entries)})

    def _merge(self) -> None:
        with self._merging:
            by_mark: dict[str, tuple[Revocation, ...]] = {}
            for each in self._lists.values():
                for entry in each.entries:
                    by_mark[entry.mark] = (*by_mark.get(entry.mark, ()), entry)
            self._by_mark = by_mark  # one assignment: a request sees the old lists or the new ones

    def _read_book(self) -> tuple[Revocation, ...] | None:
        read = self._book.read()
        return None if isinstance(read, StoreDown) else read

    def _read_file(self) -> tuple[Revocation, ...] | None:
        """What is wrong is said when it changes."""
        read = self._file.read() if self._file is not None else ()
        problems = _of_type(Problem, read)
        if problems and problems != self._problems:
            for each in problems:
                log.error("revocations_refused", extra={"place": f"{each.file}:{each.line}:{each.column}"})
        self._problems = problems
        return None if problems else _of_type(Revocation, read)


def _of_type[Wanted](kind: type[Wanted], values: Iterable[object]) -> tuple[Wanted, ...]:
    return tuple(each for each in values if isinstance(each, kind))
