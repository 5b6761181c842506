"""The measures in memory: read twice a second on a thread of their own, so that every node knows within a second.

They may not be older than `STALE_FOR_S`, as the list of revocations: what was decided against somebody must hold on the
one node that does not hear of it.
"""

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from paravent.audit.keys import practitioner_hash
from paravent.effects import Enact, FindMeasures, Measure, MeasureKind, StoreDown
from paravent.model import Secret
from paravent.polled import PERIOD_S, Polled, usual_stale_for_s
from paravent.ports import MeasureBook

AUTHOR: Final = "paravent"
"""Of what no person decided."""

ENACT_S: Final = 2.0
"""For one writing, of which a question asks for one at most, beside two charges. The guard's own deadline is five
seconds."""

log = logging.getLogger("paravent")


class MeasureList:
    """`ports.Measures`."""

    def __init__(
        self,
        book: MeasureBook,
        key: Secret[bytes],
        *,
        clock_s: Callable[[], float] = time.monotonic,
        stale_for_s: Callable[[], float] = usual_stale_for_s,
    ) -> None:
        """`key` keys the hashes that stand for practitioners. `stale_for_s`: how old the book may be, at the moment."""
        self._book = book
        self._stale_for_s = stale_for_s
        self._key = key
        self._list = Polled[Measure]("measures", "state", self._read, clock_s)
        self._by_practitioner: Mapping[str, tuple[Measure, ...]] = {}
        self._sorting = threading.Lock()
        self._being_written: set[tuple[str, MeasureKind]] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="measures", daemon=True)

    def start(self) -> None:
        """Begin reading. Once; the thread ends with `stop` or with the process."""
        self.look()
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def find(self, wanted: FindMeasures) -> tuple[Measure, ...] | StoreDown:
        """Looks in memory."""
        if self._list.age_s() > self._stale_for_s():
            return StoreDown.UNAVAILABLE
        held = self._by_practitioner
        # Hashed only when there is anything to find: most days there is not.
        return held.get(practitioner_hash(self._key, wanted.rpps), ()) if held else ()

    async def enact(self, wanted: Enact) -> bool | StoreDown:
        """In a thread of the pool: the book may be a disk, or another machine."""
        who = practitioner_hash(self._key, wanted.rpps)
        alike = who, wanted.kind
        if alike in self._being_written:
            return False  # another question of theirs has come as far, and is waiting for the same
        measure = Measure(
            wanted.id, wanted.kind, who, wanted.persons, wanted.from_s, wanted.until_s, AUTHOR, wanted.because
        )
        self._being_written.add(alike)
        try:
            async with asyncio.timeout(ENACT_S):
                return await asyncio.to_thread(self._enact, measure)
        except TimeoutError:
            return StoreDown.UNAVAILABLE
        finally:
            self._being_written.discard(alike)

    def _enact(self, measure: Measure) -> bool | StoreDown:
        written = self._book.write_new(measure, measure.from_s)
        if written is not StoreDown.UNAVAILABLE:
            self.look()
        return written

    def look(self) -> bool:
        """Read the book now. Whether something has changed."""
        changed = self._list.look()
        if changed:
            with self._sorting:  # whoever comes last has the newest entries
                held: dict[str, tuple[Measure, ...]] = {}
                for each in self._list.entries:
                    held[each.practitioner] = (*held.get(each.practitioner, ()), each)
                self._by_practitioner = held  # one assignment: a request sees the old book or the new one
        return changed

    def standing(self, now_s: float) -> Mapping[MeasureKind, int]:
        """How many of each kind are in force."""
        counts = Counter(each.kind for each in self._list.entries if each.from_s <= now_s < each.until_s)
        return {kind: counts[kind] for kind in MeasureKind}

    def age_s(self) -> float:
        """Seconds since the book was last read."""
        return self._list.age_s()

    def _keep(self) -> None:
        while not self._stopping.wait(PERIOD_S):
            if self.look():
                log.info("measures_changed", extra={"source": "state", "count": len(self._list.entries)})

    def _read(self) -> tuple[Measure, ...] | None:
        read = self._book.read()
        return None if isinstance(read, StoreDown) else read
