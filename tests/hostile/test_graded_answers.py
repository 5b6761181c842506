"""What a caller sees as a budget fills, through the real listener."""

from collections.abc import Mapping
from pathlib import Path

from answers import ANSWER
from node import running_node
from until import until
from wire import raw_upstream


async def test_an_answer_warns_and_is_counted(tmp_path: Path) -> None:
    """Not before the policy's share is reached; then in a header of ours, which the metric counts."""
    async with raw_upstream(ANSWER) as upstream, running_node(tmp_path, upstream.port) as node:
        _, before, _ = await node.ask()
        before_revision = node.node.runtime.revision
        edit(node.sandbox.folder / "policies/quotas.yaml", {"warn_at: 80%": "warn_at: 1%"})
        await until(lambda: node.node.runtime.revision != before_revision)
        _, after, _ = await node.ask()
        assert b"paravent-warning" not in before
        assert after[b"paravent-warning"] == b'"persons-10m"'
        assert node.metric("paravent_budget_warnings_total") == 1


def edit(file: Path, changes: Mapping[str, str]) -> None:
    """Of a policy file; each text must be there."""
    text = file.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
