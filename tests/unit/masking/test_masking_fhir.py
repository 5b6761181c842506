"""What R4 requires, held against the models of fhir.resources; and what no line of a FHIR view may name."""

import pytest

from fhir_models import leaves_of, objects, required_of
from masking_views import path, rule
from paravent.masking import check_view
from paravent.masking.formats.fhir import IDENTITY
from paravent.masking.formats.fhir_required import REQUIRED, TYPES
from paravent.masking.formats.fhir_types import CODES, holds_text
from paravent.masking.operators import Parameter
from paravent.rules import Format, PersonFields, ResponseShape, ViewSpec

SHAPE = ResponseShape((path("/Patient[]"),), IDENTITY, format=Format.FHIR)


OBJECTS = [(kind, way, model) for kind in sorted(TYPES) for way, model in objects(kind)]


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_the_elements_that_r4_requires_are_known(kind: str) -> None:
    """Of every resource that can leave, and of every object in it: the models say the same."""
    required = {way: required_of(model) for type_, way, model in OBJECTS if type_ == kind}
    assert len(required) > 20
    known = {way: {"|".join(sorted(name.split("|"))) for name, _ in REQUIRED.get(way, ())} for way in required}
    assert known == required
    assert {way for way in REQUIRED if way[0] == kind} <= set(required)


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
        pytest.param("/Bundle/identifier/value", "its type and its timestamp", id="what else a Bundle has"),
        pytest.param("/Coverage[]/subscriber/display", "may not be counted", id="the name of who is insured"),
        pytest.param("/Coverage[]/policyHolder/identifier/value", "may not be counted", id="the number of who pays"),
        pytest.param(
            "/ExplanationOfBenefit[]/supportingInfo[]/valueReference/display",
            "may not be counted",
            id="the name of anybody",
        ),
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


def problems_of(line: str, operator: str, parameter: Parameter = None) -> str:
    return " ".join(text for _, text in check_view(ViewSpec("o", "21", "p", (rule(line, operator, parameter),)), SHAPE))


def test_which_elements_are_texts_is_known() -> None:
    """Of every resource that can leave, and of every object in it: the models say the same."""
    for _, way, model in OBJECTS:
        for name, type_ in leaves_of(model):
            if name in {"id", "implicitRules", "data", "hash"}:
                continue  # no line can name them
            assert holds_text((*way, name)) is (type_ == "String" or name == "code"), (way, name)
            assert (name in CODES) is (type_ in {"Code", "Uri", "Url"} and name != "code"), (way, name)


@pytest.mark.parametrize(
    ("line", "operator", "parameter"),
    [
        ("/Patient[]/birthDate", "mask", 4),
        ("/Patient[]/birthDate", "pseudonym", None),
        ("/Patient[]/multipleBirthInteger", "pseudonym", None),
        ("/Patient[]/gender", "initial", None),
        ("/Coverage[]/period/start", "code-map", (("2026-01-01", "janvier"),)),
        ("/ExplanationOfBenefit[]/item[]/net/value", "pseudonym", None),
        ("/Coverage[]/payor[]/identifier/system", "mask", 4),
    ],
)
def test_a_text_has_no_place_where_fhir_has_none(line: str, operator: str, parameter: Parameter) -> None:
    """A validator would refuse the answer."""
    assert "a date, a number or a code of its own" in problems_of(line, operator, parameter)
    assert problems_of(line, "redact") == ""


@pytest.mark.parametrize("operator", ["redact", "year", "echo"])
def test_what_leaves_of_a_bundle_itself_is_kept(operator: str) -> None:
    """A moment without its day is none, and a type that is masked no Bundle."""
    parameter = "/nom" if operator == "echo" else None
    for line in ("/Bundle/type", "/Bundle/timestamp"):
        assert "are kept" in problems_of(line, operator, parameter)
        assert problems_of(line, "keep") == ""


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
