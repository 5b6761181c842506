"""Where persons stand in one answer: every object at a persons path of the operation, with what surrounds it."""

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from typing import Final

from paravent.masking.person import Members
from paravent.rules import Path
from paravent.values import Value

MAX_PERSON_OBJECTS: Final = 1000
"""In one answer. A page of the reference API's search has 50; ten relatives on five contracts are 60."""


@dataclass(frozen=True, slots=True)
class PersonsAt:
    """One persons path, made ready. Conditions are ignored: scoping too many persons is safe."""

    outer: tuple[tuple[str, bool], ...]
    """Names on the way, and whether a list is there."""
    name: str
    array: bool
    alone: bool
    """No list on the way: the answer is about the person here."""
    shown: bool
    """The view releases something of the persons here."""


def persons_at(path: Path, *, shown: bool) -> PersonsAt:
    """Make a persons path ready."""
    return PersonsAt(
        outer=tuple((step.name, step.array) for step in path[:-1]),
        name=path[-1].name,
        array=path[-1].array,
        alone=not any(step.array for step in path),
        shown=shown,
    )


def listing(path: Path) -> Path | None:
    """The way to the elements of an outer list that list the persons at a path, if there are any."""
    lists = [length for length, step in enumerate(path[:-1], 1) if step.array]
    return path[: lists[-1]] if lists else None


class Found(Value, frozen=True):
    """One person object of an answer."""

    HIDDEN = frozenset({"members", "enclosing", "above", "within"})

    members: Members
    siblings: int
    """`id` of the list it stands in, or its own."""
    enclosing: Members | None
    """The element of an outer list that lists it among its persons."""
    above: tuple[Members, ...]
    """The elements of further lists in which that one stands: the insurer of a contract."""
    within: Members | None
    """The element of an outer list in which it stands, listed or not: the contract of a holder."""
    alone: bool
    """Its path has no list at all: the answer is about this person."""
    shown: bool
    """The view releases something below its path."""


def find_persons(root: Members, places: Iterable[PersonsAt]) -> list[Found] | None:
    """Every person object; None when something else stands where the one person of an answer belongs, or when they are
    more than any answer has."""
    found: list[Found] = []
    for place in places:
        for holder, enclosing, above in _holders(root, place.outer) if place.outer else ((root, None, ()),):
            value = holder.get(place.name)
            if not place.array:
                if isinstance(value, dict):
                    found.append(Found(value, id(value), None, (), enclosing, place.alone, place.shown))
                elif place.alone and value is not None:
                    return None
            elif isinstance(value, list):
                if not value:
                    continue
                if len(found) + len(value) > MAX_PERSON_OBJECTS:
                    return None
                siblings, shown = id(value), place.shown
                found += [
                    Found(each, siblings, enclosing, above, enclosing, False, shown)
                    for each in value
                    if isinstance(each, dict)
                ]
            elif isinstance(value, dict) and enclosing is not None:
                # One in place of a list of one: nothing shows them, but they tell whose it is that lists them.
                found.append(Found(value, id(value), enclosing, above, enclosing, False, False))
    return found if len(found) <= MAX_PERSON_OBJECTS else None


type _Holder = tuple[Members, Members | None, tuple[Members, ...]]
"""An object, the list element nearest above it, itself included, and those above that."""


def _holders(root: Members, outer: tuple[tuple[str, bool], ...]) -> list[_Holder]:
    """The objects at the end of a way."""
    level: list[_Holder] = [(root, None, ())]
    for name, array in outer:
        if array:
            level = [
                (element, element, above if enclosing is None else (*above, enclosing))
                for holder, enclosing, above in level
                if isinstance(value := holder.get(name), list)
                for element in value
                if isinstance(element, dict)
            ]
        else:
            level = [
                (value, enclosing, above)
                for holder, enclosing, above in level
                if isinstance(value := holder.get(name), dict)
            ]
    return level


def others_beside(root: Members, places: Iterable[PersonsAt], kept: Set[int]) -> frozenset[int]:
    """By `id`, the elements that are about others or nobody, of lists in which each element is about the one person at
    such a place, and one of them about a person who stays."""
    others: set[int] = set()
    for place in places:
        for length in (length for length, (_, array) in enumerate(place.outer, 1) if array):
            below, elements = place.outer[length:], [element for element, *_ in _holders(root, place.outer[:length])]
            theirs = {
                id(element)
                for element in elements
                if any(id(holder.get(place.name)) in kept for holder, *_ in _holders(element, below))
            }
            if theirs:
                others.update(id(element) for element in elements if id(element) not in theirs)
    return frozenset(others)


def listing_elements(root: Members, places: Iterable[PersonsAt]) -> Iterator[Members]:
    """Every element of an outer list in which persons could stand, also where none does."""
    for place in places:
        lists = [length for length, (_, array) in enumerate(place.outer, 1) if array]
        if lists:
            yield from (element for element, *_ in _holders(root, place.outer[: lists[-1]]))
