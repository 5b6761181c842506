"""`paravent policy blast-radius`: what security reads before a limit is raised."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from paravent.cli import main

POLICIES = Path(__file__).resolve().parents[3] / "policies"


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["policy", "blast-radius", *map(str, words)])


@pytest.fixture
def raised(tmp_path: Path) -> Path:
    """The reference policy with a wider day for pharmacists."""
    folder = tmp_path / "raised"
    shutil.copytree(POLICIES, folder)
    quotas = folder / "quotas.yaml"
    quotas.write_text(quotas.read_text().replace("{limit: 600, per: 1d}", "{limit: 900, per: 1d}"))
    return folder


def test_the_table_says_what_a_stolen_account_could_read() -> None:
    """One row a theft, an hour, a day and thirty days."""
    done = run(POLICIES)
    assert done.exit_code == 0
    lines = {line[:28].strip(): line[28:].split() for line in done.output.splitlines()}
    assert lines["account of pharmacien"] == ["360", "600", "4,000"]
    assert lines["establishment"] == ["3,000", "3,000", "90,000"]


def test_a_raised_limit_is_told_and_fails(raised: Path) -> None:
    """For a check before a policy goes in: exit code 1, and what it was."""
    done = run(raised, "--against", POLICIES)
    assert done.exit_code == 1
    assert "900 (was 600)" in done.output


def test_a_lowered_limit_passes(raised: Path) -> None:
    """Nothing grew, the other way round."""
    done = run(POLICIES, "--against", raised)
    assert (done.exit_code, "was" in done.output) == (0, False)


def test_machines_get_the_same(raised: Path) -> None:
    """As JSON, with what grew by name."""
    done = run(raised, "--against", POLICIES, "--json")
    said = json.loads(done.output)
    assert said["grown"] == [
        "account of pharmacien in 1d",
        "raised account of pharmacien in 1h",
        "raised account of pharmacien in 1d",
    ]
    assert {"stolen": "fleet", "persons": {"1h": 900_000, "1d": 900_000, "30d": 27_000_000}} in said["radius"]


def test_no_bound_is_said_in_words(tmp_path: Path) -> None:
    """A policy without a fleet's budget: null for machines, words for people."""
    folder = tmp_path / "policy"
    shutil.copytree(POLICIES, folder)
    quotas = folder / "quotas.yaml"
    text = quotas.read_text()
    quotas.write_text(text[: text.index("  # All callers together")])
    assert "no bound" in run(folder).output
    rows = json.loads(run(POLICIES, "--json").output)["radius"]
    assert [row["stolen"] for row in rows][-5:] == ["establishment", "client", "certificate", "network", "fleet"]
    assert {"1h": None, "1d": None, "30d": None} in [
        row["persons"] for row in json.loads(run(folder, "--json").output)["radius"]
    ]


def test_a_policy_that_cannot_be_used_is_listed_whole(tmp_path: Path) -> None:
    """Exit code 2 and its problems, as with `policy check`."""
    folder = tmp_path / "policy"
    shutil.copytree(POLICIES, folder)
    (folder / "quotas.yaml").write_text("quotas: 3\n")
    done = run(folder)
    assert done.exit_code == 2
    assert "quotas.yaml" in done.output
