"""What leaves of a FHIR answer is valid R4 to fhir.resources: under the reference policy, and under any line of a view.

The upstream may leave out whatever it likes. What R4 insists on and is not there, or may not leave, says `masked`.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import given, settings
from hypothesis import strategies as st

from effort import examples
from masking_views import path, rule
from paravent.masking import REGISTRY, Reduced, View, check_view, compile_view
from paravent.masking.formats.fhir import IDENTITY
from paravent.masking.operators import Parameter
from paravent.model import Asked, Disguise, Secret
from paravent.reasons import Reason
from paravent.rules import Format, ResponseShape, ViewSpec
from paravent.sandbox import documents_fhir
from paravent.sandbox.documents_json import Desk
from paravent.sandbox.population import Population
from reference import PROFESSIONS, asked, compiled, eligibility, view_of

MOMENT: Final = "2026-11-22T09:30:00+01:00"
SEARCH: Final = "open-a-search-or-an-export.md"
EXAMPLES: Final = Path(__file__).parents[1] / "golden/fhir"


@cache
def desk() -> Desk:
    return Desk.of(Population())


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Everywhere in a document but at the top: a container, and a name or an index in it."""
    for key, inner in list(value.items()) if isinstance(value, dict) else list(enumerate(value)):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


def thinned(draw: st.DrawFn, resource: Any) -> Any:
    """A resource from which some elements are left out."""
    for _ in range(draw(st.integers(0, 6))):
        holder, key = draw(st.sampled_from(list(places(resource))))
        if key not in {"resourceType", "id"} and (isinstance(key, int) or key in holder):
            del holder[key]
    return resource


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, Asked]:
    people = desk().people
    person = people.person(draw(st.integers(0, people.size - 1)))
    document: Any = documents_fhir.eligibility(desk(), person, MOMENT)
    entries = [{"resource": thinned(draw, entry["resource"])} for entry in document["entry"]]
    told = asked(eligibility(person.nir, person.birth_date, person.birth_rank))
    return json.dumps(document | {"entry": draw(st.permutations(entries))}).encode(), told


@pytest.mark.parametrize("code", PROFESSIONS.values(), ids=PROFESSIONS.keys())
@given(answers())
@settings(max_examples=examples(40), deadline=None)
def test_what_the_reference_policy_lets_leave_is_valid(code: str, answer: tuple[bytes, Asked]) -> None:
    """Of every profession, whatever the upstream left out."""
    body, told = answer
    reduced = view_of("fhir.eligibilite", code).apply(body, told)
    if isinstance(reduced, Reduced):
        Bundle.model_validate_json(reduced.body)
    else:
        assert reduced in {Reason.ANSWER_OTHER_PERSON, Reason.ANSWER_SHAPE}


@given(st.integers(0, 200_000), st.data())
@settings(max_examples=examples(40), deadline=None)
def test_what_leaves_of_a_search_is_valid(number: int, data: st.DataObject) -> None:
    """Under the view that a page of the manual opens."""
    (card, *_) = desk().people.cards_of(desk().people.person(number).family) or (None,)
    if card is None:
        return
    document: Any = documents_fhir.coverages(desk(), documents_fhir.Page([card], 1, "/a", None), include_patients=True)
    document["entry"] = [{"resource": thinned(data.draw, entry["resource"])} for entry in document["entry"]]
    policy, views = compiled(SEARCH)
    view = views["fhir.couvertures", "21", policy.default_purpose["21"]]
    told = Asked(fields={"?subscriber-id": card.member, "?payor:identifier": card.amc.number})
    reduced = view.apply(json.dumps(document).encode(), told)
    if isinstance(reduced, Reduced):
        Bundle.model_validate_json(reduced.body)


# ---- any line, with any operator, over HL7's examples

NIR: Final = "1840399990011"
ASKED: Final = Asked(
    NIR, "19840301", 1, {"/x": "x"}, care_date="20111101",
    disguise=Disguise(Secret(b"d" * 32), "99900000002", 1_795_000_000),
)  # fmt: skip
SHAPE: Final = ResponseShape((path("/Patient[]"),), IDENTITY, format=Format.FHIR)
PARAMETERS: Final[dict[str, Parameter]] = {
    "mask": 2, "echo": "/x", "filter-period": "end",
    "code-map": (("active", "un code"), ("2011-05-23", "mai"), ("male", "M"), ("1", "un")),
}  # fmt: skip
ANCHORS: Final = ("/Coverage[]/beneficiary/reference", "/ExplanationOfBenefit[]/patient/reference",
                  "/CoverageEligibilityResponse[]/patient/reference", "/Patient[]/language")  # fmt: skip


@cache
def published() -> bytes:
    """One Bundle of all examples, each about one Patient."""
    resources = [json.loads(each.read_bytes()) for each in sorted(EXAMPLES.glob("*.json")) if "twin" not in each.name]
    for each in resources:
        for member in ("beneficiary", "patient"):
            if member in each:
                each[member] = {"reference": "Patient/pat1"}
        if each["resourceType"] == "Patient":
            each["identifier"].append({"system": "urn:oid:1.2.250.1.213.1.4.8", "value": NIR})
            each["birthDate"] = "1984-03-01"
    return json.dumps(
        {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in resources]}
    ).encode()


def leaves(value: Any, at: str) -> Iterator[str]:
    """The lines that name a value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{at}/{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, f"{at}[]")
    else:
        yield at


@cache
def lines() -> tuple[str, ...]:
    entries = json.loads(published())["entry"]
    found = [line for e in entries for line in leaves(e["resource"], f"/{e['resource']['resourceType']}[]")]
    return tuple(dict.fromkeys(line for line in found if not line.endswith("/resourceType")))


def problems(spec: ViewSpec) -> bool:
    return bool(check_view(spec, SHAPE))


@given(
    st.lists(st.tuples(st.deferred(lambda: st.sampled_from(lines())), st.sampled_from(sorted(REGISTRY))), max_size=4)
)
@settings(max_examples=examples(300), deadline=None)
def test_what_any_lines_let_leave_is_valid(drawn: list[tuple[str, str]]) -> None:
    """Each operator wherever the policy may put it; a line that would make the answer invalid is a policy error."""
    rules = [rule(line, "keep") for line in ANCHORS]
    for line, operator in drawn:
        more = rule(line, operator, PARAMETERS.get(operator))
        if not problems(ViewSpec("o", "21", "p", (*rules, more))):
            rules.append(more)
    view: View = compile_view(ViewSpec("o", "21", "p", tuple(rules)), SHAPE)
    reduced = view.apply(published(), ASKED)
    assert isinstance(reduced, Reduced), reduced
    Bundle.model_validate_json(reduced.body)
