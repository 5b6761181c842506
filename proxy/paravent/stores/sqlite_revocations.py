"""The shared list of revocations in the state file: a table of its own, next to the budgets.

A mark that is revoked twice keeps what goes further of both: the later end, and the later moment before which tokens
were issued; none at all goes furthest.
"""

import sqlite3
from pathlib import Path
from typing import Final

from paravent.effects import Revocation, StoreDown
from paravent.stores.sqlite_lists import opened

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS revocations (
  mark            TEXT PRIMARY KEY,
  until_s         INTEGER,           -- NULL: until it is lifted
  issued_before_s INTEGER,           -- NULL: whenever it was issued
  because         TEXT NOT NULL
) WITHOUT ROWID
"""

_WRITE: Final = """
INSERT INTO revocations VALUES (?, ?, ?, ?) ON CONFLICT (mark) DO UPDATE SET
  until_s = max(until_s, excluded.until_s),
  issued_before_s = max(issued_before_s, excluded.issued_before_s),
  because = CASE WHEN excluded.because = '' THEN because ELSE excluded.because END
"""
"""SQLite's max() of two values is NULL when one of them is: what has no end swallows what has one."""


type _Row = tuple[str, int | None, int | None, str]
"""As the table's columns."""


class SqliteRevocations:
    """`paravent.ports.RevocationBook` on the state file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[list[_Row], tuple[Revocation, ...]] = [], ()
        """The last answer, and what was made of it: most are the same."""

    def read(self) -> tuple[Revocation, ...] | StoreDown:
        try:
            with opened(self._path, "revocations", _TABLE) as connection:
                rows = connection.execute("SELECT * FROM revocations ORDER BY mark").fetchall()
        except sqlite3.Error:
            return StoreDown.UNAVAILABLE
        if rows != self._read[0]:
            self._read = rows, tuple([Revocation(*row) for row in rows])
        return self._read[1]

    def write(self, revocation: Revocation, now_s: int) -> StoreDown | None:
        """What is over goes with it."""
        row = (revocation.mark, revocation.until_s, revocation.issued_before_s, revocation.because)
        try:
            with opened(self._path, "revocations", _TABLE) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("DELETE FROM revocations WHERE until_s <= ?", (now_s,))
                connection.execute(_WRITE, row)
                connection.execute("COMMIT")
        except sqlite3.Error:
            return StoreDown.UNAVAILABLE
        return None

    def lift(self, mark: str) -> bool | StoreDown:
        try:
            with opened(self._path, "revocations", _TABLE) as connection:
                return connection.execute("DELETE FROM revocations WHERE mark = ?", (mark,)).rowcount > 0
        except sqlite3.Error:
            return StoreDown.UNAVAILABLE
