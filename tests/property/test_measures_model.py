"""Grants, a broken glass and suspensions over one practitioner's limit, against a naive model of all three.

Whatever the order of questions, grants, withdrawals and releases, and whatever the clock: a question is decided as the
model says, which keeps plain lists and works everything out anew.
"""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from door import LIMIT, WINDOW_S, Door
from effort import examples
from paravent.decide import Allow
from paravent.effects import Measure, MeasureKind
from paravent.reasons import Reason
from paravent.rules import BreakGlass, Grants, Suspension
from tokens import NOW_S

GRANTS = Grants(extra_persons=4, longest_s=90)
GLASS = BreakGlass(extra_persons=2, lasts_s=50, once_per_s=300)
SUSPENSION = Suspension(refusals=4, within_s=60, lasts_s=120)
WHY = b"Campagne de vaccination au gymnase"
MOST = LIMIT + GRANTS.extra_persons + GLASS.extra_persons


class MeasuresMachine(RuleBasedStateMachine):
    """One pharmacist and one operator."""

    def __init__(self) -> None:
        super().__init__()
        self.door = Door(grants=GRANTS, break_glass=GLASS, suspension=SUSPENSION)
        self.grants: list[Measure] = []
        self.now_s = 0
        self.seen: dict[int, int] = {}
        self.refused: list[int] = []
        self.glass_s: int | None = None
        self.suspended_until_s = 0
        self.count = 0

    # ---- the model

    def inside(self) -> set[int]:
        return {person for person, at_s in self.seen.items() if self.now_s < at_s + WINDOW_S}

    def limit(self) -> int:
        now_s = NOW_S + self.now_s
        standing = [g for g in self.grants if g.from_s <= now_s < min(g.until_s, g.from_s + GRANTS.longest_s)]
        granted = min(sum(each.persons for each in standing), GRANTS.extra_persons)
        broken = self.glass_s is not None and self.now_s < self.glass_s + GLASS.lasts_s
        return LIMIT + granted + (GLASS.extra_persons if broken else 0)

    def expected(self, person: int, words: bool) -> Reason | None:
        """And what it leaves behind."""
        if self.now_s < self.suspended_until_s:
            return Reason.PRACTITIONER_SUSPENDED
        short = len(self.inside() | {person}) - self.limit()
        known = person in self.inside()
        whole = self.glass_s is None or self.now_s >= self.glass_s + GLASS.once_per_s
        if not known and short > 0 and words and whole and short <= GLASS.extra_persons:
            self.glass_s, short = self.now_s, 0
        if known or short <= 0:
            self.seen[person] = self.now_s
            return None
        # A counter forgets a sixtieth of its window late.
        if sum(self.now_s <= at_s + SUSPENSION.within_s for at_s in self.refused) >= SUSPENSION.refusals - 1:
            self.suspended_until_s = self.now_s + SUSPENSION.lasts_s
            return Reason.PRACTITIONER_SUSPENDED
        self.refused.append(self.now_s)
        return Reason.PERSONS_OVER_BUDGET

    # ---- what happens

    @rule(first=st.integers(0, 40), number=st.integers(1, 8), words=st.booleans())
    def ask(self, first: int, number: int, words: bool) -> None:
        """About several in a row, some of them known."""
        for person in range(first, first + number):
            expected = self.expected(person, words)
            verdict = self.door.ask(tuple(self.grants), self.now_s, why=WHY if words else None, person=person)
            assert (None if isinstance(verdict, Allow) else verdict.reason) is expected

    @rule(persons=st.integers(1, 6), lasts_s=st.sampled_from([1, 30, 90, 200]), waits_s=st.sampled_from([0, 0, 10]))
    def grant(self, persons: int, lasts_s: int, waits_s: int) -> None:
        self.count += 1
        from_s = NOW_S + self.now_s + waits_s
        made = Measure(f"{self.count:016x}", MeasureKind.GRANT, "ab" * 16, persons, from_s, from_s + lasts_s)
        self.grants.append(made)

    @precondition(lambda self: self.grants)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        self.grants.remove(data.draw(st.sampled_from(self.grants)))

    @rule()
    def release(self) -> None:
        self.door.book = [each for each in self.door.book if each.kind is not MeasureKind.SUSPENSION]
        self.suspended_until_s = 0

    @rule(seconds=st.sampled_from([1, 1, 9, 49, 50, 59, 60, 61, 120, 250]))
    def time_passes(self, seconds: int) -> None:
        self.now_s += seconds

    @rule()
    def reload(self) -> None:
        """Another revision of the same policy: nothing is forgotten."""
        self.door.rules = replace(self.door.rules, policy=replace(self.door.rules.policy, revision="0" * 16))

    @invariant()
    def never_more_than_the_policy_can_give(self) -> None:
        assert len(self.inside()) <= MOST


MeasuresMachine.TestCase.settings = settings(max_examples=examples(40), stateful_step_count=40, deadline=None)
TestMeasuresAgainstTheModel = MeasuresMachine.TestCase
