"""Failures that pass: what could not be written now can be written next, without a restart."""

import errno
import os
from pathlib import Path

import pytest

from audit_records import CHAIN, KEY, a_record
from failing_calls import Fault, failing
from paravent.audit.chain import genesis, seal
from paravent.sinks.folder import segment_path
from paravent.sinks.journal import Journal
from paravent.sinks.verify import verify_directory

LINE = len(seal(genesis("0"), a_record(), KEY)[0])


def commit(journal: Journal, number: int) -> bool:
    return journal.commit(*seal(journal.tip, a_record(number), KEY))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Two lines a file, one file full."""
    opened = Journal(tmp_path / "audit", KEY, "0", 2 * LINE + 10)
    assert commit(opened, 1)
    assert commit(opened, 2)
    return opened


def assert_goes_on(journal: Journal, folder: Path, records: int) -> None:
    assert [commit(journal, number) for number in range(10, 14)] == [True] * 4
    assert journal.trouble is None
    journal.close()
    report = verify_directory(folder, CHAIN)
    assert (report.findings, report.notes, report.records) == ((), (), records + 4)


@pytest.mark.parametrize(
    ("call", "at"),
    [("fsync", 1), ("open", 2), ("open", 1), ("stat", 3), ("fstat", 1), ("stat", 1), ("stat", 2)],
    ids=[
        "the folder could not be synced after the next file was made",
        "the folder could not be opened after the next file was made",
        "the next file could not be made",
        "nobody could say whether the next file was there",
        "the next file could not be looked at",
        "the file in hand could not be looked at",
        "the head could not be looked at",
    ],
)
def test_a_failure_that_passes_costs_one_record(journal: Journal, tmp_path: Path, call: str, at: int) -> None:
    """False while it lasts, True from then on, no file descriptor lost, and a whole ledger."""
    with failing(at, Fault.REFUSED, call) as calls:
        answer = commit(journal, 3)
    assert (calls.failed, answer, journal.trouble, journal.closed) == (call, False, "EIO", False)
    assert_goes_on(journal, tmp_path / "audit", 2)


def test_no_descriptor_is_lost_however_often_a_rotation_fails(journal: Journal, tmp_path: Path) -> None:
    """A hundred failures in a row leave as many open files as there were."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        with failing(1, Fault.REFUSED, "fsync"):
            assert not commit(journal, 3)
    assert len(os.listdir("/proc/self/fd")) == before
    assert_goes_on(journal, tmp_path / "audit", 2)


def test_a_rotation_gives_the_file_before_up_once(journal: Journal, tmp_path: Path) -> None:
    """Its number is somebody else's by the time that the journal is closed."""
    assert commit(journal, 3)
    others = [os.open(tmp_path, os.O_RDONLY) for _ in range(20)]
    journal.close()
    for each in others:
        os.close(each)  # raises when it was closed already


def test_what_could_not_be_made_durable_is_not_tried_again(journal: Journal) -> None:
    """The kernel may have forgotten it and call the next sync a success."""
    assert commit(journal, 3)
    with failing(1, Fault.REFUSED, "fdatasync"):
        journal.keep_head()
    with failing(1000, Fault.REFUSED, "fdatasync") as calls:
        journal.keep_head()
        assert not commit(journal, 4)
    assert (calls.made, journal.trouble) == (0, "EIO")


def test_a_probe_tries_what_failed(journal: Journal, tmp_path: Path) -> None:
    """While the next file cannot be made, room in the file before is not health: the sink does not flap."""
    with failing(1, Fault.REFUSED, "fsync"):
        assert not commit(journal, 3)
    with failing(1, Fault.REFUSED, "fsync"):
        journal.probe()
    assert journal.trouble == "EIO"
    journal.probe()
    assert journal.trouble is None
    assert_goes_on(journal, tmp_path / "audit", 2)


def test_what_stands_in_the_way_of_the_next_file_is_not_overwritten(journal: Journal, tmp_path: Path) -> None:
    """Somebody else's file is left as it is; once it is taken away, writing goes on."""
    folder = tmp_path / "audit"
    planted = segment_path(folder, "0", 2)
    planted.write_bytes(b"not ours\n")
    assert not commit(journal, 3)
    assert (journal.trouble, planted.read_bytes()) == (errno.errorcode[errno.EEXIST], b"not ours\n")
    planted.unlink()
    assert_goes_on(journal, folder, 2)


def test_a_kill_after_a_failed_rotation_is_no_damage(journal: Journal, tmp_path: Path) -> None:
    """The next file is there and empty, the one before ends in half a line: a start takes up the one before."""
    folder = tmp_path / "audit"
    segment_path(folder, "0", 2).touch(mode=0o600)
    with segment_path(folder, "0", 1).open("ab") as file:
        file.write(b'{"asked":')
    journal.close()
    assert verify_directory(folder, CHAIN).whole
    assert_goes_on(Journal(folder, KEY, "0", 2 * LINE + 10), folder, 2)


def test_a_head_that_did_not_fit_is_not_taken_for_one(tmp_path: Path) -> None:
    """The very first start meets a full disk; the next one begins anew instead of finding damage."""
    with failing(2, Fault.CUT_SHORT, "write"), pytest.raises(OSError, match="short write"):
        Journal(tmp_path / "audit", KEY, "0", 1 << 20)
    assert_goes_on(Journal(tmp_path / "audit", KEY, "0", 1 << 20), tmp_path / "audit", 0)
