"""Bucketed counters in SQLite: requests, misses, and the persons of scopes too wide for a set."""

import sqlite3
from collections.abc import Iterable
from itertools import chain
from typing import Final

from paravent.quota.bill import CounterKey
from paravent.quota.windows import bucket_leaves_ms, bucket_of, oldest_bucket
from paravent.stores.sqlite_values import with_rows

_USED: Final = """
    WITH k (payer, kind, window_s) AS (VALUES :rows)
    SELECT payer, kind, window_s,
      (SELECT SUM(used) FROM counters AS c
       WHERE c.payer = k.payer AND c.kind = k.kind AND c.window_s = k.window_s AND c.gone_ms > ?)
    FROM k
"""
_ADD: Final = """
    INSERT INTO counters (payer, kind, window_s, bucket, used, gone_ms) VALUES :rows
    ON CONFLICT (payer, kind, window_s, bucket) DO UPDATE SET used = used + excluded.used
"""


class Counters:
    """The table `counters`, inside one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute

    def used(self, keys: Iterable[CounterKey], now_ms: int) -> dict[CounterKey, int]:
        """How much each window holds now: at most 61 rows a window, and what is not swept yet."""
        wanted = tuple(keys)
        if not wanted:
            return {}
        rows = self._execute(
            with_rows(_USED, len(wanted), 3),
            (*chain.from_iterable(wanted), now_ms),
        ).fetchall()
        return {(payer, kind, window_s): used or 0 for payer, kind, window_s, used in rows}

    def add(self, amounts: Iterable[tuple[CounterKey, int]], now_ms: int) -> None:
        """Count what happens now."""
        rows = [self._row(*key, amount, now_ms) for key, amount in amounts]
        if rows:
            self._execute(
                with_rows(_ADD, len(rows), 6),
                tuple(chain.from_iterable(rows)),
            )

    @staticmethod
    def _row(payer: str, kind: str, per_s: int, amount: int, now_ms: int) -> tuple[str, str, int, int, int, int]:
        bucket = bucket_of(now_ms, per_s)
        return payer, kind, per_s, bucket, amount, bucket_leaves_ms(bucket, per_s)

    def give_back(self, keys: Iterable[CounterKey], at_ms: int) -> None:
        """Take back one that was counted at `at_ms`, out of the bucket it stands in: taken out of a later one, it
        would come free before its time."""
        for key in keys:
            self._execute(
                "UPDATE counters SET used = used - 1"
                " WHERE payer = ? AND kind = ? AND window_s = ? AND bucket = ? AND used > 0",
                (*key, bucket_of(at_ms, key[2])),
            )

    def free_ms(self, key: CounterKey, excess: int, now_ms: int) -> int | None:
        """When buckets that hold `excess` together are gone; None when all of them hold less."""
        oldest = self._execute(
            "SELECT bucket, used FROM counters WHERE payer = ? AND kind = ? AND window_s = ? AND bucket >= ?"
            " ORDER BY bucket",
            (*key, oldest_bucket(now_ms, key[2])),
        )
        for bucket, used in oldest:
            excess -= used
            if excess <= 0:
                return bucket_leaves_ms(bucket, key[2])
        return None
