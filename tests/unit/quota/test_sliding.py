"""No edge doubling: what passes in any span of a window's length, wherever it begins, against the definition."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from ledgers import budget, person
from paravent.effects import Budget, BudgetKind, Charge, Charged, OverBudget, Scope
from paravent.quota.windows import bucket_ms
from paravent.stores.memory import MemoryLedger

WINDOW_S = 60
WINDOW_MS = WINDOW_S * 1000
START_MS = 1_767_225_540_000

STEPS_MS = (0, 1, 500, 999, 1000, WINDOW_MS // 2, WINDOW_MS - 1, WINDOW_MS, WINDOW_MS + 999)
"""Those that end on an edge of a bucket or of the window, and one millisecond beside it."""

QUESTIONS = st.lists(st.tuples(st.sampled_from(STEPS_MS), st.integers(1, 6)), min_size=1, max_size=40)
"""Milliseconds since the question before, and about whom."""


def asked(budget_: Budget, questions: list[tuple[int, int]]) -> list[tuple[int, int, Charged | OverBudget]]:
    """When, about whom, and the answer."""

    async def ask() -> list[tuple[int, int, Charged | OverBudget]]:
        ledger, at_ms, told = MemoryLedger(), START_MS, []
        for number, (later_ms, who) in enumerate(questions):
            at_ms += later_ms
            reply = await ledger.charge(Charge(str(number), at_ms, (budget_,), (person(who),)))
            assert isinstance(reply, Charged | OverBudget)
            told.append((at_ms, who, reply))
        return told

    return asyncio.run(ask())


@given(questions=QUESTIONS, limit=st.integers(1, 4))
def test_an_exact_budget_is_spent_exactly(questions: list[tuple[int, int]], limit: int) -> None:
    """A question passes just when its person is, or can still become, one of `limit` in the span that ends with it."""
    told = asked(budget(Scope.PRACTITIONER, BudgetKind.PERSONS, (limit, WINDOW_S)), questions)
    for number, (at_ms, who, reply) in enumerate(told):
        seen = {w for t, w, r in told[:number] if at_ms - WINDOW_MS < t and isinstance(r, Charged)}
        assert isinstance(reply, Charged) == (who in seen or len(seen) < limit)


@given(questions=QUESTIONS, limit=st.integers(1, 4))
def test_a_counter_never_lets_one_more_through_and_forgets_a_bucket_late_at_most(
    questions: list[tuple[int, int]], limit: int
) -> None:
    """Fewer than `limit` in the window and one bucket before it: it passes. `limit` in the window: it does not."""
    told = asked(budget(Scope.PRACTITIONER, BudgetKind.REQUESTS, (limit, WINDOW_S)), questions)
    for number, (at_ms, _, reply) in enumerate(told):
        passed = [t for t, _, r in told[:number] if isinstance(r, Charged)]
        in_window = sum(at_ms - WINDOW_MS < t for t in passed)
        with_bucket = sum(at_ms - WINDOW_MS - bucket_ms(WINDOW_S) < t for t in passed)
        assert not (isinstance(reply, Charged) and in_window >= limit)
        assert not (isinstance(reply, OverBudget) and with_bucket < limit)
