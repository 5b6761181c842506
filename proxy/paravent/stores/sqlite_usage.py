"""What has been used, read from the state file beside those who write it: one snapshot, no lock, nothing changed."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from paravent.effects import Budget, StoreDown, Usage
from paravent.quota.charges import PRACTITIONER
from paravent.quota.lines import is_exact
from paravent.quota.windows import tail_ms
from paravent.rules import Span
from paravent.stores.sqlite_account import Account, Person
from paravent.stores.sqlite_log import Log
from paravent.stores.sqlite_tables import PersonKey, Tables

TIMEOUT_S: Final = 2.0

_AT: Final = "SELECT at_ms FROM persons WHERE payer = ? AND subject = ?"
_INSIDE: Final = "SELECT COUNT(*) FROM persons WHERE payer = ? AND at_ms > ?"
_BY_PRACTITIONER: Final = """
SELECT payer, COUNT(*) FROM persons WHERE payer >= ? AND payer < ? AND at_ms > ? GROUP BY payer
"""


class SqliteUsage:
    """`paravent.ports.UsageBook` on the state file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def used(self, budgets: tuple[Budget, ...], now_ms: int) -> tuple[Usage, ...] | StoreDown:
        try:
            with _opened(self._path) as connection:
                seen = _Snapshot(connection, now_ms)
                return tuple(
                    Usage(budget.scope, budget.kind, window, seen.used(budget, window.span))
                    for budget in budgets
                    for window in budget.windows
                )
        except sqlite3.Error:
            return StoreDown.UNAVAILABLE

    def persons(self, spans: tuple[Span, ...], now_ms: int) -> Mapping[str, tuple[int, ...]] | StoreDown:
        try:
            with _opened(self._path) as connection:
                seen = _Snapshot(connection, now_ms)
                columns = [seen.by_practitioner(span) for span in spans]
        except sqlite3.Error:
            return StoreDown.UNAVAILABLE
        payers = sorted({payer for column in columns for payer, persons in column.items() if persons})
        return {payer: tuple(column.get(payer, 0) for column in columns) for payer in payers}


class _Snapshot:
    """The file at one moment: its tables, and what the log says beyond them."""

    def __init__(self, connection: sqlite3.Connection, now_ms: int) -> None:
        self._execute = connection.execute
        self._tables = Tables(connection)
        self._now_ms = now_ms
        self._accounts: dict[str, Account | None] = {}
        self._persons: dict[PersonKey, Person | None] = {}
        for _, entry in Log(connection).unwritten():
            self._now_ms = max(now_ms, entry.now_ms)
            self._accounts.update(entry.accounts)
            self._persons.update(((payer, subject), person) for payer, subject, person in entry.persons)

    def used(self, budget: Budget, span: Span) -> int:
        """One window of one budget."""
        if is_exact(budget):
            left_ms = tail_ms(self._now_ms, span)
            (held,) = self._execute(_INSIDE, (budget.payer, left_ms)).fetchone()
            return int(held) + self._moved(left_ms).get(budget.payer, 0)
        if budget.payer not in self._accounts:
            self._accounts[budget.payer] = self._tables.accounts([budget.payer]).get(budget.payer)
        account = self._accounts[budget.payer] or Account()
        return account.counted(budget.kind.value, span, self._now_ms)

    def by_practitioner(self, span: Span) -> dict[str, int]:
        """Persons in one window of everybody who has any."""
        left_ms = tail_ms(self._now_ms, span)
        after = PRACTITIONER[:-1] + chr(ord(PRACTITIONER[-1]) + 1)
        held: dict[str, int] = dict(self._execute(_BY_PRACTITIONER, (PRACTITIONER, after, left_ms)).fetchall())
        for payer, moved in self._moved(left_ms).items():
            if payer.startswith(PRACTITIONER):
                held[payer] = held.get(payer, 0) + moved
        return held

    def _moved(self, left_ms: int) -> dict[str, int]:
        """By payer, how many more persons a window holds than its table says."""
        moved: dict[str, int] = {}
        for (payer, subject), person in self._persons.items():
            row = self._execute(_AT, (payer, subject)).fetchone()
            more = (person is not None and person.at_ms > left_ms) - (row is not None and row[0] > left_ms)
            moved[payer] = moved.get(payer, 0) + more
        return moved


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    # Not mode=ro: the last one to close the file takes its log with it, and a reader could not make it anew.
    uri = f"{path.as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=TIMEOUT_S, isolation_level=None)) as connection:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")
        yield connection
