"""What a state file says in all, log and tables together, as another program would read it.

whole(path)     → every person and every account, without changing anything
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from msgspec import msgpack

from paravent.stores.sqlite_account import Account
from paravent.stores.sqlite_schema import open_state_file
from paravent.stores.sqlite_state import State, Wanted


@dataclass(frozen=True, slots=True)
class Whole:
    persons: dict[tuple[str, bytes], int]
    """(payer, subject) → since when they count."""
    accounts: dict[str, Account]
    charges: set[str]
    proofs: set[bytes]


def whole(path: Path) -> Whole:
    """Waits for whoever is writing."""
    with closing(open_state_file(path)) as connection:
        connection.execute("PRAGMA busy_timeout = 10000")
        connection.execute("BEGIN IMMEDIATE")
        state = State(connection)
        assert state.begin(Wanted())
        state.write_back(2**62)
        found = Whole(
            {(payer, subject): at_ms for payer, subject, at_ms in _all(connection, "payer, subject, at_ms", "persons")},
            {payer: msgpack.decode(image, type=Account) for payer, image in _all(connection, "*", "accounts")},
            {each for (each,) in _all(connection, "id", "charges")},
            {key for (key,) in _all(connection, "key", "proofs")},
        )
        connection.execute("ROLLBACK")
    return found


def _all(connection: sqlite3.Connection, columns: str, table: str) -> list[tuple]:  # type: ignore[type-arg]
    return connection.execute(f"SELECT {columns} FROM {table}").fetchall()
