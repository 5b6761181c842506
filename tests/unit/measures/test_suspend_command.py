"""`paravent practitioner suspend` and `release`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from answers import ANSWER
from node import make_folder, running_node
from paravent.cli import main
from paravent.settings import load_settings
from paravent.stores.sqlite import SqliteLedger
from tokens import RPPS
from until import until
from wire import raw_upstream

SAID = ("--author", "J. Essai", "--reason", "ticket 4711")


@pytest.fixture
def paravent(tmp_path: Path) -> Callable[..., Result]:
    """The command line, on a configuration whose state store exists."""
    config = make_folder(tmp_path, 9).config
    SqliteLedger.open(load_settings(config, {}).state.path).close()  # type: ignore[union-attr]
    return lambda *words: CliRunner().invoke(main, [*words, "--config", str(config)])


def test_suspend_and_release(paravent: Callable[..., Result]) -> None:
    """Under RPPS or 8 and RPPS; the list of grants does not show it, `show` does; released twice is nothing."""
    given = paravent("practitioner", "suspend", "8" + RPPS, "--for", "2d", *SAID)
    assert given.exit_code == 0, given.output
    (entry,) = json.loads(paravent("practitioner", "show", RPPS, "--json").output)["measures"]
    assert (entry["kind"], entry["author"], entry["because"]) == ("suspension", "J. Essai", "ticket 4711")
    assert given.output == f"suspension {entry['id']}, from {entry['from']} until {entry['until']}.\n"
    assert paravent("grants").output == "0 granted.\n"
    refused = paravent("grant", "--withdraw", entry["id"], *SAID)
    assert (refused.exit_code, "There is no grant" in refused.output) == (1, True)
    released = paravent("practitioner", "release", RPPS, *SAID)
    assert (released.exit_code, released.output) == (0, f"suspension {entry['id']} is over.\n")
    again = paravent("practitioner", "release", RPPS, *SAID)
    assert (again.exit_code, again.output) == (1, "There is no suspension of theirs; nothing was changed.\n")


def test_release_ends_all_of_one_practitioner_and_nobody_elses(paravent: Callable[..., Result]) -> None:
    """Two suspensions of one, one of another."""
    for rpps in (RPPS, RPPS, "10000000011"):
        assert paravent("practitioner", "suspend", rpps, "--for", "2d", *SAID).exit_code == 0
    assert len(paravent("practitioner", "release", RPPS, *SAID).output.splitlines()) == 2
    assert len(json.loads(paravent("practitioner", "show", "10000000011", "--json").output)["measures"]) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((RPPS, "--for", "31d", *SAID), "a suspension lasts at most 30d"),
        ((RPPS, *SAID), "give either --until or --for"),
        ((RPPS, "--until", "2020-01-01T00:00:00Z", *SAID), "it must end after it begins"),
        (("1234", "--for", "2d", *SAID), "a practitioner is an RPPS number"),
        ((RPPS, "--for", "2d", "--reason", "x"), "--author is missing"),
        ((RPPS, "--for", "2d", "--author", "x"), "--reason is missing"),
        ((RPPS, "--for", "2d", "--author", "x", "--reason", f"asked by {RPPS}"), "must not hold the number"),
    ],
)
def test_what_is_no_suspension_is_refused(paravent: Callable[..., Result], words: tuple[str, ...], said: str) -> None:
    """Exit code 2, a sentence, and nothing in the book."""
    told = paravent("practitioner", "suspend", *words)
    assert told.exit_code == 2
    assert said in told.output
    assert "nobody was suspended" in told.output
    assert json.loads(paravent("practitioner", "show", RPPS, "--json").output)["measures"] == []


def test_no_state_store_is_said(tmp_path: Path) -> None:
    """Nobody may believe that somebody is suspended who is not: exit code 1."""
    config = ("--config", str(make_folder(tmp_path, 9).config))
    for words in (("suspend", RPPS, "--for", "1h", *SAID), ("release", RPPS, *SAID)):
        told = CliRunner().invoke(main, ["practitioner", *words, *config])
        assert (told.exit_code, "The state store did not answer" in told.output) == (1, True)


async def test_a_running_node_refuses_them(tmp_path: Path) -> None:
    """Through the real listener, without a restart, until they are released."""
    async with raw_upstream(ANSWER) as upstream, running_node(tmp_path, upstream.port) as node:
        run = lambda *words: CliRunner().invoke(main, [*words, "--config", str(node.sandbox.config)])  # noqa: E731
        assert (await node.ask())[0] == 200
        assert run("practitioner", "suspend", RPPS, "--for", "1h", *SAID).exit_code == 0
        await until(lambda: node.metric("paravent_measures", kind="suspension") == 1)
        status, headers, body = await node.ask()
        assert (status, json.loads(body)["type"]) == (429, "urn:paravent:problem:suspended")
        assert 3590 < int(headers[b"retry-after"]) <= 3600
        assert run("practitioner", "release", RPPS, *SAID).exit_code == 0
        await until(lambda: node.metric("paravent_measures", kind="suspension") == 0)
        assert (await node.ask())[0] == 200
        assert node.metric("paravent_measures_enacted_total", kind="suspension") == 0
