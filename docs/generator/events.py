"""events.md: every line that a node may log. Names, levels and fields are read from the calls in the source."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from generator.markdown import code, codes, made_by, table

SOURCES: Final = tuple(Path(__file__).resolve().parents[2] / folder for folder in ("proxy", "addons"))

_LEVELS: Final = ("info", "warning", "error", "critical")
_METHODS: Final = (*_LEVELS, "exception", "log", "debug")
LOGGERS: Final = ("log", "ours")
"""What our logger is called, wherever it is held."""
_FOREIGN: Final = "foreign_record"

_INTRODUCTION: Final = f"""\
What `paravent serve` writes to standard error: one JSON object a line, those of all workers among each other. What
stops a start is said there in sentences instead, and the one line on standard output says that requests are answered.
Decisions stand in the [ledger](ledger.md), and how a node is in `/readyz` and the [metrics](metrics.md).

    {{"at": "2026-11-22T08:00:00.250+00:00", "level": "info", "logger": "paravent", "event": "ledger_well"}}

| member | meaning |
| --- | --- |
| `at` | when, UTC |
| `level` | `info`, `warning`, `error` or `critical` |
| `logger` | `paravent`; of a library's line, its own |
| `event` | what happened: one of those below |
| `exception`, `raised_in` | class of an exception, and file and line where it was raised; of those events that say so |

No line holds a NIR, a name, a token, a URL or the text of an exception. A field that could be one is `"<hidden>"`, and
what libraries say is reduced to where they said it (`{_FOREIGN}`).

