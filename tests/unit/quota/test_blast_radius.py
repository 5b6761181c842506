"""The most persons a theft can expose, against a thief who spends every budget as soon as there is one."""

import asyncio
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paravent.effects import Budget, BudgetKind, Charge, Charged, Scope, Settle
from paravent.model import Subject
from paravent.quota.blast_radius import PERIODS_S, blast_radius
from paravent.rules import BreakGlass, Budgets, Calendar, Emergency, Policy, Quotas, StepUp, Window
from paravent.settings import read_policy_folder
from paravent.stores.memory import MemoryLedger
from paravent.wiring import compile_views

HOUR, DAY, MONTH = PERIODS_S
REFERENCE, _ = compile_views(read_policy_folder(Path(__file__).resolve().parents[3] / "policies"))


def persons(
    policy: Policy, scope: Scope, period_s: int, profession: str | None = None, *, raised: bool = False
) -> int | None:
    (radius,) = [
        each
        for each in blast_radius(policy)
        if (each.scope, each.profession, each.period_s, each.raised) == (scope, profession, period_s, raised)
    ]
    return radius.persons


def under(quotas: Quotas) -> Policy:
    return replace(REFERENCE, quotas=quotas)


ACCOUNT = Scope.PRACTITIONER
WIDEST = REFERENCE.operations["beneficiaires.recherche"].response.max_persons
"""The one operation of the reference policy that lists persons."""
ROWS = [
    ("an hour is six windows of ten minutes", Budgets(persons=(Window(60, 600),)), HOUR, 360),
    (
        "a day's limit is less than an hour of the short one",
        Budgets(persons=(Window(60, 600), Window(100, DAY))),
        HOUR,
        100,
    ),
    ("a window that does not divide the hour is begun once more", Budgets(persons=(Window(10, 2_400),)), HOUR, 20),
    ("a month's limit bounds thirty days", Budgets(persons=(Window(600, DAY), Window(4_000, MONTH))), MONTH, 4_000),
    ("requests bound where persons do not, by the widest list", Budgets(requests=(Window(7, DAY),)), DAY, 7 * WIDEST),
    ("units bound likewise, by the list that is cheapest", Budgets(units=(Window(30, DAY),)), DAY, 30 * WIDEST),
    ("an hour can touch two calendar days", Budgets(persons=(Window.over(10, Calendar.DAY),)), HOUR, 20),
    ("24 hours can touch three", Budgets(persons=(Window.over(10, Calendar.DAY),)), DAY, 30),
    ("30 days can touch 32", Budgets(persons=(Window.over(10, Calendar.DAY),)), MONTH, 320),
    ("30 days can touch 6 weeks", Budgets(persons=(Window.over(10, Calendar.WEEK),)), MONTH, 60),
    ("and 3 months, about February", Budgets(persons=(Window.over(10, Calendar.MONTH),)), MONTH, 30),
    ("nothing bounds", Budgets(), MONTH, None),
]


