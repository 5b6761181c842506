"""The sweep at the end of every hostile test finds what it is there to find."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from answers import ANSWER
from node import NIR, RunningNode, running_node
from sweep import CONTRACT, OTHER_NIR, traces
from wire import raw_upstream

type Plant = Callable[[RunningNode], object]


def in_the_ledger(node: RunningNode, content: bytes) -> None:
    (node.sandbox.folder / "audit" / "planted").write_bytes(content)


PLANTS: list[tuple[str, Plant]] = [
    ("a NIR sent to a client", lambda node: node.received.extend(OTHER_NIR.encode())),
    ("a contract number sent to a client", lambda node: node.received.extend(CONTRACT.lower().encode())),
    ("a token sent back", lambda node: node.received.extend(node.credentials[0].encode())),
    ("a NIR in the ledger", lambda node: in_the_ledger(node, OTHER_NIR.encode())),
    ("the caller's own NIR in the ledger", lambda node: in_the_ledger(node, NIR[:13].encode())),
    ("a proof in the ledger", lambda node: in_the_ledger(node, node.credentials[1].encode())),
    ("a NIR in a log", lambda node: node.logs.write(OTHER_NIR)),
    ("a NIR in a metric", lambda node: node.node.runtime.metrics.upstream_failed(OTHER_NIR)),
    *((f"a NIR {how}", lambda node, t=trace: in_the_ledger(node, t)) for how, trace in traces(OTHER_NIR).items()),
]


@pytest.mark.parametrize("plant", [row[1] for row in PLANTS], ids=[row[0] for row in PLANTS])
async def test_what_was_planted_is_found(tmp_path: Path, plant: Plant) -> None:
    """The node was clean; then it is not, and its end says so."""
    async with raw_upstream(ANSWER) as seen:
        context = running_node(tmp_path, seen.port)
        node = await context.__aenter__()
        assert (await node.ask())[0] == 200
        assert node.finds() == []
        plant(node)
        with pytest.raises(AssertionError, match=" in "):
            await context.__aexit__(None, None, None)


async def test_a_message_with_a_nir_in_it_never_reaches_the_log(tmp_path: Path) -> None:
    """Whoever logs it, at whatever level: the formatter keeps the place, not the words."""
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port) as node:
        for name in ("mitmproxy.proxy.server", "asyncio", "root", "paravent", "some.library"):
            for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
                logging.getLogger(name).log(level, "unexpected data: %s", OTHER_NIR, extra={"address": OTHER_NIR})
        assert "foreign_record" in node.logs.getvalue()
