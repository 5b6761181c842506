"""bench.ledger measures what it says, and its kept results say what the page says."""

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from bench import ledger

from pages import DOCS

PAGE = (DOCS / "explanation/performance.md").read_text("utf-8")


@pytest.mark.real
@pytest.mark.parametrize("kind", ledger.STORES)
def test_a_charge_does_not_cost_more_the_more_persons_there_are(kind: str, tmp_path: Path) -> None:
    """Ten and ten thousand in the window, in turns: at most 1.5 times as long. The best of three, on a busy machine."""
    ratios = []
    for attempt in range(3):
        with ledger.place_of(kind, tmp_path / f"store-{attempt}") as (place, _):
            few, many = asyncio.run(ledger.growth(place, 200))
        ratios.append(many / few)
        if ratios[-1] <= ledger.GROWTH_AT_MOST:
            break
    assert min(ratios) <= ledger.GROWTH_AT_MOST


def test_a_store_in_which_charges_grow_is_named() -> None:
    """And the command ends with 1."""
    fine = ledger.Figures("sqlite", 1, 1, 1, 1, 1.5, {}, {}, {})
    assert ledger.grows([fine, replace(fine, store="redis", growth=1.51)]) == ["redis"]


def test_the_page_tells_the_run_that_is_kept() -> None:
    """Every row of its table, by store."""
    kept = {each["store"]: each for each in json.loads(ledger.RESULTS.read_text())["figures"]}
    sqlite, redis = kept["sqlite"], kept["redis"]
    told = {
        "charge, p50": [f"{each['charge_p50_ms']:.2f} ms" for each in (sqlite, redis)],
        "charge, p99": [f"{each['charge_p99_ms']:.2f} ms" for each in (sqlite, redis)],
        "10 000 persons in the window, beside 10": [f"{each['growth']:.2f}" for each in (sqlite, redis)],
    }
    for workers in ("1", "2", "4"):
        told[f"charges a second, {workers} processes"] = [
            str(each["charges_per_s"][workers]) for each in (sqlite, redis)
        ]
    for number, words in (("1000", "1 000"), ("100000", "100 000")):
        cells = [f"{each['bytes_a_practitioner'][number] / 1000:.1f} kB" for each in (sqlite, redis)]
        told[f"a practitioner with five persons, of {words}"] = cells
        ours = [f"{each['process_bytes_a_practitioner'][number] / 1000:.1f} kB" for each in (sqlite, redis)]
        told[f"and in the process, of {words}"] = ours
    rows = {
        name.strip(): (one, other)
        for name, one, other in re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.M)
    }
    for name, cells in told.items():
        assert list(rows[name]) == cells
    assert all(each["growth"] <= ledger.GROWTH_AT_MOST for each in (sqlite, redis))
