"""Charge, settle and replay memory, inside one SQLite transaction. What the answers must be: `stores.memory`.

    begin(operations)                           what they will need is looked up in one go
    charge() | settle() | proof_seen()          any number
    finish()                                    write the log
    tidy()                                      in a transaction of its own: sweep a little, write the tables

Each of the three checks everything before it changes anything; whoever calls them rolls back when one raises.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

from paravent.effects import Charge, Charged, OverBudget, ProofSeen, Replayed, Settle
from paravent.model import Subject
from paravent.quota.bill import Bill, Bills, bill_of
from paravent.quota.lines import Line, event_adds, is_exact, refusal, usage_after
from paravent.quota.windows import counts, tail_ms
from paravent.stores.sqlite_account import Person
from paravent.stores.sqlite_state import State, Wanted
from paravent.stores.sqlite_sweep import Sweep
from paravent.stores.sqlite_tables import PersonKey
from paravent.values import Value

SWEEP_EVERY: Final = 32
"""Operations between two sweeps."""

SWEEP_OVERDUE: Final = 4 * SWEEP_EVERY
"""So many while `tidy` is expected to come."""

NOBODY: Final = Person(-(2**53), None, 0, None)
"""A person whom no set knows: last seen before any window."""


class Prove(Value, frozen=True):
    """Remember a proof alone."""

    proof: ProofSeen
    now_ms: int


class Confirm(Value, frozen=True):
    """Write a settlement that was answered before it was written."""

    settle: Settle


type Operation = Charge | Settle | Confirm | Prove
type Told = Charged | OverBudget | Replayed | bool


class Books:
    """The state file as seen by one transaction after another of one connection."""

    def __init__(self, connection: sqlite3.Connection, retention_s: int) -> None:
        """`retention_s`: how long a person is remembered; a longer window that is charged raises it."""
        self._connection = connection
        self._retention_s = retention_s
        self._state = State(connection)
        self._bills = Bills(bill_of)
        self._sweep = Sweep()
        self._since_sweep = 0

    def begin(self, operations: Iterable[Operation]) -> None:
        """To be called inside BEGIN IMMEDIATE: nobody else changes anything until the transaction ends."""
        wanted = Wanted()
        for operation in operations:
            self._want(wanted, operation)
        if not self._state.begin(wanted):
            self._state = State(self._connection)
            self._state.begin(wanted)
        self._state.longest_s = max(self._state.longest_s, self._retention_s)

    def perform(self, operation: Operation) -> Told:
        """One of the operations that `begin` was told of."""
        self._since_sweep += 1
        match operation:
            case Charge():
                return self.charge(operation)
            case Settle():
                return self.settle(operation)
            case Confirm(settle):
                return self.settle(settle, answered=True)
            case Prove(proof, now_ms):
                self._move_to(now_ms)
                return self._seen(proof, now_ms)

    def _want(self, wanted: Wanted, operation: Operation) -> None:
        if isinstance(operation, Prove):
            wanted.proofs.add(operation.proof.key)
            return
        if isinstance(operation, Confirm):
            operation = operation.settle
        charge = operation if isinstance(operation, Charge) else operation.charge
        bill = self._bills.of(charge.budgets)
        wanted.charges.add(charge.id)
        wanted.payers.update(bill.payers)
        wanted.persons.update(_keys(bill, [person.key for person in charge.persons]))
        if isinstance(operation, Settle):
            wanted.persons.update(_keys(bill, [person.key for person in operation.disclosed]))
        elif operation.proof is not None:
            wanted.proofs.add(operation.proof.key)

    def finish(self) -> None:
        """Write the log. What somebody waits for does no more, as long as `tidy` comes; and it is not to come while
        other workers are about, who would have to wait for one more lock."""
        if self._since_sweep >= (SWEEP_OVERDUE if self._state.is_alone else SWEEP_EVERY):
            self._sweep_up()
        self._state.finish()

    @property
    def is_untidy(self) -> bool:
        """`tidy` has something to do."""
        return self._state.is_alone and (self._since_sweep >= SWEEP_EVERY or self._state.is_behind)

    def tidy(self) -> None:
        """Remove some of what no window can see any more, bring the tables up to date by some rows. Nobody waits."""
        if self._since_sweep >= SWEEP_EVERY:
            self._sweep_up()
        self._state.tidy()

    def _sweep_up(self) -> None:
        """As often as operations were performed: in one go for those that had no time for it."""
        for _ in range(self._since_sweep // SWEEP_EVERY):
            self._sweep.step(self._state)
        self._since_sweep %= SWEEP_EVERY

    def rest(self) -> bool:
        """Nothing else is to be done: bring the tables up to date, some rows at a time. Whether they are."""
        return self._state.write_back_some()

    def charge(self, charge: Charge) -> Charged | OverBudget | Replayed:
        """Reserve all or nothing. Raises ValueError when the id is that of an open charge: a bug of the caller."""
        bill = self._bills.of(charge.budgets)
        self._move_to(charge.now_ms, bill)
        if charge.proof is not None and self._seen(charge.proof, charge.now_ms):
            return Replayed.REPLAYED
        subjects = _distinct(charge.persons)
        sets, counters = self._person_lines(bill, subjects)
        self._event_lines(bill, charge, counters)
        over = refusal([*sets, *counters], lambda line: self._free_ms(line, subjects), charge.now_ms)
        if over is not None:
            return over
        state = self._state
        opened_ms = state.opened_ms(charge.id)
        if opened_ms is not None and self._counts(opened_ms):
            raise ValueError("this charge is open already")
        state.put_charge(charge.id, state.now_ms)
        self._count(counters)
        for key in _keys(bill, subjects):
            state.put_person(key, self._known(key).reserved(state.now_ms, charge.id))
        return Charged(usage_after([*sets, *counters]))

    def settle(self, settle: Settle, *, answered: bool = False) -> Charged | OverBudget:
        """Keep what was disclosed, give back the rest. A charge that is not open gives nothing back.

        `answered`: the persons have left already, so they are counted, room or not. Another process whose clock is
        ahead may have moved this file past their reservation, and given their places away.
        """
        charge, bill, state = settle.charge, self._bills.of(settle.charge.budgets), self._state
        self._move_to(settle.now_ms, bill)
        disclosed = _distinct(settle.disclosed)
        opened_ms = self._close(charge.id)
        reserved = () if opened_ms is None else _distinct(charge.persons)
        if opened_ms is not None:
            self._give_back(charge.id, bill, opened_ms, [subject for subject in reserved if subject not in disclosed])
            if not settle.missed:
                for payer, kind, span in bill.misses:
                    state.touch(payer).uncount(kind, span, opened_ms)
        sets, counters = self._person_lines(bill, disclosed, only_new=True)
        over = refusal([*sets, *counters], lambda line: self._free_ms(line, disclosed), settle.now_ms)
        if over is not None and not answered:
            if opened_ms is not None:
                self._give_back(charge.id, bill, opened_ms, [subject for subject in reserved if subject in disclosed])
            return over
        self._count(counters)
        for key in _keys(bill, disclosed):
            reserved_by = charge.id if key[1] in reserved else None
            state.put_person(key, self._known(key).disclosed(state.now_ms, reserved_by))
        return Charged(())

    def _seen(self, proof: ProofSeen, now_ms: int) -> bool:
        """Whether it was seen; from now on it is. A proof is kept for as long as it has left to live, counted on the
        clock that never goes back: setting the machine's clock back does not make room for a replay."""
        state = self._state
        if state.proof_until_ms(proof.key) > state.now_ms:
            return True
        state.put_proof(proof.key, proof.until_ms + state.now_ms - now_ms)
        return False

    def _move_to(self, now_ms: int, bill: Bill | None = None) -> None:
        state = self._state
        state.now_ms = max(state.now_ms, now_ms)
        if bill is not None:
            state.longest_s = max(state.longest_s, bill.longest_s)

    def _counts(self, at_ms: int) -> bool:
        return counts(at_ms, self._state.now_ms, self._state.longest_s)

    def _known(self, key: PersonKey) -> Person:
        """One whose time is over is nobody, swept already or not."""
        state = self._state
        person = state.person(key)
        # As `counts` says it, without the calls: eight persons are looked up in each request.
        return NOBODY if person is None or person.at_ms <= state.now_ms - state.longest_s * 1000 else person

    def _close(self, charge_id: str) -> int | None:
        """When the charge was made; None when it is not open."""
        opened_ms = self._state.opened_ms(charge_id)
        if opened_ms is None or not self._counts(opened_ms):
            return None
        self._state.put_charge(charge_id, None)
        return opened_ms

    def _person_lines(
        self, bill: Bill, subjects: Sequence[bytes], *, only_new: bool = False
    ) -> tuple[list[Line], list[Line]]:
        """These persons against every window that counts persons, sets and counters; or only against those windows in
        which one of them is new."""
        state, now_ms = self._state, self._state.now_ms
        since = {payer: [self._known((payer, subject)).at_ms for subject in subjects] for payer in bill.sets}
        sets: list[Line] = []
        if (
            only_new
            and bill.own is not None
            and _left(chain.from_iterable(since.values()), now_ms - bill.shortest_ms) == 0
        ):
            return sets, []  # inside the shortest window, so inside all: what most settlements are about
        for window, budget, limit in bill.set_windows:
            adds = _left(since[budget.payer], tail_ms(now_ms, window[1]))
            if adds or not only_new:
                sets.append(Line(budget, limit, state.held(window), adds))
        counters = []
        own = None if bill.own is None else since[bill.own]
        for (payer, kind, span), budget, limit in bill.person_counters:
            # A wider scope counts who is new to the practitioner; nobody new costs no look.
            adds = len(subjects) if own is None else _left(own, tail_ms(now_ms, span))
            if adds:
                counters.append(Line(budget, limit, state.account(payer).counted(kind, span, now_ms), adds))
        return sets, counters

    def _event_lines(self, bill: Bill, charge: Charge, lines: list[Line]) -> None:
        """One request with its units, and one miss that may come, against every window that counts those."""
        state = self._state
        for (payer, kind, span), budget, window in bill.event_counters:
            used = state.account(payer).counted(kind, span, state.now_ms)
            lines.append(Line(budget, window, used, event_adds(budget, charge)))

    def _free_ms(self, line: Line, subjects: Sequence[bytes]) -> int | None:
        budget, span = line.budget, line.window.span
        if is_exact(budget):
            return self._state.free_ms((budget.payer, span), line.excess, subjects)
        return self._state.account(budget.payer).free_ms(budget.kind.value, span, line.excess)

    def _count(self, counters: Iterable[Line]) -> None:
        state = self._state
        for line in counters:
            budget = line.budget
            state.touch(budget.payer).count(budget.kind.value, line.window.span, line.adds, state.now_ms)

    def _give_back(self, charge_id: str, bill: Bill, opened_ms: int, subjects: Sequence[bytes]) -> None:
        for key in _keys(bill, subjects):
            person = self._known(key)
            if person is NOBODY:
                continue
            released = person.released(charge_id)
            if released.pending == 0 and key[0] == bill.own and person.held_by == charge_id:
                self._give_back_wider(bill, opened_ms, released.confirmed_ms)
            forgotten = released.pending == 0 and released.confirmed_ms is None
            self._state.put_person(key, None if forgotten else released)

    def _give_back_wider(self, bill: Bill, opened_ms: int, confirmed_ms: int | None) -> None:
        """One person of one practitioner, from the counters of those windows in which they were new at `opened_ms`.
        Who was disclosed later than that was, in hindsight, not new in any."""
        for payer, kind, span in (key for key, _, _ in bill.person_counters):
            if confirmed_ms is None or not counts(confirmed_ms, opened_ms, span):
                self._state.touch(payer).uncount(kind, span, opened_ms)


def _left(since_ms: Iterable[int], last_ms: int) -> int:
    """How many are no longer inside a window, or never were."""
    left = 0
    for at_ms in since_ms:
        if at_ms <= last_ms:
            left += 1
    return left


def _distinct(persons: Iterable[Subject]) -> tuple[bytes, ...]:
    keys = [person.key for person in persons]
    return tuple(keys if len(keys) < 2 else dict.fromkeys(keys))


def _keys(bill: Bill, subjects: Iterable[bytes]) -> list[PersonKey]:
    return [(payer, subject) for subject in subjects for payer in bill.sets]
