"""docs/explanation/performance.md tells what bench/results/proxy.json holds, and the caps that the code has."""

import json
import re

import pytest

from pages import DOCS, ROOT
from paravent.masking.json import MAX_VALUES
from paravent.masking.sweep import MAX_EFFORT
from paravent.masking.walk import MAX_ELEMENTS, MAX_TEXT_CHARACTERS

PAGE = (DOCS / "explanation/performance.md").read_text("utf-8")
RATIOS = json.loads((ROOT / "bench/results/proxy.json").read_text("utf-8"))["ratios"]


@pytest.mark.parametrize("series", ["mtls", "front", "dpop"])
def test_the_ratios_are_those_of_the_run_that_is_kept(series: str) -> None:
    row = re.search(rf"^\| `{series}` \| (\d\.\d\d) \| (\d\.\d\d) \|$", PAGE, re.MULTILINE)
    assert row is not None
    kept, fresh = (float(cell) for cell in row.groups())
    assert kept == round(RATIOS[f"{series}: CPU a request, paravent / mitmdump"], 2)
    assert fresh == round(RATIOS[f"{series}: CPU a request on a new connection, paravent / mitmdump"], 2)


def test_the_caps_are_those_of_the_code() -> None:
    for cap in (MAX_VALUES, MAX_ELEMENTS, MAX_TEXT_CHARACTERS, MAX_EFFORT):
        assert f"{cap:,}".replace(",", " ") in " ".join(PAGE.split())
