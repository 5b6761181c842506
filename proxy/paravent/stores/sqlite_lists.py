"""Short lists in the state file, each a table of its own next to the budgets.

A table is made when it is first needed, so that it changes no other one and needs no new version of the file. Each call
opens the file and closes it again: calls are few (a node looks twice a second), and the connection that budgets are
charged on stays that of one thread.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

TIMEOUT_S: Final = 2.0
"""For the lock of the file: beside a busy worker a write gets its turn in milliseconds."""


@contextmanager
def opened(path: Path, name: str, table: str) -> Iterator[sqlite3.Connection]:
    """The file as it is: made by whoever serves, never here. `table` is the statement that makes the one named."""
    uri = f"{path.as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=TIMEOUT_S, isolation_level=None)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone():
            connection.execute(table)
        # A power cut must not undo what somebody was told is in force.
        connection.execute("PRAGMA synchronous = FULL")
        yield connection
