"""`paravent policy drift`: what a running node has seen of the API that no view names."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from deployments import Deployment
from paravent.cli import main
from paravent.cli.drift import rows_of, table
from paravent.model import About, Release, Subject
from paravent.telemetry import management as module
from paravent.telemetry.management import Management
from paravent.telemetry.metrics import OTHER_PATHS, Metrics
from paravent.telemetry.names import TOLD_AFTER


def seen(*paths: str, persons: int = TOLD_AFTER) -> Metrics:
    metrics = Metrics()
    for number in range(persons):
        about, who = About("droits.consultation"), (Subject(number.to_bytes(16)),)
        metrics.decided(Release(b"{}", b"application/json", about, who, {}, 0, paths), 0.01)
    return metrics


def served(metrics: Metrics) -> Management:
    listener = Management(module.listen("127.0.0.1", 0), metrics, dict, {"keys": []}, lambda _: 400)
    listener.start()
    return listener


def test_the_counts_of_all_workers_are_added() -> None:
    """One line a field."""
    with closing(served(seen("/a", "/b"))) as one, closing(served(seen("/b"))) as other:
        rows = rows_of([one.address, other.address])
    waited = ("droits.consultation", OTHER_PATHS)
    assert rows == {("droits.consultation", "/a"): 1, ("droits.consultation", "/b"): 2, waited: 27}
    assert table(rows).splitlines() == [
        "droits.consultation        1  /a",
        "droits.consultation        2  /b",
        "droits.consultation       27  (names that fewer than 10 people's answers had, or beyond 500)",
    ]


def test_a_name_that_may_be_somebodys_is_listed_without_it() -> None:
    """That there is something new is told, and not what it is called."""
    with closing(served(seen("/famille/dupont", persons=TOLD_AFTER - 1))) as node:
        listed = table(rows_of([node.address]))
    assert "dupont" not in listed
    assert listed.startswith("droits.consultation        9  (names")


def test_nothing_new_is_said_in_a_sentence() -> None:
    """Rather than an empty table."""
    assert table({}).startswith("No answer")


def test_a_listener_that_is_not_there_is_told() -> None:
    """And not taken for a node without drift."""
    with closing(served(seen())) as gone:
        address = gone.address
    with pytest.raises(ConnectionRefusedError):
        rows_of([address])


def test_the_verb_asks_the_node_of_a_configuration(tmp_path: Path) -> None:
    """For people and for machines; exit code 1 when nobody answers."""
    with closing(served(seen("/adresse"))) as node:
        changes = {'address = "127.0.0.1:9464"': f'address = "127.0.0.1:{node.address[1]}"'}
        config = configured(tmp_path, changes)
        said = CliRunner().invoke(main, ["policy", "drift", "--config", str(config)])
        machine = CliRunner().invoke(main, ["policy", "drift", "--config", str(config), "--json"])
    assert said.exit_code == 0
    assert said.output.startswith("droits.consultation        1  /adresse\ndroits.consultation        9  (names")
    assert json.loads(machine.output) == {
        "unnamed": [
            {"operation": "droits.consultation", "path": "/adresse", "seen": 1},
            {"operation": "droits.consultation", "path": "other", "seen": 9},
        ]
    }
    assert CliRunner().invoke(main, ["policy", "drift", "--config", str(config)]).exit_code == 1


def configured(folder: Path, changes: dict[str, str]) -> Path:
    """The file of a deployment, with other texts in it."""
    Deployment(folder)
    config = folder / "paravent.toml"
    text = config.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    config.write_text(text)
    return config
