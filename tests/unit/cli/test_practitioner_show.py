"""`paravent practitioner show`: what a node has decided about somebody, seen from beside it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from answers import ANSWER
from node import make_folder, running_node
from paravent.cli import main
from paravent.cli.standing import Seen, seen
from paravent.settings import load_settings
from paravent.sinks.history import records_of
from paravent.stores.sqlite import SqliteLedger
from tokens import RPPS
from wire import raw_upstream


@pytest.fixture
def paravent(tmp_path: Path) -> Callable[..., Result]:
    """The command line, on a configuration whose state store exists."""
    config = make_folder(tmp_path, 9).config
    SqliteLedger.open(load_settings(config, {}).state.path).close()  # type: ignore[union-attr]
    return lambda *words: CliRunner().invoke(main, [*words, "--config", str(config)])


async def test_it_shows_what_a_running_node_did(tmp_path: Path) -> None:
    """One person looked up, one question refused, a grant and a revocation: each where it belongs, beside the node."""
    async with raw_upstream(ANSWER) as upstream, running_node(tmp_path, upstream.port) as node:
        config = ("--config", str(node.sandbox.config))
        run = lambda *words: CliRunner().invoke(main, [*words, *config])  # noqa: E731
        assert (await node.ask())[0] == 200
        assert (await node.ask({"immatriculation": "284"}))[0] == 400
        said = ("--author", "J. Essai", "--reason", "ticket 4711")
        assert run("grant", RPPS, "--persons", "40", "--for", "1h", *said).exit_code == 0
        assert run("revoke", "practitioner", RPPS, "--because", "ticket 4712").exit_code == 0
        told = run("practitioner", "show", RPPS, "--json")
        text = run("practitioner", "show", "8" + RPPS).output
    shown = json.loads(told.output)
    assert shown["profession"] == "pharmacien"
    assert {"kind": "persons", "window": "10m", "used": 1, "limit": 100} in shown["usage"]
    assert {"kind": "requests", "window": "10s", "used": 1, "limit": 20} in shown["usage"]
    assert shown["refusals"]["by_reason"] == {"request_not_in_schema": 1}
    assert (shown["refusals"]["records"], shown["refusals"]["from"]) == (2, "ledger of this machine")
    assert [(each["kind"], each["persons"], each["because"]) for each in shown["measures"]] == [
        ("grant", 40, "ticket 4711")
    ]
    assert [each["because"] for each in shown["revocations"]] == ["ticket 4712"]
    assert text.splitlines()[0] == f"practitioner 8{RPPS}, pharmacien"
    assert "  persons 10m            1  of 100, 40 of them by grant" in text
    assert "  request_not_in_schema                  1" in text
    assert "until it is lifted  ticket 4712" in text


def test_nobody_is_shown_as_nobody(paravent: Callable[..., Result]) -> None:
    """Without a record there is no profession: usage has no limit then, unless the profession is said."""
    shown = json.loads(paravent("practitioner", "show", RPPS, "--json").output)
    assert (shown["profession"], shown["refusals"]["records"], shown["measures"]) == (None, 0, [])
    assert {"kind": "persons", "window": "10m", "used": 0, "limit": None} in shown["usage"]
    assert "(--profession)" in paravent("practitioner", "show", RPPS).output
    named = paravent("practitioner", "show", RPPS, "--profession", "opticien").output
    assert "  persons 10m            0  of 10\n" in named
    assert named.splitlines()[-2:] == ["no grant, not suspended", "not revoked"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("1234",), "a practitioner is an RPPS number: 11 digits, or 8 and 11 digits."),
        ((RPPS, "--profession", "astrologue"), "the policy has no profession 'astrologue'."),
    ],
)
def test_what_is_not_written_as_it_should(paravent: Callable[..., Result], words: tuple[str, ...], said: str) -> None:
    """Exit code 2 and a sentence."""
    told = paravent("practitioner", "show", *words)
    assert (told.exit_code, told.output) == (2, said + "\n")


def test_no_state_store_is_said(tmp_path: Path) -> None:
    """Exit code 1."""
    config = make_folder(tmp_path, 9).config
    told = CliRunner().invoke(main, ["practitioner", "show", RPPS, "--config", str(config)])
    assert (told.exit_code, "The state store did not answer" in told.output) == (1, True)


@pytest.mark.parametrize(
    "line",
    [
        f'"practitioner":"{RPPS}" no record',
        f'{{"practitioner":"{RPPS}"}}',
        f'[{{"practitioner":"{RPPS}"}}]',
        f'{{"at":1,"decision":"deny","practitioner":"{RPPS}","reason":null}}',
    ],
)
def test_a_ledger_that_cannot_be_read_is_said(paravent: Callable[..., Result], tmp_path: Path, line: str) -> None:
    """Not shown as no refusals, and no traceback."""
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "ledger-0-000001.jsonl").write_text(line + "\n")
    assert "could not be read" in paravent("practitioner", "show", RPPS).output
    assert json.loads(paravent("practitioner", "show", RPPS, "--json").output)["refusals"] is None


def test_files_that_end_before_the_moment_are_not_read(tmp_path: Path) -> None:
    """Nor records before it in the file that spans it; other people's are not even parsed."""
    line = '{{"at":"{at}","decision":"release","practitioner":"{who}","reason":null}}\n'
    old = line.format(at="2026-01-01T00:00:00.000Z", who=RPPS)
    (tmp_path / "ledger-0-000001.jsonl").write_text(f'"practitioner":"{RPPS}" no record\n' + old)
    late = line.format(at="2026-02-01T00:00:00.000Z", who=RPPS)
    (tmp_path / "ledger-0-000002.jsonl").write_text(old + "no record of theirs\n" + late)
    found = list(records_of(tmp_path, RPPS, "2026-01-15T00:00:00"))
    assert [record["at"] for record in found] == ["2026-02-01T00:00:00.000Z"]


def test_the_last_record_names_the_profession() -> None:
    """Whichever writer wrote it: records come one writer after the other."""
    records = [
        {"at": "2026-02-02", "decision": "deny", "reason": "misses_over_budget", "profession": "21"},
        {"at": "2026-02-03", "decision": "release", "reason": None, "profession": None},
        {"at": "2026-02-01", "decision": "withhold", "reason": "answer_status", "profession": "28"},
    ]
    assert seen(records) == Seen(3, "21", {"misses_over_budget": 1, "answer_status": 1}, "2026-02-02")
