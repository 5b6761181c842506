"""Charge, settle and replay memory, inside one SQLite transaction. What the answers must be: `stores.memory`.

    begin()                                     a moment that never goes back
    charge() | settle() | proof_seen()          any number
    finish()                                    sweep a little, keep the clock

Each of the three checks everything before it writes anything; whoever calls them rolls back when one raises.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from paravent.effects import Charge, Charged, OverBudget, ProofSeen, Settle
from paravent.model import Subject
from paravent.quota.bill import Bill, bill_of
from paravent.quota.lines import Line, is_exact, refusal, usage_after
from paravent.quota.windows import counts
from paravent.stores.sqlite_counters import Counters
from paravent.stores.sqlite_persons import Person, PersonKey, Persons
from paravent.stores.sqlite_sweep import sweep

SWEEP_EVERY: Final = 32
"""Operations between two sweeps."""

SWEPT_AT_MOST: Final = 16 * SWEEP_EVERY
"""Expired rows removed from one table by one sweep. An operation adds about five to a table, so rows are swept faster
than they come, and a file that wakes from a long rest is not swept in one go: at 10 us a row, 5 ms."""

NOBODY: Final = Person(-(2**53), None, 0, None)
"""A person whom no set knows: last seen before any window."""


@dataclass(frozen=True, slots=True)
class _Moment:
    now_ms: int
    longest_s: int


class Books:
    """The state file as seen by one transaction after another of one connection."""

    def __init__(self, connection: sqlite3.Connection, retention_s: int) -> None:
        """`retention_s`: how long a person is remembered; a longer window that is charged raises it."""
        self._execute = connection.execute
        self._persons = Persons(connection)
        self._counters = Counters(connection)
        self._retention_s = retention_s
        self._stored = self._moment = _Moment(0, 0)
        self._since_sweep = 0

    def begin(self) -> None:
        """Read the clock. To be called inside BEGIN IMMEDIATE: nobody else moves it until the transaction ends."""
        highest_ms, longest_s = self._execute("SELECT highest_ms, longest_s FROM clock").fetchone()
        self._stored = _Moment(highest_ms, longest_s)
        self._moment = _Moment(highest_ms, max(longest_s, self._retention_s))

    def finish(self) -> None:
        """Write the clock; now and then remove some of what no window can see any more."""
        now_ms, longest_s = self._moment.now_ms, self._moment.longest_s
        if self._moment != self._stored:
            self._execute("UPDATE clock SET highest_ms = ?, longest_s = ?", (now_ms, longest_s))
        if self._since_sweep >= SWEEP_EVERY:
            sweep(self._execute, now_ms, now_ms - longest_s * 1000, SWEPT_AT_MOST)
            self._since_sweep = 0

    def charge(self, charge: Charge) -> Charged | OverBudget:
        """Reserve all or nothing. Raises ValueError when the id is that of an open charge: a bug of the caller."""
        bill = bill_of(charge.budgets)
        self._move_to(charge.now_ms, bill)
        subjects = _distinct(charge.persons)
        known = self._find(bill, subjects)
        lines = [*self._person_lines(bill, subjects, known), *self._event_lines(bill)]
        over = refusal(lines, lambda line: self._free_ms(line, subjects), charge.now_ms)
        if over is not None:
            return over
        self._open(charge.id)
        self._count(lines)
        now_ms = self._moment.now_ms
        self._persons.write({key: known.get(key, NOBODY).reserved(now_ms, charge.id) for key in _keys(bill, subjects)})
        return Charged(usage_after(lines))

    def settle(self, settle: Settle) -> Charged | OverBudget:
        """Keep what was disclosed, give back the rest. A charge that is not open gives nothing back."""
        charge, bill = settle.charge, bill_of(settle.charge.budgets)
        self._move_to(settle.now_ms, bill)
        disclosed = _distinct(settle.disclosed)
        opened_ms = self._close(charge.id)
        reserved = () if opened_ms is None else _distinct(charge.persons)
        if opened_ms is not None:
            self._give_back(charge.id, bill, opened_ms, [subject for subject in reserved if subject not in disclosed])
            if not settle.missed:
                self._counters.give_back(bill.misses, opened_ms)
        known = self._find(bill, disclosed)
        lines = self._person_lines(bill, disclosed, known, only_new=True)
        over = refusal(lines, lambda line: self._free_ms(line, disclosed), settle.now_ms)
        if over is not None:
            if opened_ms is not None:
                self._give_back(charge.id, bill, opened_ms, [subject for subject in reserved if subject in disclosed])
            return over
        self._count(lines)
        now_ms = self._moment.now_ms
        reserved_by = {subject: charge.id for subject in reserved}
        self._persons.write(
            {key: known.get(key, NOBODY).disclosed(now_ms, reserved_by.get(key[1])) for key in _keys(bill, disclosed)}
        )
        return Charged(())

    def proof_seen(self, proof: ProofSeen, now_ms: int) -> bool:
        """Insert or report. A proof is kept for as long as it has left to live, counted on the clock that never goes
        back: setting the machine's clock back does not make room for a replay."""
        self._move_to(now_ms, None)
        until_ms = proof.until_ms + self._moment.now_ms - now_ms
        written = self._execute(
            "INSERT INTO proofs VALUES (?1, ?2)"
            " ON CONFLICT (key) DO UPDATE SET until_ms = excluded.until_ms WHERE proofs.until_ms <= ?3",
            (proof.key, until_ms, self._moment.now_ms),
        )
        return written.rowcount == 0

    def _move_to(self, now_ms: int, bill: Bill | None) -> None:
        moment = self._moment
        longest_s = moment.longest_s if bill is None else max(moment.longest_s, bill.longest_s)
        self._moment = _Moment(max(moment.now_ms, now_ms), longest_s)
        self._since_sweep += 1

    def _open(self, charge_id: str) -> None:
        now_ms = self._moment.now_ms
        written = self._execute(
            "INSERT INTO charges VALUES (?1, ?2)"
            " ON CONFLICT (id) DO UPDATE SET at_ms = excluded.at_ms WHERE charges.at_ms <= ?3",
            (charge_id, now_ms, now_ms - self._moment.longest_s * 1000),
        )
        if written.rowcount == 0:
            raise ValueError("this charge is open already")

    def _close(self, charge_id: str) -> int | None:
        """When the charge was made; None when it is not open."""
        row = self._execute("SELECT at_ms FROM charges WHERE id = ?", (charge_id,)).fetchone()
        if row is None or not counts(row[0], self._moment.now_ms, self._moment.longest_s):
            return None
        self._execute("DELETE FROM charges WHERE id = ?", (charge_id,))
        opened_ms: int = row[0]
        return opened_ms

    def _find(self, bill: Bill, subjects: Iterable[bytes]) -> dict[PersonKey, Person]:
        return self._persons.find(_keys(bill, subjects), self._moment.now_ms, self._moment.longest_s)

    def _person_lines(
        self, bill: Bill, subjects: Sequence[bytes], known: Mapping[PersonKey, Person], *, only_new: bool = False
    ) -> list[Line]:
        """These persons against every window that counts persons; or only those windows in which one of them is new."""
        now_ms = self._moment.now_ms

        def new(payer: str | None, per_s: int) -> int:
            persons = (NOBODY if payer is None else known.get((payer, subject), NOBODY) for subject in subjects)
            return sum(not counts(person.at_ms, now_ms, per_s) for person in persons)

        sets = [(*each, new(each[1].payer, each[2].per_s)) for each in bill.set_windows]
        if only_new:
            sets = [each for each in sets if each[3]]
        # A wider scope counts who is new to the practitioner; nobody new costs no look.
        wider = [(*each, adds) for each in bill.person_counters if (adds := new(bill.own, each[2].per_s))]
        held = self._persons.used([key for key, _, _, _ in sets], now_ms)
        counted = self._counters.used([key for key, _, _, _ in wider], now_ms)
        lines = [Line(budget, window, held[key], adds) for key, budget, window, adds in sets]
        return [*lines, *(Line(budget, window, counted[key], adds) for key, budget, window, adds in wider)]

    def _event_lines(self, bill: Bill) -> list[Line]:
        """One request, and one miss that may come, against every window that counts those."""
        counted = self._counters.used([key for key, _, _ in bill.event_counters], self._moment.now_ms)
        return [Line(budget, window, counted[key], 1) for key, budget, window in bill.event_counters]

    def _free_ms(self, line: Line, subjects: Sequence[bytes]) -> int | None:
        budget, per_s, now_ms = line.budget, line.window.per_s, self._moment.now_ms
        if is_exact(budget):
            return self._persons.free_ms((budget.payer, per_s), line.excess, subjects, now_ms)
        return self._counters.free_ms((budget.payer, budget.kind.value, per_s), line.excess, now_ms)

    def _count(self, lines: Iterable[Line]) -> None:
        amounts = [
            ((line.budget.payer, line.budget.kind.value, line.window.per_s), line.adds)
            for line in lines
            if line.adds and not is_exact(line.budget)
        ]
        self._counters.add(amounts, self._moment.now_ms)

    def _give_back(self, charge_id: str, bill: Bill, opened_ms: int, subjects: Sequence[bytes]) -> None:
        for key, person in self._find(bill, subjects).items():
            released = person.released(charge_id)
            if released.pending == 0 and key[0] == bill.own and person.held_by == charge_id:
                self._give_back_wider(bill, opened_ms, released.confirmed_ms)
            if released.pending == 0 and released.confirmed_ms is None:
                self._persons.remove(key)
            else:
                self._persons.write({key: released})

    def _give_back_wider(self, bill: Bill, opened_ms: int, confirmed_ms: int | None) -> None:
        """One person of one practitioner, from the counters of those windows in which they were new at `opened_ms`.
        Who was disclosed later than that was, in hindsight, not new in any."""
        self._counters.give_back(
            [
                key
                for key, _, window in bill.person_counters
                if confirmed_ms is None or not counts(confirmed_ms, opened_ms, window.per_s)
            ],
            opened_ms,
        )


def _distinct(persons: Iterable[Subject]) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(person.key for person in persons))


def _keys(bill: Bill, subjects: Iterable[bytes]) -> list[PersonKey]:
    return [(payer, subject) for subject in subjects for payer in bill.sets]
