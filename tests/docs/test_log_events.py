"""The page of log events: whatever is logged stands on it, as it is logged."""

import ast
import json
import logging
from collections.abc import Iterator

import pytest

from pages import DOCS
from paravent.telemetry import logs

# isort: split
from generator import events


def nodes() -> Iterator[ast.AST]:
    for folder in events.SOURCES:
        for file in folder.rglob("*.py"):
            yield from ast.walk(ast.parse(file.read_text("utf-8")))


def is_our_logger(node: ast.AST | None) -> bool:
    """`logging.getLogger(logs.OURS)`, or its name as it is."""
    match node:
        case ast.Call(func=ast.Attribute(attr="getLogger"), args=[ast.Constant(value=logs.OURS)]):
            return True
        case ast.Call(func=ast.Attribute(attr="getLogger"), args=[ast.Attribute(attr="OURS") | ast.Name(id="OURS")]):
            return True
        case _:
            return False


def test_our_logger_has_no_name_that_the_page_does_not_know() -> None:
    """A call by another name would be logged, and stand on no page."""
    found = list(nodes())
    taken = [node for node in found if is_our_logger(node)]
    held = {
        target.id
        for node in found
        if isinstance(node, ast.Assign) and is_our_logger(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    kept = [node for node in found if isinstance(node, ast.Assign) and is_our_logger(node.value)]
    assert len(taken) == len(kept) > 10
    assert held == set(events.LOGGERS)


def test_nobody_logs_past_it() -> None:
    """`logging.error` and its like write to the root logger, where a message is nobody's event."""
    past = {
        node.func.attr
        for node in nodes()
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "logging"
    }
    assert past.isdisjoint({"debug", "info", "warning", "error", "exception", "critical", "log"})


@pytest.mark.parametrize(("name", "event"), events.logged().items(), ids=events.logged().keys())
def test_an_event_is_written_under_its_name(name: str, event: events.Event) -> None:
    """Not as the record of a stranger, which is what becomes of a name that is none."""
    record = logging.makeLogRecord({"name": logs.OURS, "msg": name, "levelno": logging.INFO})
    record.__dict__.update(dict.fromkeys(event.fields, 1))
    line = json.loads(logs.JsonFormatter().format(record))
    assert line["event"] == name
    assert event.fields <= line.keys()


def test_an_event_of_a_list_stands_there_for_each_list() -> None:
    """Its call in the source has no name of its own."""
    named = {name for name in events.logged() if name.endswith(("_read", "_unreadable"))}
    assert named == {
        "measures_read",
        "measures_unreadable",
        "policy_unreadable",
        "revocations_read",
        "revocations_unreadable",
    }
    page = (DOCS / "reference/events.md").read_text("utf-8")
    assert "| `revocations_read` | error, info | `source` |" in page
