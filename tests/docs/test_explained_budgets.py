"""The clock times of docs/explanation/budgets.md are what the ledger of budgets answers."""

import re
from datetime import UTC, datetime

from pages import DOCS
from paravent.effects import Budget, BudgetKind, Charge, Charged, OverBudget, Scope, Settle
from paravent.model import Subject
from paravent.quota.windows import bucket_leaves_ms, bucket_of
from paravent.rules import Window
from paravent.settings import read_policy_folder
from paravent.stores.memory import MemoryLedger
from paravent.wiring import compile_views

PAGE = (DOCS / "explanation/budgets.md").read_text("utf-8")
ROW = re.compile(r"^\| (\d\d:\d\d:\d\d) \| (\w) \| ([A-Z ]+) \| (200|429, Retry-After (\d+)) \|$", re.MULTILINE)


def moment_ms(clock: str) -> int:
    return int(datetime.fromisoformat(f"2026-11-23T{clock}").replace(tzinfo=UTC).timestamp()) * 1000


async def test_the_ten_minutes_go_as_told() -> None:
    """Every row, in order: the answer, the wait, and who is in the window afterwards."""
    limit, minutes = re.findall(r"persons: \[\{limit: (\d+), per: (\d+)m\}\]", PAGE)[0]
    window = Window(int(limit), int(minutes) * 60)
    budget = Budget(Scope.PRACTITIONER, "rpps:99921000008", BudgetKind.PERSONS, (window,))
    ledger, inside = MemoryLedger(), dict[str, int]()
    rows = ROW.findall(PAGE)
    assert len(rows) == 9
    for clock, patient, told_inside, answer, wait in rows:
        now_ms = moment_ms(clock)
        person = (Subject(patient.encode() * 16),)
        charge = Charge(clock, now_ms, (budget,), person)
        charged = await ledger.charge(charge)
        if answer == "200":
            assert isinstance(charged, Charged), f"{clock} is refused"
            await ledger.settle(Settle(charge, now_ms, person, missed=False))
            inside[patient] = now_ms
            assert charged.usage[0].used == len(told_inside.split())
        else:
            assert isinstance(charged, OverBudget), f"{clock} is let through"
            assert charged.retry_after_s == int(wait)
        still = sorted(name for name, at_ms in inside.items() if now_ms < at_ms + window.per_s * 1000)
        assert still == told_inside.split(), f"at {clock}"


def test_a_counter_forgets_when_told() -> None:
    """The miss of 10:00:20 in a window of one hour is gone at 11:00:59.999."""
    gone_ms = bucket_leaves_ms(bucket_of(moment_ms("10:00:20"), 3600), 3600)
    assert gone_ms == moment_ms("11:00:59") + 999
    assert "gone at 11:00:59.999" in PAGE


def test_the_arithmetic_of_a_stolen_session_is_that_of_the_policy() -> None:
    """60, 600 and 4 000 are the reference policy's, and nineteen accounts are nineteen times that."""
    policy, _ = compile_views(read_policy_folder(DOCS.parent / "policies"))
    windows = {window.per_s: window.limit for window in policy.quotas.professions["21"].persons}
    assert windows == {600: 60, 86_400: 600, 30 * 86_400: 4000}
    assert f"19 × 60 = {19 * 60:,}".replace(",", " ") in PAGE
    assert f"19 × 600 = {19 * 600:,}".replace(",", " ") in PAGE
