"""A real Prometheus scrapes a real Paravent under real traffic: every panel shows something, every alert could see.

A query over a metric that nobody sets, or under a label that nobody gives, is valid PromQL and an empty panel for ever.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from artefacts import RULES, alerts, now, panel_queries, selectors
from prometheus import Prometheus, running_prometheus, until
from stack import Stack, population, running_stack

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("prometheus")]

ROUNDS = 3
"""A rate needs two scrapes, and a counter that moved between them."""


@dataclass(frozen=True)
class Watched:
    """Both, after traffic."""

    stack: Stack
    prometheus: Prometheus


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A proxy that has released, denied, withheld and refused over budget, between scrapes."""
    folder = tmp_path_factory.mktemp("stack")
    with running_stack(folder, start=False) as stack:
        # The budget of persons is to be spent, not the one of requests.
        quotas = stack.policies / "quotas.yaml"
        quotas.write_text(re.sub(r"\{limit: \d+, per: 10s\}", "{limit: 1000, per: 10s}", quotas.read_text()))
        stack.start()
        with running_prometheus(tmp_path_factory.mktemp("prometheus"), stack.management, RULES) as prometheus:
            for turn in range(ROUNDS):
                decided = play(stack, turn)
                until(lambda: total(prometheus) >= decided, "the last round scraped")  # noqa: B023 (called at once)
            yield Watched(stack, prometheus)


def play(stack: Stack, turn: int) -> int:
    """One round; how many decisions it and those before it make."""
    pharmacist, optician = stack.login("21"), stack.login("28")
    answers = [stack.consult(pharmacist, turn * 10 + person).status for person in range(4)]
    # Ten persons in ten minutes are an optician's budget: all but the first ten are refused.
    answers += [stack.consult(optician, turn * 12 + person, domaine="OPTI").status for person in range(12)]
    refusals = [
        stack.consult(None, 1),
        stack.consult(stack.login(acr="eidas1", amr=("pwd",)), 1),
        stack.consult(replace(pharmacist, key=optician.key), 1),
        stack.consult(pharmacist, 1, dateNaissance="19000101"),
        stack.call("GET", "/v1/exports", pharmacist),
    ]
    assert [refusal.problem for refusal in refusals] == [
        "token_refused",
        "authentication_too_weak",
        "proof_refused",
        "beneficiary_unknown",
        "not_allowed",
    ]
    assert answers == [200] * 4 + ([200] * 10 + [429] * 2 if turn == 0 else [429] * 12)
    return (turn + 1) * (len(answers) + len(refusals))


def total(prometheus: Prometheus) -> float:
    return sum(count for _, count in prometheus.query("sum(paravent_decisions_total)"))


@pytest.mark.parametrize(("name", "expr"), [pytest.param(name, expr, id=name) for name, expr in panel_queries()])
def test_a_panel_shows_something(watched: Watched, name: str, expr: str) -> None:
    """Every query of the dashboard returns a number. Last week's is asked about now: there was none."""
    assert watched.prometheus.has_data(expr.replace(" offset 1w", "")), name


@pytest.mark.parametrize(
    "selector",
    [
        pytest.param(selector, id=selector)
        for selector in sorted({now(selector) for alert in alerts() for selector in selectors(alert.expr)})
    ],
)
def test_an_alert_could_see(watched: Watched, selector: str) -> None:
    """Every selector inside an alert finds series: silence means that all is well, not that nothing is measured."""
    assert watched.prometheus.query(selector)


def test_every_rule_is_evaluated(watched: Watched) -> None:
    """Prometheus evaluates each rule on the real series without an error (no many-to-many matches, no bad types)."""
    until(lambda: not watched.prometheus.rule_problems(), "all rules evaluated")


def test_no_alert_fires_on_an_ordinary_minute(watched: Watched) -> None:
    """Traffic with a few refusals wakes nobody."""
    firing = watched.prometheus.query('ALERTS{alertstate="firing"}')
    assert firing == []


def test_what_is_served_is_what_is_documented(watched: Watched) -> None:
    """Every metric of ours that the process serves stands in the reference, and the other way round."""
    import build

    served = set(re.findall(r"^# TYPE (paravent_\w+)", watched.stack.metrics(), flags=re.M))
    documented = {f"{metric.name}_total" if metric.type == "counter" else metric.name for metric in build.described()}
    assert {name for name in served if not name.endswith("_created")} == documented


def test_no_series_names_anybody(watched: Watched) -> None:
    """After all that traffic, the scrape holds no NIR, name or practitioner."""
    text = watched.stack.metrics()
    for index in range(ROUNDS * 12):
        person = population().person(index)
        assert person.nir not in text
        assert person.surname not in text
    assert not re.search(r'"8?999\d{8}"', text)


def spoil(quotas: Path) -> None:
    quotas.write_text("quotas: 3\n")


def unlink(quotas: Path) -> None:
    quotas.unlink()
    quotas.symlink_to("nowhere.yaml")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(spoil, id="a policy that does not compile"),
        pytest.param(unlink, id="a file that cannot be read"),
    ],
)
def test_a_broken_policy_is_seen_and_so_is_its_repair(watched: Watched, damage: Callable[[Path], None]) -> None:
    """A real fault raises the alert; putting the same policy back ends it, and the node is ready again."""
    quotas = watched.stack.policies / "quotas.yaml"
    good = quotas.read_bytes()
    raised = 'ALERTS{alertname="ParaventPolicyBroken"}'
    assert not watched.prometheus.query(raised)
    damage(quotas)
    try:
        until(lambda: bool(watched.prometheus.query(raised)), "the alert raised", 10)
    finally:
        quotas.unlink()
        quotas.write_bytes(good)
    until(lambda: not watched.prometheus.query(raised), "the alert ended", 10)
    assert watched.stack.scrape("/readyz")[0] == 200
