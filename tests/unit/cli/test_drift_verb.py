"""`paravent policy drift`: what a running node has seen of the API that no view names."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from deployments import Deployment
from paravent.cli import main
from paravent.cli.drift import rows_of, table
from paravent.model import About, Release
from paravent.telemetry import management as module
from paravent.telemetry.management import Management
from paravent.telemetry.metrics import Metrics


def seen(*paths: str) -> Metrics:
    metrics = Metrics()
    release = Release(b"{}", b"application/json", About("droits.consultation"), (), {}, 0, paths)
    metrics.decided(release, 0.01)
    return metrics


def served(metrics: Metrics) -> Management:
    listener = Management(module.listen("127.0.0.1", 0), metrics, dict, {"keys": []}, lambda _: 400)
    listener.start()
    return listener


def test_the_counts_of_all_workers_are_added() -> None:
    """One line a field."""
    with closing(served(seen("/a", "/b"))) as one, closing(served(seen("/b"))) as other:
        rows = rows_of([one.address, other.address])
    assert rows == {("droits.consultation", "/a"): 1, ("droits.consultation", "/b"): 2}
    assert table(rows).splitlines() == ["droits.consultation        1  /a", "droits.consultation        2  /b"]


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
    assert (said.exit_code, said.output) == (0, "droits.consultation        1  /adresse\n")
    assert json.loads(machine.output) == {
        "unnamed": [{"operation": "droits.consultation", "path": "/adresse", "seen": 1}]
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
