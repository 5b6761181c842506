"""What every `ports.AuditSink` owes: durable before True, in order, never half, never twice."""

import asyncio
import contextlib
import errno
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import ledger_process
from audit_records import CHAIN, a_record
from paravent.ports import AuditSink
from paravent.sinks.files import WAITING_MAX, FileSink
from paravent.sinks.folder import read_records
from paravent.sinks.opening import LedgerBusy
from paravent.sinks.verify import verify_directory
from until import until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def sink(folder: Path) -> Iterator[FileSink]:
    with contextlib.closing(FileSink(folder, CHAIN, deadline_ms=30_000)) as opened:
        yield opened


def ids(folder: Path) -> list[object]:
    return [record["id"] for record in read_records(folder)]


def numbered(number: int) -> dict[str, object]:
    return a_record() | {"id": str(number)}


async def test_a_file_sink_is_an_audit_sink(sink: FileSink) -> None:
    """It fits the port, and a new one is healthy."""
    port: AuditSink = sink
    assert port.healthy


async def test_true_means_it_is_there(sink: FileSink, folder: Path) -> None:
    """When append returns, the record is on disk as given, chained, and under the head."""
    assert await sink.append(a_record(7))
    (written,) = read_records(folder)
    assert written.items() >= a_record(7).items()
    report = verify_directory(folder, CHAIN)
    assert (report.whole, report.records, report.notes) == (True, 1, ())


async def test_many_at_once_keep_their_order(sink: FileSink, folder: Path) -> None:
    """200 appends in flight: all durable, one line each, in the order they were made."""
    answers = await asyncio.gather(*(sink.append(numbered(number)) for number in range(200)))
    assert answers == [True] * 200
    assert ids(folder) == [str(number) for number in range(200)]
    assert verify_directory(folder, CHAIN).whole


async def test_a_flood_is_answered_to_the_last(sink: FileSink, folder: Path) -> None:
    """More than may wait: whoever was told True is on record once, whoever was told False is not, nobody hangs."""
    count = WAITING_MAX + 2000
    answers = await asyncio.gather(*(sink.append(numbered(number)) for number in range(count)))
    assert ids(folder) == [str(number) for number, answer in enumerate(answers) if answer]
    assert verify_directory(folder, CHAIN).whole


async def test_a_passed_deadline_is_a_no_and_the_chain_stays_right(folder: Path) -> None:
    """Nobody is told True who is not on record; a record whose caller was told False may be, and is chained."""
    with contextlib.closing(FileSink(folder, CHAIN, deadline_ms=0)) as hasty:
        answers = await asyncio.gather(*(hasty.append(numbered(number)) for number in range(300)))
    acknowledged = {str(number) for number, answer in enumerate(answers) if answer}
    assert False in answers
    assert acknowledged <= set(ids(folder))
    assert len(set(ids(folder))) == len(ids(folder))
    assert verify_directory(folder, CHAIN).whole


@pytest.mark.parametrize(
    "wrong",
    [{"x": object()}, {"x": "\udcff"}, {"seq": 1}, {"x": "x" * (1 << 20)}],
    ids=["not JSON", "a lone surrogate", "a member of the chain", "too long"],
)
async def test_what_is_no_record_is_a_bug_of_its_caller_alone(
    sink: FileSink, folder: Path, wrong: dict[str, object]
) -> None:
    """It raises where it was made; its neighbours in the same group are written."""
    records = [numbered(1), wrong, numbered(2)]
    answers = await asyncio.gather(*(sink.append(record) for record in records), return_exceptions=True)
    assert answers[0] is answers[2] is True
    assert isinstance(answers[1], TypeError | ValueError)
    assert ids(folder) == ["1", "2"]
    assert sink.healthy


async def test_a_caller_who_left_is_on_record(sink: FileSink, folder: Path) -> None:
    """A cancelled request was decided all the same: its record is written."""
    task = asyncio.create_task(sink.append(numbered(1)))
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert await sink.append(numbered(2))
    assert ids(folder) == ["1", "2"]


async def test_closing_writes_what_waits(folder: Path) -> None:
    """SIGTERM drains: everything accepted before the close is answered True, everything after it False."""
    sink = FileSink(folder, CHAIN, deadline_ms=30_000)
    tasks = [asyncio.create_task(sink.append(numbered(number))) for number in range(50)]
    await asyncio.sleep(0)
    await asyncio.to_thread(sink.close)
    assert await asyncio.gather(*tasks) == [True] * 50
    assert not await sink.append(numbered(50))
    assert not sink.healthy
    assert len(ids(folder)) == 50


async def test_two_loops_may_share_a_sink(sink: FileSink, folder: Path) -> None:
    """Each caller is answered in its own event loop."""
    told: list[bool] = []
    other = threading.Thread(target=lambda: told.append(asyncio.run(sink.append(numbered(1)))))
    other.start()
    assert await sink.append(numbered(2))
    await asyncio.to_thread(other.join)
    assert told == [True]
    assert sorted(map(str, ids(folder))) == ["1", "2"]