"""

FIELDS: Final[Mapping[str, str]] = {
    "cause": "what it was, in a word",
    "count": "how many; of `worker_ended` the exit code, below 0 the signal",
    "issuer": "name of the issuer in the configuration",
    "measure": "id of a measure, as `paravent grants` and records of the ledger have it",
    "place": "file, line and column; of a library, file and line",
    "problems": "how many problems",
    "reason": "a [reason](problems.md), or `told_before`",
    "revision": "of the policy, as `policy` in the ledger",
    "source": "which of several lists: `state` or `file`",
    "worker": "number of the worker, from 1",
}

MEANING: Final[Mapping[str, str]] = {
    "addon_failed": "a hook raised: the request is refused, or its answer withheld",
    "canary_failed": "at the start something came through that must not, or could not be tried: nothing is served; "
    "`cause` names it",
    "certificate_unusable": "renewed files of [listen] or [upstream] cannot be used: those from before are, and it "
    "is tried again",
    "decision_failed": "a bug ended a decision: the request was refused. At most one line a second",
    "draining": "a signal came: no new connections, `count` are still open",
    "emergency_budget_settled": "the state store is back: `count` disclosures of the emergency budget are charged "
    "there",
    "emergency_budget_unused": "the policy has an emergency budget and the configuration does not say how many "
    "nodes share it (`cause`): there is none",
    "emergency_budget_used": "the state store did not answer: `count` disclosures went past it",
    "fewer_connections": "the system lets the process have few file descriptors: it holds `count` connections, not "
    "4096",
    "key_set_problems": "what is wrong with an issuer's keys has changed: they could not be read, or `problems` of "
    "them are left out; 0 when all is well",
    "ledger_closed": "the node ends: its chain has `count` records",
    "ledger_opened": "the node starts: its chain has `count` records. In a log kept elsewhere, a number that goes "
    "down is a ledger that was put back",
    "ledger_trouble": "the ledger cannot be written, so that nobody is served: `cause` is the name of an errno, or "
    "says what was done to its files",
    "ledger_well": "the ledger can be written again",
    "listener_failed": "the listener could not be started: the process ends",
    "listening": "requests are answered from here on",
    "logout_accepted": "an issuer reported a logout: the login is revoked",
    "logout_failed": "a bug met the report of a logout: the issuer is told to come again",
    "logout_refused": "the report of a logout was refused: `reason`",
    "management_request_failed": "a caller of the management listener went away, or could not be answered",
    "measure_enacted": "a practitioner broke the glass, or was suspended by a rule of the policy: `cause` is "
    "`break_glass` or `suspension`",
    "measures_changed": "grants and suspensions have changed: the list has `count`",
    "measures_read": "error: grants and suspensions can no longer be read; info: they can again",
    "measures_unreadable": "a bug met the reading of grants and suspensions",
    "policy_loaded": "another policy is in force",
    "policy_refused": "the policy folder cannot be used (`problems`): the policy `revision` stays in force",
    "policy_unreadable": "a bug met the reading of the policy: the last good one stays in force",
    "readiness_failed": "a bug met the question for readiness, which was answered no",
    "revocations_changed": "what is revoked has changed: the list has `count`",
    "revocations_read": "error: the list can no longer be read; info: it can again",
    "revocations_refused": "the file of revocations has a mistake at `place`: it changes nothing until it is mended",
    "revocations_unreadable": "a bug met the reading of the list",
    "start_failed": "the node could not be started: the process ends",
    "state_not_looked_after": "a bug met the tidying up of the state store",
    "unbound_tokens_observed": "the policy lets unbound tokens of `issuer` through (`observe_unbound`). At each "
    "start and change of the policy",
    "unraisable_exception": "an exception where none can be raised, as in a destructor",
    "uncaught_exception": "the process ends by a bug",
    "uncaught_exception_in_thread": "a thread ended by a bug",
    "worker_ended": "a worker ended, and is started again",
    _FOREIGN: "a library logged something at `place`, of `warning` or above, or Python warned of something",
}
"""By event. Those of several lists (`measures_…`, `revocations_…`) have one call in the source."""


@dataclass(frozen=True, slots=True)
class Event:
    """All calls that log it, together."""

    levels: frozenset[str]
    fields: frozenset[str]
    raised: bool
    """Whether it tells of an exception."""


def logged() -> Mapping[str, Event]:
    """Every event that the source logs."""
    trees = [ast.parse(file.read_text("utf-8")) for folder in SOURCES for file in sorted(folder.rglob("*.py"))]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    lists = sorted({str(_constant(call.args[0])) for call in calls if _called(call.func) == "Polled"})
    events: dict[str, Event] = {_FOREIGN: Event(frozenset({"as it came"}), frozenset({"place"}), True)}
    for call in calls:
        if logs(call):
            for name in _names(call.args[_first(call)], lists):
                before = events.get(name, Event(frozenset(), frozenset(), False))
                events[name] = Event(
                    before.levels | _levels(call), before.fields | _fields(call), before.raised or _raised(call)
                )
    return events


def logs(call: ast.Call) -> bool:
    """Whether this call writes a line of ours."""
    match call.func:
        case ast.Attribute(value=ast.Name(id=name), attr=method):
            return name in LOGGERS and method in _METHODS
        case _:
            return False


def _called(function: ast.expr) -> str | None:
    """`Polled`, also of `Polled[Revocation]`."""
    named = function.value if isinstance(function, ast.Subscript) else function
    return named.id if isinstance(named, ast.Name) else None


def _method(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _first(call: ast.Call) -> int:
    """Where its name stands: `log.log` has the level first."""
    return int(_method(call) == "log")


def _names(name: ast.expr, lists: list[str]) -> Iterator[str]:
    """The name, or one for each list where it begins with that of a list."""
    match name:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=[ast.FormattedValue(), ast.Constant(value=str(rest))]):
            yield from (each + rest for each in lists)
        case _:
            raise ValueError(f"line {name.lineno}: an event whose name nobody can tell")


def _levels(call: ast.Call) -> frozenset[str]:
    method = _method(call)
    if method != "log":
        return frozenset({"error" if method == "exception" else method})
    told = (node.attr for node in ast.walk(call.args[0]) if isinstance(node, ast.Attribute))
    return frozenset(level.lower() for level in told if level.lower() in _LEVELS)


def _fields(call: ast.Call) -> frozenset[str]:
    extra = next((each.value for each in call.keywords if each.arg == "extra"), None)
    return frozenset(str(_constant(key)) for key in extra.keys) if isinstance(extra, ast.Dict) else frozenset()


def _raised(call: ast.Call) -> bool:
    return _method(call) == "exception" or any(each.arg == "exc_info" for each in call.keywords)


def _constant(node: ast.expr | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def page() -> str:
    """The whole page."""
    rows = [(code(name), *_facts(event), MEANING[name]) for name, event in sorted(logged().items())]
    return (
        "# Log events\n\n"
        + made_by("the calls in `proxy` and `addons`, and `docs/generator/events.py`")
        + _INTRODUCTION
        + "## Events\n\n"
        + table(("event", "level", "fields", "meaning"), rows)
        + "\n## Fields\n\n"
        + table(("field", "meaning"), [(code(name), meaning) for name, meaning in sorted(FIELDS.items())])
    )


def _facts(event: Event) -> tuple[str, str]:
    fields = [*sorted(event.fields), *(["exception", "raised_in"] if event.raised else [])]
    return ", ".join(sorted(event.levels)), codes(fields)
