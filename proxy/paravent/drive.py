"""Runs the deciding generators against the ports, and keeps the order that fails closed.

record, durable → release. A denial is recorded too. What cannot be recorded is not given.

Each request is put on record once:

    decide    Allow                     nothing yet: `settle` or `abandon` will
              Deny                      its reason
              a bug, a hook's deadline  internal_error, then the exception goes on
    refuse    always                    the reason it was given
    settle    Release, Withhold         as it is
              a bug, a hook's deadline  withheld for internal_error, then the exception goes on
    abandon   always                    the reason it was given
    any       what is no record         internal_error, bare, then the exception goes on

A deadline that strikes while a record is being written changes nothing of that: the sink keeps what it was handed.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, assert_never

from msgspec.structs import replace

from paravent.audit.record import record
from paravent.decide import Allow, Outcome, Plan, Rulebook, Verdict, abandon, decide, settle
from paravent.effects import (
    Charge,
    Deciding,
    Effect,
    Enact,
    FindKey,
    FindMeasures,
    FindRevocations,
    Introspect,
    OverBudget,
    ProofSeen,
    Reply,
    Settle,
)
from paravent.identity.token import Credentials, credentials
from paravent.model import Answer, Deny, Facts, Release, Withhold
from paravent.ports import AuditSink, Clock, Introspection, KeySource, Ledger, Measures, Revocations
from paravent.reasons import Problem, Reason
from paravent.telemetry import logs
from paravent.telemetry.metrics import Metrics

FAILURE_LOGGED_EVERY_S: Final = 1.0
"""A bug that strikes at every request is one bug, and the event loop waits for whoever reads the log."""

log = logging.getLogger(logs.OURS)


@dataclass(frozen=True, slots=True)
class Ports:
    """The world, as far as a decision needs it."""

    clock: Clock
    keys: KeySource
    introspection: Introspection
    revocations: Revocations
    measures: Measures
    ledger: Ledger
    audit: AuditSink


class Engine:
    """Decides, settles and records. One per worker."""

    def __init__(self, ports: Ports, rules: Callable[[], Rulebook], metrics: Metrics) -> None:
        """`rules` gives the revision in force; it is asked once per request."""
        self._ports = ports
        self._rules = rules
        self._metrics = metrics
        self._silent_until_s = 0.0

    def now_ms(self) -> int:
        return self._ports.clock.now_ms()

    async def decide(self, facts: Facts) -> Verdict:
        """Judge a request. A `Deny` is already on record when this returns."""
        started = time.perf_counter()
        rules = self._rules()
        if not self._ports.audit.healthy:
            # Nothing may be asked of the upstream that could not be recorded.
            verdict: Verdict = Deny(Reason.AUDIT_UNAVAILABLE, retry_after_s=1)
        else:
            broken = Deny(Reason.INTERNAL_ERROR)
            verdict = await self._judge(decide(facts, rules), facts, broken, rules.policy.revision)
        self._metrics.stage("decide", time.perf_counter() - started)
        if isinstance(verdict, Allow):
            self._metrics.allowed(verdict.plan.usage)
            if verdict.plan.about.emergency:
                self._metrics.let_through_alone()
            return verdict
        return await self._deny(facts, verdict, rules.policy.revision)

    async def refuse(self, facts: Facts, reason: Reason, retry_after_s: int | None = None) -> Deny:
        """Record a request that never became a question: bytes that are not HTTP as we speak it, a full house."""
        return await self._deny(facts, Deny(reason, retry_after_s=retry_after_s), self._rules().policy.revision)

    def knows(self, facts: Facts) -> bool:
        """Its token was verified before, and costs no signature of its issuer again. Says nothing else of it."""
        gate = self._rules().gate
        sent = credentials(facts, gate.portal)
        return isinstance(sent, Credentials) and gate.verified.knows(sent.text.reveal())

    async def settle(self, facts: Facts, plan: Plan, answer: Answer) -> Outcome:
        """Judge an answer. A `Release` is durably on record when this returns."""
        started = time.perf_counter()
        broken = Withhold(Reason.INTERNAL_ERROR, plan.about)
        outcome = await self._judge(settle(plan, answer, self.now_ms()), facts, broken, plan.revision)
        self._metrics.stage("settle", time.perf_counter() - started)
        return await self._finish(facts, plan, outcome)

    async def abandon(self, facts: Facts, plan: Plan, reason: Reason) -> Withhold:
        """Close the books of a request whose answer never came, or has nobody left to read it."""
        broken = Withhold(reason, plan.about)
        outcome = await self._judge(abandon(plan, reason, self.now_ms()), facts, broken, plan.revision)
        finished = await self._finish(facts, plan, outcome)
        return finished if isinstance(finished, Withhold) else Withhold(Reason.INTERNAL_ERROR, plan.about)

    async def _deny(self, facts: Facts, denial: Deny, revision: str) -> Deny:
        if not await self._record(facts, denial, denial.reason.problem.status, revision):
            denial = replace(denial, reason=Reason.AUDIT_UNAVAILABLE, challenge=None, retry_after_s=1)
        self._metrics.decided(denial, self._elapsed_s(facts))
        return denial

    async def _finish(self, facts: Facts, plan: Plan, outcome: Outcome) -> Outcome:
        status = 200 if isinstance(outcome, Release) else outcome.reason.problem.status
        if not await self._record(facts, outcome, status, plan.revision):
            outcome = Withhold(Reason.AUDIT_UNAVAILABLE, plan.about, retry_after_s=1)
        if isinstance(outcome, Release) and plan.nearly_spent:
            self._metrics.warned()
        self._metrics.decided(outcome, self._elapsed_s(facts))
        return outcome

    async def _record(self, facts: Facts, result: Deny | Withhold | Release, status: int, revision: str) -> bool:
        started = time.perf_counter()
        try:
            written = await self._append(facts, result, status, revision)
        except Exception:
            # Not written, and not JSON or too long: a bug, but one that the ledger hears of.
            self._log_failure()
            bare = (Deny if isinstance(result, Deny) else Withhold)(Reason.INTERNAL_ERROR)
            await self._append(facts, bare, _poisoned(bare).status, revision)
            raise
        self._metrics.appended(written, time.perf_counter() - started)
        return written

    async def _append(self, facts: Facts, result: Deny | Withhold | Release, status: int, revision: str) -> bool:
        elapsed_ms = self.now_ms() - facts.now_ms
        return await self._ports.audit.append(
            record(facts, result, status=status, revision=revision, elapsed_ms=elapsed_ms)
        )

    def _elapsed_s(self, facts: Facts) -> float:
        return max(0, self.now_ms() - facts.now_ms) / 1000

    async def _judge[Result](
        self, deciding: Deciding[Result], facts: Facts, broken: Deny | Withhold, revision: str
    ) -> Result:
        """Run it to its result. When it has none, `broken` is put on record before the exception goes on.

        The hook's deadline comes as CancelledError, which is delivered once: what is awaited here has the deadline of
        the sink. Even when it is cancelled again, the sink has the record by then.
        """
        try:
            effect = next(deciding)
            while True:
                reply = self._look_up(effect)
                effect = deciding.send(await self._perform(effect) if reply is None else reply)
        except StopIteration as finished:
            result: Result = finished.value
            return result
        except GeneratorExit:
            # The event loop is gone, and nothing may be awaited any more.
            raise
        except BaseException:
            self._log_failure()
            self._metrics.decided(broken, self._elapsed_s(facts))
            await self._record(facts, broken, _poisoned(broken).status, revision)
            raise

    def _log_failure(self) -> None:
        """Class and place of the exception at hand, for whoever the alert on internal errors wakes."""
        now_s = time.monotonic()
        if now_s >= self._silent_until_s:
            self._silent_until_s = now_s + FAILURE_LOGGED_EVERY_S
            log.error("decision_failed", exc_info=True)

    async def _enact(self, effect: Enact) -> Reply:
        """Loudly: nobody asked for it."""
        told = await self._ports.measures.enact(effect)
        if told is True:
            log.warning("measure_enacted", extra={"measure": effect.id, "cause": effect.kind.value})
            self._metrics.enacted(effect.kind)
        return told

    def _look_up(self, effect: Effect) -> Reply | None:
        """What is in memory and needs no waiting. None: it has to be performed."""
        match effect:
            case FindRevocations():
                return self._ports.revocations.find(effect)
            case FindMeasures():
                return self._ports.measures.find(effect)
            case _:
                return None

    def _counted(self, told: Reply) -> Reply:
        """A caller is told what is spent, not whose; whoever runs this needs to know."""
        if isinstance(told, OverBudget):
            self._metrics.over_budget(told)
        return told

    async def _perform(self, effect: Effect) -> Reply:
        match effect:
            case FindKey():
                return await self._ports.keys.find(effect)
            case Enact():
                return await self._enact(effect)
            case Charge():
                return self._counted(await self._ports.ledger.charge(effect))
            case Settle():
                return self._counted(await self._ports.ledger.settle(effect))
            case ProofSeen():
                return await self._ports.ledger.proof_seen(effect, self.now_ms())
            case Introspect():
                return await self._ports.introspection.ask(effect, self.now_ms())
            case FindRevocations() | FindMeasures():
                raise TypeError("what is in memory is looked up")
            case _:
                assert_never(effect)


def _poisoned(broken: Deny | Withhold) -> Problem:
    """What the caller is told when an exception reaches the hook: a flow is poisoned before, and stays so."""
    return Problem.UNAVAILABLE if isinstance(broken, Deny) else Problem.ANSWER_WITHHELD
