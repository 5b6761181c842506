"""One call to the kernel fails, the process dies at it, or the power: whichever call, nothing acknowledged is lost."""

from pathlib import Path

import pytest

from audit_records import CHAIN, KEY, a_record
from failing_calls import Calls, Fault, Killed, failing
from paravent.audit.chain import Head, genesis, seal
from paravent.audit.verify import Damage
from paravent.sinks.folder import read_head, read_records
from paravent.sinks.journal import Journal
from paravent.sinks.verify import verify_directory
from power_cut import DurableFolder

RECORDS = 5
TWO_LINES = 2 * len(seal(genesis("0"), a_record(), KEY)[0]) + 10
MORE_THAN_ALL_CALLS = 1000

LASTING = {"fdatasync", "pwrite"}
"""After one of these the journal stays closed until it is opened again: rules 2 and 3 of `sinks.journal`."""


class Writer:
    """A proxy that writes five records, two a file, and starts again when it was killed or its journal closed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal: Journal | None = None
        self.acknowledged: list[str] = []
        self.starts = 0

    def run(self, calls: Calls) -> None:
        for number in range(1, RECORDS + 1):
            # The fault costs at most one start and one record; a third try would have nothing to excuse it.
            tried = [self.record(f"{number}-{attempt}", calls) for attempt in range(3) if self.wanted(number)]
            assert tried[-1]

    def wanted(self, number: int) -> bool:
        return not any(identity.startswith(f"{number}-") for identity in self.acknowledged)

    def record(self, identity: str, calls: Calls) -> bool:
        try:
            journal = self.opened()
            durable = journal.commit(*seal(journal.tip, a_record() | {"id": identity}, KEY))
        except (OSError, Killed):
            self.stop()
            return False
        if durable:
            self.acknowledged.append(identity)
        try:
            journal.keep_head()
        except Killed:
            self.stop()
        if journal.closed:
            assert calls.failed in LASTING
            self.stop()
        return durable

    def opened(self) -> Journal:
        if self.journal is None:
            self.starts += 1
            self.journal = Journal(self.folder, KEY, "0", TWO_LINES)
        return self.journal

    def stop(self) -> None:
        """The kernel closes the files of a process that ends."""
        if self.journal is not None:
            self.journal.close()
        self.journal = None
        self.check(complete=False)

    def check(self, *, complete: bool) -> None:
        report = verify_directory(self.folder, CHAIN)
        if not complete and not self.acknowledged:
            # Before the first record there may be no ledger yet, or no head.
            assert {it.kind for it in report.findings} <= {Damage.NO_LEDGER, Damage.HEAD_MISSING}
            return
        assert report.findings == ()
        recorded = [str(record["id"]) for record in read_records(self.folder)]
        assert len(recorded) == len(set(recorded)) == report.records
        assert [identity for identity in recorded if identity in self.acknowledged] == self.acknowledged


def calls_of_an_untroubled_run(folder: Path) -> int:
    writer = Writer(folder)
    with failing(MORE_THAN_ALL_CALLS, Fault.REFUSED) as calls:
        writer.run(calls)
    assert (writer.starts, calls.failed) == (1, None)
    writer.stop()
    return calls.made


@pytest.mark.parametrize("fault", Fault, ids=[fault.value for fault in Fault])
def test_whichever_call_fails_nothing_acknowledged_is_lost(tmp_path: Path, fault: Fault) -> None:
    """Every call of a new ledger's first records, one run each: all five are recorded in the end, every acknowledged
    one is there once and in order, and the ledger is whole after every stop, before anything repairs it."""
    calls_made = calls_of_an_untroubled_run(tmp_path / "untroubled")
    assert calls_made > 50
    for at in range(1, calls_made + 1):
        writer = Writer(tmp_path / str(at))
        with failing(at, fault) as calls:
            writer.run(calls)
            assert calls.failed is not None
            writer.stop()
        writer.check(complete=True)


def write_until_killed(folder: Path, at: int, *, keeps: bool) -> list[str]:
    """Write five records, two a file; die at the call of this number. What was acknowledged until then. `keeps`: as the
    sink does, else the next commit makes the head durable."""
    acknowledged: list[str] = []
    journal: Journal | None = None
    with failing(at, Fault.KILLED_BEFORE):
        try:
            journal = Journal(folder, KEY, "0", TWO_LINES)
            for number in range(1, RECORDS + 1):
                if journal.commit(*seal(journal.tip, a_record() | {"id": str(number)}, KEY)):
                    acknowledged.append(str(number))  # one by one: a kill must not take them along
                if keeps:
                    journal.keep_head()
        except Killed:
            pass
    if journal is not None:
        journal.close()
    return acknowledged


def ids(folder: Path) -> list[object]:
    return [record["id"] for record in read_records(folder)]


def assert_survived(folder: Path, acknowledged: list[str]) -> None:
    """It opens, holds them and at most one more, goes on, and is whole."""
    journal = Journal(folder, KEY, "0", TWO_LINES)
    assert journal.commit(*seal(journal.tip, a_record() | {"id": "after"}, KEY))
    journal.close()
    *recorded, last = ids(folder)
    assert (recorded[: len(acknowledged)], last) == (acknowledged, "after")
    assert len(recorded) <= len(acknowledged) + 1
    report = verify_directory(folder, CHAIN)
    assert (report.findings, report.notes) == ((), ())


@pytest.mark.parametrize("keeps", [True, False], ids=["the head is kept at once", "the next commit keeps the head"])
def test_a_power_cut_at_any_moment_loses_no_acknowledged_record(tmp_path: Path, keeps: bool) -> None:
    """Of the files and of their names, only what was synced is left: every acknowledged record is in it, and nobody
    calls the rest damage."""
    calls_made = calls_of_an_untroubled_run(tmp_path / "untroubled")
    for at in range(1, calls_made + 2):
        folder = tmp_path / str(at)
        with DurableFolder(folder) as disk:
            acknowledged = write_until_killed(folder, at, keeps=keeps)
            assert_survived(disk.after_power_cut(tmp_path / f"{at}-now"), acknowledged)
            # The kill came first, the next start found everything in the page cache, then the power went.
            assert_survived(folder, acknowledged)
        assert_survived(disk.after_power_cut(tmp_path / f"{at}-later"), [*map(str, ids(folder))])
    assert len(acknowledged) == RECORDS


def test_of_two_groups_one_at_most_stands_behind_the_durable_head(tmp_path: Path) -> None:
    """However late the head is kept: after a power cut no more lines are behind it than one commit wrote."""
    folder = tmp_path / "audit"
    with DurableFolder(folder) as disk:
        journal = Journal(folder, KEY, "0", 1 << 20)
        for number in range(1, RECORDS + 1):
            assert journal.commit(*seal(journal.tip, a_record() | {"id": str(number)}, KEY))
            head = read_head(disk.after_power_cut(tmp_path / f"after-{number}"), "0", KEY)
            assert isinstance(head, Head)
            assert head.link.seq == number - 1
        journal.keep_head()
        head = read_head(disk.after_power_cut(tmp_path / "after"), "0", KEY)
        journal.close()
    assert isinstance(head, Head)
    assert head.link.seq == RECORDS


def test_a_power_cut_after_a_failed_rotation_loses_no_acknowledged_record(tmp_path: Path) -> None:
    """The next file was made and the folder could not be synced: once there is an acknowledgement again, the name of
    the file that holds the record is durable too."""
    folder = tmp_path / "audit"
    with DurableFolder(folder) as disk:
        journal = Journal(folder, KEY, "0", TWO_LINES)
        answers = []
        for number in range(1, 5):
            with failing(1, Fault.REFUSED, "fsync") as calls:
                answers.append(journal.commit(*seal(journal.tip, a_record() | {"id": str(number)}, KEY)))
            assert calls.failed == (None if number < 3 else "fsync")
        assert answers == [True, True, False, False]
        assert journal.commit(*seal(journal.tip, a_record() | {"id": "5"}, KEY))
        journal.close()
    assert_survived(disk.after_power_cut(tmp_path / "after"), ["1", "2", "5"])
