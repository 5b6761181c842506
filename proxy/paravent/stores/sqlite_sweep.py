"""Removing what no window can see any more, a bounded number of rows at a time, oldest first.

Rows whose time is over are never believed, swept or not; sweeping only keeps the file small and personal data short.
"""

import sqlite3
from typing import Protocol


class _Execute(Protocol):
    def __call__(self, sql: str, parameters: tuple[int, ...] = ..., /) -> sqlite3.Cursor: ...


def sweep(execute: _Execute, now_ms: int, horizon_ms: int, most: int) -> None:
    """Remove up to `most` rows of each table. `horizon_ms`: the tail of the longest window."""
    persons_ms, counters_ms, charges_ms, proofs_ms = execute(
        "SELECT (SELECT MIN(at_ms) FROM persons), (SELECT MIN(gone_ms) FROM counters),"
        " (SELECT MIN(at_ms) FROM charges), (SELECT MIN(until_ms) FROM proofs)"
    ).fetchone()
    if persons_ms is not None and persons_ms <= horizon_ms:
        execute(
            "DELETE FROM persons WHERE (payer, subject) IN"
            " (SELECT payer, subject FROM persons WHERE at_ms <= ? ORDER BY at_ms LIMIT ?)",
            (horizon_ms, most),
        )
    if counters_ms is not None and counters_ms <= now_ms:
        execute(
            "DELETE FROM counters WHERE (payer, kind, window_s, bucket) IN"
            " (SELECT payer, kind, window_s, bucket FROM counters WHERE gone_ms <= ? ORDER BY gone_ms LIMIT ?)",
            (now_ms, most),
        )
    if charges_ms is not None and charges_ms <= horizon_ms:
        execute(
            "DELETE FROM charges WHERE id IN (SELECT id FROM charges WHERE at_ms <= ? ORDER BY at_ms LIMIT ?)",
            (horizon_ms, most),
        )
    if proofs_ms is not None and proofs_ms <= now_ms:
        execute(
            "DELETE FROM proofs WHERE key IN (SELECT key FROM proofs WHERE until_ms <= ? ORDER BY until_ms LIMIT ?)",
            (now_ms, most),
        )
