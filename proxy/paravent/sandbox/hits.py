"""How often each operation was asked since the start: how tests and demos prove that the upstream was left alone.

Counters live in memory shared by the forked processes of one server. Each process writes only its own row, so no lock
is needed; a reading adds the rows up.
"""

import mmap
from typing import Final

from paravent.sandbox.routes import OPERATIONS, OTHER

PATH: Final = "/__sandbox/hits"
"""Not a path of the API. Reading it is not counted."""

_NAMES: Final = (*OPERATIONS, OTHER)
_COLUMNS: Final = len(_NAMES) + 1


class Hits:
    """Counts by operation, and person records sent."""

    def __init__(self, processes: int = 1) -> None:
        self._cells = memoryview(mmap.mmap(-1, processes * _COLUMNS * 8)).cast("Q")
        self._column = {name: column for column, name in enumerate(_NAMES)}
        self._row = 0

    def settle_in(self, process: int) -> None:
        """Write in this row from now on. Called once in each process, after the fork."""
        self._row = process * _COLUMNS

    def count(self, operation: str, persons: int) -> None:
        """One request, and how many persons its answer discloses."""
        self._cells[self._row + self._column[operation]] += 1
        self._cells[self._row + _COLUMNS - 1] += persons

    def reading(self) -> dict[str, object]:
        """`hits` (all requests), `persons` (records sent), `operations` (requests of each)."""
        sums = [sum(self._cells[column::_COLUMNS]) for column in range(_COLUMNS)]
        return {"hits": sum(sums[:-1]), "persons": sums[-1], "operations": dict(zip(_NAMES, sums[:-1], strict=True))}
