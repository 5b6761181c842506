"""A Grafana dashboard as plain dicts: rows that flow left to right, panels that number themselves.

Only what the dashboards here use. Schema version 39 is that of Grafana 10.4; later ones migrate it when they load it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

type Json = bool | int | float | str | list["Json"] | dict[str, "Json"] | None

SCHEMA_VERSION: Final = 39
COLUMNS: Final = 24
"""A Grafana row is 24 units wide, whatever the screen."""
PANEL_HEIGHT: Final = 8
SOURCE: Final[Json] = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Query:
    """One expression and how its series are called."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture and the sentence that says how to read it."""

    title: str
    description: str
    unit: str
    """A unit id of Grafana: "s", "reqps", "percentunit", "short", "bytes"."""
    queries: tuple[Query, ...]
    kind: str = "timeseries"
    """Or "stat"."""
    width: int = 8
    stacked: bool = False
    red_from: float | None = None
    """A value from which it is drawn in red."""
    words: Mapping[int, str] = field(default_factory=dict)
    """What to write in place of a number."""


@dataclass(frozen=True, slots=True)
class Row:
    """A question, and the panels that answer it."""

    title: str
    panels: tuple[Panel, ...]


def dashboard(
    uid: str, title: str, description: str, variables: Sequence[Json], rows: Sequence[Row]
) -> dict[str, Json]:
    """The whole document."""
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["paravent"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": list(variables)},
        "annotations": {"list": []},
        "panels": _laid_out(rows),
    }


def source_variable() -> Json:
    """Which Prometheus: chosen by the reader, never written into a panel."""
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def label_variable(name: str, label: str, query: str) -> Json:
    """Values of a label; all of them unless the reader chooses."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": "variable"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _laid_out(rows: Sequence[Row]) -> list[Json]:
    """Left to right; a panel that does not fit begins a new line."""
    panels: list[Json] = []
    y = 0
    for row in rows:
        place: dict[str, Json] = {"h": 1, "w": COLUMNS, "x": 0, "y": y}
        panels.append(
            {
                "id": len(panels) + 1,
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "gridPos": place,
                "panels": [],
            }
        )
        x, y = 0, y + 1
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y = 0, y + PANEL_HEIGHT
            place = {"h": PANEL_HEIGHT, "w": panel.width, "x": x, "y": y}
            panels.append({"id": len(panels) + 1, "gridPos": place, **_body(panel)})
            x += panel.width
        y += PANEL_HEIGHT
    return panels


def _body(panel: Panel) -> dict[str, Json]:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "targets": [_target(number, query, panel.kind) for number, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
    }


def _target(number: int, query: Query, kind: str) -> Json:
    return {
        "refId": chr(ord("A") + number),
        "datasource": SOURCE,
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "instant": kind == "stat",
        "range": kind != "stat",
    }


def _defaults(panel: Panel) -> dict[str, Json]:
    steps: list[Json] = [{"color": "green", "value": None}]
    if panel.red_from is not None:
        steps.append({"color": "red", "value": panel.red_from})
    defaults: dict[str, Json] = {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.words:
        options: dict[str, Json] = {str(number): {"text": word} for number, word in panel.words.items()}
        defaults["mappings"] = [{"type": "value", "options": options}]
    if panel.kind == "timeseries":
        custom: dict[str, Json] = {"lineWidth": 1, "fillOpacity": 25 if panel.stacked else 0, "showPoints": "never"}
        custom["stacking"] = {"mode": "normal" if panel.stacked else "none"}
        custom["thresholdsStyle"] = {"mode": "off" if panel.red_from is None else "line"}
        defaults["custom"] = custom
    return defaults


def _options(panel: Panel) -> Json:
    if panel.kind == "stat":
        return {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "background", "textMode": "auto"}
    return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
