"""What a start refuses, the verification finds: whoever is told to run it is not told that all is well."""

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from audit_records import CHAIN, KEY, write_ledger
from effort import examples
from paravent.sinks.folder import segment_path
from paravent.sinks.journal import Journal, LedgerDamaged
from paravent.sinks.verify import verify_directory

FILES = 3  # of four lines each
HEAD = ".ledger-0.head"


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True) if path.exists() else []


def put(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(b"".join(lines))


def swapped(one: Path, other: Path) -> None:
    first, second = lines_of(one), lines_of(other)
    put(one, second)
    put(other, first)


def made_one(one: Path, other: Path) -> None:
    put(one, lines_of(one) + lines_of(other))
    other.unlink(missing_ok=True)


def cut_in_two(one: Path, other: Path) -> None:
    kept = lines_of(one)
    put(one, kept[:2])
    put(other, kept[2:] + lines_of(other))


def another_head(one: Path, _: Path) -> None:
    """Of another history under the same key, as long as this one."""
    shutil.copy(one.parent.parent / "another" / HEAD, one.parent / HEAD)


def moved_on(one: Path, other: Path) -> None:
    kept = lines_of(one)
    put(other, kept[-1:] + lines_of(other))
    put(one, kept[:-1])


MEDDLING: dict[str, Callable[[Path, Path], object]] = {
    "removed": lambda one, _: one.unlink(missing_ok=True),
    "emptied, or planted empty": lambda one, _: put(one, []),
    "two changed places": swapped,
    "two made one": made_one,
    "cut in two": cut_in_two,
    "the head of another history": another_head,
    "a copy in place of another": lambda one, other: put(other, lines_of(one)),
    "its last line moved to another": moved_on,
    "its last line cut off": lambda one, _: put(one, lines_of(one)[:-1]),
    "half a line at its end": lambda one, _: put(one, [*lines_of(one), b'{"asked":']),
    "a line of nobody's in front": lambda one, _: put(one, [b"{}\n", *lines_of(one)]),
}

number = st.integers(0, FILES + 3)


@settings(max_examples=examples(150), deadline=None)
@given(done=st.lists(st.tuples(st.sampled_from(list(MEDDLING)), number, number), min_size=1, max_size=3))
def test_what_a_start_refuses_is_found(done: list[tuple[str, int, int]]) -> None:
    """Whatever was done to whole files; and a start that goes on loses no line that was right."""
    with TemporaryDirectory() as place:
        folder = Path(place) / "audit"
        write_ledger(folder, 4 * FILES)
        write_ledger(Path(place) / "another", 4 * FILES, first=501)
        for name, one, other in done:
            MEDDLING[name](segment_path(folder, "0", one), segment_path(folder, "0", other))
        report = verify_directory(folder, CHAIN)
        try:
            Journal(folder, KEY, "0", 1 << 20).close()
        except LedgerDamaged:
            assert not report.whole
        else:
            after = verify_directory(folder, CHAIN)
            assert (after.whole, after.records) == (report.whole, report.records)
