"""Alert rules: well-formed, explained, tested both ways, and about metrics that exist."""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from artefacts import OBSERVABILITY, ROOT, RULE_TESTS, RULES, Alert, alerts, panel_queries, selectors
from paravent.keys.held import STALE_FOR_S
from paravent.reasons import Reason
from prometheus import promtool

EVERY_ALERT = pytest.mark.parametrize("alert", [pytest.param(alert, id=alert.name) for alert in alerts()])
HEADINGS = ["## What it means", "## What to look at", "## What to do"]
OUTSIDE = {"up", "process_cpu_seconds_total", "process_resident_memory_bytes"}
"""Used and not ours: Prometheus' own, and the client library's."""


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """(test's name, case) of every alert case of the promtool tests."""
    for file in RULE_TESTS:
        for test in yaml.safe_load(file.read_text())["tests"]:
            for case in test.get("alert_rule_test", ()):
                yield test["name"], case


def test_the_rules_are_rules() -> None:
    """Prometheus accepts every rule file."""
    done = promtool("check", "rules", *RULES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_do_what_their_tests_say() -> None:
    """promtool plays every test of alerts/tests."""
    done = promtool("test", "rules", *RULE_TESTS)
    assert done.returncode == 0, done.stdout + done.stderr


@EVERY_ALERT
def test_an_alert_is_tested_both_ways(alert: Alert) -> None:
    """For each alert there is a case in which it fires and one in which it stays silent, in sentences that name it."""
    mine = [(name, case) for name, case in cases() if case["alertname"] == alert.name]
    assert any(case["exp_alerts"] for _, case in mine), "no case in which it fires"
    assert any(not case["exp_alerts"] for _, case in mine), "no case in which it stays silent"
    for name, _ in mine:
        assert any(word in name for word in (" fires ", " stays silent", " is silent")), name


@EVERY_ALERT
def test_an_alert_explains_itself(alert: Alert) -> None:
    """Each alert has a severity, a summary, a description and the link to its own runbook."""
    assert alert.name.startswith("Paravent")
    assert alert.rule["labels"] in ({"severity": "critical"}, {"severity": "warning"})
    assert sorted(alert.rule["annotations"]) == ["description", "runbook_url", "summary"]
    assert alert.rule["annotations"]["runbook_url"] == f"observability/runbooks/{alert.name}.md"
    assert not alert.rule["annotations"]["summary"].endswith(".")
    assert alert.rule["annotations"]["description"].endswith(".")


@EVERY_ALERT
def test_a_runbook_says_what_to_do(alert: Alert) -> None:
    """The page has the alert's name, its three headings with something under each, and links that lead somewhere."""
    page = ROOT / alert.rule["annotations"]["runbook_url"]
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {alert.name}\n")
    assert [line for line in text.splitlines() if line.startswith("## ")] == HEADINGS
    assert all(part.strip() for part in re.split(r"^## .*$", text, flags=re.M))
    assert len(text.splitlines()) <= 40
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (page.parent / target).exists(), target


def test_there_is_no_runbook_without_alert() -> None:
    """A page whose alert is gone is gone too."""
    pages = {page.stem for page in (OBSERVABILITY / "runbooks").glob("*.md")}
    assert pages == {alert.name for alert in alerts()}


def test_names_are_unique() -> None:
    """No alert stands in two files."""
    names = [alert.name for alert in alerts()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=page.stem) for page in sorted(OBSERVABILITY.glob("runbooks/*.md"))]
)
def test_panels_that_a_runbook_names_exist(page: Path) -> None:
    """Where a runbook sends its reader to a panel, the dashboard has one of that title."""
    titles = {name.rpartition(" ")[0] for name, _ in panel_queries()}
    quoted = set(re.findall(r'"([A-Z][^"]+)"', page.read_text()))
    assert quoted <= titles


@lru_cache
def table() -> dict[str, set[str]]:
    """Series name → labels, of everything that Metrics can serve."""
    import build

    known: dict[str, set[str]] = {}
    for metric in build.described():
        for sample in metric.samples:
            known.setdefault(sample.name, set()).update(sample.labels)
    return known


EVERY_EXPRESSION = pytest.mark.parametrize(
    "expr",
    [pytest.param(alert.expr, id=alert.name) for alert in alerts()]
    + [pytest.param(expr, id=name) for name, expr in panel_queries()],
)


@EVERY_EXPRESSION
def test_an_expression_is_about_what_exists(expr: str) -> None:
    """Each selector names a series of the table and only labels that it has; each reason it looks for is a reason."""
    known = table()
    for selector in selectors(expr):
        assert selector.name is not None
        if selector.name in OUTSIDE:
            continue
        labels = known[selector.name] | {"instance", "job"}
        for matcher in selector.matchers.matchers:
            assert matcher.name in labels, f"{selector.name} has no label {matcher.name}"
            if matcher.name == "reason":
                for alternative in matcher.value.split("|"):
                    assert any(re.fullmatch(alternative, reason) for reason in Reason), alternative


@EVERY_ALERT
def test_an_expression_parses(alert: Alert) -> None:
    """PromQL, by another parser than Prometheus' own."""
    promql_parser.parse(alert.expr)


def test_keys_are_called_for_before_they_expire() -> None:
    """The critical alert about an old key set comes hours before the set is dropped."""
    (alert,) = [alert for alert in alerts() if alert.name == "ParaventKeysExpiring"]
    match = re.search(r"> (0\.\d+)$", alert.expr)
    assert match
    assert (1 - float(match[1])) * STALE_FOR_S >= 4 * 3600
    assert STALE_FOR_S == 24 * 3600, "the runbooks say a day"
