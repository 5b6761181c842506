"""Every way to tamper with a ledger on disk, and what the verifier says of it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_records import CHAIN, KEY, OTHER_CHAIN, a_record, write_ledger
from paravent.audit.chain import Link, Sealed, genesis, seal, unseal
from paravent.audit.keys import ChainKey
from paravent.audit.verify import FINDINGS_MAX, GROUP_MAX, Damage, verify_lines
from paravent.sinks.folder import read_records
from paravent.sinks.journal import Journal
from paravent.sinks.opening import LedgerDamaged
from paravent.sinks.verify import verify_directory

FIRST, SECOND, THIRD = (f"ledger-0-00000{number}.jsonl" for number in (1, 2, 3))
HEAD = ".ledger-0.head"
# Every ledger here: 12 records, 4 a file.


def edit(file: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    file.write_bytes(b"".join(change(file.read_bytes().splitlines(keepends=True))))


def flip(file: Path, at: int) -> None:
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


def forged(folder: Path) -> None:
    """A line made without the key: right form, right place, everything but the MAC."""
    sealed = unseal((folder / SECOND).read_bytes().splitlines(keepends=True)[0], KEY)
    assert isinstance(sealed, Sealed)
    line, _ = seal(sealed.link, a_record(99), ChainKey(KEY.id, OTHER_CHAIN))
    edit(folder / SECOND, lambda lines: [lines[0], line, *lines[2:]])


def from_another_folder(folder: Path, writer: str, first: int, file: str) -> bytes:
    """The lines of a file that the same key sealed elsewhere."""
    other = folder.parent / "other"
    write_ledger(other, writer=writer, first=first)
    return (other / file.replace("-0-", f"-{writer}-")).read_bytes()


def made_one(folder: Path) -> None:
    (folder / SECOND).write_bytes((folder / SECOND).read_bytes() + (folder / THIRD).read_bytes())


TAMPERINGS: dict[str, tuple[Callable[[Path], object], set[Damage]]] = {
    "one bit of a record was changed": (lambda it: flip(it / SECOND, 40), {Damage.CHANGED}),
    "one bit of the very last line was changed": (lambda it: flip(it / THIRD, -40), {Damage.CHANGED}),
    "a newline was changed": (lambda it: flip(it / THIRD, -1), {Damage.CUT_OFF, Damage.TORN}),
    "a line was rewritten without the key": (forged, {Damage.CHANGED}),
    "a line was removed from the middle": (
        lambda it: edit(it / SECOND, lambda lines: lines[:1] + lines[2:]),
        {Damage.REMOVED},
    ),
    "the first line was removed": (lambda it: edit(it / FIRST, lambda lines: lines[1:]), {Damage.REMOVED}),
    "two neighbours changed places": (
        lambda it: edit(it / SECOND, lambda lines: [lines[0], lines[2], lines[1], lines[3]]),
        {Damage.REORDERED},
    ),
    "the last two lines changed places": (
        lambda it: edit(it / THIRD, lambda lines: [*lines[:2], lines[3], lines[2]]),
        {Damage.REORDERED},
    ),
    "a line was copied behind itself": (
        lambda it: edit(it / SECOND, lambda lines: [lines[0], *lines]),
        {Damage.DUPLICATED},
    ),
    "an old line was copied to the end": (
        lambda it: edit(it / THIRD, lambda lines: [*lines, lines[0]]),
        {Damage.DUPLICATED},
    ),
    "free text was put between two lines": (
        lambda it: edit(it / SECOND, lambda lines: [lines[0], b"{}\n", *lines[1:]]),
        {Damage.CHANGED},
    ),
    "an empty line was put in": (
        lambda it: edit(it / SECOND, lambda lines: [lines[0], b"\n", *lines[1:]]),
        {Damage.CHANGED},
    ),
    "a blank was put into a line": (
        lambda it: edit(it / SECOND, lambda lines: [lines[0].replace(b":", b": ", 1), *lines[1:]]),
        {Damage.CHANGED},
    ),
    "a line of another writer was put in": (
        lambda it: edit(
            it / SECOND, lambda lines: [*lines, from_another_folder(it, "1", 1, FIRST).splitlines(keepends=True)[0]]
        ),
        {Damage.INSERTED},
    ),
    "a file of another history was put in its place": (
        lambda it: (it / SECOND).write_bytes(from_another_folder(it, "0", 501, SECOND)),
        {Damage.INSERTED},
    ),
    "the last file was replaced by another history's": (
        lambda it: (it / THIRD).write_bytes(from_another_folder(it, "0", 501, THIRD)),
        {Damage.INSERTED, Damage.HEAD_CHANGED},
    ),
    "the last line was cut off": (lambda it: edit(it / THIRD, lambda lines: lines[:-1]), {Damage.CUT_OFF}),
    "the last three lines were cut off": (lambda it: edit(it / THIRD, lambda lines: lines[:-3]), {Damage.CUT_OFF}),
    "half of the last line was cut off": (
        lambda it: os.truncate(it / THIRD, (it / THIRD).stat().st_size - 100),
        {Damage.CUT_OFF, Damage.TORN},
    ),
    "half of a line in the middle was cut off": (
        lambda it: os.truncate(it / SECOND, (it / SECOND).stat().st_size - 100),
        {Damage.CHANGED},
    ),
    "the last file was emptied": (lambda it: os.truncate(it / THIRD, 0), {Damage.CUT_OFF}),
    "everything was emptied": (
        lambda it: [os.truncate(it / name, 0) for name in (FIRST, SECOND, THIRD)],
        {Damage.CUT_OFF},
    ),
    "the last file was removed": (lambda it: (it / THIRD).unlink(), {Damage.FILE_MISSING, Damage.CUT_OFF}),
    "the last two files were made one": (
        lambda it: (made_one(it), (it / THIRD).unlink()),
        {Damage.FILE_MISSING, Damage.REORDERED},
    ),
    "the last file was cut in two": (
        lambda it: (
            (it / "ledger-0-000004.jsonl").write_bytes((it / THIRD).read_bytes().splitlines(keepends=True)[-1]),
            edit(it / THIRD, lambda lines: lines[:-1]),
        ),
        {Damage.REORDERED},
    ),
    "the last two files were made one, and an empty one was put in place of the last": (
        lambda it: (made_one(it), os.truncate(it / THIRD, 0)),
        {Damage.REORDERED},
    ),
    "the same, and the head of another history was put in its place": (
        lambda it: (
            TAMPERINGS["the last two files were made one, and an empty one was put in place of the last"][0](it),
            TAMPERINGS["the head of another history was put in its place"][0](it),
        ),
        {Damage.REORDERED, Damage.HEAD_CHANGED},
    ),
    "empty files were put behind the last": (
        lambda it: [(it / f"ledger-0-00000{number}.jsonl").touch() for number in (4, 5)],
        {Damage.INSERTED},
    ),
    "an empty file was put behind one that is not there": (
        lambda it: (it / "ledger-0-000005.jsonl").touch(),
        {Damage.FILE_MISSING, Damage.INSERTED},
    ),
    "a file in the middle was removed": (lambda it: (it / SECOND).unlink(), {Damage.FILE_MISSING, Damage.REMOVED}),
    "the first file was removed": (lambda it: (it / FIRST).unlink(), {Damage.FILE_MISSING, Damage.REMOVED}),
    "all files were removed": (
        lambda it: [(it / name).unlink() for name in (FIRST, SECOND, THIRD)],
        {Damage.FILE_MISSING, Damage.CUT_OFF},
    ),
    "the head was removed": (lambda it: (it / HEAD).unlink(), {Damage.HEAD_MISSING}),
    "the head and the last line were removed": (
        lambda it: ((it / HEAD).unlink(), edit(it / THIRD, lambda lines: lines[:-1])),
        {Damage.HEAD_MISSING},
    ),
    "the head was changed to an earlier record": (
        lambda it: (it / HEAD).write_bytes((it / HEAD).read_bytes().replace(b'"seq":12', b'"seq":11')),
        {Damage.HEAD_CHANGED},
    ),
    "the head was emptied": (lambda it: os.truncate(it / HEAD, 0), {Damage.HEAD_CHANGED}),
    "the head of another writer was put in its place": (
        lambda it: (
            from_another_folder(it, "1", 1, FIRST),
            shutil.copy(it.parent / "other" / ".ledger-1.head", it / HEAD),
        ),
        {Damage.HEAD_CHANGED},
    ),
    "the head of another writer who wrote nothing was put in its place": (
        lambda it: (
            write_ledger(it.parent / "other", 0, writer="1"),
            shutil.copy(it.parent / "other" / ".ledger-1.head", it / HEAD),
        ),
        {Damage.HEAD_CHANGED},
    ),
    "the head of another history was put in its place": (
        lambda it: (
            from_another_folder(it, "0", 501, FIRST),
            shutil.copy(it.parent / "other" / HEAD, it / HEAD),
        ),
        {Damage.HEAD_CHANGED},
    ),
    "two files changed names": (
        lambda it: (
            (it / FIRST).rename(it / "x"),
            (it / SECOND).rename(it / FIRST),
            (it / "x").rename(it / SECOND),
        ),
        {Damage.REORDERED},
    ),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_ledger(tmp_path / "audit")
    return tmp_path / "audit"


def test_an_untouched_ledger_is_whole(folder: Path) -> None:
    """Three files, twelve records, nothing to say."""
    report = verify_directory(folder, CHAIN)
    assert (report.whole, report.records, report.findings, report.notes) == (True, 12, (), ())
    assert [(it.writer, it.files, it.records) for it in report.writers] == [("0", 3, 12)]


@pytest.mark.parametrize(("tamper", "kinds"), TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_tampering_is_found(folder: Path, tamper: Callable[[Path], object], kinds: set[Damage]) -> None:
    """The ledger is not whole, the findings say what was done and nothing else, and each names a file."""
    tamper(folder)
    report = verify_directory(folder, CHAIN)
    assert not report.whole
    assert {finding.kind for finding in report.findings} == kinds
    assert all(finding.file for finding in report.findings)


@pytest.mark.parametrize("name", [name for name in TAMPERINGS if name not in {
    # Older files are not read at a start: that is the verifier's work, and would take minutes on a year of records.
    "one bit of a record was changed", "a line was rewritten without the key", "a line was removed from the middle",
    "the first line was removed", "two neighbours changed places", "a line was copied behind itself",
    "free text was put between two lines", "an empty line was put in", "a blank was put into a line",
    "two files changed names",
}])  # fmt: skip
def test_a_damaged_ledger_is_not_continued(folder: Path, name: str) -> None:
    """Opening it fails, says what to do, and changes nothing: the folder is evidence."""
    TAMPERINGS[name][0](folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(LedgerDamaged, match="Run `paravent audit verify`"):
        Journal(folder, KEY, "0", 1 << 20)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_finding_says_where_and_quotes_nothing(folder: Path) -> None:
    """File, line and one sentence; the text of a planted line, which may hold a NIR, is not repeated."""
    edit(folder / SECOND, lambda lines: [lines[0], b'{"nir":"1850578990084"}\n', *lines[1:]])
    (finding,) = verify_directory(folder, CHAIN).findings
    assert str(finding) == f"{SECOND}:2: the line is not what was sealed: it was changed, or put there."


def test_another_key_is_told_from_damage(folder: Path) -> None:
    """Verifying under the wrong key says so, once for the head and once for all the lines."""
    report = verify_directory(folder, OTHER_CHAIN)
    assert [finding.kind for finding in report.findings] == [Damage.WRONG_KEY, Damage.WRONG_KEY]
    assert report.records == 0
    with pytest.raises(LedgerDamaged, match="under another key"):
        Journal(folder, ChainKey.of(OTHER_CHAIN), "0", 1 << 20)


@pytest.mark.parametrize(
    ("prepare", "kind"),
    [
        (lambda it: None, Damage.NO_LEDGER),
        (lambda it: it.mkdir(), Damage.NO_LEDGER),
        (lambda it: it.write_text("a file"), Damage.NO_LEDGER),
    ],
    ids=["no folder", "an empty folder", "a file where the folder should be"],
)
def test_no_ledger_is_not_a_whole_one(tmp_path: Path, prepare: Callable[[Path], object], kind: Damage) -> None:
    """Nothing to find is a finding: whoever removes everything does not pass."""
    prepare(tmp_path / "audit")
    report = verify_directory(tmp_path / "audit", CHAIN)
    assert not report.whole
    assert [finding.kind for finding in report.findings] == [kind]


def test_a_started_ledger_without_records_is_whole(tmp_path: Path) -> None:
    """A proxy that has answered nobody yet has a whole, empty ledger."""
    write_ledger(tmp_path / "audit", 0)
    assert verify_directory(tmp_path / "audit", CHAIN).whole


def test_damage_of_one_writer_is_not_another_s(folder: Path) -> None:
    """Each worker has a chain of its own; the report tells them apart."""
    write_ledger(folder, 5, writer="1")
    flip(folder / SECOND, 40)
    report = verify_directory(folder, CHAIN)
    assert [(it.writer, it.whole) for it in report.writers] == [("0", False), ("1", True)]
    assert report.records == 16


def test_a_head_put_back_far_is_noticed(tmp_path: Path) -> None:
    """A writer never lags more than one group: a head older than that was put back, to prepare a cut."""
    folder = tmp_path / "audit"
    write_ledger(folder, 1, per_file=10_000)
    old = (folder / HEAD).read_bytes()
    journal = Journal(folder, KEY, "0", 1 << 30)
    tip, lines = journal.tip, []
    for number in range(2, GROUP_MAX + 3):
        line, tip = seal(tip, {"n": number}, KEY)
        lines.append(line)
    assert journal.commit(b"".join(lines), tip)
    journal.close()
    assert verify_directory(folder, CHAIN).whole
    (folder / HEAD).write_bytes(old)
    assert [finding.kind for finding in verify_directory(folder, CHAIN).findings] == [Damage.HEAD_OLD]
    with pytest.raises(LedgerDamaged, match="put back"):
        Journal(folder, KEY, "0", 1 << 30)


def test_a_line_never_acknowledged_is_a_note(folder: Path) -> None:
    """Half a line after the head is what a kill leaves: reported, not damage, and cut off at the next start."""
    with (folder / THIRD).open("ab") as file:
        file.write(b'{"asked":null,"at":"2026')
    report = verify_directory(folder, CHAIN)
    assert report.whole
    assert [note.kind for note in report.notes] == [Damage.TORN]
    write_ledger(folder, 1, first=13)
    report = verify_directory(folder, CHAIN)
    assert (report.whole, report.records, report.notes) == (True, 13, ())


def test_a_whole_line_never_acknowledged_is_kept(folder: Path) -> None:
    """A kill between the lines and the head: the record stays, and the chain goes on after it."""
    last = unseal((folder / THIRD).read_bytes().splitlines(keepends=True)[-1], KEY)
    assert isinstance(last, Sealed)
    line, _ = seal(last.link, a_record(13), KEY)
    with (folder / THIRD).open("ab") as file:
        file.write(line)
    report = verify_directory(folder, CHAIN)
    assert (report.whole, report.records) == (True, 13)
    assert [note.kind for note in report.notes] == [Damage.AFTER_HEAD]
    write_ledger(folder, 1, first=14)
    report = verify_directory(folder, CHAIN)
    assert (report.whole, report.records, report.notes) == (True, 14, ())


def test_findings_are_bounded() -> None:
    """A file of rubbish is counted to the end and listed up to a limit, in constant memory."""
    walk = verify_lines((b"rubbish\n" for _ in range(FINDINGS_MAX + 50)), KEY, genesis("0"), None)
    assert (len(walk.findings), walk.further) == (FINDINGS_MAX, 50)


def test_records_are_read_in_order(folder: Path) -> None:
    """Reports read what was recorded, file after file, and leave out half a line."""
    with (folder / THIRD).open("ab") as file:
        file.write(b'{"asked"')
    assert [record["seq"] for record in read_records(folder)] == list(range(1, 13))


@pytest.mark.parametrize("member", ["writer", "seq", "prev", "key", "mac"])
def test_a_record_cannot_name_a_member_of_the_chain(member: str) -> None:
    """What the chain says of a line is never what a record says of itself."""
    with pytest.raises(ValueError, match="member of the chain"):
        seal(genesis("0"), {member: "x"}, KEY)


def test_a_record_longer_than_a_line_is_refused() -> None:
    """A reader's buffer is a promise of the writer's."""
    with pytest.raises(ValueError, match="too long"):
        seal(Link("0", 0, bytes(32)), {"pad": "x" * (1 << 20)}, KEY)
