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

_RESTFUL: Final = re.compile(r"(?:(.*)/)?([A-Z][A-Za-z]*/[^/?#]+)", re.DOTALL)
"""Base, and type and id, of a resource on a server."""
_RELATIVE: Final = re.compile(r"[A-Z][A-Za-z]*/[^/?#]+")
_NOWHERE: Final = "#"
"""The base of what has a URL that is none of a server, a version's say: no URL of a resource begins so."""
_ANOTHERS: Final = "##"

_PERSONS: Final = frozenset({"Patient", "RelatedPerson", "Person"})

type Resources = list[tuple[Members, Tree]]
"""Each with the URL that its entry gives it."""


def resources_of(root: Members) -> Resources | None:
    """The resources of a Bundle, or the one that is the answer; None for an entry without one."""
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


@dataclass(frozen=True, slots=True, repr=False)
class Named:
    """The resources of one answer, by what a Reference can call them."""

    resources: tuple[Members, ...]
    bases: tuple[str | None, ...]
    """Of the server that each is on; None: nothing says so."""
    by_name: dict[str, int]

    def target(self, place: int, reference: Tree) -> int | None:
        """The place of what a Reference leads to, in this answer. `place`: of the resource that refers."""
        url = reference.get("reference") if isinstance(reference, dict) else None
        if not isinstance(url, str):
            return None
        base = self.bases[place]
        if base is not None and _RELATIVE.fullmatch(url) is not None:
            url = f"{base}/{url}"
        return self.by_name.get(url)

    def is_person(self, place: int, reference: Members) -> bool:
        """Whether a Reference leads to a person: in this answer, inside the resource that refers, or elsewhere."""
        url, target = reference.get("reference"), self.target(place, reference)
        kinds = {reference.get("type") if isinstance(reference.get("type"), str) else None}
        if target is not None:
            kinds.add(str(self.resources[target]["resourceType"]))
        elif isinstance(url, str):
            kinds.update(url.split("/"))
            contained = self.resources[place].get("contained") if url.startswith("#") else None
            for each in contained if isinstance(contained, list) else ():
                if isinstance(each, dict) and f"#{each.get('id')}" == url:
                    kinds.add(str(each.get("resourceType")))
        return not _PERSONS.isdisjoint(kinds)


def named(resources: Resources) -> Named | None:
    """None when two have one name, or one has two that differ: whoever follows a reference may take either."""
    names: list[tuple[str, int]] = []
    bases: list[str | None] = []
    servers: dict[str, list[str | None]] = {}
    for place, (resource, url) in enumerate(resources):
        local = f"{resource['resourceType']}/{resource['id']}" if isinstance(resource.get("id"), str) else None
        base = _base(url, resource, local) if url is not None else None
        if base == _ANOTHERS:
            return None
        bases.append(base)
        if isinstance(url, str):
            names.append((url, place))
        if local is not None:
            servers.setdefault(local, []).append(base)
            if base is None and url != local:
                names.append((local, place))
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
    found = _RESTFUL.fullmatch(url)
    if found is None:
        return None if url[:4].lower() == "urn:" else _NOWHERE
    base, own = found.groups()
    if own == local if local is not None else own.startswith(f"{resource['resourceType']}/"):
        return base or None
    return _ANOTHERS
