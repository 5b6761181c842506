"""What is done about one practitioner by command is in the ledger, before it is done, by whom and why."""

import json
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from node import make_folder
from paravent.audit.command import command_record
from paravent.audit.record import record
from paravent.cli import main
from paravent.effects import Measure, MeasureKind
from paravent.model import Deny, Secret
from paravent.reasons import Reason
from paravent.settings import load_settings
from paravent.sinks.commands import put_on_record
from paravent.sinks.files import FileSink
from paravent.sinks.verify import verify_directory
from paravent.stores.sqlite import SqliteLedger
from reference import consultation, facts
from tokens import RPPS

SAID = ("--author", "J. Essai", "--reason", "campagne d'été, ticket 4711")
BY_OTHER = ("--author", "A. Exemple", "--reason", "ticket 4712")
KEY = Secret(b"k" * 32)
GRANT = Measure("00000000000000a1", MeasureKind.GRANT, "ab" * 16, 40, 1_767_225_600, 1_767_229_200)


@pytest.fixture
def paravent(tmp_path: Path) -> Callable[..., Result]:
    """The command line, on a configuration whose state store exists."""
    config = make_folder(tmp_path, 9).config
    SqliteLedger.open(load_settings(config, {}).state.path).close()  # type: ignore[union-attr]
    return lambda *words: CliRunner().invoke(main, [*words, "--config", str(config)])


def records(folder: Path) -> list[dict[str, object]]:
    files = sorted((folder / "audit").glob("ledger-commands-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_each_command_is_a_record(paravent: Callable[..., Result], tmp_path: Path) -> None:
    """Verb, author, reason and what it was about; the ledger is whole, and verified with the others."""
    assert paravent("grant", RPPS, "--persons", "40", "--for", "2d", *SAID).exit_code == 0
    (entry,) = json.loads(paravent("grants", "--json").output)
    assert paravent("grant", "--withdraw", entry["id"], *BY_OTHER).exit_code == 0
    assert paravent("practitioner", "suspend", "8" + RPPS, "--for", "1h", *SAID).exit_code == 0
    assert paravent("practitioner", "release", RPPS, *BY_OTHER).exit_code == 0
    made = records(tmp_path)
    assert [(each["reason"], each["practitioner"]) for each in made] == [
        ("grant", RPPS),
        ("withdraw", None),
        ("suspend", RPPS),
        ("release", RPPS),
    ]
    assert [each["command"]["author"] for each in made] == ["J. Essai", "A. Exemple"] * 2  # type: ignore[index]
    assert made[0]["command"]["because"] == "campagne d'été, ticket 4711"  # type: ignore[index]
    assert made[0]["command"]["persons"] == 40  # type: ignore[index]
    assert made[0]["measures"] == made[1]["measures"] == [entry["id"]]
    assert made[2]["measures"] == made[3]["measures"]
    assert {each["decision"] for each in made} == {"command"}
    verified = paravent("audit", "verify")
    assert (verified.exit_code, "4 records" in verified.output) == (0, True)


@pytest.mark.parametrize(
    "words", ["ticket 20261130", "asked on 2026-11-30", "1000 3461 033", "Campagne-Grippe-2026-11", "eyJhbGciOi"]
)
def test_words_that_the_ledger_would_not_keep_are_refused(
    paravent: Callable[..., Result], tmp_path: Path, words: str
) -> None:
    """By every command, with a sentence: a record of "other" would tell nobody who did it or why."""
    for said in (("--author", words, "--reason", "x"), ("--author", "x", "--reason", words)):
        for verb in (
            ("grant", RPPS, "--persons", "40", "--for", "2d"),
            ("grant", "--withdraw", "0123456789abcdef"),
            ("practitioner", "suspend", RPPS, "--for", "1h"),
            ("practitioner", "release", RPPS),
        ):
            told = paravent(*verb, *said)
            assert (told.exit_code, "eight digits or more" in told.output) == (2, True)
    assert records(tmp_path) == []


def test_what_was_not_done_is_not_on_record(paravent: Callable[..., Result], tmp_path: Path) -> None:
    """What the policy does not allow, what is not there, and what the state store cannot be told."""
    paravent("grant", RPPS, "--persons", "999999", "--for", "2d", *SAID)
    paravent("grant", "--withdraw", "0123456789abcdef", *SAID)
    paravent("practitioner", "release", RPPS, *SAID)
    (tmp_path / "state.db").unlink()
    assert paravent("grant", RPPS, "--persons", "40", "--for", "2d", *SAID).exit_code == 1
    assert records(tmp_path) == []


def test_a_store_that_stops_answering_is_not_said_to_be_unchanged(
    paravent: Callable[..., Result], tmp_path: Path
) -> None:
    """It can be read, and somebody holds it against writing: what was sent may have arrived, and is on record."""
    assert paravent("practitioner", "suspend", RPPS, "--for", "1h", *SAID).exit_code == 0
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for words in (("suspend", RPPS, "--for", "2h", *SAID), ("release", RPPS, *SAID)):
            told = paravent("practitioner", *words)
            assert (told.exit_code, "it may have been told" in told.output) == (1, True)
            assert "nothing was changed" not in told.output
    assert [each["reason"] for each in records(tmp_path)] == ["suspend", "suspend", "release"]


def test_what_cannot_be_put_on_record_is_not_done(paravent: Callable[..., Result], tmp_path: Path) -> None:
    """A folder stands where its lock should be."""
    (tmp_path / "audit" / ".ledger-commands.lock").mkdir(parents=True)
    told = paravent("grant", RPPS, "--persons", "40", "--for", "2d", *SAID)
    assert (told.exit_code, "could not be put on record" in told.output) == (1, True)
    assert paravent("grants").output == "0 granted.\n"


def test_a_node_may_write_beside_it(tmp_path: Path) -> None:
    """Its chain is another one."""
    sink = FileSink(tmp_path, KEY)
    assert put_on_record(tmp_path, KEY, made("0"))
    sink.close()
    report = verify_directory(tmp_path, KEY)
    assert (report.whole, report.records) == (True, 1)


def test_commands_at_once_wait_for_one_another(tmp_path: Path) -> None:
    """Eight threads, held back until all of them are there: one chain, and nothing lost."""
    together = threading.Barrier(8)

    def put(number: int) -> bool:
        together.wait()
        return put_on_record(tmp_path, KEY, made(str(number)))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(put, range(8)))
    report = verify_directory(tmp_path, KEY)
    assert (report.whole, report.records) == (True, 8)


def made(digit: str) -> dict[str, object]:
    return command_record(digit * 32, 0, "grant", GRANT, RPPS, "J. Essai", "ticket 4711")


def test_it_has_the_members_of_a_decision_and_one_more() -> None:
    """Readers find every member in every record."""
    question = facts(consultation("2840599990001", "19840517", 1))
    decision = record(question, Deny(Reason.TOKEN_MISSING), status=401, revision="", elapsed_ms=0)
    assert made("0").keys() == {*decision.keys(), "command"}


def test_words_that_could_be_somebodys_number_are_not_written() -> None:
    """The last net: the command line has refused them before."""
    told = command_record("0" * 32, 0, "grant", GRANT, RPPS, "2 84 05 99 990 001", "rappeler au 01 99 00 12 34")
    assert told["command"] | {"author": "other", "because": "other"} == told["command"]  # type: ignore[operator]
