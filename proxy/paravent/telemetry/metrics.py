"""Every metric, in one table.

Labels are closed lists (reasons, operations and professions of the policy, scopes), so the number of series is
bounded by the policy's size whatever callers send. Names follow namespace_name_unit.

Every series whose labels are known beforehand exists from the start, at 0. Prometheus cannot see a counter's step
from absent to 1, so an alert on "any" would sleep through the first, which is the one that counts.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Final, override

from prometheus_client import CollectorRegistry, Gauge, Metric, ProcessCollector, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.registry import Collector

from paravent.effects import BudgetKind, MeasureKind, OverBudget, Scope, Usage
from paravent.model import Deny, Release, Withhold
from paravent.quota.blast_radius import Radius
from paravent.quota.windows import name_of
from paravent.reasons import Reason
from paravent.rules import Span
from paravent.telemetry.names import Names
from paravent.telemetry.tally import Counter, Distribution, Histogram

FAST_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Our own work: the target is 2 ms added at the 99th percentile, and no pause over 20 ms."""

WHOLE_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""A whole request, upstream included: Prometheus' default range."""

SHARE: Final = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
"""How full a budget is after a charge."""

MAX_UNNAMED: Final = 500
"""Series of fields that no view names: the reference API has some two hundred in all its operations."""
OTHER_PATHS: Final = "other"
"""What is counted beyond them, and of names that too few people's answers had. Begun at 0 for each operation, like
every series that is known beforehand."""