async def test_a_restart_continues_the_chain(folder: Path) -> None:
    """Three starts, one chain; files roll over at their size and the next one's first line chains on."""
    for start in range(3):
        with contextlib.closing(FileSink(folder, CHAIN, segment_bytes=4096, deadline_ms=30_000)) as sink:
            for number in range(10):
                assert await sink.append(numbered(start * 10 + number))
    report = verify_directory(folder, CHAIN)
    assert (report.whole, report.records) == (True, 30)
    assert report.writers[0].files > 5
    assert max(path.stat().st_size for path in folder.glob("*.jsonl")) <= 4096
    assert ids(folder) == [str(number) for number in range(30)]


async def test_it_can_be_verified_while_it_is_written(sink: FileSink, folder: Path) -> None:
    """A scheduled check beside a busy proxy never cries wolf."""
    reports = []
    done = asyncio.Event()

    async def check() -> None:
        while not done.is_set():
            reports.append(await asyncio.to_thread(verify_directory, folder, CHAIN))

    checking = asyncio.create_task(check())
    for burst in range(20):
        await asyncio.gather(*(sink.append(numbered(burst * 40 + number)) for number in range(40)))
    done.set()
    await checking
    assert [finding for report in reports for finding in report.findings] == []


def test_one_process_a_chain(folder: Path) -> None:
    """A second sink on the same writer is refused, in this process and from another, until the first is closed."""
    command = [sys.executable, ledger_process.__file__, "held", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LedgerBusy):
            FileSink(folder, CHAIN)
        holder.communicate()
    with contextlib.closing(FileSink(folder, CHAIN)):
        with pytest.raises(LedgerBusy):
            FileSink(folder, CHAIN)
        FileSink(folder, CHAIN, writer="1").close()


@pytest.mark.parametrize("writer", ["", "A", "0-1", "../0", "a" * 17])
def test_a_writer_s_name_is_part_of_a_file_name(folder: Path, writer: str) -> None:
    """Anything else than a few lower-case letters and digits is refused before a file is touched."""
    with pytest.raises(ValueError, match="writer"):
        FileSink(folder, CHAIN, writer=writer)
    assert not folder.exists()


async def test_nobody_else_reads_the_ledger(sink: FileSink, folder: Path) -> None:
    """The folder is 0700 and its files 0600, whatever the umask."""
    assert await sink.append(a_record())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize(
    "disturb",
    [
        lambda it: (it / "ledger-0-000001.jsonl").unlink(),
        lambda it: (it / "ledger-0-000001.jsonl").rename(it / "ledger-0-000001.jsonl.1"),
        lambda it: shutil.copy(it / "ledger-0-000001.jsonl", it / "copy").replace(it / "ledger-0-000001.jsonl"),
        lambda it: os.truncate(it / "ledger-0-000001.jsonl", 0),
        lambda it: (it / "ledger-0-000001.jsonl").write_bytes(b"{}\n"),
        lambda it: (it / ".ledger-0.head").unlink(),
    ],
    ids=["removed", "rotated away", "replaced by its copy", "emptied", "overwritten", "head removed"],
)
async def test_a_ledger_that_is_disturbed_takes_no_more(folder: Path, disturb: object) -> None:
    """Its files gone or changed under it, a sink says no until it is opened again: nobody would read it."""
    assert callable(disturb)
    sink = FileSink(folder, CHAIN, deadline_ms=30_000)
    assert await sink.append(a_record(1))
    disturb(folder)
    assert not await sink.append(a_record(2))
    assert not sink.healthy
    assert not await sink.append(a_record(3))
    sink.close()
    assert verify_directory(folder, CHAIN).records <= 1


@contextlib.contextmanager
def hung_disk(monkeypatch: pytest.MonkeyPatch, name: str = "") -> Iterator[threading.Event]:
    """No sync of a file, or of one that is so called, comes back before the event is set. It is, at the end."""
    released = threading.Event()
    real = os.fdatasync

    def sync(descriptor: int) -> None:
        assert name not in os.readlink(f"/proc/self/fd/{descriptor}") or released.wait(30)
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", sync)
        try:
            yield released
        finally:
            released.set()


