"""What may lie in the folder of a ledger besides the ledger, and how it is met."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_records import CHAIN, KEY, write_ledger
from failing_calls import Fault, failing
from paravent.audit.verify import FINDINGS_MAX, Damage
from paravent.sinks.folder import segments_in
from paravent.sinks.journal import Journal
from paravent.sinks.verify import verify_directory

LAST, HEAD = "ledger-0-000003.jsonl", ".ledger-0.head"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_ledger(tmp_path / "audit")
    return tmp_path / "audit"


def replace(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


# A pipe does not open before somebody writes to it; a device never ends. Either would hold a scheduled check, or a
# start, for ever.
NO_FILES = {
    "a pipe": os.mkfifo,
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "a folder": Path.mkdir,
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to itself": lambda path: path.symlink_to(path.name),
}


@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES.keys())
@pytest.mark.parametrize("name", [LAST, HEAD], ids=["in place of the last file", "in place of the head"])
def test_what_is_no_file_is_a_finding_and_holds_nobody(folder: Path, name: str, make: Callable[[Path], object]) -> None:
    """The check ends and says that the ledger is not whole; a start ends too, and does not write."""
    replace(folder / name, make)
    report = verify_directory(folder, CHAIN)
    assert not report.whole
    assert name in {finding.file for finding in report.findings}
    with pytest.raises(Exception, match=r"damaged|not a file|directory|symbolic links|No such file"):
        Journal(folder, KEY, "0", 1 << 20)


def test_an_old_file_may_be_a_link_to_a_larger_disk(folder: Path, tmp_path: Path) -> None:
    """What counts is what is in it: for the check, and for the next start."""
    moved = (folder / "ledger-0-000001.jsonl").rename(tmp_path / "moved")
    (folder / "ledger-0-000001.jsonl").symlink_to(moved)
    write_ledger(folder, 1, first=13)
    report = verify_directory(folder, CHAIN)
    assert (report.whole, report.records) == (True, 13)


def test_only_one_spelling_names_a_file(folder: Path) -> None:
    """Zeros in front, other digits, other ends: not ours, and not in the way."""
    for name in ("ledger-0-0000004.jsonl", "ledger-0-٠٠٠٠٠٤.jsonl", "ledger-0-000004.jsonl.gz", "ledger-0-4.jsonl"):
        (folder / name).touch()
    (folder / "ledger-0-000000.jsonl").touch()
    assert segments_in(folder) == {"0": [1, 2, 3]}
    assert verify_directory(folder, CHAIN).whole


def test_the_millionth_file_is_found(tmp_path: Path) -> None:
    """Six digits are what names begin with, not what they are cut to."""
    for name in ("ledger-0-999999.jsonl", "ledger-0-1000000.jsonl"):
        (tmp_path / name).touch()
    assert segments_in(tmp_path) == {"0": [999_999, 1_000_000]}


def test_a_folder_full_of_strangers_is_checked_in_one_look(folder: Path) -> None:
    """Planted writers do not cost a listing each, and the report stays one that a person can read."""
    for number in range(300):
        (folder / f"ledger-x{number}-000001.jsonl").touch()
    with failing(1000, Fault.REFUSED, "listdir") as listings:
        report = verify_directory(folder, CHAIN)
    assert listings.made == 2  # whose ledgers, then which files
    assert (report.records, len(report.findings), report.further) == (12, FINDINGS_MAX, 300 - FINDINGS_MAX)
    assert {finding.kind for finding in report.findings} == {Damage.HEAD_MISSING}


def test_a_folder_that_vanishes_while_it_is_read_is_a_finding(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never an exception: a scheduled check that crashes looks like one that did not run."""
    real, looks = os.listdir, iter([True, False])

    def listdir(path: Path) -> list[str]:
        if next(looks):
            return real(path)
        raise FileNotFoundError

    monkeypatch.setattr(os, "listdir", listdir)
    assert [finding.kind for finding in verify_directory(folder, CHAIN).findings] == [Damage.UNREADABLE]
