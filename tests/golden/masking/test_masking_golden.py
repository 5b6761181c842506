"""Whole answers through whole views: a claim, an input, and what leaves, as sibling files.

`NAME.yaml` holds the claim, the name of the input, who is asked about and the view; `NAME.output.json` what leaves. A
case that is withheld has a `reason` and no output. After an intended change, rewrite the outputs and read the diff:

    PARAVENT_REWRITE_GOLDEN=1 pytest tests/golden/masking
"""

import json
import os
from pathlib import Path

import pytest
import yaml

from masking_views import shape, view
from paravent.masking import Reduced
from paravent.model import Asked

HERE = Path(__file__).parent
REWRITE = bool(os.environ.get("PARAVENT_REWRITE_GOLDEN"))


@pytest.mark.parametrize("name", sorted(path.stem for path in HERE.glob("*.yaml")))
def test_what_leaves_of_a_whole_answer(name: str) -> None:
    """Each case's claim is the first line of its file."""
    case = yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    compiled = view(case["view"], shape(*case["persons"]))
    outcome = compiled.apply((HERE / case["input"]).read_bytes(), Asked(**case["asked"]))
    golden = HERE / f"{name}.output.json"
    if "reason" in case:
        assert outcome == case["reason"], case["claim"]
        assert not golden.exists()
        return
    assert isinstance(outcome, Reduced), outcome
    shown = {
        "leaves": json.loads(outcome.body),
        "persons": len(outcome.persons),
        "released": sum(outcome.released.values()),
        "dropped": outcome.dropped,
    }
    text = json.dumps(shown, ensure_ascii=False, indent=1) + "\n"
    if REWRITE:
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8"), case["claim"]


def test_every_output_belongs_to_a_case() -> None:
    """No golden file is left behind by a case that was renamed."""
    outputs = {path.name.removesuffix(".output.json") for path in HERE.glob("*.output.json")}
    assert outputs <= {path.stem for path in HERE.glob("*.yaml")}