async def test_a_disk_that_hangs_is_not_healthy_until_it_answers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers are told False in time, nobody else is let through to the upstream meanwhile, and it passes by itself."""
    with contextlib.closing(FileSink(folder, CHAIN, deadline_ms=50)) as sink, hung_disk(monkeypatch) as released:
        assert not await sink.append(numbered(1))
        await until(lambda: not sink.healthy)
        assert sink.trouble == "the disk does not answer"
        assert not await sink.append(numbered(2))
        released.set()
        await until(lambda: sink.healthy)
    assert verify_directory(folder, CHAIN).whole
    assert "2" not in ids(folder)


async def test_nobody_waits_for_their_own_head(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is durable and the head has moved: that is enough to be told True. Nobody else is before the head is
    durable too, and a disk that does not take it is not healthy."""
    with contextlib.closing(FileSink(folder, CHAIN, deadline_ms=50)) as sink:
        with hung_disk(monkeypatch, ".head") as released:
            assert await sink.append(numbered(1))
            report = verify_directory(folder, CHAIN)
            assert (report.whole, report.records, report.notes) == (True, 1, ())
            assert not await sink.append(numbered(2))
            await until(lambda: sink.trouble == "the disk does not answer")
            released.set()
        await until(lambda: sink.healthy)
        assert await sink.append(numbered(3))
    assert ids(folder) == ["1", "3"]


async def test_a_head_that_cannot_be_made_durable_closes_the_sink(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was told True is on record; nobody else is told so until it is opened again, and then nothing is missing."""
    real = os.fdatasync

    def sync(descriptor: int) -> None:
        if ".head" in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EIO, "a fault of this test")
        real(descriptor)

    with contextlib.closing(FileSink(folder, CHAIN, deadline_ms=30_000)) as sink:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", sync)
            assert await sink.append(numbered(1))
            await until(lambda: not sink.healthy)
        assert sink.trouble == "EIO"
        assert not await sink.append(numbered(2))
    with contextlib.closing(FileSink(folder, CHAIN, deadline_ms=30_000)) as sink:
        assert await sink.append(numbered(3))
    assert ids(folder) == ["1", "3"]
    assert verify_directory(folder, CHAIN).whole


async def test_closing_does_not_wait_for_ever(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that hangs does not keep the process from ending; what it never confirmed was never acknowledged."""
    monkeypatch.setattr("paravent.sinks.files.CLOSE_S", 0.05)
    sink = FileSink(folder, CHAIN, deadline_ms=50)
    with hung_disk(monkeypatch):
        assert not await sink.append(numbered(1))
        await asyncio.wait_for(asyncio.to_thread(sink.close), 5)
        assert not await sink.append(numbered(2))
    sink._thread.join(10)
    assert verify_directory(folder, CHAIN).whole


class Unspeakable(dict[str, object]):
    """A record that takes the last memory when it is looked at."""

    def __iter__(self) -> Iterator[str]:
        raise MemoryError


async def test_whatever_a_record_raises_costs_its_caller_alone(sink: FileSink, folder: Path) -> None:
    """Also what is no usual complaint about a record: the chain was not touched, so the next one is written."""
    answers = await asyncio.gather(
        *(sink.append(record) for record in (numbered(1), Unspeakable(), numbered(2))), return_exceptions=True
    )
    assert (answers[0], type(answers[1]), answers[2]) == (True, MemoryError, True)
    assert sink.healthy
    assert ids(folder) == ["1", "2"]


async def test_a_bug_at_the_files_closes_the_sink_and_shows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not an error of the disk may have left the chain in two minds: no more is written, and it says so."""
    with contextlib.closing(FileSink(folder, CHAIN, deadline_ms=30_000)) as sink:
        assert await sink.append(numbered(1))
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", lambda: 512)  # takes no arguments
            assert not await sink.append(numbered(2))
        assert (sink.healthy, sink.trouble) == (False, "TypeError")
        assert not await sink.append(numbered(3))
    with contextlib.closing(FileSink(folder, CHAIN, deadline_ms=30_000)) as sink:
        assert await sink.append(numbered(4))
    assert ids(folder) == ["1", "2", "4"]
    assert verify_directory(folder, CHAIN).whole


async def test_a_sink_whose_thread_ended_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is let through to the upstream by a sink that will never write again, and nobody waits for it."""
    told: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_type.__name__))
    sink = FileSink(folder, CHAIN, deadline_ms=30_000)

    def out_of_memory() -> None:
        raise MemoryError

    monkeypatch.setattr(sink, "_take", out_of_memory)
    assert await sink.append(numbered(1))  # this one was already being waited for
    await until(lambda: not sink.healthy)
    assert not await sink.append(numbered(2))
    sink.close()  # joins the thread: it tells its hook after it has given up the files
    assert told == ["MemoryError"]


async def test_the_count_goes_on_over_restarts(folder: Path) -> None:
    """`records` is what a log on another machine remembers of the chain's length."""
    for start in range(3):
        with contextlib.closing(FileSink(folder, CHAIN, deadline_ms=30_000)) as sink:
            assert sink.records == start
            assert await sink.append(numbered(start))
            assert sink.records == start + 1


def test_a_lost_lock_file_does_not_let_a_second_writer_in(folder: Path) -> None:
    """The lock is an old empty file, as cleaners of old files like them; the head is locked as well."""
    with contextlib.closing(FileSink(folder, CHAIN)):
        (folder / ".ledger-0.lock").unlink()
        with pytest.raises(LedgerBusy):
            FileSink(folder, CHAIN)
