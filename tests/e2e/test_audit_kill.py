"""The ledger against a real kernel: kill -9, a file that may not grow, no file to be had."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import ledger_process
from audit_records import CHAIN, a_record
from paravent.sinks.files import FileSink
from paravent.sinks.folder import read_records
from paravent.sinks.verify import verify_directory

pytestmark = pytest.mark.real


def killed_after(folder: Path, acknowledgements: int) -> list[str]:
    """Run a busy writer, kill it -9 once it has acknowledged that many; every id it acknowledged."""
    command = [sys.executable, ledger_process.__file__, "endless", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline() for _ in range(acknowledgements)]
        writer.kill()
        acknowledged += writer.stdout.readlines()
    return [line.decode().strip() for line in acknowledged if line.endswith(b"\n")]


def test_kill_9_loses_no_acknowledged_record(tmp_path: Path) -> None:
    """Killed again and again in the same folder, at another moment each time: every acknowledged record is there once,
    and the ledger is whole after each kill, before anything has repaired it."""
    folder = tmp_path / "audit"
    acknowledged: list[str] = []
    for moment in (1, 33, 150, 407, 1200, 64):
        acknowledged += killed_after(folder, moment)
        report = verify_directory(folder, CHAIN)
        assert report.findings == ()
        recorded = [record["id"] for record in read_records(folder)]
        assert set(acknowledged) <= set(recorded)
        assert len(recorded) == len(set(recorded)) == report.records
    assert report.writers[0].files > 10


async def test_a_sink_opens_after_a_kill(tmp_path: Path) -> None:
    """The lock died with the process; the chain goes on in this one."""
    folder = tmp_path / "audit"
    killed_after(folder, 100)
    before = verify_directory(folder, CHAIN).records
    sink = FileSink(folder, CHAIN, deadline_ms=30_000)
    assert await sink.append(a_record())
    sink.close()
    report = verify_directory(folder, CHAIN)
    assert (report.whole, report.records, report.notes) == (True, before + 1, ())


@pytest.mark.parametrize(
    ("starvation", "trouble"), [("full", {"ENOSPC", "EFBIG"}), ("no-files", {"EMFILE"})], ids=["full", "no files"]
)
def test_a_disk_that_says_no_costs_answers_and_nothing_else(tmp_path: Path, starvation: str, trouble: set[str]) -> None:
    """While it cannot write the sink says False and is not healthy; the file ends where it ended; then it goes on, and
    the ledger is whole without the records that were refused."""
    folder = tmp_path / "audit"
    command = [sys.executable, ledger_process.__file__, starvation, str(folder)]
    told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    assert told["trouble"] in trouble
    assert (told["during"], told["healthy"], told["restored"]) == ([False] * 3, False, True)
    assert (told["before"], told["after"], told["recovered"]) == ([True] * 10, [True] * 3, True)
    report = verify_directory(folder, CHAIN)
    assert (report.whole, report.records, report.notes) == (True, 13, ())


def test_a_probe_finds_room_again_and_leaves_nothing(tmp_path: Path) -> None:
    """Without a single request, a sink learns that the disk has room again: a proxy out of rotation comes back."""
    command = [sys.executable, ledger_process.__file__, "probe", str(tmp_path / "audit")]
    told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    assert told == [False, "ENOSPC", "ENOSPC", 0, None, 0]
    assert verify_directory(tmp_path / "audit", CHAIN).notes == ()
