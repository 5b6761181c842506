"""What R4 requires, held against the models of fhir.resources; and what no line of a FHIR view may name."""

from importlib import import_module
from typing import Any

import pytest

from masking_views import path, rule
from paravent.masking import check_view
from paravent.masking.formats.fhir import IDENTITY
from paravent.masking.formats.fhir_required import REQUIRED, TYPES
from paravent.rules import Format, PersonFields, ResponseShape, ViewSpec

SHAPE = ResponseShape((path("/Patient[]"),), IDENTITY, format=Format.FHIR)


def model_at(way: tuple[str, ...]) -> Any:
    """The class of fhir.resources for an object of a resource."""
    module = import_module(f"fhir.resources.R4B.{way[0].lower()}")
    model = getattr(module, way[0])
    for step in way[1:]:
        field = next(each for each in model.model_fields.values() if step in (each.alias, _name(model, each)))
        model = getattr(module, _type_of(field))
    return model


def _name(model: Any, field: Any) -> str:
    return next(name for name, each in model.model_fields.items() if each is field)


def _type_of(field: Any) -> str:
    text = str(field.annotation).replace("]", " ").replace("[", " ").replace(",", " ").replace("'", " ")
    extra = field.annotation.__args__[0] if hasattr(field.annotation, "__args__") else field.annotation
    while hasattr(extra, "__args__"):
        extra = extra.__args__[0]
    name = getattr(extra, "__name__", None) or text.split()[-1].rpartition(".")[2]
    return name.removesuffix("Type")


def required_of(model: Any) -> set[str]:
    found = set()
    for name, field in model.model_fields.items():
        if field.is_required() or (field.json_schema_extra or {}).get("element_required"):
            found.add(field.alias or name)
    return found


@pytest.mark.parametrize("way", [way for way in REQUIRED if len(way) == 1], ids="/".join)
def test_the_elements_that_r4_requires_are_known(way: tuple[str, ...]) -> None:
    """Of every resource that can leave: the models say the same."""
    assert {name for name, _ in REQUIRED[way]} == required_of(model_at(way))


def test_a_patient_needs_nothing() -> None:
    """And so has no entry."""
    assert "Patient" in TYPES
    assert required_of(model_at(("Patient",))) == set()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param("/Patient[]/text/div", "narrative", id="narrative"),
        pytest.param("/Patient[]/contained[]/name", "contained", id="contained"),
        pytest.param("/Patient[]/extension[]/valueString", "extension", id="an extension"),
        pytest.param("/Patient[]/name[]/extension[]/valueString", "extension", id="an extension of an element"),
        pytest.param("/Patient[]/photo[]/data", "attachment", id="an attachment"),
        pytest.param("/Patient[]/id", "numbered anew", id="an id"),
        pytest.param("/Bundle/total", "total", id="the total"),
        pytest.param("/Bundle/link[]/url", "link", id="links"),
        pytest.param("/Bundle/entry[]/fullUrl", "entry", id="entries by place"),
        pytest.param("/Coverage[]/subscriber/display", "may not be counted", id="the name of who is insured"),
        pytest.param("/Coverage[]/policyHolder/identifier/value", "may not be counted", id="the number of who pays"),
        pytest.param("/Patient[]/contact[]/name/family", "not counted", id="who is to be called"),
        pytest.param("/Patient[]/link[]/other/display", "may not be counted", id="the name of a linked Patient"),
        pytest.param("/Coverage[]/@of[]/gender", "no element", id="what the engine writes down of whose it is"),
        pytest.param("/Patient[]/@nir", "no element", id="the number that the engine found"),
        pytest.param("/Observation[]/status", "cannot be completed", id="a resource whose needs are not known"),
        pytest.param("/Coverage/status", "begins with a resource type", id="a type without []"),
        pytest.param("/Bundle[]/type", "begins with a resource type", id="Bundle with []"),
    ],
)
def test_no_line_can_name_it(line: str, told: str) -> None:
    """Told when the policy is loaded."""
    problems = check_view(ViewSpec("o", "21", "p", (rule(line, "keep"),)), SHAPE)
    assert any(told in text for _, text in problems), problems


def test_whom_a_coverage_is_paid_by_may_be_referred_to() -> None:
    """A reference leads to who leaves, or is cut."""
    for line in ("/Coverage[]/subscriber/reference", "/Coverage[]/policyHolder/reference"):
        assert check_view(ViewSpec("o", "21", "p", (rule(line, "keep"),)), SHAPE) == ()


def test_the_number_of_a_patient_is_not_kept() -> None:
    """Nor masked, nor shown in part: only what shows nothing of it."""
    value = "/Patient[]/identifier[system=urn:oid:1.2.250.1.213.1.4.8]/value"
    for operator, parameter in (("keep", None), ("mask", 4), ("keep", "member-number")):
        told = check_view(ViewSpec("o", "21", "p", (rule(value, operator, parameter),)), SHAPE)
        assert any("would show a NIR" in text for _, text in told)
    for operator in ("echo", "redact", "handle", "pseudonym"):
        assert check_view(ViewSpec("o", "21", "p", (rule(value, operator),)), SHAPE) == ()


def test_exists_has_no_place_in_fhir() -> None:
    """true is no date and no code."""
    told = check_view(ViewSpec("o", "21", "p", (rule("/Patient[]/gender", "exists"),)), SHAPE)
    assert any("write redact" in text for _, text in told)


@pytest.mark.parametrize(
    "shape",
    [
        ResponseShape(format=Format.FHIR),
        ResponseShape((path("/Patient[]"),), PersonFields("nir", "birthDate", "rank"), format=Format.FHIR),
    ],
    ids=["nobody", "other members"],
)
def test_the_persons_of_a_bundle_are_its_patients(shape: ResponseShape) -> None:
    """Whatever refers to one of them is theirs; there is no other way to say so."""
    problems = check_view(ViewSpec("o", "21", "p", (rule("/Patient[]/gender", "keep"),)), shape)
    assert any("the persons of a FHIR answer are" in text for _, text in problems)
