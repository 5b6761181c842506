"""Which resource of an answer a Reference means (FHIR R4 sections 2.3.0.1, 2.36.4.1).

    Patient/1                       the one on the server of what refers to it: the base of its own fullUrl, or this
                                    answer where its entry gives no URL of a server
    https://a.example/fhir/Patient/1, urn:uuid:…    the one with this fullUrl, to the letter
    #p, Patient/1/_history/2        nobody: a contained resource is not counted, and versions are not told apart

An id names somebody on one server only: who has the same type and id on another one, or on one that the answer does
not name, is somebody else.
"""

import re
from dataclasses import dataclass
from typing import Final

from paravent.masking.json import Tree
from paravent.masking.person import Members

_RELATIVE: Final = re.compile(r"[A-Z][A-Za-z]*/[^/?#]+")
_NOWHERE: Final = "#"
"""The base of what has a URL that is none of a server, a version's say: no URL of a resource begins so."""
_ANOTHERS: Final = "##"

_DEFINITIONS: Final = "http://hl7.org/fhir/StructureDefinition/"
"""To this URL a type is relative (section 2.3.0, Reference.type)."""
_PERSONS: Final = frozenset({"Patient", "RelatedPerson", "Person"})

type _Name = tuple[str | None, str]
"""Server, and type and id on it; or None and the whole URL. Apart, so that no reference copies a long base."""

type Resources = list[tuple[Members, Tree]]
"""Each with the URL that its entry gives it."""


def resources_of(root: Members) -> Resources | None:
    """The resources of a Bundle, or the one that is the answer; None for an entry without one."""
    entries = root.get("entry", []) if root.get("resourceType") == "Bundle" else [{"resource": root}]
    resources: Resources = []
    for entry in entries if isinstance(entries, list) else (None,):
        if not isinstance(entry, dict):
            return None
        resource = entry.get("resource")
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            return None
        resources.append((resource, entry.get("fullUrl")))
    return resources


@dataclass(frozen=True, slots=True, repr=False)
class Named:
    """The resources of one answer, by what a Reference can call them."""

    resources: tuple[Members, ...]
    bases: tuple[str | None, ...]
    """Of the server that each is on; None: nothing says so."""
    by_name: dict["_Name", int]

    def target(self, place: int, reference: Tree) -> int | None:
        """The place of what a Reference leads to, in this answer. `place`: of the resource that refers."""
        url = reference.get("reference") if isinstance(reference, dict) else None
        if not isinstance(url, str):
            return None
        base = self.bases[place]
        if base is not None:
            found = self.by_name.get((base, url))
            if found is not None or _RELATIVE.fullmatch(url) is not None:
                return found  # Only what is relative is a name on a server.
        return self.by_name.get((None, url))

    def is_person(self, place: int, reference: Members, inside: frozenset[str]) -> bool:
        """Whether a Reference leads to a person: in this answer, inside the resource that refers, or elsewhere.

        `inside`: `persons_inside` of that resource.
        """
        url, kind = reference.get("reference"), reference.get("type")
        if isinstance(kind, str) and _is_person(kind.removeprefix(_DEFINITIONS)):
            return True
        if not isinstance(url, str):
            return False
        target = self.target(place, reference)
        if target is not None:
            return _is_person(self.resources[target]["resourceType"])
        # "Patient/2", also with a server before it, a version behind it, or a search in place of the id.
        way = f"/{url}/".replace("?", "/")
        return (
            url in inside
            or (url[:4].lower() == "urn:" and kind is None)
            or any([f"/{each}/" in way for each in _PERSONS])
        )


def persons_inside(resource: Members) -> frozenset[str]:
    """By what a resource refers to the persons that it contains."""
    contained = resource.get("contained")
    return frozenset(
        [
            f"#{each.get('id')}"
            for each in (contained if isinstance(contained, list) else ())
            if isinstance(each, dict) and _is_person(each.get("resourceType"))
        ]
    )


def _is_person(kind: Tree) -> bool:
    return isinstance(kind, str) and kind in _PERSONS


def named(resources: Resources) -> Named | None:
    """None when two have one name, or one has two that differ: whoever follows a reference may take either."""
    names: list[tuple[_Name, int]] = []
    bases: list[str | None] = []
    servers: dict[str, list[str | None]] = {}
    for place, (resource, url) in enumerate(resources):
        local = f"{resource['resourceType']}/{resource['id']}" if isinstance(resource.get("id"), str) else None
        base = _base(url, resource, local) if url is not None else None
        if base == _ANOTHERS:
            return None
        bases.append(base)
        if isinstance(url, str):
            names.append(((None, url), place))
            if base is not None and base != _NOWHERE:
                names.append(((base, url[len(base) + 1 :]), place))
        if local is not None:
            servers.setdefault(local, []).append(base)
            if base is None and url != local:
                names.append(((None, local), place))
    by_name = dict(names)
    # One that is on no server stands for all of them.
    alike = len(servers) < len(resources) and any([len(each) > 1 and None in each for each in servers.values()])
    if alike or len(by_name) != len(names):
        return None
    return Named(tuple([resource for resource, _ in resources]), tuple(bases), by_name)


def _base(url: Tree, resource: Members, local: str | None) -> str | None:
    """Of the server in an entry's URL. It must say its resource's type and id, or none (bdl-8); else `_ANOTHERS`."""
    if not isinstance(url, str) or not url or url.startswith(_NOWHERE):
        return _ANOTHERS
    above, _, last = url.rpartition("/")
    base, _, kind = above.rpartition("/")
    own = f"{kind}/{last}"
    if _RELATIVE.fullmatch(own) is None:
        return None if url[:4].lower() == "urn:" else _NOWHERE
    if own == local if local is not None else own.startswith(f"{resource['resourceType']}/"):
        return base or None
    return _ANOTHERS
