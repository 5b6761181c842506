"""FHIR R4 in JSON: resources by type, in the shape that validators of clients accept.

    /Patient[]/name[use=usual]/family: keep
    /Patient[]/identifier[system=urn:oid:1.2.250.1.213.1.4.8]/value: echo
    /Coverage[]/beneficiary/reference: keep
    /Bundle/timestamp: keep

A path begins with a resource type, wherever in the Bundle such a resource stands, or with Bundle. `persons` is
`/Patient[]`; every other resource belongs to the Patient that it refers to, and goes with them. Narrative, contained
resources, extensions, links and totals cannot be named. The upstream's ids do not leave: what leaves is numbered anew,
and references with it (`fhir_bundle`). What a validator insists on and no line lets leave, is there without a value,
with the reason `masked` (`fhir_required`).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from paravent.masking import json
from paravent.masking.formats.base import Dress
from paravent.masking.formats.fhir_bundle import NIR, OF, RANK, SUBJECTS, arrange, bundle, by_types
from paravent.masking.formats.fhir_required import TYPES
from paravent.masking.formats.fhir_types import has_place_for
from paravent.masking.formats.json import MAX_WHOLE_BYTES, said
from paravent.masking.formats.json import read as read_json
from paravent.masking.json import Outgoing
from paravent.masking.person import Members
from paravent.masking.rules import Skeleton, skeleton
from paravent.media_types import FHIR_R4, media_type
from paravent.reasons import Reason
from paravent.rules import FieldRule, Path, PersonFields, Place, ResponseShape, Step, ViewSpec, path_text

PATIENT: Final[Path] = (Step("Patient", array=True),)
IDENTITY: Final = PersonFields("identifier", "birthDate", "multipleBirthInteger")
"""What a policy says under `identified_by`."""

UNWRITTEN: Final = Place("", 0)
"""Where lines stand that no policy has."""

_ANYWHERE: Final = {
    "contained": "a contained resource is somebody's who is not counted",
    "extension": "an extension can hold anything",
    "modifierExtension": "an extension can hold anything",
    "data": "an attachment can hold anything",
    "id": "the upstream's ids do not leave; what leaves is numbered anew",
}
_OTHERS: Final = {
    **dict.fromkeys(
        ("subscriber", "policyHolder", "party", "other", "valueReference"),
        "what a Reference says of whom it leads to is somebody's who may not be counted: name its reference",
    ),
    "contact": "a contact is somebody who is not counted",
}
_OF_A_BUNDLE: Final = {
    "link": "a link repeats the question, and leads around this proxy",
    "total": "a total counts others than who is asked about",
    "entry": "an entry is named by the type of its resource",
}


def fhir_dress(spec: ViewSpec) -> Dress:
    """FHIR for one view."""
    references: dict[str, dict[Skeleton, None]] = {}
    for rule in spec.fields:
        if rule.path[-1].name == "reference":
            references.setdefault(rule.path[0].name, {})[skeleton(rule.path[1:-1])] = None

    def read(body: bytes, limit_bytes: int) -> Members | Reason:
        root = read_json(body, limit_bytes)
        return root if isinstance(root, Reason) else arrange(root, references)

    def write(reduced: dict[str, Outgoing]) -> bytes:
        return json.encode(bundle(reduced))

    def by_type(body: bytes) -> Members | None:
        root = read_json(body, MAX_WHOLE_BYTES)
        return None if isinstance(root, Reason) else by_types(root)

    types = media_type(rb"application/(?:fhir\+)?json", FHIR_R4)
    return Dress(b"application/fhir+json", types, b"application/fhir+json", read, write, said, by_type)


def fhir_spec(spec: ViewSpec) -> ViewSpec:
    """The view, with what the writer needs to number resources anew. These lines stand behind all others."""
    types = dict.fromkeys(rule.path[0] for rule in spec.fields if rule.path[0].array)
    return replace(
        spec, fields=(*spec.fields, *(FieldRule((step, Step("@id")), "keep", place=UNWRITTEN) for step in types))
    )


def fhir_shape(shape: ResponseShape) -> ResponseShape:
    """Where persons stand once `arrange` has been over the answer: with everything that is theirs."""
    theirs = ((*(Step(name, array=True) for name in way), Step(OF, array=True)) for way in dict.fromkeys(SUBJECTS))
    fields = PersonFields(NIR, "birthDate", RANK)
    return replace(shape, persons=(PATIENT, *theirs), identified_by=fields)


def fhir_problems(spec: ViewSpec, shape: ResponseShape) -> Iterator[str]:
    """What FHIR does not allow, or cannot keep."""
    if shape.persons != (PATIENT,) or shape.identified_by != IDENTITY:
        yield (
            "the persons of a FHIR answer are [/Patient[]], identified_by {nir: identifier, birth_date: birthDate, "
            "birth_rank: multipleBirthInteger}"
        )
    for rule in spec.fields:
        names, text = [step.name for step in rule.path], path_text(rule.path)
        reasons = [_ANYWHERE[name] for name in names[1:] if name in _ANYWHERE]
        reasons += [_OTHERS[name] for name in names[1:-1] if name in _OTHERS and names[-1] != "reference"]
        if names[0] == "Bundle":
            reasons += [_OF_A_BUNDLE[name] for name in names[1:] if name in _OF_A_BUNDLE] or _of_a_bundle(rule)
        if names[1:2] == ["text"]:
            reasons.append("narrative repeats what other elements say, numbers included")
        yield from (f"{text}: {reason}" for reason in reasons)
        if rule.path[0].array == (names[0] == "Bundle"):
            yield f"{text} begins with a resource type and [], as in /Patient[], or with /Bundle"
        if rule.path[0].array and names[0] not in TYPES:
            yield f"{text}: a {names[0]} cannot be completed for a validator, and belongs to nobody"
        if any("@" in name for name in names):
            yield f"{text}: no element of FHIR has an @ in its name"
        if rule.operator == "exists":
            yield f"{text}: exists puts true where FHIR has another type: write redact"
        elif not has_place_for(rule.operator, names):
            yield f"{text}: FHIR has a date, a number or a code of its own there, and no text: write redact"


def _of_a_bundle(rule: FieldRule) -> list[str]:
    if rule.operator == "keep" and [step.name for step in rule.path[1:]] in (["type"], ["timestamp"]):
        return []
    return ["of a Bundle its type and its timestamp can leave, and are kept"]
