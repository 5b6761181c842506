"""Two workers on one store, and the naive model, asked the same things in the same order.

A subclass says which store. It must answer as the model does, whatever the order of questions, answers, clocks and
policies, and whichever of the two workers is asked; and nobody is told about more persons in a window than the limit.
"""

import asyncio

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, precondition, rule

from clock import FrozenClock
from effort import examples
from ledgers import budget, person
from paravent.effects import Budget, BudgetKind, Charge, Charged, ProofSeen, Scope, Settle
from paravent.quota.windows import period_of
from paravent.rules import Calendar
from paravent.stores.memory import MemoryLedger
from paravent.stores.redis import RedisLedger
from paravent.stores.sqlite import SqliteLedger

PERSONS, REQUESTS, MISSES, UNITS = BudgetKind.PERSONS, BudgetKind.REQUESTS, BudgetKind.MISSES, BudgetKind.UNITS
TIGHTEST = {"rpps:1": [(3, 10), (5, 60)], "rpps:2": [(3, 10), (5, 60)], "finess:1": [(4, 30)]}
RETENTION_S = 60


CALENDAR_DAY, CALENDAR_WEEK, CALENDAR_MONTH = Calendar
BEFORE_A_LONG_DAY_MS = 1_792_875_600_000
"""2026-10-24T21:00Z, an hour before the day of 25 hours begins in Paris."""


def calendar_budgets_for(who: str, client: str, *, generous: bool) -> tuple[Budget, ...]:
    """The same payers under windows that begin at midnight, beside trailing ones that are longer or shorter."""
    plus = 2 if generous else 0
    own = [(3 + plus, CALENDAR_DAY), (5 + plus, CALENDAR_WEEK)] + ([(6, 90_000)] if generous else [])
    return (
        budget(Scope.PRACTITIONER, PERSONS, *own, payer=who),
        budget(Scope.PRACTITIONER, UNITS, (14 + plus, CALENDAR_DAY), payer=who),
        budget(Scope.PRACTITIONER, MISSES, (3, CALENDAR_DAY), (6, 90_000), payer=who),
        budget(Scope.ESTABLISHMENT, PERSONS, (7 + plus, CALENDAR_MONTH), (4 + plus, CALENDAR_DAY), payer="finess:1"),
        budget(Scope.CLIENT, PERSONS, (5 + plus, CALENDAR_DAY), payer=client),
        budget(Scope.FLEET, PERSONS, (9, CALENDAR_WEEK), payer="fleet"),
        budget(Scope.FLEET, REQUESTS, (20, CALENDAR_MONTH), payer="fleet"),
    )


def budgets_for(who: str, client: str, *, generous: bool) -> tuple[Budget, ...]:
    """Two revisions of one policy: the generous one has higher limits and one more window."""
    plus = 2 if generous else 0
    own = [(limit + plus, per_s) for limit, per_s in TIGHTEST[who]] + ([(6, 20)] if generous else [])
    return (
        budget(Scope.PRACTITIONER, PERSONS, *own, payer=who),
        budget(Scope.PRACTITIONER, REQUESTS, (6 + plus, 10), payer=who),
        budget(Scope.PRACTITIONER, MISSES, (3, 30), payer=who),
        budget(Scope.PRACTITIONER, UNITS, (9 + plus, 20), payer=who),
        budget(Scope.CLIENT, UNITS, (14, 30), payer=client),
        budget(
            Scope.ESTABLISHMENT,
            PERSONS,
            *((limit + plus, per_s) for limit, per_s in TIGHTEST["finess:1"]),
            payer="finess:1",
        ),
        budget(Scope.CLIENT, PERSONS, (5 + plus, 30), (7, 60), payer=client),
        budget(Scope.NETWORK, PERSONS, (4 + plus, 20), payer="network:0"),
        budget(Scope.CERTIFICATE, MISSES, (4, 30), payer="certificate:0"),
        budget(Scope.FLEET, PERSONS, (7, 60), payer="fleet"),
        budget(Scope.FLEET, MISSES, (5, 60), payer="fleet"),
    )


PEOPLE = st.integers(0, 7)
GROUPS = st.lists(PEOPLE, max_size=3).map(tuple)


