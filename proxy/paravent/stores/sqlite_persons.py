"""Exact sets of persons in SQLite, and how many of them each window holds.

Counting a set anew costs time in its size, so each window keeps a tally:

    used = rows of this payer with at_ms > left_ms

Triggers keep that true whatever happens to a row. To read a window, move `left_ms` up to its tail and subtract those
passed over: each person is passed over once per window, so a charge costs the same in a set of ten and of ten
thousand. A tally that is missing (a new window in the policy) is counted once.
"""

import sqlite3
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from itertools import batched, chain
from typing import Final

from paravent.quota.bill import SetWindow
from paravent.quota.windows import counts, leaves_ms
from paravent.stores.sqlite_values import with_rows

type PersonKey = tuple[str, bytes]
"""Payer, subject: one person of one set."""

ROWS_A_STATEMENT: Final = 100
"""A statement takes at most 999 values in a SQLite of before 3.32 (sqlite.org/limits.html, item 9)."""


_FIND: Final = """
    WITH k (payer, subject) AS (VALUES :rows)
    SELECT p.payer, p.subject, at_ms, confirmed_ms, pending, held_by
    FROM k CROSS JOIN persons AS p ON p.payer = k.payer AND p.subject = k.subject
"""
_WRITE: Final = """
    INSERT INTO persons (payer, subject, at_ms, confirmed_ms, pending, held_by) VALUES :rows
    ON CONFLICT (payer, subject) DO UPDATE SET
      at_ms = excluded.at_ms, confirmed_ms = excluded.confirmed_ms,
      pending = excluded.pending, held_by = excluded.held_by
"""
_TALLIES: Final = """
    SELECT payer, window_s, used,
      (SELECT COUNT(*) FROM persons AS p
       WHERE p.payer = t.payer AND p.at_ms > t.left_ms AND p.at_ms <= ? - t.window_s * 1000)
    FROM tallies AS t WHERE payer IN :rows
"""


@dataclass(frozen=True, slots=True)
class Person:
    """One person in the set of one payer. Columns of `persons`."""

    at_ms: int
    confirmed_ms: int | None
    pending: int
    held_by: str | None

    def reserved(self, now_ms: int, charge_id: str) -> "Person":
        """One more charge may disclose this person."""
        held_by = charge_id if self.pending == 0 else self.held_by
        return Person(now_ms, self.confirmed_ms, self.pending + 1, held_by)

    def disclosed(self, now_ms: int, reserved_by: str | None) -> "Person":
        """An answer discloses this person; `reserved_by` names the charge that foresaw it."""
        closed = self if reserved_by is None else self.released(reserved_by)
        return Person(now_ms, now_ms, closed.pending, closed.held_by)

    def released(self, charge_id: str) -> "Person":
        """A charge no longer holds this person. Who is held by none goes back to their last disclosure, if any."""
        pending = max(0, self.pending - 1)
        held_by = None if pending == 0 or self.held_by == charge_id else self.held_by
        at_ms = self.at_ms if pending or self.confirmed_ms is None else self.confirmed_ms
        return Person(at_ms, self.confirmed_ms, pending, held_by)


class Persons:
    """The tables `persons` and `tallies`, inside one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute

    def find(self, keys: Iterable[PersonKey], now_ms: int, retention_s: int) -> dict[PersonKey, Person]:
        """Those of these persons whom the sets hold. One whose time is over is absent, swept already or not."""
        found: dict[PersonKey, Person] = {}
        for some in batched(keys, ROWS_A_STATEMENT):
            rows = self._execute(
                with_rows(_FIND, len(some), 2),
                tuple(chain.from_iterable(some)),
            ).fetchall()
            found |= {(row[0], row[1]): Person(*row[2:]) for row in rows if counts(row[2], now_ms, retention_s)}
        return found

    def write(self, persons: Mapping[PersonKey, Person]) -> None:
        """Insert or replace."""
        for some in batched(persons.items(), ROWS_A_STATEMENT):
            self._execute(
                with_rows(_WRITE, len(some), 6),
                tuple(chain.from_iterable((*key, p.at_ms, p.confirmed_ms, p.pending, p.held_by) for key, p in some)),
            )

    def remove(self, key: PersonKey) -> None:
        """Forget one person."""
        self._execute("DELETE FROM persons WHERE payer = ? AND subject = ?", key)

    def used(self, windows: Iterable[SetWindow], now_ms: int) -> dict[SetWindow, int]:
        """How many persons each window of each set holds now."""
        wanted = tuple(windows)
        payers = tuple({payer for payer, _ in wanted})
        if not payers:
            return {}
        used: dict[SetWindow, int] = {}
        for payer, window_s, tally, leaving in self._execute(
            with_rows(_TALLIES, 1, len(payers)),
            (now_ms, *payers),
        ).fetchall():
            used[payer, window_s] = tally - leaving
            if leaving:
                self._execute(
                    "UPDATE tallies SET used = used - ?, left_ms = ? WHERE payer = ? AND window_s = ?",
                    (leaving, now_ms - window_s * 1000, payer, window_s),
                )
        return {key: used[key] if key in used else self._count_anew(*key, now_ms) for key in wanted}

    def _count_anew(self, payer: str, window_s: int, now_ms: int) -> int:
        tail_ms = now_ms - window_s * 1000
        counted: int
        (counted,) = self._execute(
            "SELECT COUNT(*) FROM persons WHERE payer = ? AND at_ms > ?", (payer, tail_ms)
        ).fetchone()
        if counted:  # an empty set has no tallies, so that nothing of its payer stays
            self._execute("INSERT INTO tallies VALUES (?, ?, ?, ?)", (payer, window_s, tail_ms, counted))
        return counted

    def free_ms(self, window: SetWindow, excess: int, asked: Container[bytes], now_ms: int) -> int | None:
        """When `excess` persons other than those asked about have left the window; None when there are not as many."""
        payer, per_s = window
        oldest = self._execute(
            "SELECT at_ms, subject FROM persons WHERE payer = ? AND at_ms > ? ORDER BY at_ms",
            (payer, now_ms - per_s * 1000),
        )
        for at_ms, subject in oldest:
            excess -= subject not in asked
            if excess == 0:
                return leaves_ms(at_ms, per_s)
        return None
