"""A list that is kept elsewhere: read beside the requests, held in memory for them.

What cannot be read changes nothing: the last good reading stays, and grows old.
"""

import logging
import threading
from collections.abc import Callable
from typing import Final

PERIOD_S: Final = 0.5
"""Two looks fit into the second within which every node must know."""
STALE_FOR_S: Final = 30.0
"""A state store that restarts is back sooner. Budgets need it too, so that an outage refuses by itself long before."""


def usual_stale_for_s() -> float:
    """`STALE_FOR_S`, at any time."""
    return STALE_FOR_S


log = logging.getLogger("paravent")


class Polled[Entry]:
    """One list: the last good reading, and when it was."""

    def __init__(
        self, what: str, source: str, read: Callable[[], tuple[Entry, ...] | None], clock_s: Callable[[], float]
    ) -> None:
        """`what` begins the names of its events. `read` gives None when there is nothing to be had this time."""
        self.source = source
        self.entries: tuple[Entry, ...] = ()
        self.confirmed_s: float | None = None
        self._what = what
        self._read = read
        self._clock_s = clock_s
        self._well = True
        self._looking = threading.Lock()

    def look(self) -> bool:
        """Whether something has changed. One look at a time: one that was slow would put back what is over."""
        with self._looking:
            return self._look()

    def _look(self) -> bool:
        before_s = self._clock_s()
        try:
            entries = self._read()
        except Exception:
            # A bug, which must not end the thread: the list would age, and say so.
            log.exception(f"{self._what}_unreadable", extra={"source": self.source})
            return False
        if (entries is not None) != self._well:
            self._well = entries is not None
            log.log(logging.INFO if self._well else logging.ERROR, f"{self._what}_read", extra={"source": self.source})
        if entries is None:
            return False
        self.confirmed_s = before_s
        changed = entries != self.entries
        self.entries = entries
        return changed

    def age_s(self) -> float:
        """Infinite when it was never read."""
        return float("inf") if self.confirmed_s is None else self._clock_s() - self.confirmed_s
