"""A hook whose deadline strikes half-way: the caller is refused, and the real ledger has one line of it."""

import asyncio
from pathlib import Path

import pytest

from node import running_node
from paravent.sinks.verify import verify_directory
from wire import http_answer, raw_upstream

ANSWER = http_answer(
    b'{"beneficiaireDeSoins":{"nomUsuel":"ESSAI","dateNaissance":"19840517","rangGemellaire":1,'
    b'"noNIRCertifie":"2840599990001"}}'
)


async def hang(*_: object) -> object:
    return await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("waits_for", "status", "asked", "decision"),
    [("charge", 503, 0, "deny"), ("settle", 502, 1, "withhold")],
    ids=["before the upstream is asked", "after the upstream has answered"],
)
async def test_a_deadline_half_way_is_on_record_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits_for: str, status: int, asked: int, decision: str
) -> None:
    """The budget's store never comes back: the guard ends the wait, and what it answered is in the ledger, once."""
    monkeypatch.setattr("paravent_mitmproxy.guard.HOOK_DEADLINE_S", 0.2)
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        runtime = node.node.runtime
        with monkeypatch.context() as patch:
            patch.setattr(runtime._ledger, waits_for, hang)
            answered = (await node.ask())[0]
        assert (answered, len(seen.requests)) == (status, asked)
        (record,) = node.records()
        assert (record["decision"], record["reason"], record["status"]) == (decision, "internal_error", status)
        report = verify_directory(tmp_path / "audit", runtime._fixed.keys.chain)
        assert (report.whole, report.records) == (True, 1)
