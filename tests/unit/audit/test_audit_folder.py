"""What may lie in the folder of a ledger besides the ledger, and how it is met."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from audit_records import CHAIN, KEY, write_ledger
from failing_calls import Fault, failing
from paravent.audit.verify import FINDINGS_MAX, Damage
from paravent.sinks.folder import segments_in
from paravent.sinks.journal import Journal, LedgerBusy
from paravent.sinks.verify import verify_directory

FIRST, SECOND, LAST, HEAD = *(f"ledger-0-00000{number}.jsonl" for number in (1, 2, 3)), ".ledger-0.head"


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


@contextmanager
def refused(name: str, failure: int) -> Iterator[None]:
    """Whoever opens a file of this name is told so, as root never is by its mode."""
    real = os.open

    def open_(path: str | Path, *rest: int) -> int:
        if os.fspath(path).endswith(name):
            raise OSError(failure, "a fault of this test")
        return real(path, *rest)

    with patch.object(os, "open", open_):
        yield


@pytest.mark.parametrize("failure", [errno.EACCES, errno.EIO, errno.EMFILE], ids=["no right to", "a bad disk", "busy"])
@pytest.mark.parametrize("name", [FIRST, SECOND, LAST, HEAD], ids=["the first", "one between", "the last", "the head"])
def test_what_may_not_be_read_is_not_said_to_be_missing(folder: Path, name: str, failure: int) -> None:
    """One finding, that nobody could look, and none of lines removed or cut off: all the others are in their place."""
    with refused(name, failure):
        report = verify_directory(folder, CHAIN)
    assert [(finding.kind, finding.file) for finding in report.findings] == [(Damage.UNREADABLE, name)]
    assert (report.whole, report.unread) == (False, True)


def test_damage_beside_what_may_not_be_read_is_damage(folder: Path) -> None:
    """What stands in the other files is checked all the same."""
    with (folder / LAST).open("ab") as file:
        file.write(b"{}\n")
    with refused(FIRST, errno.EACCES):
        report = verify_directory(folder, CHAIN)
    assert [finding.kind for finding in report.findings] == [Damage.UNREADABLE, Damage.CHANGED]
    assert not report.unread


@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES.keys())
@pytest.mark.parametrize("name", [LAST, HEAD], ids=["in place of the last file", "in place of the head"])
def test_what_is_no_file_is_damage_and_not_a_matter_of_rights(
    folder: Path, name: str, make: Callable[[Path], object]
) -> None:
    """Nobody who may read more would find a ledger there."""
    replace(folder / name, make)
    report = verify_directory(folder, CHAIN)
    assert not report.unread
    assert Damage.UNREADABLE not in {finding.kind for finding in report.findings}


def test_a_new_ledger_waits_for_no_pipe(tmp_path: Path) -> None:
    """Opening one to write waits for a reader: a start that meets one ends with an error instead."""
    for name in ("ledger-0-000001.jsonl", ".ledger-0.new"):
        folder = tmp_path / name
        folder.mkdir()
        os.mkfifo(folder / name)
        with pytest.raises(OSError, match="No such device or address"):
            Journal(folder, KEY, "0", 1 << 20)


def test_a_folder_that_a_command_makes_is_the_service_s(tmp_path: Path) -> None:
    """Of whoever the folder around it belongs to: a first start could not write into one of root's."""
    if os.geteuid() == 0:
        os.chown(tmp_path, 65_534, 65_534)
    write_ledger(tmp_path / "audit", 1, writer="commands")
    owner = tmp_path.stat()
    made = [tmp_path / "audit", *(tmp_path / "audit").iterdir()]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(owner.st_uid, owner.st_gid)}
    assert (tmp_path / "audit").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", [LAST, HEAD, ".ledger-0.lock"], ids=["the last file", "the head", "the lock"])
def test_nothing_is_written_through_a_link(folder: Path, tmp_path: Path, name: str) -> None:
    """Who could put one there would choose what a command of root's writes into."""
    aside = (folder / name).rename(tmp_path / "aside")
    before = aside.read_bytes()
    (folder / name).symlink_to(aside)
    with pytest.raises(OSError, match="symbolic links"):
        Journal(folder, KEY, "0", 1 << 20)
    assert aside.read_bytes() == before


def test_a_ledger_in_use_says_so(folder: Path) -> None:
    """In the sentence that an operator meets, who has started a node twice."""
    journal = Journal(folder, KEY, "0", 1 << 20)
    with pytest.raises(LedgerBusy, match=r"^the ledger in audit/ is in use: another process is its writer 0\.$"):
        Journal(folder, KEY, "0", 1 << 20)
    journal.close()
    Journal(folder, KEY, "0", 1 << 20).close()


def test_two_who_make_the_folder_at_once_both_find_it(tmp_path: Path) -> None:
    """A node that starts for the first time, and a command beside it."""
    real = os.mkdir

    def mkdir(path: Path, mode: int) -> None:
        real(path, mode)
        real(path, mode)

    with patch.object(os, "mkdir", mkdir):
        Journal(tmp_path / "audit", KEY, "0", 1 << 20).close()
    assert verify_directory(tmp_path / "audit", CHAIN).whole


def test_files_belong_to_whoever_the_folder_belongs_to(folder: Path) -> None:
    """An operator who types a command as root leaves nothing that the service's own user could not go on with."""
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            os.chown(path, 65_534, 65_534)
    write_ledger(folder, 9, writer="commands", per_file=2)
    write_ledger(folder, 9, first=13)
    owner = folder.stat()
    elsewhere = folder.parent / "elsewhere"
    elsewhere.touch()
    (folder / ".ledger-1.lock").hardlink_to(elsewhere)
    before = elsewhere.stat().st_uid
    write_ledger(folder, 1, writer="1")
    assert elsewhere.stat().st_uid == before, "a file that has another name too may be anybody's"
    (folder / ".ledger-1.lock").unlink()
    assert {(path.stat().st_uid, path.stat().st_gid) for path in folder.iterdir()} == {(owner.st_uid, owner.st_gid)}
    assert len(list(folder.iterdir())) > 10


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
        raise FileNotFoundError(errno.ENOENT, "it is gone")

    monkeypatch.setattr(os, "listdir", listdir)
    assert [finding.kind for finding in verify_directory(folder, CHAIN).findings] == [Damage.NO_LEDGER]
