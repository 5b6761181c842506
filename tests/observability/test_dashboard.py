"""The dashboard: generated, complete, and readable by whoever is woken at night."""

import json
import re
from collections import Counter
from itertools import combinations
from typing import Any

import promql_parser
import pytest

from artefacts import BOARDS, ROOT, panel_queries, panels

BOARD: dict[str, Any] = json.loads(BOARDS[0].read_text())
EVERY_PANEL = pytest.mark.parametrize("panel", [pytest.param(panel, id=panel["title"]) for panel in panels()])
UNITS = {"short", "s", "reqps", "cps", "percentunit", "bytes"}
"""Units of Grafana that are used. A misspelt one is shown as a plain number, and nobody notices."""


@pytest.mark.parametrize(
    "file",
    [pytest.param(name, id=name) for name in ("observability/dashboards/paravent.json", "docs/reference/metrics.md")],
)
def test_generated_files_are_what_their_sources_make(file: str) -> None:
    """The committed file is the one that observability/build.py writes."""
    import build

    assert (ROOT / file).read_text(encoding="utf-8") == build.generated()[ROOT / file], "run observability/build.py"


def test_the_document() -> None:
    """The board has a stable uid, a schema version that Grafana 10.4 and later read, and reads like a page."""
    assert BOARD["uid"] == "paravent"
    assert BOARD["schemaVersion"] == 39
    assert BOARD["description"]
    assert [panel["title"] for panel in BOARD["panels"] if panel["type"] == "row"] == [
        "Is it serving?",
        "Who is refused, and why?",
        "What leaves?",
        "Is it healthy?",
    ]


def test_the_data_source_is_a_variable() -> None:
    """The reader chooses the Prometheus; none is written anywhere."""
    assert [each["name"] for each in BOARD["templating"]["list"]] == ["datasource", "instance"]
    found = re.findall(r'"uid": "([^"]*)"', BOARDS[0].read_text())
    assert set(found) == {"${datasource}", "paravent"}
    assert found.count("paravent") == 1


def test_ids_and_titles_are_unique() -> None:
    """No two panels share an id or a title."""
    for member in ("id", "title"):
        assert max(Counter(panel[member] for panel in BOARD["panels"]).values()) == 1


def test_nothing_overlaps() -> None:
    """Each panel lies within the 24 columns and over no other."""
    cells = []
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        xs, ys = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        cells.append((panel["title"], {(x, y) for x in xs for y in ys}))
    for (one, here), (other, there) in combinations(cells, 2):
        assert not here & there, f"{one} and {other}"


@EVERY_PANEL
def test_a_panel_explains_itself(panel: dict[str, Any]) -> None:
    """Each panel has a unit that Grafana knows and a description in whole sentences."""
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert len(panel["description"]) > 40
    assert panel["description"].endswith(".")


@EVERY_PANEL
def test_a_panel_asks(panel: dict[str, Any]) -> None:
    """Each panel has queries with their own refIds, from the chosen source, and names for more than one line."""
    targets = panel["targets"]
    assert [target["refId"] for target in targets] == list("ABCDEF"[: len(targets)])
    assert targets
    for target in targets:
        assert target["datasource"]["uid"] == "${datasource}"
        assert len(targets) == 1 or target["legendFormat"] != "__auto"


@EVERY_PANEL
def test_a_panel_obeys_the_choice_of_nodes(panel: dict[str, Any]) -> None:
    """Every selector of every query is limited to the chosen nodes."""
    for target in panel["targets"]:
        names = re.findall(r"\b(?:paravent|process)_[a-z_]+", target["expr"])
        assert names
        assert target["expr"].count('instance=~"$instance"') == len(names)


@pytest.mark.parametrize(("name", "expr"), [pytest.param(name, expr, id=name) for name, expr in panel_queries()])
def test_a_query_parses(name: str, expr: str) -> None:
    """PromQL, by another parser than Prometheus' own."""
    assert "$" not in expr, name
    promql_parser.parse(expr)
