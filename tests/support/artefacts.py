"""What `observability/` holds, as tests want to see it: rules, panels, and the selectors inside an expression."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import promql_parser
import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
OBSERVABILITY: Final = ROOT / "observability"
RULES: Final = tuple(sorted((OBSERVABILITY / "alerts").glob("*.yaml")))
RULE_TESTS: Final = tuple(sorted((OBSERVABILITY / "alerts/tests").glob("*.yaml")))
BOARDS: Final = tuple(sorted((OBSERVABILITY / "dashboards").glob("*.json")))

if str(OBSERVABILITY) not in sys.path:
    sys.path.append(str(OBSERVABILITY))  # its scripts are run, not installed


@dataclass(frozen=True, slots=True)
class Alert:
    """One alerting rule and the file it stands in."""

    file: Path
    name: str
    expr: str
    rule: dict[str, Any]


def alerts() -> tuple[Alert, ...]:
    """Every alerting rule."""
    return tuple(
        Alert(file, rule["alert"], rule["expr"], rule)
        for file in RULES
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
    )


def panels() -> tuple[dict[str, Any], ...]:
    """Every panel of every dashboard, rows left out."""
    return tuple(panel for file in BOARDS for panel in json.loads(file.read_text())["panels"] if panel["type"] != "row")


def panel_queries() -> Iterator[tuple[str, str]]:
    """(panel and refId, expression) of every query, with Grafana's variables filled in as for a short look at all."""
    for panel in panels():
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", filled(target["expr"])


def filled(expr: str) -> str:
    """An expression as Prometheus would receive it from Grafana."""
    for variable, value in (("$__rate_interval", "1m"), ("$__range", "1m"), ("$instance", ".*")):
        expr = expr.replace(variable, value)
    return expr


def selectors(expr: str) -> list[promql_parser.VectorSelector]:
    """Every vector selector inside an expression."""
    found: list[promql_parser.VectorSelector] = []

    def note(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expr), note)
    return found


def now(selector: promql_parser.VectorSelector) -> str:
    """A selector without its offset: a fresh Prometheus has no last week."""
    return str(selector).partition(" offset ")[0]
