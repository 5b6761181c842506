"""One pharmacist who asks about one new person after the other, against a real ledger and a small limit.

door = Door(grants=Grants(3, 60))           # what else quotas.yaml says
verdict = door.ask(after_s=30)
"""

import asyncio
from dataclasses import replace
from typing import Any

from msgspec import structs

from asking import ISSUER_KEY
from conversation import run
from paravent.audit.justification import HEADER
from paravent.decide import Allow, Rulebook, Verdict, decide
from paravent.effects import (
    Charge,
    Enact,
    FindKey,
    FindMeasures,
    FindRevocations,
    Measure,
    ProofSeen,
    Settle,
    StoreDown,
)
from paravent.quota.charges import Payers
from paravent.reasons import Reason
from paravent.rules import Budgets, Window
from paravent.stores.memory import MemoryLedger
from reference import consultation, facts, rulebook
from tokens import NOW_MS

LIMIT, WINDOW_S = 2, 60


def rules(**quotas: Any) -> Rulebook:
    """The reference policy with two persons a minute for a pharmacist, and nothing but that and `quotas`."""
    usual = rulebook()
    small = Budgets(persons=(Window(LIMIT, WINDOW_S),))
    bare = replace(usual.policy.quotas, professions={"21": small}, grants=None, warn_at_percent=None)
    policy = replace(usual.policy, quotas=replace(bare, **quotas))
    return replace(usual, policy=policy, payers=Payers())


class Door:
    """The pharmacist's side and the world's."""

    def __init__(self, **quotas: Any) -> None:
        self.rules = rules(**quotas)
        self.ledger = MemoryLedger()
        self.asked = 0
        self.book: list[Measure] = []
        """What was enacted."""
        self.book_answers = True

    def ask(
        self,
        measures: tuple[Measure, ...] | StoreDown = (),
        after_s: int = 0,
        *,
        auth_age_s: int = 600,
        why: bytes | None = None,
        person: int | None = None,
    ) -> Verdict:
        """One new person. `after_s`: since the first question. `auth_age_s`: since the login. `why`: the justification
        that the question brings.
        `person`: somebody in particular, 0 to 99, in place of somebody new."""
        extra = () if why is None else ((HEADER, why),)
        self.asked += 1
        whom = f"2840599990{self.asked:03d}" if person is None else f"28405999908{person:02d}"
        question = consultation(whom, "19840517", 1)
        now_ms, reference = NOW_MS + 1000 * after_s, f"{self.asked:032x}"
        asked = facts(question, now_ms=now_ms, request_id=reference, auth_age_s=auth_age_s, extra=extra)
        return run(decide(asked, self.rules), self._replies(measures)).result

    def passes(self, measures: tuple[Measure, ...] = (), after_s: int = 0, **how: Any) -> int:
        """How many more persons until the first refusal."""
        passed = 0
        while isinstance(verdict := self.ask(measures, after_s, **how), Allow):
            passed += 1
        assert verdict.reason is Reason.PERSONS_OVER_BUDGET
        return passed

    def _enact(self, wanted: Enact) -> bool | StoreDown:
        if not self.book_answers:
            return StoreDown.UNAVAILABLE
        if any(each.kind is wanted.kind and each.until_s > wanted.from_s for each in self.book):
            return False
        made = Measure(wanted.id, wanted.kind, "ab" * 16, wanted.persons, wanted.from_s, wanted.until_s)
        self.book.append(made)
        return True

    def _replies(self, measures: tuple[Measure, ...] | StoreDown) -> dict[type, Any]:
        # Without the proof: every question here carries the same one, and replays are not what this is about.
        charge = lambda effect: asyncio.run(self.ledger.charge(structs.replace(effect, proof=None)))  # noqa: E731
        settle = lambda effect: asyncio.run(self.ledger.settle(effect))  # noqa: E731
        return {
            FindKey: ISSUER_KEY.public,
            FindRevocations: (),
            FindMeasures: measures if isinstance(measures, StoreDown) else (*measures, *self.book),
            Enact: self._enact,
            ProofSeen: False,
            Charge: charge,
            Settle: settle,
        }
