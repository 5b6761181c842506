"""Metrics: a closed table, every known series from the start, and no label that a caller could fill."""

import math

import pytest
from msgspec.structs import replace
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from paravent.effects import BudgetKind, OverBudget, Scope, Usage
from paravent.model import About, Deny, Evidence, Practitioner, Release, Subject, Withhold
from paravent.reasons import Reason
from paravent.rules import Calendar, Window
from paravent.telemetry.metrics import DENIED, HOOKS, MAX_UNNAMED, OTHER_PATHS, UNROUTED, WITHHELD, Metrics
from paravent.telemetry.names import TOLD_AFTER

OPERATION = "droits.consultation"
WHO = Practitioner("99700427885", "21", "990000012", "portail", "operateur")
ABOUT = About(OPERATION, "dispensation", WHO, Evidence("substantiel", 60, "dpop", "0" * 16), Subject(b"s" * 16))


def series(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of a scrape: (name, sorted labels) → value."""
    text = generate_latest(metrics.registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return series(metrics).get((name, tuple(sorted(labels.items()))))


def released(persons: int = 1, values: int = 5, dropped: int = 40) -> Release:
    keys = tuple(Subject(bytes([n]) * 16) for n in range(persons))
    return Release(b"{}", b"application/json", ABOUT, keys, {"/a": values - 1, "/b": 1}, dropped)


def test_release_is_counted_with_what_left() -> None:
    """A release counts once, with its persons by profession and its values released and dropped."""
    metrics = Metrics()
    metrics.decided(released(persons=2, values=7, dropped=31), 0.012)
    assert value(metrics, "paravent_decisions_total", operation=OPERATION, decision="release", reason="none") == 1
    assert value(metrics, "paravent_persons_disclosed_total", operation=OPERATION, profession="21") == 2
    assert value(metrics, "paravent_values_released_total", operation=OPERATION) == 7
    assert value(metrics, "paravent_values_dropped_total", operation=OPERATION) == 31
    assert value(metrics, "paravent_request_seconds_count", decision="release") == 1


def test_whose_budget_had_no_room_is_counted_by_scope_and_kind() -> None:
    """Every pair is there from the start; nothing says who."""
    metrics = Metrics()
    pairs = [(scope.value, kind.value) for scope in Scope for kind in BudgetKind]
    assert all(value(metrics, "paravent_over_budget_total", scope=scope, kind=kind) == 0 for scope, kind in pairs)
    metrics.over_budget(OverBudget(Scope.NETWORK, BudgetKind.UNITS, Window(1, 60), 9))
    assert value(metrics, "paravent_over_budget_total", scope="network", kind="units") == 1


def test_a_calendar_window_has_a_label_of_its_own() -> None:
    """By its name, where others have their seconds."""
    metrics = Metrics()
    metrics.allowed(
        [
            Usage(Scope.PRACTITIONER, BudgetKind.PERSONS, window, 5)
            for window in (Window(10, 90_000), Window.over(10, Calendar.DAY))
        ]
    )
    for label in ("90000", "calendar-day"):
        assert value(metrics, "paravent_budget_used_ratio_count", kind="persons", window_s=label) == 1


@pytest.mark.parametrize(
    ("result", "operation", "decision"),
    [
        pytest.param(
            Deny(Reason.OPERATION_UNKNOWN), "none", "deny", id="a refusal before any operation counts under none"
        ),
        pytest.param(Deny(Reason.TOKEN_EXPIRED, ABOUT), OPERATION, "deny", id="a refusal counts under its operation"),
        pytest.param(Withhold(Reason.ANSWER_SHAPE, ABOUT), OPERATION, "withhold", id="a withheld answer is told apart"),
    ],
)
def test_what_does_not_leave_discloses_nobody(result: Deny | Withhold, operation: str, decision: str) -> None:
    """A refusal counts once under its reason; no person and no value is counted for it."""
    metrics = Metrics()
    metrics.decided(result, 0.001)
    labels = {"operation": operation, "decision": decision, "reason": result.reason.value}
    assert value(metrics, "paravent_decisions_total", **labels) == 1
    assert not [key for key in series(metrics) if key[0].startswith(("paravent_persons", "paravent_values"))]


def test_every_reason_starts_at_zero() -> None:
    """After `expect`, each reason has a series for each decision it can come with, at 0: the first event is a step."""
    metrics = Metrics()
    metrics.expect([OPERATION], ["10", "21"])
    counted = {
        dict(labels)["reason"]: count
        for (name, labels), count in series(metrics).items()
        if name == "paravent_decisions_total"
    }
    assert counted == {"none": 0} | {reason.value: 0 for reason in Reason}


def test_expected_series_are_the_counted_ones() -> None:
    """Counting any foreseen decision adds no series: what is pre-created and what is counted cannot drift apart."""
    metrics = Metrics()
    metrics.expect([OPERATION], ["21"])
    before = series(metrics).keys()
    for reason in DENIED:
        metrics.decided(Deny(reason, ABOUT), 0.001)
    for reason in WITHHELD:
        metrics.decided(Withhold(reason, ABOUT), 0.001)
    for reason in UNROUTED:
        metrics.decided(Deny(reason), 0.001)
    metrics.decided(released(), 0.001)
    for hook in HOOKS:
        metrics.hook_raised(hook)
    for cause in ("draining", "plaintext", "full", "network_full"):
        metrics.connection_refused(cause)
    assert series(metrics).keys() == before


def test_expecting_twice_keeps_the_counts() -> None:
    """A reload of the policy does not reset a counter."""
    metrics = Metrics()
    metrics.expect([OPERATION], ["21"])
    metrics.decided(released(), 0.001)
    metrics.expect([OPERATION, "another"], ["21"])
    assert value(metrics, "paravent_persons_disclosed_total", operation=OPERATION, profession="21") == 1


def test_only_the_practitioners_own_budget_is_drawn() -> None:
    """A wider budget's fill is not mixed into the practitioners'."""
    metrics = Metrics()
    metrics.allowed(
        [
            Usage(Scope.PRACTITIONER, BudgetKind.PERSONS, Window(60, 600), 54),
            Usage(Scope.FLEET, BudgetKind.PERSONS, Window(900_000, 600), 1),
        ]
    )
    assert value(metrics, "paravent_budget_used_ratio_count", kind="persons", window_s="600") == 1
    assert value(metrics, "paravent_budget_used_ratio_sum", kind="persons", window_s="600") == 0.9


def test_a_budget_of_nothing_does_not_raise() -> None:
    """A limit of 0 is full; dividing by it would refuse the request as a bug."""
    metrics = Metrics()
    metrics.allowed([Usage(Scope.PRACTITIONER, BudgetKind.MISSES, Window(0, 60), 0)])
    assert value(metrics, "paravent_budget_used_ratio_count", kind="misses", window_s="60") == 1


def test_one_revision_is_in_force() -> None:
    """A reload moves the revision, its time, and ends the broken state."""
    metrics = Metrics()
    metrics.policy_loaded("aaaa", 1000.0)
    metrics.policy_broken()
    assert value(metrics, "paravent_policy_broken") == 1
    metrics.policy_loaded("bbbb", 2000.0)
    revisions = {
        dict(labels)["revision"]: v
        for (name, labels), v in series(metrics).items()
        if name.endswith("_info") and labels and labels[0][0] == "revision"
    }
    assert revisions == {"bbbb": 1}
    assert value(metrics, "paravent_policy_broken") == 0
    assert value(metrics, "paravent_policy_loaded_timestamp_seconds") == 2000.0


def test_an_unreadable_gauge_costs_itself_only() -> None:
    """A watched value that raises is NaN, readiness that raises is 0, and the scrape goes on."""

    def broken() -> float:
        raise RuntimeError("closed")

    metrics = Metrics()
    metrics.watch("paravent_state_queue", "", broken)
    metrics.watch_each("paravent_keys_age_seconds", "", "issuer", {"psc": broken, "operateur": lambda: 12.0})
    metrics.ready(lambda: broken() > 0)
    assert math.isnan(value(metrics, "paravent_state_queue") or 0.0)
    assert math.isnan(value(metrics, "paravent_keys_age_seconds", issuer="psc") or 0.0)
    assert value(metrics, "paravent_keys_age_seconds", issuer="operateur") == 12.0
    assert value(metrics, "paravent_ready") == 0


def test_connections_go_up_and_down() -> None:
    """Open connections are those opened and not closed."""
    metrics = Metrics()
    metrics.connection_opened()
    metrics.connection_opened()
    metrics.connection_closed()
    assert value(metrics, "paravent_connections") == 1


def test_failures_are_counted_where_alerts_look() -> None:
    """A record not written, an upstream that failed and an unmarked response each have their own counter."""
    metrics = Metrics()
    metrics.appended(written=True, elapsed_s=0.001)
    metrics.appended(written=False, elapsed_s=1.0)
    metrics.upstream_failed(Reason.UPSTREAM_TIMEOUT.value)
    metrics.unmarked_response()
    assert value(metrics, "paravent_audit_failures_total") == 1
    assert value(metrics, "paravent_stage_seconds_count", stage="audit") == 2
    assert value(metrics, "paravent_upstream_failures_total", reason="upstream_timeout") == 1
    assert value(metrics, "paravent_unmarked_responses_total") == 1


def test_no_label_names_anybody() -> None:
    """After a decision about a practitioner and a person, the scrape holds no trace of who they are."""
    metrics = Metrics()
    metrics.decided(released(), 0.001)
    metrics.decided(Deny(Reason.PERSONS_OVER_BUDGET, ABOUT), 0.001)
    text = generate_latest(metrics.registry).decode()
    for secret in (WHO.rpps, str(WHO.finess), "portail", "0" * 16, (b"s" * 16).hex()):
        assert secret not in text


def test_two_processes_do_not_share() -> None:
    """Each Metrics has its own registry."""
    one, other = Metrics(), Metrics()
    one.unmarked_response()
    assert value(other, "paravent_unmarked_responses_total") == 0


def test_fields_that_no_view_names_are_counted_and_bounded() -> None:
    """By operation and path; an upstream that invents names without end makes one more series, and no more."""
    metrics = Metrics()
    for number in range(TOLD_AFTER + 1):
        metrics.decided(answered(number, "/a", "/b"), 0.01)
    assert value(metrics, "paravent_unnamed_fields_total", operation=OPERATION, path="/a") == 2
    for n in range(MAX_UNNAMED + 50):
        for number in range(TOLD_AFTER):
            metrics.decided(answered(number, f"/n{n}"), 0.01)
    names = told(metrics)
    assert len(names) == MAX_UNNAMED - 1
    waited, beyond = len(names) * (TOLD_AFTER - 1), (2 + MAX_UNNAMED + 50 - len(names)) * TOLD_AFTER
    assert value(metrics, "paravent_unnamed_fields_total", operation=OPERATION, path=OTHER_PATHS) == waited + beyond


def answered(number: int, *unnamed: str, more: int = 0) -> Release:
    """An answer about the person of a number, and perhaps those behind."""
    persons = tuple(Subject(each.to_bytes(16)) for each in range(number, number + 1 + more))
    return replace(released(), persons=persons, unnamed=unnamed)


def told(metrics: Metrics) -> set[str]:
    """The names that anybody sees."""
    labels = [dict(key[1])["path"] for key in series(metrics) if key[0] == "paravent_unnamed_fields_total"]
    return set(labels) - {OTHER_PATHS}


def test_a_key_that_may_be_a_name_of_somebody_is_not_told() -> None:
    """However often they are asked about, and whoever of nine relatives shares it."""
    metrics = Metrics()
    for number in [*range(TOLD_AFTER - 1)] * 20:
        metrics.decided(answered(number, "/famille/dupont"), 0.01)
    assert told(metrics) == set()
    assert value(metrics, "paravent_unnamed_fields_total", operation=OPERATION, path=OTHER_PATHS) == 20 * 9
    metrics.decided(answered(99, "/famille/dupont"), 0.01)
    assert told(metrics) == {"/famille/dupont"}


def test_a_list_of_people_who_are_called_alike_is_one_answer() -> None:
    """Whoever searches for a surname is answered with it fifty times."""
    metrics = Metrics()
    metrics.decided(answered(0, "/resultats[]/dupont", more=49), 0.01)
    assert told(metrics) == set()


def test_a_name_of_which_nobody_is_asked_waits_for_as_many_practitioners() -> None:
    """An answer about an account has no beneficiary."""
    metrics = Metrics()
    for _ in range(TOLD_AFTER * 2):
        metrics.decided(replace(released(), persons=(), unnamed=("/a",)), 0.01)
    assert told(metrics) == set()
    for number in range(TOLD_AFTER):
        metrics.decided(asked_by(f"9992100000{number}", "/a"), 0.01)
    assert told(metrics) == {"/a"}


def asked_by(rpps: str, *unnamed: str) -> Release:
    about = released().about
    assert about.practitioner is not None
    practitioner = replace(about.practitioner, rpps=rpps)
    return replace(released(), about=replace(about, practitioner=practitioner), persons=(), unnamed=unnamed)


def test_a_field_is_told_among_keys_without_end() -> None:
    """What waits is bounded, and what stands in every answer stays."""
    metrics = Metrics()
    for number in range(TOLD_AFTER):
        keys = [f"/m/{chr(97 + number)}{chr(97 + key // 26)}{chr(97 + key % 26)}" for key in range(60)]
        metrics.decided(answered(number, *keys, "/nouveau"), 0.01)
    assert told(metrics) == {"/nouveau"}
