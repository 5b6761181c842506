"""`paravent policy drift`: what running nodes have seen of the upstream that no view names."""

from collections.abc import Iterable
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from paravent.cli.listener import fetched
from paravent.telemetry.metrics import MAX_UNNAMED, OTHER_PATHS
from paravent.telemetry.names import TOLD_AFTER

_METRIC: Final = "paravent_unnamed_fields"

_UNTOLD: Final = f"(names that fewer than {TOLD_AFTER} people's answers had, or beyond {MAX_UNNAMED})"

type Rows = dict[tuple[str, str], int]
"""Operation and path → answers it was seen in."""


def rows_of(nodes: Iterable[tuple[str, int]]) -> Rows:
    """Added up over management listeners. Raises OSError when one of them does not answer."""
    rows: Rows = {}
    for host, port in nodes:
        for family in text_string_to_metric_families(_scrape(host, port)):
            if family.name == _METRIC:
                for sample in family.samples:
                    if not sample.value:
                        continue
                    key = (sample.labels["operation"], sample.labels["path"])
                    rows[key] = rows.get(key, 0) + int(sample.value)
    return rows


def _scrape(host: str, port: int) -> str:
    status, body = fetched(host, port, "/metrics")
    if status != 200:
        raise ConnectionError("the management listener answers, but not with metrics")
    return body.decode("utf-8")


def table(rows: Rows) -> str:
    """One line a field, by operation."""
    if not rows:
        return "No answer that was looked through had a field that no view names."
    width = max(len(operation) for operation, _ in rows)
    return "\n".join(
        f"{operation:{width}}  {seen:>7}  {_UNTOLD if path == OTHER_PATHS else path}"
        for (operation, path), seen in sorted(rows.items())
    )
