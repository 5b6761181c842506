"""A runtime: what it says of its ledger, and that it gives everything back."""

import asyncio
import json
import logging
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from audit_records import a_record
from node import make_folder
from paravent.measures.lists import ENACT_S
from paravent.problems import InvalidFiles
from paravent.settings import Settings, load_settings
from paravent.sinks.verify import verify_directory
from paravent.stores.sqlite import SqliteLedger
from paravent.telemetry.logs import OURS, JsonFormatter
from paravent.wiring import STATE_DEADLINE_MS, Runtime, build
from paravent_mitmproxy.guard import HOOK_DEADLINE_S
from until import until


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(make_folder(tmp_path, 9).config, {})


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator["Said"]:
    with caplog.at_level(logging.INFO, OURS):
        yield Said(caplog)


class Said:
    """Our log, as an operator reads it."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    def about(self, *events: str) -> list[tuple[str, object]]:
        """(event, cause or count) of these events."""
        lines = [json.loads(JsonFormatter().format(record)) for record in self._caplog.records if record.name == OURS]
        return [(it["event"], it.get("cause", it.get("count"))) for it in lines if it["event"] in events]


async def append(runtime: Runtime, number: int) -> bool:
    return await runtime._audit.append(a_record(number))


async def test_the_log_remembers_how_long_the_ledger_was(settings: Settings, said: Said) -> None:
    """Shipped to another machine, the counts betray a folder that was emptied, or put back, before a start."""
    for start in range(2):
        with closing(build(settings)) as runtime:
            assert await append(runtime, start)
    assert said.about("ledger_opened", "ledger_closed") == [
        ("ledger_opened", 0), ("ledger_closed", 1), ("ledger_opened", 1), ("ledger_closed", 2)
    ]  # fmt: skip


async def test_the_log_says_once_why_the_ledger_fails(
    settings: Settings, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An errno or a constant sentence, when it begins and when it is over; readiness alone says only that it fails."""
    monkeypatch.setattr("paravent.wiring.POLICY_POLL_S", 0.01)

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "/a/path/that/is/not/logged")

    with closing(build(settings)) as runtime:
        watching = asyncio.create_task(runtime.watch_policy())
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            assert not await append(runtime, 1)
            assert not runtime.readiness()["audit"]
            await until(lambda: said.about("ledger_trouble"))
        assert await append(runtime, 2)
        await until(lambda: said.about("ledger_well"))
        (settings.audit.path / "ledger-0-000001.jsonl").rename(settings.audit.path / "moved")
        assert not await append(runtime, 3)
        await until(lambda: len(said.about("ledger_trouble")) == 2)
        watching.cancel()
    assert said.about("ledger_trouble", "ledger_well") == [
        ("ledger_trouble", "ENOSPC"), ("ledger_well", None), ("ledger_trouble", "a_file_of_the_ledger_was_removed")
    ]  # fmt: skip


async def test_a_policy_that_breaks_the_reader_is_logged_once(
    settings: Settings, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug that comes back each second is one line until it is gone, and the last good policy serves."""
    monkeypatch.setattr("paravent.wiring.POLICY_POLL_S", 0.01)
    tries: list[object] = []

    def broken(path: object) -> float:
        tries.append(path)
        return 1 / 0

    with closing(build(settings)) as runtime:
        watching = asyncio.create_task(runtime.watch_policy())
        with monkeypatch.context() as patch:
            patch.setattr(os, "scandir", broken)
            await until(lambda: len(tries) > 5)
            assert not runtime.readiness()["policy"]
        await until(lambda: runtime.readiness()["policy"])
        watching.cancel()
    assert [event for event, _ in said.about("policy_unreadable")] == ["policy_unreadable"]


async def test_a_state_store_that_breaks_its_keeper_is_logged_once(
    settings: Settings, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And does not end the watch: the policy is still read, each time."""
    monkeypatch.setattr("paravent.wiring.POLICY_POLL_S", 0.01)
    tries: list[object] = []

    async def broken(ledger: object) -> None:
        tries.append(ledger)
        raise RuntimeError("what it says is not logged")

    with closing(build(settings)) as runtime:
        monkeypatch.setattr(SqliteLedger, "look_after", broken)
        watching = asyncio.create_task(runtime.watch_policy())
        await until(lambda: len(tries) > 5)
        assert not watching.done()
        watching.cancel()
    assert [event for event, _ in said.about("state_not_looked_after")] == ["state_not_looked_after"]


async def test_closing_gives_everything_back_whatever_fails(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state store cannot be closed: the ledger's last group is written all the same, and both open again."""
    runtime = build(settings)
    waiting = asyncio.create_task(append(runtime, 1))
    await asyncio.sleep(0)
    real = SqliteLedger.close

    def broken(self: SqliteLedger) -> None:
        real(self)
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(SqliteLedger, "close", broken)
        with pytest.raises(RuntimeError):
            await asyncio.to_thread(runtime.close)
    assert await waiting
    build(settings).close()
    report = verify_directory(settings.audit.path, runtime._fixed.keys.chain)
    assert (report.whole, report.records) == (True, 1)


def test_a_start_that_fails_leaves_the_ledger_to_the_next(settings: Settings) -> None:
    """Nothing is left open or locked when the state file cannot be used."""
    settings.state.path.mkdir()
    with pytest.raises(InvalidFiles):
        build(settings)
    settings.state.path.rmdir()
    build(settings).close()


def test_the_slowest_question_ends_before_the_guard_ends_it() -> None:
    """A store and a book that use up their deadlines: two charges, and one writing in the book between them."""
    assert 2 * STATE_DEADLINE_MS / 1000 + ENACT_S < HOOK_DEADLINE_S
