"""Beyond the limit with a written justification: once, loudly, and never more than the policy says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asking import ISSUER_KEY
from conversation import run
from door import LIMIT, Door
from paravent.audit.justification import HEADER, read_justification
from paravent.audit.record import record
from paravent.decide import Allow, Plan, decide
from paravent.effects import (
    BudgetKind,
    Charge,
    Charged,
    Enact,
    FindKey,
    FindRevocations,
    Measure,
    MeasureKind,
    OverBudget,
    ProofSeen,
    Replayed,
    Scope,
    StoreDown,
)
from paravent.model import About, Deny
from paravent.reasons import Reason
from paravent.rules import BreakGlass, Budgets, Grants, StepUp, Suspension, Window
from paravent.stores.memory import MemoryLedger
from reference import consultation, facts
from tokens import NOW_S

GLASS = BreakGlass(extra_persons=3, lasts_s=120, once_per_s=600)
WHY = b"Campagne de vaccination, gymnase municipal"


def spent(**quotas: Any) -> Door:
    """A door whose pharmacist has used their two persons a minute."""
    door = Door(**({"break_glass": GLASS} | quotas))
    assert door.passes() == LIMIT
    return door


def allowed(verdict: object) -> Plan:
    assert isinstance(verdict, Allow), verdict
    return verdict.plan


def reason(verdict: object) -> Reason:
    assert isinstance(verdict, Deny), verdict
    return verdict.reason


def recorded(about: Any) -> dict[str, object]:
    question = consultation("2840599990001", "19840517", 1)
    return record(facts(question), Deny(Reason.ANSWER_SHAPE, about), status=502, revision="", elapsed_ms=1)


def test_it_opens_what_the_policy_says_and_no_more() -> None:
    """The question that brings the words passes; two more pass without them; the next is refused, words or not."""
    door = spent()
    plan = allowed(door.ask(why=WHY))
    assert plan.about.justification == WHY.decode()
    (measure,) = door.book
    assert (measure.kind, measure.persons, measure.until_s - measure.from_s) == (MeasureKind.BREAK_GLASS, 3, 600)
    assert plan.about.measures == (measure.id,)
    assert plan.charge.budgets[0].windows == (Window(LIMIT + 3, 60),)
    assert door.passes() == 2
    assert reason(door.ask(why=WHY)) is Reason.PERSONS_OVER_BUDGET


def test_it_is_on_record_beside_a_grant() -> None:
    """By the ids that both have in the book: the first 16 characters of the request's."""
    door = Door(break_glass=GLASS, grants=Grants(1, 3600))
    grant = Measure("00000000000000b2", MeasureKind.GRANT, "ab" * 16, 1, NOW_S, NOW_S + 60)
    assert door.passes((grant,)) == LIMIT + 1
    plan = allowed(door.ask((grant,), why=WHY))
    assert plan.about.measures == (grant.id, f"{door.asked:032x}"[:16])


def test_there_is_no_second_one_before_its_time() -> None:
    """Its hour is over long before; once the time is over it may be broken again."""
    door = spent()
    allowed(door.ask(why=WHY))
    assert door.passes(after_s=120) == LIMIT
    assert reason(door.ask(after_s=121, why=WHY)) is Reason.PERSONS_OVER_BUDGET
    assert door.passes(after_s=660) == LIMIT
    allowed(door.ask(after_s=660, why=WHY))
    assert len(door.book) == 2


def test_words_that_nothing_needs_are_not_kept() -> None:
    """With room in the budget nothing is broken, and the record holds none of it."""
    door = Door(break_glass=GLASS)
    plan = allowed(door.ask(why=WHY))
    assert plan.about.justification is None
    assert door.book == []
    assert recorded(plan.about)["justification"] is None


def test_words_that_led_to_nothing_are_not_kept() -> None:
    """Of a refusal there is its reason."""
    door = spent(fleet=Budgets(persons=(Window(LIMIT, 60),)))
    denied = door.ask(why=WHY)
    assert isinstance(denied, Deny)
    assert (denied.reason, denied.about.justification) == (Reason.PERSONS_OVER_BUDGET, None)
    assert door.book == []


def test_of_two_nodes_one_breaks_it() -> None:
    """The other one's book says that it is broken already: a refusal like any other, without words."""

    class Late(Door):
        def _enact(self, wanted: Enact) -> bool | StoreDown:
            return False

    door = Late(break_glass=GLASS)
    assert door.passes() == LIMIT
    denied = door.ask(why=WHY)
    assert isinstance(denied, Deny)
    assert (denied.reason, denied.about.measures) == (Reason.PERSONS_OVER_BUDGET, ())
    assert denied.about.justification is None


