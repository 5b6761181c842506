"""`paravent demo`, small but whole: real processes, real sockets, and the lines that it prints to paste."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("demo")]

DEMO = (sys.executable, "-m", "paravent.cli", "demo")
PATIENTS = 20
ACCOUNTS = 19
PERSONS_IN_TEN_MINUTES = 60
"""Of the reference policy, for a pharmacist."""


@dataclass(frozen=True)
class Stayed:
    """A demo that was started with --json --stay and is still up."""

    figures: dict[str, Any]
    commands: list[str]
    """As printed."""
    folder: Path

    def row(self, path: str, stolen: str) -> dict[str, Any]:
        row: dict[str, Any]
        (row,) = [row for row in self.figures["attack"] if (row["path"], row["stolen"]) == (path, stolen)]
        return row


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment whose temporary folder is ours to look into, with a setting that must not reach the demo."""
    return {**os.environ, "TMPDIR": str(tmp_path_factory.mktemp("demo")), "PARAVENT_LISTEN_ADDRESS": "nonsense"}


@pytest.fixture(scope="module")
def stayed(temporary: dict[str, str]) -> Iterator[Stayed]:
    options = ("--json", "--stay", "--patients", str(PATIENTS), "--attack-seconds", "1", "--dry-seconds", "40")
    # Whoever runs the tests in a background of a shell has Ctrl-C ignored, and so would whatever they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [*DEMO, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=temporary
    )
    hung = threading.Timer(150, process.kill)
    hung.start()
    try:
        yield _up(process, Path(temporary["TMPDIR"]))
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
        assert (rest, process.returncode) == ("", 0)
        assert list(Path(temporary["TMPDIR"]).iterdir()) == []
    finally:
        hung.cancel()
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)


def _up(process: subprocess.Popen[str], temporary: Path) -> Stayed:
    assert process.stdout is not None
    assert process.stderr is not None
    output = process.stdout.readline()
    assert output, process.stderr.read()
    commands: list[str] = []
    while len(commands) < 5:
        line = process.stderr.readline()
        assert line, "the demo ended before it had printed its lines"
        commands += [line] if line.startswith("curl ") else []
    (folder,) = temporary.glob("paravent-demo-*")
    return Stayed(json.loads(output), commands, folder)


def curl(command: str) -> tuple[int, str, str]:
    """Paste a line into a shell: the status, the head and the body of what comes back."""
    assert shutil.which("curl"), "curl is not installed"
    pasted = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30, check=True)
    head, _, body = pasted.stdout.partition("\n\n")
    return int(head.split()[1]), head, body


def test_standard_output_is_the_contract_and_nothing_else(stayed: Stayed) -> None:
    """Every member, in order, measured."""
    assert list(stayed.figures) == ["honest", "attack", "seconds"]
    assert list(stayed.figures["honest"]) == ["patients", "requests", "hindered", "refused"]
    for row in stayed.figures["attack"]:
        assert list(row) == [
            "name",
            "path",
            "stolen",
            "accounts",
            "requests",
            "persons_exposed",
            "nirs_gained",
            "fields_per_person",
            "seconds_until_dry",
        ]
        assert row["accounts"] == ACCOUNTS
        assert row["requests"] >= ACCOUNTS


def test_no_honest_patient_is_hindered(stayed: Stayed) -> None:
    """Second looks and slips of the keyboard included."""
    honest = stayed.figures["honest"]
    assert honest["patients"] == PATIENTS
    assert honest["requests"] > PATIENTS
    assert (honest["hindered"], honest["refused"]) == (0, 0)


@pytest.mark.parametrize("stolen", ["password", "session"])
def test_the_api_alone_gives_everything_away(stayed: Stayed, stolen: str) -> None:
    """Whole families, with numbers that nobody had asked about, for as long as anybody asks."""
    row = stayed.row("api", stolen)
    assert row["persons_exposed"] > row["requests"]
    assert row["nirs_gained"] > 0
    assert row["seconds_until_dry"] >= 1


def test_a_stolen_password_gives_nothing(stayed: Stayed) -> None:
    """Through the proxy, nineteen of them expose nobody."""
    row = stayed.row("paravent", "password")
    assert (row["persons_exposed"], row["nirs_gained"], row["fields_per_person"], row["seconds_until_dry"]) == (
        0,
        0,
        0,
        0,
    )


def test_a_stolen_session_gives_its_budget_and_no_number(stayed: Stayed) -> None:
    """Sixty persons an account, fewer fields of each than the API gives, then nothing."""
    row, raw = stayed.row("paravent", "session"), stayed.row("api", "session")
    assert 0 < row["persons_exposed"] <= ACCOUNTS * PERSONS_IN_TEN_MINUTES
    assert row["nirs_gained"] == 0
    assert row["fields_per_person"] < raw["fields_per_person"]
    assert row["requests"] > row["persons_exposed"]


def test_the_pasted_lines_show_what_they_say(stayed: Stayed) -> None:
    """The raw answer, the reduced one, no second factor, an operation nobody may use, a spent account."""
    raw, reduced, weak, closed, spent = map(curl, stayed.commands)
    assert [raw[0], reduced[0], weak[0], closed[0], spent[0]] == [200, 200, 401, 403, 429]
    assert 'error="insufficient_user_authentication"' in weak[1]
    assert re.search(r"Retry-After: [1-9][0-9]*", spent[1])
    taken_away = set(json.loads(raw[2])) - set(json.loads(reduced[2]))
    assert "famille" in taken_away
    assert set(json.loads(reduced[2])["beneficiaireDeSoins"]) < set(json.loads(raw[2])["beneficiaireDeSoins"])


def test_the_pasted_lines_carry_no_token(stayed: Stayed) -> None:
    """Tokens are in files that only their owner can read."""
    for command in stayed.commands:
        assert "eyJ" not in command
        for word in shlex.split(command):
            if word.startswith("@"):
                assert Path(word[1:]).stat().st_mode & 0o077 == 0


def test_a_part_that_does_not_start_is_named(temporary: dict[str, str], tmp_path: Path) -> None:
    """With its last lines, exit code 1, nothing on standard output, nothing left behind."""
    (tmp_path / "vocabulary.yaml").write_text("professions: 7\n")
    command = [*DEMO, "--json", "--policies", str(tmp_path)]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=temporary)
    assert (run.returncode, run.stdout) == (1, "")
    assert "demo: the proxy of the honest day ended" in run.stderr
    assert "vocabulary.yaml" in run.stderr
