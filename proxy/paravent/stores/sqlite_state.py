"""The state file as one worker knows it: what was changed lately in memory, everything else in the tables.

    begin(…)     read what other workers did since; look up what this transaction will need
    …            read and change rows, in memory
    finish()     one log entry
    tidy()       where nobody waits: some of the rows that have waited longest go to their tables

All of it inside the write lock, so that what is read stays true until the commit. When a transaction is rolled back,
this object is thrown away and made anew from the file.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from paravent.quota.bill import SetWindow
from paravent.quota.windows import leaves_ms, tail_ms
from paravent.stores.sqlite_account import NEVER_MS, Account, Person, Tally
from paravent.stores.sqlite_log import KEPT, Entry, Log
from paravent.stores.sqlite_recent import Recent
from paravent.stores.sqlite_tables import PersonKey, Tables

UNWRITTEN_ENTRIES: Final = 512
"""So many transactions are only in the log: a few thousand rows, a few MB, and some 20 ms to read at the next start."""

SPARE_ENTRIES: Final = 64
"""So many more while `tidy` is expected to come."""

WRITTEN_AT_ONCE: Final = 4
"""Entries whose rows go to the tables together: about a hundred rows, about a millisecond."""

WRITTEN_AT_REST: Final = 64
"""The same while there is nothing else to do: about ten milliseconds."""

ACCOUNTS_HELD: Final = 20_000
"""Payers kept in memory, of 1 to 2 kB each; the others are read when they are needed."""


@dataclass(slots=True)
class Wanted:
    """What a transaction will look up. Asking for more than is there is harmless."""

    payers: set[str] = field(default_factory=set)
    persons: set[PersonKey] = field(default_factory=set)
    charges: set[str] = field(default_factory=set)
    proofs: set[bytes] = field(default_factory=set)


class State:
    """Rows of one file, for one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.now_ms = 0
        """The highest moment ever seen by anybody: a clock that goes back must not refill a window."""
        self.longest_s = 0
        """The longest window ever charged."""
        self.tables = Tables(connection)
        self._log = Log(connection)
        self._seq = self._written = 0
        self.is_alone = True
        """No other worker has changed anything since the last transaction of this one."""
        self._accounts: dict[str, Account] = {}
        self._recent_accounts: Recent[str, Account | None] = Recent()
        self._recent_persons: Recent[PersonKey, Person | None] = Recent()
        self._recent_charges: Recent[str, int | None] = Recent()
        self._recent_proofs: Recent[bytes, int] = Recent()
        self._subjects: defaultdict[str, set[bytes]] = defaultdict(set)
        """payer → those of its persons who are recent."""
        self._begin_nothing()

    def _begin_nothing(self) -> None:
        self._started = self.now_ms, self.longest_s
        self._persons: dict[PersonKey, Person | None] = {}
        self._charges: dict[str, int | None] = {}
        self._proofs: dict[bytes, int] = {}
        self._changed_accounts: dict[str, Account | None] = {}
        self._changed_persons: set[PersonKey] = set()
        self._changed_charges: set[str] = set()
        self._changed_proofs: set[bytes] = set()

    # ---- one transaction

    def begin(self, wanted: Wanted) -> bool:
        """Inside BEGIN IMMEDIATE. False: this object missed too much, another one must be made."""
        entries = self._log.after(self._seq) if self._seq else self._log.unwritten()
        if entries is None:
            return False
        self.is_alone = not entries
        for seq, entry in entries:
            self._adopt(seq, entry)
        self._begin_nothing()
        self._look_up(wanted)
        return True

    def _look_up(self, wanted: Wanted) -> None:
        absent = [payer for payer in wanted.payers if payer not in self._accounts]
        if absent:
            self._look_up_accounts(absent)
        self._persons, unknown = _known(wanted.persons, self._recent_persons)
        if unknown:
            self._persons |= self.tables.persons(unknown)
        self._charges, strange = _known(wanted.charges, self._recent_charges)
        if strange:
            self._charges |= self.tables.charges(strange)
        self._proofs, unseen = _known(wanted.proofs, self._recent_proofs)
        if unseen:
            self._proofs |= self.tables.proofs(unseen)

    def _look_up_accounts(self, payers: list[str]) -> None:
        self._accounts |= {payer: Account() for payer in payers}
        # Not those that are recent: they were removed lately, and the table may not know it.
        self._accounts |= self.tables.accounts([payer for payer in payers if payer not in self._recent_accounts])

    def finish(self) -> None:
        """Before COMMIT."""
        if self._seq - self._written > UNWRITTEN_ENTRIES + (SPARE_ENTRIES if self.is_alone else 0):
            self.write_back(self._written + WRITTEN_AT_ONCE)
        if self._started != (self.now_ms, self.longest_s) or self._changed:
            self._append()

    @property
    def is_behind(self) -> bool:
        """Some rows have waited long enough for their tables."""
        return self._seq - self._written > UNWRITTEN_ENTRIES

    def tidy(self) -> None:
        """Before COMMIT of a transaction that nobody waits for."""
        if self.is_behind:
            self.write_back(self._written + WRITTEN_AT_ONCE)
            self._append()  # also where nothing has changed: the other workers need not write these rows
        elif self._changed:
            self._append()

    @property
    def _changed(self) -> bool:
        return bool(self._changed_accounts or self._changed_persons or self._changed_charges or self._changed_proofs)

    def _append(self) -> None:
        entry = Entry(
            self.now_ms,
            self.longest_s,
            self._written,
            list(self._changed_accounts.items()),
            [(*key, self._persons[key]) for key in self._changed_persons],
            [(each, self._charges[each]) for each in self._changed_charges],
            [(key, self._proofs[key]) for key in self._changed_proofs],
        )
        self._log.append(self._seq + 1, entry)
        self._adopt(self._seq + 1, entry)

    def _adopt(self, seq: int, entry: Entry) -> None:
        """Know what an entry says, of whomever it is."""
        self._seq = seq
        self.now_ms, self.longest_s = entry.now_ms, entry.longest_s
        if entry.written > self._written:
            self._forget(entry.written)
        for payer, account in entry.accounts:
            self._accounts.pop(payer, None)
            if account is not None:
                self._accounts[payer] = account
            self._recent_accounts.put(payer, account, seq)
        for payer, subject, person in entry.persons:
            self._recent_persons.put((payer, subject), person, seq)
            self._subjects[payer].add(subject)
        for each, at_ms in entry.charges:
            if at_ms is None and each in self._recent_charges:
                self._recent_charges.drop(each)  # opened and closed, and no table ever knew
            else:
                self._recent_charges.put(each, at_ms, seq)
        for key, until_ms in entry.proofs:
            self._recent_proofs.put(key, until_ms, seq)

    # ---- rows

    def account(self, payer: str) -> Account:
        """To read; whoever changes it says so with `touch`."""
        account = self._accounts.get(payer)
        if account is None:
            self._look_up_accounts([payer])
            account = self._accounts[payer]
        return account

    def touch(self, payer: str) -> Account:
        """To change."""
        account = self._accounts.get(payer)
        if account is None:
            account = self.account(payer)
        self._changed_accounts[payer] = account
        return account

    def person(self, key: PersonKey) -> Person | None:
        """Expired or not. Only of those that were `Wanted`."""
        return self._persons.get(key)

    def put_person(self, key: PersonKey, person: Person | None) -> None:
        """Keep or forget; the tallies follow."""
        before = self._persons.get(key)
        self.touch(key[0]).moved(before and before.at_ms, person and person.at_ms)
        self._persons[key] = person
        self._changed_persons.add(key)

    def opened_ms(self, charge_id: str) -> int | None:
        """When a charge was made; None when it is not open. Only of those that were `Wanted`."""
        return self._charges.get(charge_id)

    def put_charge(self, charge_id: str, opened_ms: int | None) -> None:
        if opened_ms is not None and charge_id in self._recent_charges:
            # Closed lately, and used again. What the table may have must go now: `_adopt` will take it for new.
            self.tables.write_charges([(charge_id, None)])
        self._charges[charge_id] = opened_ms
        self._changed_charges.add(charge_id)

    def proof_until_ms(self, key: bytes) -> int:
        """Until when a proof is remembered; 0: not at all. Only of those that were `Wanted`."""
        return self._proofs.get(key, 0)

    def put_proof(self, key: bytes, until_ms: int) -> None:
        self._proofs[key] = until_ms
        self._changed_proofs.add(key)

    # ---- sets

    def held(self, window: SetWindow) -> int:
        """How many persons a window of a set holds now."""
        payer, span = window
        left_ms = tail_ms(self.now_ms, span)
        tally = self.account(payer).tallies.get(span)
        if tally is not None and left_ms < tally.oldest_ms:
            return tally.used
        self._to_table(payer)
        if tally is None:
            used, oldest_ms = self.tables.inside(payer, left_ms)
        else:
            used = tally.used - self.tables.leaving(payer, tally.left_ms, left_ms)
            oldest_ms = self.tables.oldest_ms(payer, left_ms)
        self.touch(payer).tallies[span] = Tally(left_ms, used, NEVER_MS if oldest_ms is None else oldest_ms)
        return used

    def free_ms(self, window: SetWindow, excess: int, asked: Iterable[bytes]) -> int | None:
        """When `excess` persons other than those asked about have left the window; None when there are not as many."""
        payer, span = window
        self._to_table(payer)
        for at_ms, subject in self.tables.by_age(payer, tail_ms(self.now_ms, span)):
            excess -= subject not in asked
            if excess == 0:
                return leaves_ms(at_ms, span)
        return None

    def _to_table(self, payer: str) -> None:
        """The table `persons` knows all that is known of this payer, and its index can be asked."""
        keys = [(payer, subject) for subject in self._subjects.pop(payer, ())]
        rows = {key: self._recent_persons[key] for key in keys}
        rows |= {key: self._persons[key] for key in self._changed_persons if key[0] == payer}
        self.tables.write_persons(rows.items())
        for key in keys:
            self._recent_persons.drop(key)

    # ---- sweeping

    def forget_persons(self, payer: str, horizon_ms: int, most: int) -> int:
        """Remove persons whom no window sees any more. How many."""
        self._to_table(payer)
        gone = self.tables.gone(payer, horizon_ms, most)
        for subject, person in gone:
            self._persons[payer, subject] = person
            self.put_person((payer, subject), None)
        return len(gone)

    def prune(self, payer: str) -> None:
        """Remove what no window sees of a payer; all of it, when nothing is left."""
        account = self.account(payer)
        if account.prune(self.now_ms):
            self._to_table(payer)
            if self.tables.oldest_ms(payer, -1) is None:
                self._accounts.pop(payer, None)
                self._changed_accounts[payer] = None

    # ---- tables

    def write_back(self, seq: int) -> None:
        """Bring the tables up to an entry, so that the log need not be kept from there on."""
        seq = min(seq, self._seq)
        self.tables.write_accounts(self._recent_accounts.up_to(seq))
        self.tables.write_persons(self._recent_persons.up_to(seq))
        self.tables.write_charges(self._recent_charges.up_to(seq))
        self.tables.write_proofs(self._recent_proofs.up_to(seq))
        self._forget(seq)
        self._log.trim(min(self._written, self._seq - KEPT))
        self._let_go()

    def write_back_some(self) -> bool:
        """The same in a transaction of its own. Whether the tables have everything now, and the log only says so."""
        if self._written >= self._seq - 1 and not self._unwritten:
            return True
        self.write_back(self._written + WRITTEN_AT_REST)
        self._append()
        if not self._unwritten:
            self._log.trim(self._seq - 1)
        return not self._unwritten

    @property
    def _unwritten(self) -> int:
        rows = len(self._recent_accounts) + len(self._recent_persons)
        return rows + len(self._recent_charges) + len(self._recent_proofs)

    def _forget(self, seq: int) -> None:
        self._recent_accounts.forget(seq)
        for payer, subject in self._recent_persons.forget(seq):
            subjects = self._subjects[payer]
            subjects.discard(subject)
            if not subjects:
                del self._subjects[payer]
        self._recent_charges.forget(seq)
        self._recent_proofs.forget(seq)
        self._written = max(seq, self._written)

    def _let_go(self) -> None:
        """Hold no more accounts than `ACCOUNTS_HELD`; those not changed for longest go first."""
        excess = len(self._accounts) - ACCOUNTS_HELD
        if excess > 0:
            for payer in list(islice(self._accounts, excess)):
                if payer not in self._recent_accounts and payer not in self._changed_accounts:
                    del self._accounts[payer]


def _known[Key, Row](wanted: Iterable[Key], recent: Recent[Key, Row]) -> tuple[dict[Key, Row], list[Key]]:
    """Those that are recent, and those that only a table can know."""
    known: dict[Key, Row] = {}
    unknown: list[Key] = []
    for key in wanted:
        if key in recent:
            known[key] = recent[key]
        else:
            unknown.append(key)
    return known, unknown
