"""HL7's published examples through views: what leaves is valid R4, about one Patient, and holds what the lines name.

The Patient gets what every answer of a French service has, INS and birth date; what else is in the files is as HL7
published it: narrative, photos, extensions, absolute references, amounts with trailing zeros.
"""

import json
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from fhir.resources.R4B.bundle import Bundle

from masking_views import path, rule
from paravent.masking import Reduced, View, compile_view
from paravent.masking.formats.fhir import IDENTITY
from paravent.model import Asked
from paravent.reasons import Reason
from paravent.rules import Format, ResponseShape, ViewSpec

HERE: Final = Path(__file__).parent
SYSTEM: Final = "urn:oid:1.2.250.1.213.1.4.8"
ASKED: Final = Asked("1840399990011", "19840301", 1)
SHAPE: Final = ResponseShape((path("/Patient[]"),), IDENTITY, format=Format.FHIR)


def example(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text("utf-8"))
    return found


def patient() -> dict[str, Any]:
    found = example("Patient-pat1")
    found["identifier"].append({"system": SYSTEM, "value": "1840399990011"})
    return found | {"birthDate": "1984-03-01"}


def stranger() -> dict[str, Any]:
    found = example("Patient-infant-twin-1")
    found["identifier"] = [{"system": SYSTEM, "value": "2190799990022"}]
    return found


def view(*lines: str) -> View:
    rules = tuple(rule(line.split()[0], *(line.split()[1:] or ["keep"])) for line in lines)
    return compile_view(ViewSpec("o", "21", "p", rules), SHAPE)


def bundle(*resources: dict[str, Any]) -> bytes:
    entries = [{"resource": resource} for resource in resources]
    return orjson.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})


def left(compiled: View, body: bytes) -> dict[str, Any]:
    reduced = compiled.apply(body, ASKED)
    assert isinstance(reduced, Reduced), reduced
    Bundle.model_validate_json(reduced.body)
    return {each["resource"]["resourceType"]: each["resource"] for each in json.loads(reduced.body).get("entry", [])}


def scalars(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {each for inner in value.values() for each in scalars(inner)}
    if isinstance(value, list):
        return {each for inner in value for each in scalars(inner)}
    return {str(value)}


VIEWS: Final = {
    "Coverage-9876B1": ("/Coverage[]/status", "/Coverage[]/period/end", "/Coverage[]/beneficiary/reference"),
    "Coverage-SP1234": ("/Coverage[]/type/coding[]/code", "/Coverage[]/relationship/coding[]/code"),
    "CoverageEligibilityResponse-E2500": ("/CoverageEligibilityResponse[]/outcome",),
    "CoverageEligibilityResponse-E2501": (
        "/CoverageEligibilityResponse[]/status redact",
        "/CoverageEligibilityResponse[]/insurance[]/item[]/benefit[]/allowedMoney/value",
        "/CoverageEligibilityResponse[]/insurance[]/item[]/category/coding[]/code",
    ),
    "ExplanationOfBenefit-EB3500": (
        "/ExplanationOfBenefit[]/item[]/adjudication[]/amount/value",
        "/ExplanationOfBenefit[]/total[]/amount/value",
        "/ExplanationOfBenefit[]/created year",
    ),
    "ExplanationOfBenefit-EB3501": ("/ExplanationOfBenefit[]/item[]/sequence", "/ExplanationOfBenefit[]/use"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_what_leaves_of_an_example_is_valid_and_named(name: str) -> None:
    """Valid for fhir.resources; and of the values of the input none but those at the lines."""
    resource = example(name)
    for member in ("beneficiary", "patient"):
        if member in resource:
            resource[member] = {"reference": "Patient/pat1"}
    coverage = example("Coverage-9876B1") | {"beneficiary": {"reference": "https://exemple.fr/fhir/Patient/pat1"}}
    others = [] if coverage["id"] == resource["id"] else [coverage]
    compiled = view(*VIEWS[name], "/Patient[]/gender")
    shown = left(compiled, bundle(patient(), resource, *others, stranger()))
    assert shown["Patient"] == {"resourceType": "Patient", "gender": "male"}
    reduced = shown[resource["resourceType"]]
    kept = scalars(reduced) & scalars(resource)
    allowed = {"Coverage", "CoverageEligibilityResponse", "ExplanationOfBenefit"}
    for line in VIEWS[name]:
        level: list[Any] = [resource]
        for step in line.split()[0].split("/")[2:]:
            found = [each[step.removesuffix("[]")] for each in level if step.removesuffix("[]") in each]
            level = [each for value in found for each in (value if step.endswith("[]") else [value])]
        allowed |= {str(value) for value in level}
    assert kept <= allowed
    assert scalars(reduced) != {"masked"}


def test_an_amount_leaves_digit_for_digit() -> None:
    """120.00 is not 120 to an accountant."""
    body = bundle(patient(), example("ExplanationOfBenefit-EB3500")).replace(b"120.0", b"120.00")
    reduced = view("/ExplanationOfBenefit[]/item[]/adjudication[]/amount/value").apply(body, ASKED)
    assert isinstance(reduced, Reduced)
    assert b"120.00" in reduced.body


def test_whoever_is_not_asked_about_is_not_in_the_bundle() -> None:
    """A stranger's Patient, and the Coverage that refers to them, leave no trace, not even a number."""
    coverage = example("Coverage-9876B1") | {"beneficiary": {"reference": "Patient/infant-twin-1"}}
    compiled = view("/Coverage[]/status", "/Patient[]/gender", "/Patient[]/birthDate echo")
    alone = compiled.apply(bundle(patient()), ASKED)
    together = compiled.apply(bundle(stranger(), coverage, patient(), coverage | {"id": "x"}), ASKED)
    assert isinstance(alone, Reduced)
    assert isinstance(together, Reduced)
    assert together.body == alone.body


def test_what_refers_to_nobody_here_does_not_leave() -> None:
    """A Coverage whose Patient is on another server could be anybody's."""
    shown = left(view("/Coverage[]/status", "/Patient[]/gender"), bundle(patient(), example("Coverage-SP1234")))
    assert set(shown) == {"Patient"}


def test_two_patients_with_one_identity_are_withheld() -> None:
    """They cannot be told apart, and say different things."""
    other = patient() | {"id": "pat9", "gender": "female"}
    assert view("/Patient[]/gender").apply(bundle(patient(), other), ASKED) is Reason.ANSWER_OTHER_PERSON


def test_a_number_of_another_kind_identifies_nobody() -> None:
    """A hospital's MR number has thirteen digits in some places."""
    found = patient()
    found["identifier"] = [found["identifier"][0] | {"value": "1840399990011"}]
    assert view("/Patient[]/gender").apply(bundle(found | {"birthDate": "1984-03-02"}), ASKED) is (
        Reason.ANSWER_OTHER_PERSON
    )
