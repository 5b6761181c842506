"""The log: one entry a transaction, and what it changed.

A commit of many rows on many pages costs what its pages cost. An entry is one row at the end of one table, whatever
it holds; the tables get their rows later, many at a time. Workers on one file learn from each other's entries what
they hold in memory: each reads, inside the write lock, those that came since its own last transaction.
"""

import sqlite3
from typing import Final

from msgspec import Struct, msgpack

from paravent.stores.sqlite_account import Account, Person

KEPT: Final = 512
"""Entries that stay although the tables have them, for a worker that had a pause. One that missed more begins anew."""


class Entry(Struct, array_like=True, gc=False):
    """What one transaction changed: whole rows, not differences, so that reading an entry twice is harmless."""

    now_ms: int
    longest_s: int
    written: int
    """The tables have everything up to this entry."""
    accounts: list[tuple[str, Account | None]]
    persons: list[tuple[str, bytes, Person | None]]
    charges: list[tuple[str, int | None]]
    proofs: list[tuple[bytes, int]]


_entry = msgpack.Decoder(Entry)
_encode = msgpack.Encoder().encode


class Log:
    """The table `log`, inside one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute

    def after(self, seq: int) -> list[tuple[int, Entry]] | None:
        """The entries since `seq`. None: some of them are gone, and whoever asks must begin anew."""
        rows = self._execute("SELECT seq, entry FROM log WHERE seq > ? ORDER BY seq", (seq,)).fetchall()
        if rows and rows[0][0] != seq + 1:
            return None
        return [(number, _entry.decode(entry)) for number, entry in rows]

    def unwritten(self) -> list[tuple[int, Entry]]:
        """What a newcomer must know: the last entry, and all before it that the tables do not have."""
        last = self._execute("SELECT seq, entry FROM log ORDER BY seq DESC LIMIT 1").fetchone()
        if last is None:
            return []
        written = _entry.decode(last[1]).written
        rows = self._execute(
            "SELECT seq, entry FROM log WHERE seq > ? ORDER BY seq", (min(written, last[0] - 1),)
        ).fetchall()
        return [(number, _entry.decode(entry)) for number, entry in rows]

    def append(self, seq: int, entry: Entry) -> None:
        self._execute("INSERT INTO log VALUES (?, ?)", (seq, _encode(entry)))

    def trim(self, seq: int) -> None:
        """Remove the entries up to this one."""
        self._execute("DELETE FROM log WHERE seq <= ?", (seq,))