@pytest.mark.parametrize(("short", "broken"), [(3, True), (4, False), (None, False)])
def test_a_glass_that_would_not_be_enough_stays_whole(short: int | None, broken: bool) -> None:
    """It gives three persons: a question that lacks a fourth is refused, and the next one may still break it."""
    over = OverBudget(Scope.PRACTITIONER, BudgetKind.PERSONS, Window(LIMIT, 60), 7, short)
    door = Door(break_glass=GLASS)
    door.ledger = Second(Charged(()), first=over)
    assert isinstance(door.ask(why=WHY), Allow) is broken
    assert len(door.book) == broken


def test_a_refusal_before_it_has_no_words() -> None:
    """Who is suspended, or meets an outage, is on record without them: nothing was broken."""
    held = Measure("00000000000000b1", MeasureKind.SUSPENSION, "ab" * 16, 0, NOW_S, NOW_S + 600)
    for measures in ((held,), StoreDown.UNAVAILABLE):
        denied = Door(break_glass=GLASS).ask(measures, why=WHY)
        assert isinstance(denied, Deny)
        assert denied.about.justification is None, denied.reason


def test_two_justifications_are_none() -> None:
    """Which of them goes on record would be chance: refused, and nothing is charged."""
    door = Door(break_glass=GLASS)
    asked = facts(consultation("2840599990001", "19840517", 1), extra=((HEADER, WHY), (HEADER, WHY)))
    told = run(decide(asked, door.rules), {FindKey: ISSUER_KEY.public, FindRevocations: (), ProofSeen: False})
    assert reason(told.result) is Reason.JUSTIFICATION_REFUSED


class Second(MemoryLedger):
    """A ledger that answers the charge after a refusal in its own way."""

    def __init__(self, told: Charged | OverBudget | StoreDown, first: OverBudget | None = None) -> None:
        """`first`: the refusal, of the first question already."""
        super().__init__()
        self._told = told
        self._first = first
        self._refused = False

    async def charge(self, charge: Charge) -> Charged | OverBudget | Replayed | StoreDown:
        if self._refused:
            return self._told
        told = self._first or await super().charge(charge)
        self._refused = isinstance(told, OverBudget)
        return told


def spent_at(ledger: Second) -> Door:
    door = Door(break_glass=GLASS)
    door.ledger = ledger
    for _ in range(LIMIT):
        allowed(door.ask())
    return door


def test_the_words_are_kept_when_the_glass_is_broken_and_the_question_fails() -> None:
    """The state store is lost between the two: the measure stands, and the next questions pass by it without words."""
    door = spent_at(Second(StoreDown.UNAVAILABLE))
    denied = door.ask(why=WHY)
    assert isinstance(denied, Deny)
    (measure,) = door.book
    assert (denied.about.justification, denied.about.measures) == (WHY.decode(), (measure.id,))
    assert (denied.reason, denied.retry_after_s) == (Reason.STATE_UNAVAILABLE, 1)


def test_who_is_refused_all_the_same_is_told_why_and_for_how_long() -> None:
    """With the glass broken something else stands in the way, and another wait than the first refusal's is the true
    one."""
    door = spent_at(Second(OverBudget(Scope.FLEET, BudgetKind.PERSONS, Window(9, 3600), 1234)))
    denied = door.ask(why=WHY)
    assert isinstance(denied, Deny)
    assert (denied.reason, denied.retry_after_s) == (Reason.PERSONS_OVER_BUDGET, 1234)
    assert (denied.about.justification, len(denied.about.measures)) == (WHY.decode(), 1)


def test_the_words_are_kept_when_nobody_knows_whether_it_is_broken() -> None:
    """What was written and not confirmed may stand in the book."""
    door = spent()
    door.book_answers = False
    denied = door.ask(why=WHY)
    assert isinstance(denied, Deny)
    assert denied.about.justification == WHY.decode()


def test_a_node_that_lets_it_through_alone_says_so() -> None:
    """The store is lost after the glass was broken: the emergency budget is on record."""
    plan = allowed(spent_at(Second(Charged((), emergency=True))).ask(why=WHY))
    assert (plan.about.emergency, plan.about.justification) == (True, WHY.decode())


def test_the_words_stand_in_the_record_of_the_question_that_brought_them() -> None:
    """And in no other."""
    door = spent()
    assert recorded(allowed(door.ask(why=WHY)).about)["justification"] == WHY.decode()
    assert recorded(allowed(door.ask()).about)["justification"] is None


def test_a_book_that_cannot_be_written_opens_nothing() -> None:
    """Nobody could tell whether it is the first."""
    door = spent()
    door.book_answers = False
    assert reason(door.ask(why=WHY)) is Reason.PERSONS_OVER_BUDGET


def test_a_policy_without_it_reads_no_words() -> None:
    """Not even to refuse them."""
    door = spent(break_glass=None)
    assert reason(door.ask(why=WHY)) is Reason.PERSONS_OVER_BUDGET
    assert reason(door.ask(why=b"x")) is Reason.PERSONS_OVER_BUDGET


