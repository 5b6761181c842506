"""The statements: rows in and out of the tables, many at a time.

Each statement gives up the interpreter's lock and must win it back from the event loop. Few and large is what keeps the
writer thread alive beside a busy loop, so a transaction reads each table once, and writes it with one executemany.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import batched, chain

from msgspec import msgpack

from paravent.stores.sqlite_account import Account, Person

type PersonKey = tuple[str, bytes]
"""Payer, subject: one person of one set."""

ROWS_A_STATEMENT = 100
"""A statement takes at most 999 values in a SQLite of before 3.32 (sqlite.org/limits.html, item 9)."""

_account = msgpack.Decoder(Account)
_encode = msgpack.Encoder().encode


class Tables:
    """Everything but the log, inside one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        self._executemany = connection.executemany

    def accounts(self, payers: Sequence[str]) -> dict[str, Account]:
        found = self._find("SELECT payer, account FROM accounts WHERE payer IN (:rows)", [(p,) for p in payers])
        return {payer: _account.decode(account) for payer, account in found}

    def persons(self, keys: Sequence[PersonKey]) -> dict[PersonKey, Person]:
        found = self._find(
            "WITH k (payer, subject) AS (VALUES :rows)"
            " SELECT p.payer, p.subject, at_ms, confirmed_ms, pending, held_by"
            " FROM k CROSS JOIN persons AS p ON p.payer = k.payer AND p.subject = k.subject",
            keys,
        )
        return {(payer, subject): Person(*row) for payer, subject, *row in found}

    def charges(self, ids: Sequence[str]) -> dict[str, int]:
        return dict(self._find("SELECT id, at_ms FROM charges WHERE id IN (:rows)", [(each,) for each in ids]))

    def proofs(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        rows = [(key,) for key in keys]
        return dict(self._find("SELECT key, until_ms FROM proofs WHERE key IN (:rows)", rows))

    def write_accounts(self, accounts: Iterable[tuple[str, Account | None]]) -> None:
        rows = list(accounts)
        self._write(
            "INSERT OR REPLACE INTO accounts VALUES (?, ?)",
            [(payer, _encode(account)) for payer, account in rows if account is not None],
        )
        self._write("DELETE FROM accounts WHERE payer = ?", [(payer,) for payer, account in rows if account is None])

    def write_persons(self, persons: Iterable[tuple[PersonKey, Person | None]]) -> None:
        rows = list(persons)
        self._write(
            "INSERT INTO persons VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (payer, subject) DO UPDATE SET"
            " at_ms = excluded.at_ms, confirmed_ms = excluded.confirmed_ms,"
            " pending = excluded.pending, held_by = excluded.held_by",
            [(*key, *person) for key, person in rows if person is not None],
        )
        self._write(
            "DELETE FROM persons WHERE payer = ? AND subject = ?", [key for key, person in rows if person is None]
        )

    def write_charges(self, charges: Iterable[tuple[str, int | None]]) -> None:
        rows = list(charges)
        self._write("INSERT OR REPLACE INTO charges VALUES (?, ?)", [row for row in rows if row[1] is not None])
        self._write("DELETE FROM charges WHERE id = ?", [(each,) for each, at_ms in rows if at_ms is None])

    def write_proofs(self, proofs: Iterable[tuple[bytes, int]]) -> None:
        self._write("INSERT OR REPLACE INTO proofs VALUES (?, ?)", list(proofs))

    # What only the index knows. `persons` must hold what is known of this payer.

    def leaving(self, payer: str, left_ms: int, tail_ms: int) -> int:
        """How many counted since `left_ms` no longer do at `tail_ms`."""
        rows = self._execute(
            "SELECT COUNT(*) FROM persons WHERE payer = ? AND at_ms > ? AND at_ms <= ?", (payer, left_ms, tail_ms)
        )
        return int(rows.fetchone()[0])

    def oldest_ms(self, payer: str, tail_ms: int) -> int | None:
        """Since when the oldest of those who count does."""
        oldest: tuple[int | None] = self._execute(
            "SELECT MIN(at_ms) FROM persons WHERE payer = ? AND at_ms > ?", (payer, tail_ms)
        ).fetchone()
        return oldest[0]

    def inside(self, payer: str, tail_ms: int) -> tuple[int, int | None]:
        """How many count, and since when the oldest of them does."""
        number: tuple[int, int | None] = self._execute(
            "SELECT COUNT(*), MIN(at_ms) FROM persons WHERE payer = ? AND at_ms > ?", (payer, tail_ms)
        ).fetchone()
        return number

    def by_age(self, payer: str, tail_ms: int) -> Iterable[tuple[int, bytes]]:
        """Those who count, the oldest first: (since when, subject)."""
        return self._execute(
            "SELECT at_ms, subject FROM persons WHERE payer = ? AND at_ms > ? ORDER BY at_ms", (payer, tail_ms)
        )

    # What is to be swept.

    def payers_after(self, payer: str, most: int) -> list[str]:
        """In the order of the table, for a walk through it."""
        rows = self._execute("SELECT payer FROM accounts WHERE payer > ? ORDER BY payer LIMIT ?", (payer, most))
        return [each for (each,) in rows]

    def gone(self, payer: str, horizon_ms: int, most: int) -> list[tuple[bytes, Person]]:
        """Persons whom no window sees."""
        rows = self._execute(
            "SELECT subject, at_ms, confirmed_ms, pending, held_by FROM persons WHERE payer = ? AND at_ms <= ? LIMIT ?",
            (payer, horizon_ms, most),
        )
        return [(subject, Person(*row)) for subject, *row in rows]

    def drop_proofs(self, after: bytes, now_ms: int, most: int) -> bytes:
        """Walk on over `most` proofs and remove those that are worthless. Where the walk has come to."""
        rows = self._execute("SELECT key FROM proofs WHERE key > ? ORDER BY key LIMIT ?", (after, most))
        keys: list[bytes] = [key for (key,) in rows]
        if not keys:
            return b""
        self._execute("DELETE FROM proofs WHERE key > ? AND key <= ? AND until_ms <= ?", (after, keys[-1], now_ms))
        return keys[-1]

    def drop_charges(self, horizon_ms: int, most: int) -> None:
        """Remove reservations that nobody settled before every window had ended."""
        self._execute(
            "DELETE FROM charges WHERE id IN (SELECT id FROM charges WHERE at_ms <= ? ORDER BY at_ms LIMIT ?)",
            (horizon_ms, most),
        )

    def _find(self, sql: str, keys: Sequence[tuple[object, ...]]) -> Iterable[tuple]:  # type: ignore[type-arg]
        for some in batched(keys, ROWS_A_STATEMENT):
            yield from self._execute(_with_rows(sql, len(some), len(some[0])), tuple(chain.from_iterable(some)))

    def _write(self, sql: str, rows: list) -> None:  # type: ignore[type-arg]
        if rows:
            self._executemany(sql, rows)


@lru_cache
def _with_rows(sql: str, rows: int, width: int) -> str:
    """`sql` with `:rows` replaced by placeholders: rows=2, width=3 → "(?,?,?),(?,?,?)". Sizes in, never values.

    Of width 1 they are a list, which SQLite looks up twice as fast as a table of `VALUES` that it must build first."""
    row = f"({','.join('?' * width)})"
    return sql.replace(":rows", ",".join([row] * rows))
