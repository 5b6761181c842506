"""A clock that stands still until the replay moves it, shared by two processes through eight bytes of a file.

Budgets run over minutes, hours and days. To replay a day in seconds, the proxy under it must live that day: it is given
this clock where `paravent serve` has the machine's (`ports.Clock`). Nothing in `serve` can move time.
"""

import mmap
from pathlib import Path

_BYTES = 8


class ReplayClock:
    """`ports.Clock`. One process sets it, and any number read it."""

    def __init__(self, path: Path, start_ms: int | None = None) -> None:
        """Open the file, or with `start_ms` make it."""
        if start_ms is not None:
            path.write_bytes(bytes(_BYTES))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _BYTES)
        # One aligned store or load of eight bytes: never half of one time and half of another.
        self._cell = memoryview(self._map).cast("q")
        if start_ms is not None:
            self._cell[0] = start_ms

    def now_ms(self) -> int:
        """Milliseconds since 1970, in the replay."""
        return self._cell[0]

    def set(self, now_ms: int) -> None:
        """Move time. Forward only: ValueError otherwise."""
        if now_ms < self._cell[0]:
            raise ValueError("time does not run backwards")
        self._cell[0] = now_ms
