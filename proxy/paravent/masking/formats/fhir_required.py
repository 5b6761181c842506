"""What an R4 validator insists on: elements of at least one, filled without a value where none may leave.

"data-absent-reason: masked", "the information is not available due to security, privacy or related reasons"
(http://terminology.hl7.org/CodeSystem/data-absent-reason). An element has a value or children and is never empty
(FHIR R4 section 2.6.2, ele-1): what a view has emptied goes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from paravent.masking.json import Outgoing
from paravent.masking.operators.redact import CONSTANT

MASKED: Final[dict[str, Outgoing]] = {
    "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}]
}

type Requirement = tuple[str, str]
"""Element, and what it is: "code" for any primitive, "complex", and "[]" behind either where it repeats. Of a choice of
types all names, with | between: one of them is enough, and the first stands there where none is."""

REQUIRED: Final[Mapping[tuple[str, ...], tuple[Requirement, ...]]] = {
    ("Coverage",): (("status", "code"), ("beneficiary", "complex"), ("payor", "complex[]")),
    ("Coverage", "class"): (("type", "complex"), ("value", "code")),
    ("Coverage", "costToBeneficiary"): (("valueQuantity|valueMoney", "complex"),),
    ("Coverage", "costToBeneficiary", "exception"): (("type", "complex"),),
    ("CoverageEligibilityResponse",): (
        ("status", "code"), ("purpose", "code[]"), ("patient", "complex"), ("created", "code"), ("request", "complex"),
        ("outcome", "code"), ("insurer", "complex"),
    ),
    ("CoverageEligibilityResponse", "insurance"): (("coverage", "complex"),),
    ("CoverageEligibilityResponse", "insurance", "item", "benefit"): (("type", "complex"),),
    ("CoverageEligibilityResponse", "error"): (("code", "complex"),),
    ("ExplanationOfBenefit",): (
        ("status", "code"), ("type", "complex"), ("use", "code"), ("patient", "complex"), ("created", "code"),
        ("insurer", "complex"), ("provider", "complex"), ("outcome", "code"), ("insurance", "complex[]"),
    ),
    ("ExplanationOfBenefit", "insurance"): (("focal", "code"), ("coverage", "complex")),
    ("ExplanationOfBenefit", "careTeam"): (("sequence", "code"), ("provider", "complex")),
    ("ExplanationOfBenefit", "diagnosis"): (
        ("sequence", "code"), ("diagnosisCodeableConcept|diagnosisReference", "complex"),
    ),
    ("ExplanationOfBenefit", "procedure"): (
        ("sequence", "code"), ("procedureCodeableConcept|procedureReference", "complex"),
    ),
    ("ExplanationOfBenefit", "supportingInfo"): (("sequence", "code"), ("category", "complex")),
    ("ExplanationOfBenefit", "item"): (("sequence", "code"), ("productOrService", "complex")),
    ("ExplanationOfBenefit", "item", "adjudication"): (("category", "complex"),),
    ("ExplanationOfBenefit", "item", "detail"): (("sequence", "code"), ("productOrService", "complex")),
    ("ExplanationOfBenefit", "item", "detail", "adjudication"): (("category", "complex"),),
    ("ExplanationOfBenefit", "item", "detail", "subDetail"): (("sequence", "code"), ("productOrService", "complex")),
    ("ExplanationOfBenefit", "item", "detail", "subDetail", "adjudication"): (("category", "complex"),),
    ("ExplanationOfBenefit", "addItem"): (("productOrService", "complex"),),
    ("ExplanationOfBenefit", "addItem", "adjudication"): (("category", "complex"),),
    ("ExplanationOfBenefit", "addItem", "detail"): (("productOrService", "complex"),),
    ("ExplanationOfBenefit", "addItem", "detail", "adjudication"): (("category", "complex"),),
    ("ExplanationOfBenefit", "addItem", "detail", "subDetail"): (("productOrService", "complex"),),
    ("ExplanationOfBenefit", "addItem", "detail", "subDetail", "adjudication"): (("category", "complex"),),
    ("ExplanationOfBenefit", "adjudication"): (("category", "complex"),),
    ("ExplanationOfBenefit", "total"): (("category", "complex"), ("amount", "complex")),
    ("ExplanationOfBenefit", "benefitBalance"): (("category", "complex"),),
    ("ExplanationOfBenefit", "benefitBalance", "financial"): (("type", "complex"),),
    ("Patient", "communication"): (("language", "complex"),),
    ("Patient", "link"): (("other", "complex"), ("type", "code")),
}  # fmt: skip
"""By the way to an object: the resource type, then the elements down to it. Objects without an entry insist on nothing.
Held against the models of fhir.resources by a test."""

TYPES: Final = frozenset(way[0] for way in REQUIRED) | {"Patient"}
"""Resource types that can leave: those whose requirements are known here."""


def completed(kind: str, resource: dict[str, Outgoing], urls: Mapping[str, str]) -> dict[str, Outgoing]:
    """A reduced resource as a validator accepts it. `urls`: of what leaves, by the reference that `arrange` wrote."""
    return _completed(_KNOWN.get(kind, _NOTHING), resource, urls, {"resourceType": kind})


@dataclass(frozen=True, slots=True)
class _Insists:
    """What R4 insists on in one object, and in those below it. Made once of `REQUIRED`."""

    masked: tuple[tuple[str, str, frozenset[str], dict[str, Outgoing]], ...]
    """An element, its name with an underscore, other names of a choice, and what stands there when none of them is:
    members of the object."""
    below: Mapping[str, "_Insists"]


_NOTHING: Final = _Insists((), {})


def _insists(way: tuple[str, ...]) -> _Insists:
    deeper = dict.fromkeys(other[len(way)] for other in REQUIRED if len(other) > len(way) and other[: len(way)] == way)
    return _Insists(
        tuple(
            (name, f"_{name}", frozenset(others), _masked((*way, name), kind))
            for (name, *others), kind in ((names.split("|"), kind) for names, kind in REQUIRED.get(way, ()))
        ),
        {name: _insists((*way, name)) for name in deeper},
    )


def _masked(way: tuple[str, ...], kind: str) -> dict[str, Outgoing]:
    """An element without a value, whose own parts are required too. Shared by all answers, and only read."""
    name = way[-1]
    if kind.startswith("code"):
        return {f"_{name}": [MASKED], name: [None]} if kind.endswith("[]") else {f"_{name}": MASKED}
    element: dict[str, Outgoing] = {**MASKED}
    for part, part_kind in REQUIRED.get(way, ()):
        element |= _masked((*way, part.partition("|")[0]), part_kind)
    return {name: [element] if kind.endswith("[]") else element}


_KNOWN: Final[Mapping[str, _Insists]] = _insists(()).below


def _completed(
    at: _Insists, members: dict[str, Outgoing], urls: Mapping[str, str], whole: dict[str, Outgoing]
) -> dict[str, Outgoing]:
    """What is left of an object, behind what `whole` holds; of one that was emptied, nothing."""
    below = at.below
    for name, value in members.items():
        if name == "reference":
            url = urls.get(value) if isinstance(value, str) else None
            if url is not None:
                whole[name] = url
        elif isinstance(value, dict):
            if left := _completed(below.get(name, _NOTHING), value, urls, {}):
                whole[name] = left
        elif isinstance(value, list):
            _list(name, below.get(name, _NOTHING), value, urls, whole)
        elif value == CONSTANT:
            whole[f"_{name}"] = MASKED
        elif value is not None:
            whole[name] = value
    if whole:
        for name, without_value, others, masked in at.masked:
            if name not in whole and without_value not in whole and others.isdisjoint(whole):
                whole |= masked
    return whole


def _list(name: str, at: _Insists, items: list[Outgoing], urls: Mapping[str, str], whole: dict[str, Outgoing]) -> None:
    """A list of what is left of each element; a value that was redacted leaves its place (section 2.6.2.1)."""
    left: list[Outgoing] = []
    for item in items:
        if isinstance(item, dict):
            if below := _completed(at, item, urls, {}):
                left.append(below)
        elif item is not None:
            left.append(item)
    if CONSTANT in left:
        whole[f"_{name}"] = [MASKED if item == CONSTANT else None for item in left]
        left = [None if item == CONSTANT else item for item in left]
    if left:
        whole[name] = left
