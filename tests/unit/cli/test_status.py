"""`paravent status`: how the node is, and who uses most of their budget."""

import json
from collections.abc import Iterator
from pathlib import Path

from click.testing import CliRunner

from answers import ANSWER
from node import make_folder, running_node
from paravent.audit.keys import practitioner_hash
from paravent.cli import main
from paravent.cli.busiest import Sheet, by_practitioner, rows_of, spans, table
from paravent.effects import Measure, MeasureKind
from paravent.model import Secret
from paravent.settings import load_settings
from paravent.sinks.history import professions_in
from paravent.stores.sqlite import SqliteLedger
from reference import rulebook
from tokens import RPPS
from wire import raw_upstream

MANAGEMENT = '"127.0.0.1:0"\n[policy]'
POLICY = rulebook().policy
KEY = Secret(b"k" * 32)
PHARMACIST, OPTICIAN, STRANGER = "10000000011", "10000000022", "10000000033"
USED = {f"rpps:{PHARMACIST}": (30, 40, 50), f"rpps:{OPTICIAN}": (1, 30, 30), f"rpps:{STRANGER}": (6, 6, 6)}
PROFESSIONS = {PHARMACIST: "21", OPTICIAN: "28"}


def sheet(*measures: Measure) -> Sheet:
    return Sheet(POLICY, PROFESSIONS, {each.practitioner: (each,) for each in measures}, KEY, 1000)


def test_the_fullest_window_counts_and_the_fullest_practitioner_is_first() -> None:
    """30 of an optician's 40 a day is more than 30 of a pharmacist's 60 in ten minutes."""
    rows = rows_of(USED, sheet(), 10, named=True)
    assert [(row["practitioner"], row["window"], row["share"]) for row in rows] == [
        (OPTICIAN, "1d", 0.75),
        (PHARMACIST, "10m", 0.5),
        (STRANGER, "10m", 0.1),
    ]
    assert table(rows[:1]) == [f"  {OPTICIAN:32}  opticien         1d      30 of 40        75%"]
    assert rows[2]["profession"] is None
    assert len(rows_of(USED, sheet(), 2, named=True)) == 2


def test_without_being_asked_nobody_is_named() -> None:
    """A keyed hash, as in the book of measures."""
    row = rows_of(USED, sheet(), 1, named=False)[0]
    assert row["practitioner"] == practitioner_hash(KEY, OPTICIAN)


def test_what_is_granted_is_part_of_the_limit() -> None:
    """As it is for whoever asks."""
    grant = Measure("0" * 16, MeasureKind.GRANT, practitioner_hash(KEY, OPTICIAN), 60, 0, 2000)
    row = next(each for each in rows_of(USED, sheet(grant), 10, named=True) if each["practitioner"] == OPTICIAN)
    assert (row["limit"], row["share"]) == (100, 0.3)


def test_measures_are_walked_through_once() -> None:
    """However many practitioners have one: those of each stand together, in the order of the book."""
    walked = [0]

    def book() -> Iterator[Measure]:
        for number in range(3000):
            walked[0] += 1
            yield Measure(f"{number:016x}", MeasureKind.GRANT, f"{number % 1000:032x}", 1, 0, 2000)

    found = by_practitioner(book())
    assert (walked, len(found)) == ([3000], 1000)
    assert [each.id for each in found[f"{7:032x}"]] == [f"{number:016x}" for number in (7, 1007, 2007)]


def test_all_windows_of_all_professions_are_read() -> None:
    """The shortest first."""
    assert spans(POLICY.quotas) == (600, 86_400, 30 * 86_400)


async def test_a_running_node_is_ready_and_its_practitioner_is_listed(tmp_path: Path) -> None:
    """Asked on its management listener; usage and profession as they are beside it."""
    async with raw_upstream(ANSWER) as upstream, running_node(tmp_path, upstream.port) as node:
        assert (await node.ask())[0] == 200
        settings = load_settings(node.sandbox.config, {})
        found = professions_in(settings.audit.path, "2026-01-01")
        config, port = node.sandbox.config, node.node.management.address[1]
        config.write_text(config.read_text().replace(MANAGEMENT, MANAGEMENT.replace(":0", f":{port}")))
        run = lambda *words: CliRunner().invoke(main, ["status", *words, "--config", str(config)])  # noqa: E731
        # The listener answers from a thread of its own, and the node needs the loop for nothing of this.
        told, plain = run("--top", "3", "--json"), run()
    assert found == {RPPS: "21"}
    (row,) = json.loads(told.output)["top"]
    assert (row["profession"], row["used"], row["limit"], row["window"]) == ("pharmacien", 1, 60, "10m")
    assert RPPS not in told.output
    assert (plain.exit_code, plain.output) == (0, "worker 1: ready\n")


def test_a_node_that_does_not_answer_is_not_ready(tmp_path: Path) -> None:
    """Exit code 1; the store is asked all the same."""
    config = make_folder(tmp_path, 9).config
    config.write_text(config.read_text().replace(MANAGEMENT, MANAGEMENT.replace(":0", ":9")))
    SqliteLedger.open(load_settings(config, {}).state.path).close()  # type: ignore[union-attr]
    run = lambda *words: CliRunner().invoke(main, ["status", *words, "--config", str(config)])  # noqa: E731
    nobody = run("--top", "3")
    assert (nobody.exit_code, nobody.output) == (1, "worker 1: does not answer\nNobody has used anything.\n")
    assert run().output == "worker 1: does not answer\n"
    assert json.loads(run("--json").output) == {"ready": False, "workers": [None], "top": []}


def test_the_node_is_told_of_though_the_state_store_is_gone(tmp_path: Path) -> None:
    """Which part of it is not well is what somebody asks for then."""
    config = make_folder(tmp_path, 9).config
    config.write_text(config.read_text().replace(MANAGEMENT, MANAGEMENT.replace(":0", ":9")))
    told = CliRunner().invoke(main, ["status", "--top", "3", "--config", str(config)])
    assert (told.exit_code, told.stdout) == (1, "worker 1: does not answer\n")
    assert "The state store did not answer" in told.stderr