class LedgerMachine(RuleBasedStateMachine):
    """Runs both ledgers in step."""

    charges = Bundle("charges")
    settled = Bundle("settled")

    AT_MIDNIGHT = False
    """Whether windows begin at midnight, and time passes in hours."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model = MemoryLedger(retention_s=RETENTION_S)
        self.begin()
        self.ledger, self.other = (self.open(), self.open())
        self.clock = FrozenClock(BEFORE_A_LONG_DAY_MS) if self.AT_MIDNIGHT else FrozenClock()
        self.highest_ms = 0
        self.count = 0
        self.generous = False
        self.disclosed: list[tuple[str, int, int]] = []
        """Payer, person, when: everything that an answer told."""

    def begin(self) -> None:
        """Prepare an empty store."""

    def open(self) -> SqliteLedger | RedisLedger:
        """One more worker on it."""
        raise NotImplementedError

    def close(self, ledger: SqliteLedger | RedisLedger) -> None:
        async def closing() -> None:
            ledger.close()

        self.runner.run(closing())

    def teardown(self) -> None:
        for ledger in (self.ledger, self.other):
            self.close(ledger)
        self.runner.close()

    def now_ms(self) -> int:
        self.highest_ms = max(self.highest_ms, self.clock.now_ms())
        return self.clock.now_ms()

    @rule(
        target=charges,
        who=st.sampled_from(["rpps:1", "rpps:2"]),
        client=st.sampled_from(["client:a", "client:b"]),
        persons=GROUPS,
        proof=st.none() | st.integers(0, 2),
        units=st.integers(1, 4),
    )
    def charge(self, who: str, client: str, persons: tuple[int, ...], proof: int | None, units: int) -> object:
        self.count += 1
        proved = None if proof is None else ProofSeen(bytes([proof]), self.now_ms() + 20_000)
        budgets = (calendar_budgets_for if self.AT_MIDNIGHT else budgets_for)(who, client, generous=self.generous)
        charge = Charge(f"request-{self.count}", self.now_ms(), budgets, tuple(map(person, persons)), proved, units)
        expected = self.runner.run(self.model.charge(charge))
        assert self.runner.run(self.ledger.charge(charge)) == expected
        return charge if isinstance(expected, Charged) else multiple()

    @rule(target=settled, charge=consumes(charges), extra=GROUPS, hit=st.booleans(), missed=st.booleans())
    def settle(self, charge: Charge, extra: tuple[int, ...], hit: bool, missed: bool) -> Charge:
        """A hit tells about those asked about and whoever the answer adds; else perhaps about others only."""
        self._settle(charge, (*(charge.persons if hit else ()), *map(person, extra)), missed)
        return charge

    @rule(target=settled, charge=consumes(charges))
    def find(self, charge: Charge) -> Charge:
        """The usual end of a question."""
        self._settle(charge, charge.persons, False)
        return charge

    @rule(charge=settled, disclosed=GROUPS)
    def settle_again(self, charge: Charge, disclosed: tuple[int, ...]) -> None:
        self._settle(charge, tuple(map(person, disclosed)), False)

    def _settle(self, charge: Charge, disclosed: tuple[object, ...], missed: bool) -> None:
        settle = Settle(charge, self.now_ms(), disclosed, missed)  # type: ignore[arg-type]
        expected = self.runner.run(self.model.settle(settle))
        assert self.runner.run(self.ledger.settle(settle)) == expected
        if isinstance(expected, Charged):
            self.disclosed += [
                (payer.payer, int.from_bytes(subject.key, "big"), self.highest_ms)
                for subject in settle.disclosed
                for payer in charge.budgets
                if payer.payer in TIGHTEST
            ]

    @rule(proof=st.integers(0, 2), lives_ms=st.sampled_from([0, 5_000, 60_000]))
    def prove(self, proof: int, lives_ms: int) -> None:
        seen = ProofSeen(bytes([proof]), self.now_ms() + lives_ms)
        expected = self.runner.run(self.model.proof_seen(seen, self.now_ms()))
        assert self.runner.run(self.ledger.proof_seen(seen, self.now_ms())) is expected

    @rule(ms=st.sampled_from([1, 999, 3_000, 9_999, 10_000, 29_000, 60_000, 61_000, -1, -5_000, -3_600_000]))
    def time_passes(self, ms: int) -> None:
        self.clock.step(ms=ms)

    @precondition(lambda self: self.AT_MIDNIGHT)
    @rule(hours=st.sampled_from([1, 1, 2, 23, 24, 25, 24 * 7, 24 * 157, -1, -30]))
    def hours_pass(self, hours: int) -> None:
        self.clock.step(h=hours)

    @rule()
    def catch_up(self) -> None:
        """A clock that was set back arrives where it was, and a little further."""
        self.clock.step(ms=max(0, self.highest_ms - self.clock.now_ms()) + 4_000)

    @rule()
    def reload(self) -> None:
        self.generous = not self.generous

    @rule()
    def restart(self) -> None:
        self.close(self.ledger)
        self.ledger = self.open()

    @rule()
    def ask_the_other_worker(self) -> None:
        """Once this one has written what nobody waited for: a proof that is worthless takes it along."""
        for ledger in (self.model, self.ledger):
            self.runner.run(ledger.proof_seen(ProofSeen(b"-", 0), self.now_ms()))
        self.ledger, self.other = self.other, self.ledger

    @invariant()
    def nobody_was_told_about_more_persons_than_the_limit(self) -> None:
        if self.AT_MIDNIGHT:
            since = period_of(self.highest_ms, CALENDAR_DAY)[0]
            told = {(payer, who) for payer, who, at_ms in self.disclosed if payer != "finess:1" and at_ms >= since}
            assert all(sum(paid_by == payer for paid_by, _ in told) <= 3 + 2 for payer in TIGHTEST)
            return
        for payer, windows in TIGHTEST.items():
            for limit, per_s in windows:
                since = self.highest_ms - per_s * 1000
                told = {who for paid_by, who, at_ms in self.disclosed if paid_by == payer and at_ms > since}
                assert len(told) <= limit + 2


SETTINGS = settings(
    max_examples=examples(40), stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
