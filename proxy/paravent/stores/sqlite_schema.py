"""The state file: its tables, and how it is opened.

    log       what each transaction changed, newest last; all rows are born here (`sqlite_log`)
    accounts  what one payer has used: tallies and counters, one row a payer (`sqlite_account`)
    persons   who counts for a practitioner or an establishment, one row a person: exact sets
    charges   reservations that are not settled yet
    proofs    DPoP proofs that were accepted

Persons stand in it as keyed hashes (16 bytes), payers by their canonical number; no NIR, name or token. Limits do not
stand in it at all: usage is stored, never what remains, so that a policy may change at any moment.
"""

import os
import sqlite3
from pathlib import Path
from typing import Final

APPLICATION_ID: Final = 0x50415256
""" "PARV": `file state.db` tells what it is, and a file of somebody else's is refused."""

SCHEMA_VERSION: Final = 2

OLDEST_SQLITE: Final = (3, 31, 0)
"""UPSERT is of 3.24, row values of 3.15; 3.31 is what Debian 11 and Ubuntu 20.04 have."""

OPEN_TIMEOUT_S: Final = 5.0
"""Another process may be creating the file, or recovering it after a crash, just now."""

WAL_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""The write-ahead log is cut back to this after a checkpoint."""

PAGE_BYTES: Final = 2048
"""A commit writes each page it touched, about a dozen rows on a dozen pages: with SQLite's 4096 it costs half as much
again, and smaller pages gain nothing more."""

CHECKPOINT_PAGES: Final = 8000
"""16 MB of log between two checkpoints. A checkpoint waits for the disk (5 to 30 ms): at SQLite's 1000 pages one commit
in 70 would wait for it, at this one in about 600."""

_SCHEMA: Final = """
CREATE TABLE log (seq INTEGER PRIMARY KEY, entry BLOB NOT NULL);

CREATE TABLE accounts (payer TEXT PRIMARY KEY, account BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE persons (
  payer        TEXT    NOT NULL,
  subject      BLOB    NOT NULL,
  at_ms        INTEGER NOT NULL,  -- counts in a window from this moment on
  confirmed_ms INTEGER,           -- last disclosure; NULL: reserved, never disclosed
  pending      INTEGER NOT NULL,  -- reservations not settled yet
  held_by      TEXT,              -- the charge that reserved when nobody else did
  PRIMARY KEY (payer, subject)
) WITHOUT ROWID;
CREATE INDEX persons_by_age ON persons (payer, at_ms);

CREATE TABLE charges (id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX charges_by_age ON charges (at_ms);

CREATE TABLE proofs (key BLOB PRIMARY KEY, until_ms INTEGER NOT NULL) WITHOUT ROWID;
"""


class StateFileError(Exception):
    """The state file cannot be opened, or is not one of ours. Says why, without the path."""


def open_state_file(path: Path) -> sqlite3.Connection:
    """Open the state file, create it where it is absent (mode 0600: who consulted how much is personal data).

    The connection is in autocommit mode, may move to another thread, and never waits for a lock by itself.
    Raises StateFileError.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StateFileError(f"SQLite {sqlite3.sqlite_version} is too old")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(path, timeout=OPEN_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise StateFileError(_why(error)) from None
    try:
        _prepare(connection)
    except sqlite3.Error as error:
        connection.close()
        raise StateFileError(_why(error)) from None
    except StateFileError:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # before anything is written; later it does nothing
    connection.execute("PRAGMA journal_mode = WAL")
    # NORMAL: a commit is in the operating system's hands, which outlive kill -9 of any process of ours. A power cut
    # may take the last commits with it, never the file's integrity (sqlite.org/pragma.html#pragma_synchronous).
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
    connection.execute("BEGIN IMMEDIATE")
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    if tables == 0:
        _create(connection)
    elif application != APPLICATION_ID:
        raise StateFileError("this file belongs to another program")
    elif version != SCHEMA_VERSION:
        raise StateFileError(f"this file has schema {version}, this program needs {SCHEMA_VERSION}")
    connection.execute("COMMIT")
    # The writer waits for locks on its own, in smaller steps and only as long as somebody waits for the answer.
    connection.execute("PRAGMA busy_timeout = 0")


def _create(connection: sqlite3.Connection) -> None:
    # Statement by statement: executescript() would commit first, and two processes could then create at once.
    statement = ""
    for line in _SCHEMA.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


_FAULTS: Final = {
    sqlite3.SQLITE_BUSY: "another program holds it",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: this user must be able to write it and its folder",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_NOTADB: "this is no SQLite file",
    sqlite3.SQLITE_READONLY: "it cannot be written: this user must be able to write it and its folder",
}
"""By the low byte of SQLite's code, which says the kind (sqlite.org/rescode.html)."""


def _why(error: OSError | sqlite3.Error) -> str:
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0)
        return _FAULTS.get(code & 0xFF, type(error).__name__)
    return error.strerror or type(error).__name__