class Metrics:
    """The metrics of one process, on their own registry so that tests and workers never share one."""

    def __init__(self, registry: CollectorRegistry | None = None, worker: int | None = None) -> None:
        """`worker`: its number, where several serve one port."""
        self.registry = registry or CollectorRegistry()
        self._worker = worker
        self._names = Names()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._decisions = Counter(
            "paravent_decisions",
            "Requests decided: released, denied before the upstream was asked, or withheld after.",
            ["operation", "decision", "reason"],
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "paravent_request_seconds",
            "From the last byte of a request's head to its decision being on record.",
            ["decision"],
            buckets=WHOLE_S,
            registry=self.registry,
        )
        self._stage_seconds = Histogram(
            "paravent_stage_seconds",
            "One stage of a request: decide, upstream, settle, audit.",
            ["stage"],
            buckets=FAST_S,
            registry=self.registry,
        )
        self._stages = {stage: self._stage_seconds.labels(stage) for stage in STAGES}
        self._persons = Counter(
            "paravent_persons_disclosed",
            "Persons in released answers; the same person in two answers counts twice.",
            ["operation", "profession"],
            registry=self.registry,
        )
        self._values_released = Counter(
            "paravent_values_released",
            "Field values that left in released answers.",
            ["operation"],
            registry=self.registry,
        )
        self._values_dropped = Counter(
            "paravent_values_dropped",
            "Field values of the upstream that did not leave.",
            ["operation"],
            registry=self.registry,
        )
        self._unnamed = Counter(
            "paravent_unnamed_fields",
            "Answers, of those that were looked through, in which the upstream sent a field that no view names. "
            "`other`: fields that fewer than ten people's answers had so far.",
            ["operation", "path"],
            registry=self.registry,
        )
        self._budget_used_ratio = Histogram(
            "paravent_budget_used_ratio",
            "How full the practitioner's own budget was after a charge, per kind and window: seconds, or calendar-day.",
            ["kind", "window_s"],
            buckets=SHARE,
            registry=self.registry,
        )
        self._budgets: dict[tuple[BudgetKind, Span], Distribution] = {}
        self._over_budget = Counter(
            "paravent_over_budget",
            "Questions refused, and answers withheld, because a budget had no room: whose, and of what.",
            ["scope", "kind"],
            registry=self.registry,
        )
        self._warnings = Counter(
            "paravent_budget_warnings",
            "Released answers that said that a limit of persons is nearly spent.",
            registry=self.registry,
        )
        self._emergency = Counter(
            "paravent_emergency_questions",
            "Questions let through on this process's emergency budget, while the state store did not answer.",
            registry=self.registry,
        )
        self._enacted = Counter(
            "paravent_measures_enacted",
            "Measures about single practitioners that this proxy decided by itself, by kind.",
            ["kind"],
            registry=self.registry,
        )
        self._audit_failures = Counter(
            "paravent_audit_failures", "Records that could not be written in time.", registry=self.registry
        )
        self._upstream_failures = Counter(
            "paravent_upstream_failures",
            "Exchanges with the upstream that gave no usable answer.",
            ["reason"],
            registry=self.registry,
        )
        self._guard_exceptions = Counter(
            "paravent_guard_exceptions",
            "Exceptions caught at a hook of the guard: each one is a bug, and each one closed.",
            ["hook"],
            registry=self.registry,
        )
        self._logouts = Counter(
            "paravent_logouts",
            "Logouts that issuers reported, by what became of them.",
            ["outcome"],
            registry=self.registry,
        )
        self._open = 0
        """Client connections: counted on the event loop alone, read by whoever scrapes."""
        connections = Gauge("paravent_connections", "Open client connections.", registry=self.registry)
        connections.set_function(lambda: float(self._open))
        self._connections_refused = Counter(
            "paravent_connections_refused",
            "Client connections closed before a request was read.",
            ["cause"],
            registry=self.registry,
        )
        self._unmarked = Counter(
            "paravent_unmarked_responses",
            "Responses that did not carry our mark and therefore did not leave.",
            registry=self.registry,
        )
        self._policy_info = Gauge(
            "paravent_policy_info", "1 for the policy revision in force.", ["revision"], registry=self.registry
        )
        self._policy_revisions: set[str] = set()
        self._policy_loaded = Gauge(
            "paravent_policy_loaded_timestamp_seconds",
            "When the policy in force was loaded.",
            registry=self.registry,
        )
        self._policy_broken = Gauge(
            "paravent_policy_broken",
            "1 while the policy folder holds a policy that cannot be used and the last good one stays in force.",
            registry=self.registry,
        )
        self._blast_radius = Gauge(
            "paravent_blast_radius_persons",
            "The most persons that a theft could expose in a period under the policy in force; +Inf: no budget bounds "
            "it. `profession` is that of a stolen account, else none; scope `practitioner_raised`: with all that the "
            "policy lets be added.",
            ["scope", "profession", "period_s"],
            registry=self.registry,
        )
        self._unbound = Gauge(
            "paravent_policy_unbound_issuers",
            "Issuers whose unbound tokens the policy has judged and put on record, and refused.",
            registry=self.registry,
        )
        self._build = Gauge(
            "paravent_build_info",
            "1, by version and by the walk over answers.",
            ["version", "walk"],
            registry=self.registry,
        )
        self._ready = Gauge("paravent_ready", "1 when requests are answered.", registry=self.registry)
        self._watched = {
            name: Gauge(name, documentation, labels, registry=self.registry) for name, documentation, labels in WATCHED
        }
        self._start_at_zero()

    def _start_at_zero(self) -> None:
        """The labels that need no policy to be known."""
        for scope in Scope:
            for what in BudgetKind:
                self._over_budget.labels(scope.value, what.value)
        for hook in HOOKS:
            self._guard_exceptions.labels(hook)
        for cause in CAUSES:
            self._connections_refused.labels(cause)
        for reason in NO_ANSWER:
            self._upstream_failures.labels(reason.value)
        for outcome in LOGOUTS:
            self._logouts.labels(outcome)
        for kind in MeasureKind:
            self._enacted.labels(kind.value)
        for decision in ("release", "deny", "withhold"):
            self._request_seconds.labels(decision)
        for reason in UNROUTED:
            self._decisions.labels("none", "deny", reason.value)

    def expect(self, operations: Iterable[str], professions: Iterable[str]) -> None:
        """Start the series of a policy at 0: about sixty for an operation. Call it for each revision that is loaded."""
        codes = tuple(professions)
        for operation in operations:
            self._decisions.labels(operation, "release", "none")
            for reason in DENIED:
                self._decisions.labels(operation, "deny", reason.value)
            for reason in WITHHELD:
                self._decisions.labels(operation, "withhold", reason.value)
            for code in codes:
                self._persons.labels(operation, code)
            self._values_released.labels(operation)
            self._values_dropped.labels(operation)
            self._unnamed.labels(operation, OTHER_PATHS)

    def exposition(self) -> bytes:
        """All of them in Prometheus' text format. One of several workers has its number on every series."""
        registry = self.registry if self._worker is None else _OfWorker(self.registry, self._worker)
        return generate_latest(registry)

    # ---- requests

    def decided(self, result: Deny | Withhold | Release, elapsed_s: float) -> None:
        """One request came to its end."""
        decision, reason = _words(result)
        operation = result.about.operation or "none"
        self._decisions.series[operation, decision, reason].value += 1
        self._request_seconds.series[decision,].observe(elapsed_s)
        if isinstance(result, Release):
            profession = result.about.practitioner.profession if result.about.practitioner else "none"
            self._persons.series[operation, profession].value += len(result.persons)
            self._values_released.series[operation,].value += sum(result.released.values())
            self._values_dropped.series[operation,].value += result.dropped
            if result.unnamed:
                self._drifted(operation, result)

    def _drifted(self, operation: str, released: Release) -> None:
        """Paths are the upstream's words: their number is bounded here, and none is told that could be somebody's."""
        series, who = self._unnamed.series, released.about.practitioner
        # Whose answer it is; where it names nobody, who asked.
        person = hash(released.persons[0]) if released.persons else hash(who.rpps if who is not None else "")
        for path in released.unnamed:
            known = (operation, path) in series or (
                len(series) < MAX_UNNAMED and self._names.may_be_told(operation, path, person)
            )
            series[operation, path if known else OTHER_PATHS].value += 1

    def allowed(self, usage: Iterable[Usage]) -> None:
        """A charge fitted; how full the practitioner's windows are now."""
        for each in usage:
            if each.scope is not Scope.PRACTITIONER:
                continue  # a fleet at half its budget says nothing of anybody
            window = each.window
            series = self._budgets.get((each.kind, window.span)) or self._fullness(each.kind, window.span)
            series.observe(each.used / (window.limit or 1))

    def enacted(self, kind: MeasureKind) -> None:
        self._enacted.labels(kind.value).inc()

    def over_budget(self, over: OverBudget) -> None:
        """A charge or a settlement did not fit. Of several budgets without room, the one to be waited for longest."""
        self._over_budget.labels(over.scope.value, over.kind.value).inc()

    def warned(self) -> None:
        """A released answer carried a warning."""
        self._warnings.inc()

    def let_through_alone(self) -> None:
        """A question was charged to the emergency budget."""
        self._emergency.inc()

    def stage(self, stage: str, elapsed_s: float) -> None:
        self._stages[stage].observe(elapsed_s)

    def appended(self, written: bool, elapsed_s: float) -> None:
        self.stage("audit", elapsed_s)
        if not written:
            self._audit_failures.inc()

    def upstream_failed(self, reason: str) -> None:
        self._upstream_failures.labels(reason).inc()

    def hook_raised(self, hook: str) -> None:
        """Never raises: called where a failure is being dealt with, and another would go on past whoever does that."""
        with suppress(BaseException):
            self._guard_exceptions.labels(hook).inc()

    def unmarked_response(self) -> None:
        self._unmarked.inc()

    def _fullness(self, kind: BudgetKind, span: Span) -> Distribution:
        window = str(span) if span > 0 else name_of(span)
        series = self._budgets[kind, span] = self._budget_used_ratio.labels(kind.value, window)
        return series

    def logout(self, outcome: str) -> None:
        self._logouts.labels(outcome).inc()

    # ---- connections

    def connection_opened(self) -> None:
        self._open += 1

    def connection_closed(self) -> None:
        self._open -= 1

    def connection_refused(self, cause: str) -> None:
        """`cause`: one of `CAUSES`."""
        self._connections_refused.labels(cause).inc()

    # ---- what is in force

    def policy_loaded(self, revision: str, now_s: float) -> None:
        # The new one first: a scrape in between sees two revisions, never none.
        self._policy_info.labels(revision).set(1)
        for labels in self._policy_revisions - {revision}:
            self._policy_info.remove(labels)
        self._policy_revisions = {revision}
        self._policy_loaded.set(now_s)
        self._policy_broken.set(0)

    def could_expose(self, radii: Iterable[Radius]) -> None:
        """What a theft could expose under the policy that was loaded."""
        self._blast_radius.clear()
        for each in radii:
            persons = math.inf if each.persons is None else each.persons
            scope = f"{each.scope.value}_raised" if each.raised else each.scope.value
            self._blast_radius.labels(scope, each.profession or "none", str(each.period_s)).set(persons)

    def observes_unbound(self, issuers: int) -> None:
        self._unbound.set(issuers)

    def policy_broken(self) -> None:
        self._policy_broken.set(1)

    def built(self, version: str, walk: str) -> None:
        self._build.labels(version, walk).set(1)

    def watch(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """A gauge that is read when it is scraped. One of `WATCHED` has its documentation there."""
        gauge = self._watched.get(name) or Gauge(name, documentation, registry=self.registry)
        gauge.set_function(_or_nan(read))

    def watch_each(self, name: str, documentation: str, label: str, read: Mapping[str, Callable[[], float]]) -> None:
        """A gauge per value of one closed label."""
        gauge = self._watched.get(name) or Gauge(name, documentation, [label], registry=self.registry)
        for value, function in read.items():
            gauge.labels(value).set_function(_or_nan(function))

    def ready(self, read: Callable[[], bool]) -> None:
        """Read when scraped. What cannot say that it is ready is not."""

        def value() -> float:
            try:
                return float(read())
            except Exception:
                return 0.0

        self._ready.set_function(value)


WATCHED: Final = (
    (
        "paravent_keys_age_seconds",
        "Since the key set of an issuer was last confirmed; NaN before the first time.",
        ("issuer",),
    ),
    ("paravent_keys_limit_seconds", "The age at which the key set of an issuer is no longer used.", ("issuer",)),
    ("paravent_introspection_asked", "Questions put to an issuer about its tokens, since the start.", ("issuer",)),
    (
        "paravent_introspection_failed",
        "Of those, how many got no clear answer in time: nobody was let in for them.",
        ("issuer",),
    ),
    ("paravent_keys_failures", "Reads of an issuer's key set that gave none, since the start.", ("issuer",)),
    ("paravent_revocations_entries", "What is revoked, by the list that says so.", ("source",)),
    ("paravent_revocations_age_seconds", "Since a list of revocations was last read.", ("source",)),
    (
        "paravent_measures",
        "Measures about single practitioners that are in force, by kind.",
        ("kind",),
    ),
    ("paravent_measures_age_seconds", "Since the book of measures was last read.", ()),
    (
        "paravent_emergency_owed",
        "Persons disclosed on the emergency budget and not yet charged to the state store.",
        (),
    ),
    ("paravent_state_queue", "Operations waiting for the state store.", ()),
    ("paravent_upstream_circuit_open", "1 while the upstream has failed so often that it is only probed.", ()),
)
"""Gauges that are read when they are scraped: name, documentation, labels. `wiring` says what to read."""

STAGES: Final = ("decide", "upstream", "settle", "audit")
"""The values of the label `stage`."""

HOOKS: Final = ("requestheaders", "request", "responseheaders", "response", "error", "listener")
"""The hooks of the guard, and the listener around them: the values of the label `hook`."""

LOGOUTS: Final = ("accepted", "refused", "unavailable")
"""What becomes of a reported logout: the values of the label `outcome`."""

CAUSES: Final = ("draining", "plaintext", "stranger", "introduction", "full", "network_full")
"""Why a connection was refused: the values of the label `cause`."""

NO_ANSWER: Final = (
    Reason.UPSTREAM_UNREACHABLE,
    Reason.UPSTREAM_PROTOCOL,
    Reason.UPSTREAM_TIMEOUT,
    Reason.UPSTREAM_CIRCUIT_OPEN,
    Reason.UPSTREAM_BUSY,
    Reason.ANSWER_TOO_LARGE,
    Reason.INTERNAL_ERROR,
    Reason.CLIENT_LEFT,
)
"""What an exchange with the upstream can end in instead of an answer."""

UNROUTED: Final = (
    Reason.REQUEST_AMBIGUOUS,
    Reason.REQUEST_TOO_LARGE,
    Reason.HEADERS_TOO_LARGE,
    Reason.NETWORK_REFUSED_OFTEN,
    Reason.OPERATION_UNKNOWN,
    Reason.AUDIT_UNAVAILABLE,
    Reason.INTERNAL_ERROR,
    Reason.DRAINING,
)
"""Refusals before an operation was found: operation "none"."""

EITHER: Final = frozenset(
    {
        Reason.PERSONS_OVER_BUDGET,
        Reason.STATE_UNAVAILABLE,
        Reason.AUDIT_UNAVAILABLE,
        Reason.INTERNAL_ERROR,
    }
)
"""Can come before the upstream is asked and after."""

WITHHELD: Final = tuple(
    reason
    for reason in Reason
    if reason in EITHER
    or reason.value.startswith(("answer_", "upstream_"))
    or reason in {Reason.BENEFICIARY_UNKNOWN, Reason.TOO_MANY_PERSONS, Reason.CLIENT_LEFT, Reason.DRAINING}
)
"""What an answer can be withheld for."""

DENIED: Final = tuple(
    reason
    for reason in Reason
    if reason in EITHER or (reason not in WITHHELD and (reason is Reason.REQUEST_AMBIGUOUS or reason not in UNROUTED))
)
"""What a request can be denied for once its operation is known."""


class _OfWorker(Collector):
    """A registry's series with one label more."""

    def __init__(self, registry: CollectorRegistry, worker: int) -> None:
        self._registry = registry
        self._label = {"worker": str(worker)}

    @override
    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            labelled = Metric(family.name, family.documentation, family.type, family.unit)
            labelled.samples = [each._replace(labels={**each.labels, **self._label}) for each in family.samples]
            yield labelled


def _or_nan(read: Callable[[], float]) -> Callable[[], float]:
    """One gauge that cannot be read must not cost the scrape: NaN, and the others are served."""

    def value() -> float:
        try:
            return read()
        except Exception:
            return math.nan

    return value


def _words(result: Deny | Withhold | Release) -> tuple[str, str]:
    match result:
        case Release():
            return "release", "none"
        case Deny():
            return "deny", result.reason.value
        case Withhold():
            return "withhold", result.reason.value