def test_a_fresh_login_comes_before_it() -> None:
    """Where that has room it is asked for, and the glass stays whole."""
    door = Door(break_glass=GLASS, step_up=StepUp(300, 1))
    while isinstance(door.ask(), Allow):
        pass
    assert reason(door.ask(why=WHY)) is Reason.PERSONS_NEED_LOGIN
    assert door.book == []


def test_who_is_suspended_breaks_nothing() -> None:
    """Words open no door that was shut on purpose."""
    door = Door(break_glass=GLASS)
    held = Measure("00000000000000b1", MeasureKind.SUSPENSION, "ab" * 16, 0, NOW_S, NOW_S + 600)
    assert reason(door.ask((held,), why=WHY)) is Reason.PRACTITIONER_SUSPENDED


def test_a_question_that_passes_by_it_is_no_refusal() -> None:
    """It does not count towards a suspension."""
    door = spent(suspension=Suspension(3, 60, 600))
    allowed(door.ask(why=WHY))
    assert door.passes() == 2
    assert reason(door.ask()) is Reason.PRACTITIONER_SUSPENDED  # the third refusal


class Counting(Door):
    """It tells how often something was to be written in the book."""

    asked_to_write = 0

    def _enact(self, wanted: Enact) -> bool | StoreDown:
        self.asked_to_write += 1
        return super()._enact(wanted)


@pytest.mark.parametrize("answers", [True, False], ids=["a book that takes it", "a book that does not answer"])
def test_a_question_asks_for_one_writing_at_most(answers: bool) -> None:
    """However slow the book is: two that wait would take longer than the guard does."""
    door = Counting(break_glass=BreakGlass(1, 120, 600), suspension=Suspension(1, 600, 60))
    for _ in range(LIMIT):
        allowed(door.ask())
    door.book_answers = answers
    for _ in range(4):
        before = door.asked_to_write
        door.ask(why=WHY)
        assert door.asked_to_write <= before + 1


def test_words_do_not_ward_off_a_suspension() -> None:
    """Once the glass is broken they are words: what they come with is counted like any other refusal, and nobody asks
    the book for what it is known to say no to."""
    door = Counting(break_glass=GLASS, suspension=Suspension(4, 600, 600))
    assert door.passes() == LIMIT
    allowed(door.ask(why=WHY))
    assert door.passes() == 2
    written = door.asked_to_write
    assert reason(door.ask(why=WHY)) is Reason.PERSONS_OVER_BUDGET
    assert door.asked_to_write == written
    assert reason(door.ask(why=WHY)) is Reason.PRACTITIONER_SUSPENDED  # the fourth refusal


@pytest.mark.parametrize(
    "words",
    [
        b"trop court",
        WHY,
        b"Pharmacie de garde: 3 communes (990, 991 et 992), panne de l'autre portail!",
        b"x" * 24 + b" oui",
        b"garde de 8h-20h, puis 20h-8h",
    ],
)
def test_words_that_are_kept(words: bytes) -> None:
    """As they came."""
    assert read_justification(words) == words.decode()


@given(
    st.text("aZe09 -:,", min_size=10, max_size=60) | st.from_regex(r"[A-Za-z0-9 .,:;#/+()'!?-]{10,60}", fullmatch=True)
)
def test_whatever_opens_something_is_kept_as_it_came(text: str) -> None:
    """The ledger has its own idea of what it may hold: words that it would not keep open nothing."""
    words = read_justification(text.encode())
    assert words is None or recorded(About(justification=words))["justification"] == text


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (b"", "nothing"),
        (b"trop peu", "too short"),
        (b"mot " * 51, "too long"),
        (b"12 34 56 .. --", "no letter"),
        ("pour un été très chargé".encode(), "not ASCII"),
        (b"une ligne\nune autre ligne", "a line break"),
        (b'elle a dit "urgence"', "a quote"),
        (b"pour 2 84 05 99 990 001 du village", "a NIR"),
        (b"pour 284059999000159 du village", "a NIR with its key"),
        (b"pour le 10003461033 de garde", "an RPPS"),
        (b"rappeler au 01 99 00 12 34 merci", "a telephone"),
        (b"nee le 17/05/1984 au village", "a birth date"),
        (b"jeton eyJhbGciOiJFUzI1NiIsInR5cCI6 merci", "a token"),
        (b"jeton eyJ9 merci", "the beginning of a token"),
        (b"Vaccination-Grippe-2026 au gymnase", "what the ledger would take for a token"),
        (b"pour 2:84:05:99:990:001 du village", "a NIR with colons"),
        (b"pour 10,003,461,033 de garde", "an RPPS with commas"),
        (b"rappeler au (01)99+00;12:34 merci", "a telephone"),
    ],
)
def test_words_that_are_refused(words: bytes, why: str) -> None:
    """At once, also while there is room, so that software learns it on an ordinary day."""
    assert read_justification(words) is None, why
    if words:
        assert reason(Door(break_glass=GLASS).ask(why=words)) is Reason.JUSTIFICATION_REFUSED
