"""The reference ledger: plain dictionaries, scanned from end to end. Not for production.

Every other store must answer exactly as this one does. It is written to be read and checked by eye: no index, no
cache, no concurrency (a method never awaits, so each call is one atomic step). `simulate` and the tests use it.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from paravent.effects import (
    Budget,
    BudgetKind,
    Charge,
    Charged,
    OverBudget,
    ProofSeen,
    Replayed,
    Scope,
    Settle,
    StoreDown,
)
from paravent.model import Subject
from paravent.quota.lines import Line, event_adds, is_exact, refusal, usage_after
from paravent.quota.windows import bucket_leaves_ms, bucket_of, counts, leaves_ms
from paravent.rules import Span

type _CounterKey = tuple[str, BudgetKind, int]
"""Payer, kind, span."""

RETENTION_S: Final = 30 * 86_400
"""How long a person is remembered when no window is longer: 30 d, the longest window of the reference policy."""


@dataclass(slots=True)
class _Person:
    """One person in the set of one payer."""

    at_ms: int
    """Counts in a window from this moment: the last disclosure, or the last reservation."""
    confirmed_ms: int | None = None
    """The last disclosure."""
    pending: int = 0
    """Reservations not settled yet."""
    held_by: str | None = None
    """The charge that reserved this person while nobody else did: only it may give back what wider scopes counted."""


@dataclass(slots=True)
class MemoryLedger:
    """`paravent.ports.Ledger` in memory."""

    retention_s: int = RETENTION_S
    """Raised by itself when a longer window is charged."""
    _now_ms: int = 0
    """The highest moment ever seen: a clock that goes back must not refill a window."""
    _persons: dict[str, dict[Subject, _Person]] = field(default_factory=dict)
    _counters: dict[_CounterKey, Counter[int]] = field(default_factory=dict)
    """→ bucket number → used."""
    _open: dict[str, int] = field(default_factory=dict)
    """Charges not settled yet: id → when."""
    _proofs: dict[bytes, int] = field(default_factory=dict)
    """Proof → when it may be forgotten."""

    async def charge(self, charge: Charge) -> Charged | OverBudget | Replayed | StoreDown:
        """See `paravent.effects.Charge`. Raises ValueError when the id is that of an open charge: a bug."""
        self._move_to(charge.now_ms, charge.budgets)
        if charge.proof is not None and await self.proof_seen(charge.proof, charge.now_ms):
            return Replayed.REPLAYED
        persons = tuple(dict.fromkeys(charge.persons))
        lines = self._lines(charge, charge.budgets, persons)
        over = refusal(lines, lambda line: self._free_ms(line, persons), charge.now_ms)
        if over is not None:
            return over
        if charge.id in self._open and counts(self._open[charge.id], self._now_ms, self.retention_s):
            raise ValueError("this charge is open already")
        self._open[charge.id] = self._now_ms
        self._count(lines)
        for payer in _exact_payers(charge.budgets):
            for subject in persons:
                self._reserve(payer, subject, charge.id)
        return Charged(usage_after(lines))

    async def settle(self, settle: Settle) -> Charged | OverBudget | StoreDown:
        """See `paravent.effects.Settle`. A charge settled before, or never made, gives nothing back."""
        charge = settle.charge
        self._move_to(settle.now_ms, charge.budgets)
        opened_ms = self._open.pop(charge.id, None)
        if opened_ms is not None and not counts(opened_ms, self._now_ms, self.retention_s):
            opened_ms = None
        reserved = () if opened_ms is None else tuple(dict.fromkeys(charge.persons))
        disclosed = tuple(dict.fromkeys(settle.disclosed))
        for subject in reserved:
            if subject not in disclosed:
                self._give_back(charge, subject, opened_ms or 0)
        if opened_ms is not None and not settle.missed:
            for budget in charge.budgets:
                if budget.kind is BudgetKind.MISSES:
                    self._uncount(budget, opened_ms, (window.span for window in budget.windows))
        lines = self._lines(charge, [b for b in charge.budgets if b.kind is BudgetKind.PERSONS], disclosed)
        over = refusal(lines, lambda line: self._free_ms(line, disclosed), settle.now_ms)
        if over is not None:
            for subject in reserved:
                if subject in disclosed:
                    self._give_back(charge, subject, opened_ms or 0)
            return over
        self._count(lines)
        for payer in _exact_payers(charge.budgets):
            for subject in disclosed:
                self._disclose(payer, subject, charge.id if subject in reserved else None)
        return Charged(())

    async def proof_seen(self, proof: ProofSeen, now_ms: int) -> bool | StoreDown:
        """Remember a proof for as long as it has left to live, on our clock that never goes back."""
        self._move_to(now_ms, ())
        self._proofs = {key: until for key, until in self._proofs.items() if until > self._now_ms}
        if proof.key in self._proofs:
            return True
        self._proofs[proof.key] = proof.until_ms + self._now_ms - now_ms
        return False

    def _move_to(self, now_ms: int, budgets: Iterable[Budget]) -> None:
        """Advance the clock, and forget of these payers everything that no window can see any more."""
        self._now_ms = now = max(self._now_ms, now_ms)
        self.retention_s = max([self.retention_s, *(w.per_s for budget in budgets for w in budget.windows)])
        for budget in budgets:
            persons = self._persons.get(budget.payer, {})
            for subject in [s for s, person in persons.items() if not counts(person.at_ms, now, self.retention_s)]:
                del persons[subject]
            for window in budget.windows:
                buckets = self._counted(budget, window.span)
                for bucket in [b for b in buckets if bucket_leaves_ms(b, window.span) <= now]:
                    del buckets[bucket]

    def _lines(self, charge: Charge, budgets: Iterable[Budget], persons: tuple[Subject, ...]) -> list[Line]:
        """Sets first, then persons of wider scopes, then requests, units and misses."""
        own = next((b.payer for b in budgets if b.scope is Scope.PRACTITIONER and is_exact(b)), None)
        lines = []
        for budget in sorted(budgets, key=lambda b: (not is_exact(b), b.kind is not BudgetKind.PERSONS)):
            for window in budget.windows:
                if is_exact(budget):
                    known = self._inside(budget.payer, window.span)
                    lines.append(Line(budget, window, len(known), len(set(persons) - known)))
                elif budget.kind is BudgetKind.PERSONS:
                    known = set() if own is None else self._inside(own, window.span)
                    used = self._counted(budget, window.span).total()
                    lines.append(Line(budget, window, used, len(set(persons) - known)))
                else:
                    used = self._counted(budget, window.span).total()
                    lines.append(Line(budget, window, used, event_adds(budget, charge)))
        return lines

    def _inside(self, payer: str, span: Span) -> set[Subject]:
        persons = self._persons.get(payer, {})
        return {subject for subject, person in persons.items() if counts(person.at_ms, self._now_ms, span)}

    def _counted(self, budget: Budget, span: Span) -> Counter[int]:
        return self._counters.get((budget.payer, budget.kind, span), Counter())

    def _free_ms(self, line: Line, persons: tuple[Subject, ...]) -> int | None:
        """When enough of the oldest have left. Those asked about leave no room by leaving: they would come back."""
        span = line.window.span
        if is_exact(line.budget):
            others = self._inside(line.budget.payer, span).difference(persons)
            set_ = self._persons.get(line.budget.payer, {})
            leaving = sorted((leaves_ms(set_[subject].at_ms, span), 1) for subject in others)
        else:
            buckets = self._counted(line.budget, span)
            leaving = sorted((bucket_leaves_ms(bucket, span), used) for bucket, used in buckets.items())
        gone = 0
        for free_ms, used in leaving:
            gone += used
            if gone >= line.excess:
                return free_ms
        return None

    def _count(self, lines: Iterable[Line]) -> None:
        for line in lines:
            if line.adds and not is_exact(line.budget):
                key = (line.budget.payer, line.budget.kind, line.window.span)
                self._counters.setdefault(key, Counter())[bucket_of(self._now_ms, line.window.span)] += line.adds

    def _uncount(self, budget: Budget, at_ms: int, spans: Iterable[Span]) -> None:
        for span in spans:
            buckets, bucket = self._counted(budget, span), bucket_of(at_ms, span)
            if buckets[bucket] > 0:
                buckets[bucket] -= 1

    def _reserve(self, payer: str, subject: Subject, charge_id: str) -> None:
        person = self._persons.setdefault(payer, {}).setdefault(subject, _Person(self._now_ms))
        if person.pending == 0:
            person.held_by = charge_id
        person.pending += 1
        person.at_ms = self._now_ms

    def _disclose(self, payer: str, subject: Subject, reserved_by: str | None) -> None:
        person = self._persons.setdefault(payer, {}).setdefault(subject, _Person(self._now_ms))
        if reserved_by is not None:
            _close(person, reserved_by)
        person.at_ms = person.confirmed_ms = self._now_ms

    def _give_back(self, charge: Charge, subject: Subject, opened_ms: int) -> None:
        for budget in charge.budgets:
            person = self._persons.get(budget.payer, {}).get(subject) if is_exact(budget) else None
            if person is None:
                continue
            held = person.held_by == charge.id
            _close(person, charge.id)
            if person.pending > 0:
                continue
            before_ms = person.confirmed_ms
            if held and budget.scope is Scope.PRACTITIONER:
                self._give_back_wider(charge, before_ms, opened_ms)
            if before_ms is None:
                del self._persons[budget.payer][subject]
            else:
                person.at_ms = before_ms

    def _give_back_wider(self, charge: Charge, before_ms: int | None, opened_ms: int) -> None:
        for budget in charge.budgets:
            if budget.kind is BudgetKind.PERSONS and not is_exact(budget):
                spans = (window.span for window in budget.windows)
                new_in = (w for w in spans if before_ms is None or not counts(before_ms, opened_ms, w))
                self._uncount(budget, opened_ms, new_in)


def _exact_payers(budgets: Iterable[Budget]) -> list[str]:
    return [budget.payer for budget in budgets if is_exact(budget)]


def _close(person: _Person, charge_id: str) -> None:
    person.pending = max(0, person.pending - 1)
    if person.held_by == charge_id or person.pending == 0:
        person.held_by = None
