"""A walk along a chain: each thing that was done to it is one finding, on its line, and nothing else is."""

from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from audit_records import CHAIN, KEY, OTHER_CHAIN, a_record, write_ledger
from paravent.audit.chain import Broken, Head, Link, genesis, seal, seal_head, unseal, unseal_head
from paravent.audit.keys import ChainKey
from paravent.audit.verify import GROUP_MAX, Damage, Walk, verify_lines
from paravent.rules import Place
from paravent.sinks.journal import Journal
from paravent.sinks.verify import ledger_bytes, verify_directory


def sealed(count: int) -> tuple[list[bytes], list[Link]]:
    """Lines 1 to `count`, and what stands before and behind each."""
    lines, links = [b""], [genesis("0")]
    for number in range(1, count + 1):
        line, link = seal(links[-1], a_record(number), KEY)
        lines.append(line)
        links.append(link)
    return lines, links


L, LINKS = sealed(7)
BAD = b"{}\n"
FOREIGN = seal(genesis("0"), a_record(), ChainKey.of(OTHER_CHAIN))[0]
HALF = L[1][:40]


@pytest.mark.parametrize(
    ("lines", "found", "records"),
    [
        pytest.param([L[1], BAD, L[3]], ["2 changed"], 2, id="a line was overwritten: it is not missing too"),
        pytest.param([L[1], BAD, L[2]], ["2 changed"], 2, id="a line was put between two"),
        pytest.param([L[1], FOREIGN, L[3]], ["2 wrong_key"], 2, id="a line of another key in place of one"),
        pytest.param([L[1], BAD, L[4]], ["2 changed", "3 removed 2-3"], 2, id="overwritten, and the next one removed"),
        pytest.param([L[1], FOREIGN, L[4]], ["2 wrong_key", "3 removed 2-3"], 2, id="of another key, and one removed"),
        pytest.param([L[1], BAD, L[3], L[5]], ["2 changed", "4 removed 4"], 3, id="overwritten, and one removed later"),
        pytest.param([L[1], L[3]], ["2 removed 2"], 2, id="one removed"),
        pytest.param([L[1], L[4]], ["2 removed 2-3"], 2, id="two removed"),
        pytest.param([L[1], L[3], L[2], L[4]], ["3 reordered"], 4, id="two changed places: none is missing"),
        pytest.param(
            [L[1], L[5], L[3], L[6]], ["3 reordered", "2 removed 2", "2 removed 4"], 4, id="one of a gap, later"
        ),
        pytest.param(
            [L[1], L[5], L[3], L[3]], ["3 reordered", "4 duplicated", "2 removed 2", "2 removed 4"], 3, id="and twice"
        ),
        pytest.param([HALF, L[1], L[2]], ["1 changed"], 2, id="half a line in front of whole ones"),
    ],
)  # fmt: skip
def test_each_thing_is_found_once(lines: Sequence[bytes], found: list[str], records: int) -> None:
    """By line and kind; of removed lines also which."""
    walk = verify_lines(lines, KEY, genesis("0"), None)
    told = []
    for finding in walk.findings:
        words = finding.sentence.split()
        which = "" if finding.kind is not Damage.REMOVED else " " + "-".join(word for word in words if word.isdigit())
        told.append(f"{finding.line} {finding.kind}{which}")
    assert (told, walk.records) == (found, records)


def test_one_missing_record_is_one() -> None:
    """A sentence that a person reads."""
    one, two = (verify_lines([L[1], L[after]], KEY, genesis("0"), None).findings[0] for after in (3, 4))
    assert one.sentence == "record 2 is missing before this line."
    assert two.sentence == "records 2 to 3 are missing before this line."


def test_half_a_line_before_a_file_that_nobody_may_read_is_changed() -> None:
    """It is no last line, whatever comes: said once, and what comes behind the file is right."""
    walk = Walk(KEY, genesis("0"), Head(LINKS[7], 1))
    walk.line(L[1], Place("first", 1))
    walk.line(HALF, Place("first", 2))
    walk.unread()
    for number in (6, 7):
        walk.line(L[number], Place("last", number))
    walk.end(Place("last", 7))
    assert [(finding.kind, finding.file, finding.line) for finding in walk.findings] == [(Damage.CHANGED, "first", 2)]
    assert (walk.records, walk.notes) == (3, [])


@pytest.mark.parametrize("mac", ["é" * 64, "A" * 64, "0" * 63, "", None, 1], ids=repr)
def test_a_seal_of_another_form_is_none(mac: object) -> None:
    """Also of text that is no ASCII, which cannot even be compared: a check ends with a finding, not with an error."""
    for raw, read in ((L[1], unseal), (seal_head(Head(LINKS[1], 1), KEY), unseal_head)):
        members = {**orjson.loads(raw), "mac": mac}
        text = orjson.dumps(members, option=orjson.OPT_SORT_KEYS)
        assert read(text.ljust(len(raw) - 1 if read is unseal_head else 0) + b"\n", KEY) is Broken.FORM


def test_a_chain_begins_with_zeros() -> None:
    """64 of them, as the page of the ledger says: another reader begins there."""
    assert orjson.loads(L[1])["prev"] == "0" * 64


def test_lines_behind_the_head_are_counted() -> None:
    """In the note that says that they are no damage."""
    walk = verify_lines(L[1:], KEY, genesis("0"), Head(LINKS[4], 1))
    assert walk.findings == []
    assert [note.sentence.partition(":")[0] for note in walk.notes] == ["3 record(s) after the head"]


@pytest.mark.parametrize(("behind", "whole"), [(GROUP_MAX, True), (GROUP_MAX + 1, False)])
def test_a_whole_group_may_stand_behind_the_head_and_not_a_line_more(tmp_path: Path, behind: int, whole: bool) -> None:
    """What a power cut leaves is no head that was put back: neither for the check nor for the next start."""
    folder = tmp_path / "audit"
    write_ledger(folder, 1, per_file=10_000)
    tip, lines = LINKS[1], []
    for number in range(behind):
        line, tip = seal(tip, {"n": number}, KEY)
        lines.append(line)
    with (folder / "ledger-0-000001.jsonl").open("ab") as file:
        file.write(b"".join(lines))
    assert verify_directory(folder, CHAIN).whole is whole
    if whole:
        Journal(folder, KEY, "0", 1 << 30).close()
        assert verify_directory(folder, CHAIN).notes == ()


def test_progress_is_told_of_every_byte(tmp_path: Path) -> None:
    """So that a bar ends where it was said to end."""
    write_ledger(tmp_path / "audit")
    told: list[int] = []
    verify_directory(tmp_path / "audit", CHAIN, told.append)
    assert len(told) == 3
    assert sum(told) == ledger_bytes(tmp_path / "audit") > 0
    assert ledger_bytes(tmp_path / "nowhere") == 0


def test_which_file_is_missing_is_said(tmp_path: Path) -> None:
    """The first, or a later one; also when the head is all that is left."""
    (tmp_path / ".ledger-0.head").write_bytes(seal_head(Head(LINKS[7], 2), KEY))
    missing = [finding for finding in verify_directory(tmp_path, CHAIN).findings if finding.kind is Damage.FILE_MISSING]
    assert [str(finding) for finding in missing] == [
        "ledger-0-000001.jsonl: the first file of writer 0 is missing.",
        "ledger-0-000002.jsonl: a file of writer 0 is missing.",
    ]
