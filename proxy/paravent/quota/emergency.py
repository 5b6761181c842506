"""What one node lets through beside the state store while that does not answer.

A pair of practitioner and person counts for the policy's window after it was last asked about, found or not: an answer
gives nothing back, so that guessing is bound by the same number. How much there is, is never known to be less than it
was: a second outage on the same day finds what the first one left.
"""

from bisect import bisect_right
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from paravent.effects import Budget, Scope
from paravent.model import Subject
from paravent.quota.lines import is_exact
from paravent.rules import Emergency

QUESTIONS_A_PERSON: Final = 10
"""A second look is free, and is bounded all the same: a portal asks two or three times about a patient."""


@dataclass(frozen=True, slots=True)
class Share:
    """Which part of a node's emergency budget is ours."""

    workers: int = 1
    """Processes of this node."""
    worker: int = 1
    """Ours, from 1."""

    def of(self, limit: int) -> int:
        """The parts of all workers add up to `limit`."""
        return limit // self.workers + (self.worker <= limit % self.workers)


class EmergencyBook:
    """Who was let through. At most as many pairs as the policy's `node`; `now_ms` of a clock that is never set."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._at: OrderedDict[tuple[str, Subject], int] = OrderedDict()
        """(payer, person) → when last asked about, oldest first."""
        self._persons: Counter[str] = Counter()
        self._questions: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._at)

    def has_room(self, limits: Emergency, now_ms: int) -> bool:
        """Somebody could still be let through. Nothing is changed: readiness is asked on threads of its own."""
        at_ms = list(self._at.values())
        held = len(at_ms) - bisect_right(at_ms, now_ms - limits.per_s * 1000)
        return held < self._share.of(limits.node) and self._share.of(limits.practitioner) > 0

    def take(self, payer: str, persons: Iterable[Subject], limits: Emergency, now_ms: int) -> bool:
        """Count one question of a practitioner about these persons, or nothing when one limit has no room."""
        self._forget(limits, now_ms)
        pairs = [(payer, person) for person in dict.fromkeys(persons)]
        new = sum(pair not in self._at for pair in pairs)
        own, node = self._share.of(limits.practitioner), self._share.of(limits.node)
        if new and (self._persons[payer] + new > own or len(self._at) + new > node):
            return False
        if self._questions[payer] >= own * QUESTIONS_A_PERSON:
            return False
        self._questions[payer] += 1
        self._persons[payer] += new
        for pair in pairs:
            self._at[pair] = now_ms
            self._at.move_to_end(pair)
        return True

    def _forget(self, limits: Emergency, now_ms: int) -> None:
        while self._at:
            pair = next(iter(self._at))
            if now_ms < self._at[pair] + limits.per_s * 1000:
                return
            del self._at[pair]
            self._persons[pair[0]] -= 1
            if self._persons[pair[0]] == 0:
                del self._persons[pair[0]], self._questions[pair[0]]


def own_payer(budgets: Iterable[Budget]) -> str | None:
    """The practitioner's, whose set of persons the wider scopes lean on."""
    return next((each.payer for each in budgets if each.scope is Scope.PRACTITIONER and is_exact(each)), None)
