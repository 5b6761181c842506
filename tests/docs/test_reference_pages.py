"""The reference is generated and current, and whatever an operator can meet has words in it."""

import re
from functools import cache
from pathlib import Path

import click
import pytest

from audit_records import a_record, facts
from pages import DOCS, PAGES, ROOT, named
from paravent.audit.chain import MEMBERS
from paravent.audit.record import record
from paravent.cli import main
from paravent.masking.operators import REGISTRY
from paravent.model import Deny
from paravent.policy.schema import KINDS
from paravent.reasons import Problem, Reason
from paravent.rules import FieldType
from paravent.settings.keys import SECTIONS
from paravent.settings.values import DEFAULT_TIMEOUT_S, MAX_TIMEOUT_S
from paravent.telemetry import logs
from paravent_mitmproxy.listener.limits import Limits

# isort: split
from generator import commands, configuration, events, ledger, operators, policy, reasons
from generator.reference import PAGES as GENERATED

REFERENCE = DOCS / "reference"


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_page_is_current(name: str) -> None:
    """To write it anew: ./dev shell python docs/build_reference.py"""
    assert (REFERENCE / name).read_text("utf-8") == GENERATED[name]()


def test_every_page_of_the_reference_is_generated() -> None:
    """A page written by hand would go stale unseen. metrics.md is made by observability/build.py."""
    assert {path.name for path in REFERENCE.iterdir()} == {*GENERATED, "metrics.md"}


@pytest.mark.parametrize(
    ("described", "existing"),
    [
        pytest.param(reasons.WHEN, Reason, id="reasons"),
        pytest.param(reasons.MEANING, Problem, id="what problems mean"),
        pytest.param(reasons.TO_DO, Problem, id="what to do about problems"),
        pytest.param(operators.EXAMPLES, REGISTRY, id="operators"),
        pytest.param(policy.FILES, KINDS, id="files of a policy"),
        pytest.param(policy.FIELD_TYPES, FieldType, id="field types"),
        pytest.param(configuration.NOTES, SECTIONS, id="sections of the configuration"),
        pytest.param(commands.EXITS, dict(commands.leaves(main, "")), id="exit codes of commands"),
        pytest.param(ledger.MEANING, {*a_record(), *MEMBERS}, id="members of a record"),
        pytest.param(events.MEANING, events.logged(), id="log events"),
        pytest.param(events.FIELDS, logs.FIELDS, id="fields of log events"),
    ],
)
def test_everything_has_words_and_nothing_else(described: object, existing: object) -> None:
    """What exists and is not described is a gap; what is described and does not exist is a relic."""
    assert set(described) == set(existing)  # type: ignore[call-overload]  # mappings, enumerations and sets


def test_a_refusal_has_the_members_of_a_release() -> None:
    """So that one table describes both."""
    denied = record(facts(), Deny(Reason.TOKEN_MISSING), status=401, revision="0123456789abcdef", elapsed_ms=1)
    assert denied.keys() == a_record().keys()


def test_every_option_has_a_meaning() -> None:
    """An option of a command that serves patients says what it is for; the sandbox may be terse."""
    for path, command in commands.leaves(main, ""):
        options = [each for each in command.params if isinstance(each, click.Option)]
        silent = [option.name for option in options if not option.help]
        assert path.startswith("sandbox") or not silent, f"paravent {path}: {silent}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "metrics.md"], ids=named)
def test_words_in_pages_are_words_of_the_product(page: Path) -> None:
    """Every `name_like_this` that a page sets in code is a reason, a problem, a key, a metric, a word of the source."""
    problems = {problem.name.lower() for problem in Problem}
    known = {*Reason, *problems, *events.logged()} | _source_words()
    known |= {f"{word}_total" for word in known}  # the client library ends the name of a counter
    said = set(re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", page.read_text("utf-8")))
    assert said - known == set()


def test_times_and_sizes_told_by_hand_are_the_listeners() -> None:
    """What how-to pages say of connections and of stopping."""
    limits = Limits()
    proxy = (DOCS / "how-to/behind-a-front-proxy.md").read_text("utf-8")
    assert f"after {limits.idle_s:.0f} s;" in proxy
    assert f"at most {limits.connections} connections" in proxy
    front = (DOCS / "how-to/put-it-in-front-of-your-api.md").read_text("utf-8")
    assert f"up to {limits.drain_s:.0f} s for requests in flight" in front
    assert f"({DEFAULT_TIMEOUT_S:.0f} s, at most {MAX_TIMEOUT_S:.0f} s)" in front


@cache
def _source_words() -> set[str]:
    folders = (ROOT / "proxy", ROOT / "addons")
    files = [path for folder in folders for path in folder.rglob("*.py")]
    return {word for path in files for word in re.findall(r"[a-z]+(?:_[a-z0-9]+)+", path.read_text("utf-8"))}
