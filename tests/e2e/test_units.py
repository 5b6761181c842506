"""Units, over a real connection: what the caller sees of them, and what stands in the ledger."""

from pathlib import Path

from answers import ANSWER
from node import running_node
from wire import raw_upstream


async def test_a_heavy_question_uses_up_its_units_and_says_so(tmp_path: Path) -> None:
    """Of 7 units, two questions of 3 about one patient: a second look is free in persons alone; a third is refused."""
    async with raw_upstream(ANSWER) as upstream, running_node(tmp_path, upstream.port) as node:
        droits, quotas = tmp_path / "policies/operations/droits.yaml", tmp_path / "policies/quotas.yaml"
        droits.write_text(
            droits.read_text().replace("droits.consultation:\n", "droits.consultation:\n  weight: 3\n", 1)
        )
        quotas.write_text(
            quotas.read_text().replace("  pharmacien:\n", "  pharmacien:\n    units: [{limit: 7, per: 1h}]\n", 1)
        )
        assert node.node.runtime.reload_policy()
        told = [await node.ask() for _ in range(3)]
        assert [status for status, _, _ in told] == [200, 200, 429]
        assert [headers.get(b"ratelimit") for _, headers, _ in told] == [
            b'"persons-10m";r=59, "units-1h";r=4',
            b'"persons-10m";r=59, "units-1h";r=1',
            None,
        ]
        assert b'"units-1h";q=7;w=3600;paravent-unit="weighted-requests"' in told[0][1][b"ratelimit-policy"]
        assert 3600 <= int(told[2][1][b"retry-after"]) <= 3660
        assert node.records()[-1]["reason"] == "units_over_budget"
        assert len(upstream.requests) == 2
