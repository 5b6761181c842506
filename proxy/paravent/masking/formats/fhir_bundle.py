"""A Bundle taken apart by resource type, and put together again from what is left.

Taken apart: `{"Patient": […], "Coverage": […], "Bundle": {…}}`. Each resource gets members that no element of FHIR can
have: its place (`@id`), for a Patient the number and rank that identify them, and for everything else whose it is
(`@of`): the Patient that its subject refers to, in the same answer (`fhir_references`). What refers to nobody here is
nobody's, and is left out.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from paravent.masking.formats.fhir_references import Named, named, persons_inside, resources_of
from paravent.masking.formats.fhir_required import completed
from paravent.masking.json import Outgoing, Tree
from paravent.masking.person import Members, written_nir
from paravent.masking.rules import Skeleton
from paravent.reasons import Reason

NIR: Final = "@nir"
RANK: Final = "@rank"
OF: Final = "@of"

SUBJECTS: Final = {
    ("Coverage",): "beneficiary",
    ("CoverageEligibilityResponse",): "patient",
    ("CoverageEligibilityResponse", "insurance"): "coverage",
    ("ExplanationOfBenefit",): "patient",
    ("ExplanationOfBenefit", "insurance"): "coverage",
}
"""By what an element refers to whose it is: directly, or by way of a Coverage."""
_PARTS: Final = {
    kind: [(way[1], member) for way, member in SUBJECTS.items() if len(way) > 1 and way[0] == kind]
    for (kind, *_) in SUBJECTS
}
"""Of a type, the parts that have an owner of their own, and by what they refer to them."""

MAX_RESOURCES: Final = 300
"""In one answer. Each costs up to 50 µs; a page of fifty persons with two Coverages each has 150."""

_SYSTEMS: Final = tuple(f"urn:oid:1.2.250.1.213.1.4.{last}" for last in (8, 9, 10, 11))
"""INS-NIR, INS-NIA, and the two of test and demonstration (FR Core, FRCorePatientINSProfile), in this order."""
_CODES: Final = frozenset({"INS-NIR", "INS-NIA", "NH"})
"""Identifier types of FR Core; NH is the social security number."""


def arrange(root: Members, references: Mapping[str, Iterable[Skeleton]]) -> Members | Reason:
    """One answer by resource type. `references`: where in each type lines let a reference leave, each place once."""
    found = resources_of(root)
    if found is not None and len(found) > MAX_RESOURCES:
        return Reason.ANSWER_TOO_LARGE
    answer = named(found) if found is not None else None
    if answer is None:
        return Reason.ANSWER_SHAPE
    tree: Members = {"Bundle": {key: root[key] for key in ("type", "timestamp") if key in root}}
    for place, resource in enumerate(answer.resources):
        kind = resource["resourceType"]
        assert isinstance(kind, str)  # noqa: S101 - `resources_of` has looked
        if kind == "Patient":
            resource[NIR], resource[RANK] = _number(resource), _rank(resource)
        elif not _owned(place, kind, answer):
            continue
        resource["@id"] = str(place)
        group = tree.setdefault(kind, [])
        assert isinstance(group, list)  # noqa: S101 - only this line puts a value there
        group.append(resource)
    # Behind all of them: a reference that was written anew says no more whose something is.
    for place, resource in enumerate(answer.resources):
        for way in references.get(str(resource["resourceType"]), ()):
            for holder in _holders(resource, way):
                _renumber(place, holder, answer)
    return tree


def by_types(root: Members) -> Members | None:
    """The resources of an answer by type, as they are."""
    found: dict[str, list[Tree]] = {}
    for resource, _ in resources_of(root) or ():
        plain = {name: value for name, value in resource.items() if name != "resourceType"}
        found.setdefault(str(resource["resourceType"]), []).append(plain)
    return {**found} or None


def _owned(place: int, kind: str, answer: Named) -> bool:
    """Say whose a resource is, and whose each part of it that has an owner of its own. False: nobody's."""
    if kind not in _PARTS:
        return False
    resource = answer.resources[place]
    if kind == "Coverage" and (payors := resource.get("payor")):
        _unnamed(place, payors, persons_inside(resource), answer)
    for part, member in _PARTS[kind]:
        if part in resource:
            parts = resource[part]
            resource[part] = [
                each
                for each in (parts if isinstance(parts, list) else ())
                if isinstance(each, dict) and _own(each, place, member, answer)
            ]
    return _own(resource, place, SUBJECTS[(kind,)], answer)


