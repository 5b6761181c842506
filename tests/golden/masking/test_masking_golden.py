"""Whole answers through whole views: a claim, an input, and what leaves, as sibling files.

`NAME.yaml` holds the claim, the name of the input, what is changed in it (by pointer), who is asked about and the view;
`NAME.output.json` what leaves. A case that is withheld has a `reason` and no output. After an intended change, rewrite
the outputs and read the diff:

    PARAVENT_REWRITE_GOLDEN=1 pytest tests/golden/masking
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from fhir.resources.R4B.bundle import Bundle

from masking_views import shape, view
from paravent.masking import Reduced
from paravent.masking.formats.fhir import IDENTITY, PATIENT
from paravent.model import Asked
from paravent.rules import Format, ResponseShape
from pointers import changed

HERE = Path(__file__).parent
REWRITE = bool(os.environ.get("PARAVENT_REWRITE_GOLDEN"))


def shape_of(case: dict[str, Any]) -> ResponseShape:
    """Where persons stand: in the Patients of a FHIR answer, or at the places that the case names."""
    if case.get("format") == "fhir":
        return ResponseShape((PATIENT,), IDENTITY, case["scope"], case["max_persons"], Format.FHIR)
    return shape(*case["persons"])


@pytest.mark.parametrize("name", sorted(path.stem for path in HERE.glob("*.yaml")))
def test_what_leaves_of_a_whole_answer(name: str) -> None:
    """Each case's claim is the first line of its file."""
    case = yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    compiled = view(case["view"], shape_of(case))
    document = changed(json.loads((HERE / case["input"]).read_bytes()), case.get("change", {}))
    outcome = compiled.apply(json.dumps(document).encode(), Asked(**case["asked"]))
    golden = HERE / f"{name}.output.json"
    if "reason" in case:
        assert outcome == case["reason"], case["claim"]
        assert not golden.exists()
        return
    assert isinstance(outcome, Reduced), outcome
    if case.get("format") == "fhir":
        Bundle.model_validate_json(outcome.body)
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
