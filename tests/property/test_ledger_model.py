"""SqliteLedger answers as the naive model does; and the tallies of the file agree with its persons at every moment."""

import tempfile
from pathlib import Path
from unittest.mock import patch

from hypothesis.stateful import invariant

from ledger_machine import RETENTION_S, SETTINGS, LedgerMachine
from ledgers import PATIENT_MS
from paravent.stores import sqlite_state
from paravent.stores.sqlite import SqliteLedger
from state_file import whole

FEW = {"UNWRITTEN_ENTRIES": 3, "SPARE_ENTRIES": 3, "WRITTEN_AT_ONCE": 2, "KEPT": 4, "ACCOUNTS_HELD": 2}
"""So few that rows go to the tables, are let go and read again, and workers miss each other's entries."""


class SqliteMachine(LedgerMachine):
    """On a file."""

    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "state.db"
        self.few = [patch.object(sqlite_state, name, number) for name, number in FEW.items()]
        for each in self.few:
            each.start()

    def open(self) -> SqliteLedger:
        return SqliteLedger.open(self.path, deadline_ms=PATIENT_MS, retention_s=RETENTION_S)

    def teardown(self) -> None:
        super().teardown()
        for each in self.few:
            each.stop()
        self.folder.cleanup()

    @invariant()
    def tallies_agree_with_persons(self) -> None:
        file = whole(self.path)
        for payer, account in file.accounts.items():
            since = [at_ms for (paid_by, _), at_ms in file.persons.items() if paid_by == payer]
            for tally in account.tallies.values():
                inside = [at_ms for at_ms in since if at_ms > tally.left_ms]
                assert tally.used == len(inside)
                assert tally.oldest_ms <= min(inside, default=tally.oldest_ms)


class SqliteMidnightMachine(SqliteMachine):
    """Under the calendar of Paris."""

    AT_MIDNIGHT = True


SqliteMidnightMachine.TestCase.settings = SETTINGS
TestSqliteLedgerAtMidnight = SqliteMidnightMachine.TestCase
SqliteMachine.TestCase.settings = SETTINGS
TestSqliteLedgerAgainstTheModel = SqliteMachine.TestCase