def _unnamed(place: int, payors: Tree, inside: frozenset[str], answer: Named) -> None:
    """Take name and number of who pays for themselves, or for a relative: somebody's who may not be counted."""
    for payor in payors if isinstance(payors, list) else ():
        if isinstance(payor, dict) and (
            answer.is_person(place, payor, inside) or _number_kind(payor.get("identifier")) is not None
        ):
            for name in payor.keys() - {"reference", "type"}:
                del payor[name]


def _own(holder: Members, place: int, member: str, answer: Named) -> bool:
    owner = answer.target(place, holder.get(member))
    if owner is not None and answer.resources[owner]["resourceType"] == "Coverage":
        owner = answer.target(owner, answer.resources[owner].get("beneficiary"))
    if owner is None or answer.resources[owner]["resourceType"] != "Patient":
        return False
    holder[OF] = [answer.resources[owner]]
    return True


def _number(patient: Members) -> str | None:
    """The number that identifies a Patient: the INS before others, and none when two of one kind differ."""
    identifiers = patient.get("identifier")
    candidates: dict[int, set[str | None]] = {}
    for each in identifiers if isinstance(identifiers, list) else ():
        kind = _number_kind(each)
        if isinstance(each, dict) and kind is not None:
            candidates.setdefault(kind, set()).add(written_nir(each.get("value")))
    best = candidates[min(candidates)] if candidates else set()
    return best.pop() if len(best) == 1 else None


def _number_kind(identifier: Tree) -> int | None:
    """Which number of a person an Identifier is, the INS before others; None: another thing's."""
    if not isinstance(identifier, dict):
        return None
    system = identifier.get("system")
    if system in _SYSTEMS:
        return _SYSTEMS.index(str(system))
    return None if _CODES.isdisjoint(_codes(identifier)) else len(_SYSTEMS)


def _rank(patient: Members) -> Tree:
    """The birth rank; 1 of whoever was born alone, none of a twin who does not say which."""
    return patient.get("multipleBirthInteger", None if patient.get("multipleBirthBoolean") is True else 1)


def _codes(identifier: Members) -> Iterator[str]:
    kind = identifier.get("type")
    codings = kind.get("coding") if isinstance(kind, dict) else None
    for coding in codings if isinstance(codings, list) else ():
        code = coding.get("code") if isinstance(coding, dict) else None
        if isinstance(code, str):
            yield code


def _holders(resource: Members, way: Skeleton) -> list[Members]:
    """The objects at the end of a way."""
    level = [resource]
    for name, array in way:
        below: list[Members] = []
        for each in level:
            value = each.get(name)
            if isinstance(value, dict):
                below.append(value)
            elif array and isinstance(value, list):
                below += [item for item in value if isinstance(item, dict)]
        level = below
    return level


def _renumber(place: int, holder: Members, answer: Named) -> None:
    target = answer.target(place, holder)
    if target is None:
        holder.pop("reference", None)
    else:
        holder["reference"] = f"#{target}"


# ---- what leaves


def bundle(reduced: dict[str, Outgoing]) -> dict[str, Outgoing]:
    """The Bundle anew: resources in the order of the view, numbered from 1, references to what stays behind cut."""
    head = reduced.get("Bundle")
    resources: list[tuple[str, dict[str, Outgoing]]] = [
        (kind, resource)
        for kind, group in reduced.items()
        if isinstance(group, list)
        for resource in group
        if isinstance(resource, dict)
    ]
    urls = {f"#{resource.pop('@id', None)}": _url(number) for number, (_, resource) in enumerate(resources, 1)}
    entries: list[Outgoing] = [
        {"fullUrl": _url(number), "resource": completed(kind, resource, urls)}
        for number, (kind, resource) in enumerate(resources, 1)
    ]
    whole: dict[str, Outgoing] = {"resourceType": "Bundle", "type": "collection"}
    if isinstance(head, dict):
        whole |= {name: value for name, value in head.items() if value is not None}
    return whole | ({"entry": entries} if entries else {})


@lru_cache(MAX_RESOURCES)
def _url(number: int) -> str:
    """A name that is unique in one Bundle and says nothing (FHIR R4 section 2.36.4, urn:uuid).

    In letters: a run of digits would have to be looked into as a number that could be somebody's, at 80 µs each.
    """
    letters = "".join("cdef"[number >> place & 3] for place in range(22, -2, -2))
    return f"urn:uuid:cccccccc-cccc-4ccc-8ccc-{letters}"
