"""A Bundle taken apart by resource type, and put together again from what is left.

Taken apart: `{"Patient": […], "Coverage": […], "Bundle": {…}}`. Each resource gets members that no element of FHIR can
have: its place (`@id`), for a Patient the number and rank that identify them, and for everything else whose it is
(`@of`): the Patient that its subject refers to, in the same answer. What refers to nobody here is nobody's, and is left
out.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from paravent.masking.formats.fhir_required import completed
from paravent.masking.json import Outgoing, Tree
from paravent.masking.person import Members, written_nir
from paravent.reasons import Reason
from paravent.rules import Path

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

_SYSTEMS: Final = tuple(f"urn:oid:1.2.250.1.213.1.4.{last}" for last in (8, 9, 10, 11))
"""INS-NIR, INS-NIA, and the two of test and demonstration (FR Core, FRCorePatientINSProfile), in this order."""
_CODES: Final = frozenset({"INS-NIR", "INS-NIA", "NH"})
"""Identifier types of FR Core; NH is the social security number."""

type Resources = list[tuple[Members, Tree]]
"""Each with the URL that its entry gives it."""


def arrange(root: Members, references: Iterable[Path]) -> Members | Reason:
    """One answer by resource type. `references`: where lines let references leave."""
    found = _resources(root)
    if found is None:
        return Reason.ANSWER_SHAPE
    places = {place: resource for place, (resource, _) in enumerate(found)}
    names = [(name, place) for place, (resource, url) in enumerate(found) for name in _names(resource, url)]
    by_name = dict(names)
    if len(by_name) != len(names):
        return Reason.ANSWER_SHAPE  # Two resources under one name: whoever follows a reference may take either.
    tree: Members = {"Bundle": {key: root[key] for key in ("type", "timestamp") if key in root}}
    for place, resource in places.items():
        kind = resource["resourceType"]
        assert isinstance(kind, str)  # noqa: S101 - `_resources` has looked
        if kind == "Patient":
            resource[NIR], resource[RANK] = _number(resource), _rank(resource)
        elif not _owned(resource, kind, places, by_name):
            continue
        resource["@id"] = str(place)
        group = tree.setdefault(kind, [])
        assert isinstance(group, list)  # noqa: S101 - only this line puts a value there
        group.append(resource)
    for path in references:
        for holder in _holders(tree, path):
            _renumber(holder, by_name)
    return tree


def by_types(root: Members) -> Members | None:
    """The resources of an answer by type, as they are."""
    found: dict[str, list[Tree]] = {}
    for resource, _ in _resources(root) or ():
        plain = {name: value for name, value in resource.items() if name != "resourceType"}
        found.setdefault(str(resource["resourceType"]), []).append(plain)
    return {**found} or None


def _resources(root: Members) -> Resources | None:
    """The resources of a Bundle, or the one that is the answer."""
    entries = root.get("entry", []) if root.get("resourceType") == "Bundle" else [{"resource": root}]
    resources: Resources = []
    for entry in entries if isinstance(entries, list) else (None,):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(resource, dict):
            return None
        if not isinstance(resource.get("resourceType"), str):
            return None
        resources.append((resource, entry.get("fullUrl")))
    return resources


def _names(resource: Members, url: Tree) -> Iterator[str]:
    """By what a Reference can mean it (FHIR R4 section 2.36.4.1)."""
    local = f"{resource['resourceType']}/{resource['id']}" if isinstance(resource.get("id"), str) else None
    if local is not None:
        yield local
    if isinstance(url, str) and _local(url) != local:
        yield url


def _local(url: str) -> str:
    """Type and id, the last two segments of a RESTful URL; a URN as it is."""
    return "/".join(url.split("/")[-2:])


def _target(reference: Tree, by_name: dict[str, int]) -> int | None:
    """The place of what a Reference leads to, in this answer."""
    url = reference.get("reference") if isinstance(reference, dict) else None
    return by_name.get(url, by_name.get(_local(url))) if isinstance(url, str) else None


def _owned(resource: Members, kind: str, places: dict[int, Members], by_name: dict[str, int]) -> bool:
    """Say whose a resource is, and whose each part of it that has an owner of its own. False: nobody's."""
    if (kind,) not in SUBJECTS:
        return False
    for way, member in SUBJECTS.items():
        part = way[1] if len(way) > 1 else None
        if way[0] == kind and part is not None and part in resource:
            parts = resource[part]
            resource[part] = [
                each
                for each in (parts if isinstance(parts, list) else ())
                if isinstance(each, dict) and _own(each, member, places, by_name)
            ]
    return _own(resource, SUBJECTS[(kind,)], places, by_name)


def _own(holder: Members, member: str, places: dict[int, Members], by_name: dict[str, int]) -> bool:
    place = _target(holder.get(member), by_name)
    if place is not None and places[place]["resourceType"] == "Coverage":
        place = _target(places[place].get("beneficiary"), by_name)
    if place is None or places[place]["resourceType"] != "Patient":
        return False
    holder[OF] = [places[place]]
    return True


def _number(patient: Members) -> str | None:
    """The number that identifies a Patient: the INS before others, and none when two of one kind differ."""
    identifiers = patient.get("identifier")
    candidates: dict[int, set[str | None]] = {}
    for each in identifiers if isinstance(identifiers, list) else ():
        if not isinstance(each, dict):
            continue
        system = each.get("system")
        if system in _SYSTEMS:
            candidates.setdefault(_SYSTEMS.index(str(system)), set()).add(written_nir(each.get("value")))
        elif _code(each) in _CODES:
            candidates.setdefault(len(_SYSTEMS), set()).add(written_nir(each.get("value")))
    best = candidates[min(candidates)] if candidates else set()
    return best.pop() if len(best) == 1 else None


def _rank(patient: Members) -> Tree:
    """The birth rank; 1 of whoever was born alone, none of a twin who does not say which."""
    return patient.get("multipleBirthInteger", None if patient.get("multipleBirthBoolean") is True else 1)


def _code(identifier: Members) -> str | None:
    kind = identifier.get("type")
    codings = kind.get("coding") if isinstance(kind, dict) else None
    first = codings[0] if isinstance(codings, list) and codings else None
    code = first.get("code") if isinstance(first, dict) else None
    return code if isinstance(code, str) else None


def _holders(root: Members, path: Path) -> Iterator[Members]:
    """The objects that hold the last step of a path, conditions ignored."""
    level: list[Tree] = [root]
    for step in path[:-1]:
        values = [each.get(step.name) for each in level if isinstance(each, dict)]
        level = [each for value in values for each in (value if step.array and isinstance(value, list) else [value])]
    return (each for each in level if isinstance(each, dict))


def _renumber(holder: Members, by_name: dict[str, int]) -> None:
    place = _target(holder, by_name)
    if place is None:
        holder.pop("reference", None)
    else:
        holder["reference"] = f"#{place}"


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


def _url(number: int) -> str:
    """A name that is unique in one Bundle and says nothing (FHIR R4 section 2.36.4, urn:uuid).

    In letters: a run of digits would have to be looked into as a number that could be somebody's, at 80 µs each.
    """
    letters = "".join("cdef"[number >> place & 3] for place in range(22, -2, -2))
    return f"urn:uuid:cccccccc-cccc-4ccc-8ccc-{letters}"
