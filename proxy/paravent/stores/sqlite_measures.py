"""The measures that all nodes share, in the state file (`sqlite_lists`)."""

import sqlite3
from pathlib import Path
from typing import Final

from paravent.effects import Measure, MeasureKind, StoreDown
from paravent.stores.sqlite_lists import opened

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS measures (
  id           TEXT PRIMARY KEY,
  kind         TEXT NOT NULL,
  practitioner TEXT NOT NULL,       -- a keyed hash
  persons      INTEGER NOT NULL,
  from_s       INTEGER NOT NULL,
  until_s      INTEGER NOT NULL,
  author       TEXT NOT NULL,
  because      TEXT NOT NULL
) WITHOUT ROWID
"""

_ADD: Final = """
INSERT INTO measures SELECT ?, ?, ?, ?, ?, ?, ?, ?
WHERE NOT EXISTS (SELECT 1 FROM measures WHERE kind = ? AND practitioner = ?)
"""


class SqliteMeasures:
    """`paravent.ports.MeasureBook` on the state file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> tuple[Measure, ...] | StoreDown:
        try:
            with opened(self._path, "measures", _TABLE) as connection:
                rows = connection.execute("SELECT * FROM measures ORDER BY id").fetchall()
        except sqlite3.Error:
            return StoreDown.UNAVAILABLE
        return tuple(Measure(id, MeasureKind(kind), *rest) for id, kind, *rest in rows)

    def write_new(self, measure: Measure, now_s: int) -> bool | StoreDown:
        """What is over goes, written or not."""
        try:
            with opened(self._path, "measures", _TABLE) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("DELETE FROM measures WHERE until_s <= ?", (now_s,))
                added = connection.execute(_ADD, (*_row(measure), measure.kind.value, measure.practitioner)).rowcount
                connection.execute("COMMIT")
        except sqlite3.Error:
            return StoreDown.UNAVAILABLE
        return added > 0

    def write(self, measure: Measure, now_s: int) -> StoreDown | None:
        """What is over goes with it."""
        try:
            with opened(self._path, "measures", _TABLE) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("DELETE FROM measures WHERE until_s <= ?", (now_s,))
                connection.execute("INSERT OR REPLACE INTO measures VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _row(measure))
                connection.execute("COMMIT")
        except sqlite3.Error:
            return StoreDown.UNAVAILABLE
        return None

    def lift(self, id: str) -> bool | StoreDown:
        try:
            with opened(self._path, "measures", _TABLE) as connection:
                return connection.execute("DELETE FROM measures WHERE id = ?", (id,)).rowcount > 0
        except sqlite3.Error:
            return StoreDown.UNAVAILABLE


def _row(it: Measure) -> tuple[object, ...]:
    return (it.id, it.kind.value, it.practitioner, it.persons, it.from_s, it.until_s, it.author, it.because)
