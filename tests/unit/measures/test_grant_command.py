"""`paravent grant` and `paravent grants`, and a node that serves from the same state store."""

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
    SqliteLedger.open(load_settings(config, {}).state.path).close()
    return lambda *words: CliRunner().invoke(main, [*words, "--config", str(config)])


def test_grant_list_withdraw(paravent: Callable[..., Result]) -> None:
    """The three things there are to do. The list names nobody: there the practitioner is a keyed hash."""
    given = paravent("grant", "8" + RPPS, "--persons", "40", "--for", "2d", *SAID)
    assert given.exit_code == 0, given.output
    listed = paravent("grants").output
    (entry,) = json.loads(paravent("grants", "--json").output)
    assert (entry["persons"], entry["author"], entry["because"]) == (40, "J. Essai", "ticket 4711")
    assert f"grant {entry['id']}: 40 more persons in each window" in given.output
    assert listed.splitlines()[-1] == "1 granted."
    assert RPPS not in given.output + listed
    assert paravent("grant", "--withdraw", entry["id"], *SAID).output == f"grant {entry['id']} is over.\n"
    assert paravent("grants").output == "0 granted.\n"
    again = paravent("grant", "--withdraw", entry["id"], *SAID)
    assert (again.exit_code, "nothing was changed" in again.output) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((RPPS, "--persons", "201", "--for", "2d", *SAID), "--persons must be 1 to 200"),
        ((RPPS, "--persons", "0", "--for", "2d", *SAID), "--persons must be 1 to 200"),
        ((RPPS, "--persons", "40", "--for", "4d", *SAID), "a grant lasts at most 3d"),
        ((RPPS, "--persons", "40", *SAID), "give either --until or --for"),
        ((RPPS, "--persons", "40", "--until", "2020-01-01T00:00:00Z", *SAID), "it must end after it begins"),
        ((RPPS, "--persons", "40", "--until", "sunday", *SAID), "--until is no time such as"),
        (("0" + RPPS[:9], "--persons", "40", "--for", "2d", *SAID), "an RPPS number: 11 digits, or 8 and 11 digits"),
        (("9" + RPPS, "--persons", "40", "--for", "2d", *SAID), "an RPPS number: 11 digits, or 8 and 11 digits"),
        (("--persons", "40", "--for", "2d", *SAID), "RPPS is missing"),
        ((RPPS, "--persons", "40", "--for", "2d", "--reason", "x"), "--author is missing"),
        ((RPPS, "--persons", "40", "--for", "2d", "--author", "x"), "--reason is missing"),
        ((RPPS, "--persons", "40", "--for", "2d", "--author", RPPS, "--reason", "x"), "must not hold the number"),
    ],
)
def test_what_may_not_be_granted_is_refused(paravent: Callable[..., Result], words: tuple[str, ...], said: str) -> None:
    """Exit code 2, a sentence, and nothing in the book."""
    told = paravent("grant", *words)
    assert told.exit_code == 2
    assert said in told.output
    assert "nothing was granted" in told.output
    assert paravent("grants").output == "0 granted.\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--author and --reason are missing; nothing was withdrawn.\n"),
        (SAID[2:], "--author is missing; nothing was withdrawn.\n"),
        (SAID[:2], "--reason is missing; nothing was withdrawn.\n"),
    ],
    ids=["neither", "no author", "no reason"],
)
def test_who_withdraws_says_who_they_are_and_why(
    paravent: Callable[..., Result], words: tuple[str, ...], said: str
) -> None:
    """As whoever grants, suspends or releases: all that is missing in one sentence, and the grant stands."""
    assert paravent("grant", RPPS, "--persons", "40", "--for", "2d", *SAID).exit_code == 0
    (entry,) = json.loads(paravent("grants", "--json").output)
    told = paravent("grant", "--withdraw", entry["id"], *words)
    assert (told.exit_code, told.output) == (2, said)
    assert paravent("grants").output.endswith("1 granted.\n")


def test_no_state_store_is_said(tmp_path: Path) -> None:
    """Nobody may believe that somebody has a grant who has none: exit code 1."""
    config = make_folder(tmp_path, 9).config
    granting = ("grant", RPPS, "--persons", "4", "--for", "1h", *SAID)
    for words in (granting, ("grant", "--withdraw", "a", *SAID), ("grants",)):
        told = CliRunner().invoke(main, [*words, "--config", str(config)])
        assert (told.exit_code, "The state store did not answer" in told.output) == (1, True)


async def test_a_running_node_serves_under_it_and_says_so(tmp_path: Path) -> None:
    """Through the real listener, without a restart: the limit that the caller sees is raised, each record names the
    grant, and once it is withdrawn neither is true any more."""
    async with raw_upstream(ANSWER) as upstream, running_node(tmp_path, upstream.port) as node:
        config = str(node.sandbox.config)
        _, before, _ = await node.ask()
        words = ("grant", "8" + RPPS, "--persons", "40", "--for", "1h", *SAID)  # as tokens write it
        assert CliRunner().invoke(main, [*words, "--config", config]).exit_code == 0
        await until(lambda: node.metric("paravent_measures", kind="grant") == 1)
        _, during, _ = await node.ask()
        (entry,) = json.loads(CliRunner().invoke(main, ["grants", "--json", "--config", config]).output)
        CliRunner().invoke(main, ["grant", "--withdraw", entry["id"], *SAID, "--config", config])
        await until(lambda: node.metric("paravent_measures", kind="grant") == 0)
        _, after, _ = await node.ask()
        assert b"q=60;" in before[b"ratelimit-policy"]
        assert b"q=100;" in during[b"ratelimit-policy"]
        assert after[b"ratelimit-policy"] == before[b"ratelimit-policy"]
        decided = [each for each in node.records() if each["decision"] != "command"]
        assert [each["measures"] for each in decided] == [[], [entry["id"]], []]