@pytest.mark.parametrize(("own", "period_s", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_stolen_account(own: Budgets, period_s: int, expected: int | None) -> None:
    """A pharmacist's, whose widest answer is a search."""
    assert WIDEST > 1
    assert persons(under(Quotas({"21": own})), ACCOUNT, period_s, "21") == expected


def test_what_a_fresh_login_adds_is_part_of_what_a_thief_gets() -> None:
    """Without anybody's decision: the session that is stolen may be a fresh one."""
    quotas = Quotas({"21": Budgets(persons=(Window(60, 600),))}, step_up=StepUp(300, 5))
    assert persons(under(quotas), ACCOUNT, HOUR, "21") == 6 * 65


@pytest.mark.parametrize(
    ("own", "period_s", "expected"),
    [
        (Window(60, 600), HOUR, 6 * 60 + 6 * 10),
        (Window(60, 600), DAY, 144 * 60 + 7 * 10),
        (Window(600, DAY), DAY, 610),
        (Window(60, 600), MONTH, 4320 * 60 + 5 * 7 * 10),
    ],
)
def test_a_broken_glass_is_part_of_what_a_thief_gets(own: Window, period_s: int, expected: int) -> None:
    """Ten more persons for an hour, once in seven days: in at most seven of the windows of ten minutes, each time."""
    quotas = Quotas({"21": Budgets(persons=(own,))}, break_glass=BreakGlass(10, HOUR, 7 * DAY))
    assert persons(under(quotas), ACCOUNT, period_s, "21") == expected


def test_wider_scopes_bound_what_is_below_them() -> None:
    """The fleet bounds everybody; an establishment and a software do not bound an account that can change them."""
    quotas = Quotas(
        {"21": Budgets(persons=(Window(500, DAY),))},
        establishment=Budgets(persons=(Window(100, DAY),)),
        client=Budgets(persons=(Window(900, DAY),)),
        fleet=Budgets(persons=(Window(400, DAY),)),
    )
    radius = {scope: persons(under(quotas), scope, DAY) for scope in (Scope.ESTABLISHMENT, Scope.CLIENT, Scope.FLEET)}
    assert radius == {Scope.ESTABLISHMENT: 100, Scope.CLIENT: 400, Scope.FLEET: 400}
    assert persons(under(quotas), ACCOUNT, DAY, "21") == 400


def test_a_heavy_search_exposes_fewer() -> None:
    """With 31 units a day and a search of 10, three searches and a lookup are the most; the bound is not below that."""
    search = REFERENCE.operations["beneficiaires.recherche"]
    operations = {**REFERENCE.operations, search.name: replace(search, weight=10)}
    policy = replace(under(Quotas({"21": Budgets(units=(Window(31, DAY),))})), operations=operations)
    assert 3 * WIDEST + 1 <= (persons(policy, ACCOUNT, DAY, "21") or 0) <= max(31, 4 * WIDEST)


def test_certificates_and_networks_bound_who_speaks_through_them() -> None:
    """And no account: what a thief connects from they can change."""
    quotas = Quotas({"21": Budgets(persons=(Window(500, DAY),))}, certificate=Budgets(persons=(Window(90, DAY),)))
    quotas = replace(quotas, network=Budgets(persons=(Window(70, HOUR),)))
    radius = [persons(under(quotas), scope, DAY) for scope in (Scope.CERTIFICATE, Scope.NETWORK, Scope.FLEET)]
    assert radius == [90, 70 * 24, None]
    assert persons(under(quotas), ACCOUNT, DAY, "21") == 500


def test_the_reference_policy_keeps_a_theft_small() -> None:
    """An account of March 2022 gave 26 842 persons away; a pharmacist's now gives at most 4 000 in a month."""
    assert [persons(REFERENCE, ACCOUNT, period_s, "21") for period_s in PERIODS_S] == [360, 600, 4_000]


def test_what_may_be_granted_is_counted_apart() -> None:
    """With 200 more in every window, as the reference policy lets be granted; without grants nothing is added."""
    assert [persons(REFERENCE, ACCOUNT, each, "21", raised=True) for each in PERIODS_S] == [800, 800, 4_200]
    assert not any(each.raised for each in blast_radius(under(replace(REFERENCE.quotas, grants=None))))


def test_what_goes_past_a_store_that_is_gone_comes_on_top() -> None:
    """Of one account on every node that there may be, of wider scopes the total; once for each window begun."""
    emergency = Emergency(practitioner=5, node=50, total=199, per_s=12 * HOUR, longest_s=600)

    def all_of(quotas: Quotas) -> dict[tuple[Scope, str | None, int, bool], int | None]:
        radii = blast_radius(under(quotas))
        return {(each.scope, each.profession, each.period_s, each.raised): each.persons for each in radii}

    before, now = all_of(REFERENCE.quotas), all_of(replace(REFERENCE.quotas, emergency=emergency))
    assert before.keys() == now.keys()
    times = {HOUR: 1, DAY: 2, MONTH: 60}
    for key, persons in now.items():
        scope, _, period_s, _ = key
        assert persons == (before[key] or 0) + times[period_s] * (3 * 5 if scope is ACCOUNT else 199)


@given(
    windows=st.lists(st.builds(Window, st.integers(1, 4), st.integers(1, 40)), min_size=1, max_size=3),
    period_s=st.integers(1, 60),
)
def test_no_thief_gets_more(windows: list[Window], period_s: int) -> None:
    """Whoever asks about somebody new in every second, and is served whenever there is room, stays within the bound;
    under a single window they reach it."""
    budget = Budget(Scope.PRACTITIONER, "rpps:99700000001", BudgetKind.PERSONS, tuple(windows))
    bound = min(window.limit * -(-period_s // window.per_s) for window in windows)
    stolen = asyncio.run(steal(budget, period_s))
    assert stolen <= bound
    if len(windows) == 1:
        assert stolen == bound


@pytest.mark.parametrize(
    ("calendar", "start", "period_s"),
    [
        (Calendar.DAY, "2026-03-28T23:30", DAY),
        (Calendar.DAY, "2026-06-10T23:30", HOUR),
        (Calendar.DAY, "2026-03-14T23:30", MONTH),
        (Calendar.WEEK, "2026-03-01T12:00", MONTH),
        (Calendar.MONTH, "2027-01-31T12:00", MONTH),
    ],
    ids=["a day of 23 hours", "an hour over midnight", "thirty days, one of 23 hours", "four weeks", "February"],
)
def test_a_thief_who_knows_the_calendar_reaches_the_bound(calendar: Calendar, start: str, period_s: int) -> None:
    """Beginning late on one day, through the next ones, into the last."""
    since_ms = int(datetime.fromisoformat(start).replace(tzinfo=ZoneInfo("Europe/Paris")).timestamp() * 1000)
    window = Window.over(2, calendar)
    budget = Budget(Scope.PRACTITIONER, "rpps:99700000001", BudgetKind.PERSONS, (window,))
    stolen = asyncio.run(steal(budget, period_s, since_ms, 1_800_000))
    assert stolen == persons(under(Quotas({"21": Budgets(persons=(window,))})), ACCOUNT, period_s, "21")


async def steal(budget: Budget, period_s: int, since_ms: int = 0, step_ms: int = 1000) -> int:
    ledger, stolen = MemoryLedger(), 0
    for now_ms in range(since_ms, since_ms + period_s * 1000, step_ms):
        while True:
            asked = Subject(stolen.to_bytes(16))
            charge = Charge(f"{stolen}", now_ms, (budget,), (asked,))
            if not isinstance(await ledger.charge(charge), Charged):
                break
            await ledger.settle(Settle(charge, now_ms, (asked,), missed=False))
            stolen += 1
    return stolen
