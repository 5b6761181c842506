"""Who an answer is about: only the person asked about stays, or, for a search, every person is counted.

The upstream answers with the whole family. A child is asked for under a parent's NIR, twins differ by birth rank
alone, and the same person stands at several places of one answer. So:

* a person is the one asked about when birth date and birth rank agree, and the NIR agrees or no other person of this
  answer has that birth date and rank;
* two different persons who both fit cannot be told apart, and nothing leaves;
* an element of an outer list (a contract) which names its persons, none of them the one asked about, is somebody
  else's and is dropped with them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from paravent.masking.person import Members, PersonIdentity, birth_date, birth_rank, written_nir
from paravent.model import Asked
from paravent.nir import same_text
from paravent.reasons import Reason
from paravent.rules import Path, PersonFields, ResponseShape


@dataclass(frozen=True, slots=True)
class Scoped:
    """Which parts of one parsed answer may be walked. By `id`: valid while that tree lives."""

    persons: tuple[PersonIdentity, ...]
    kept: frozenset[int]
    """Person objects that stay. Every other object at a persons path goes."""
    foreign: frozenset[int] = frozenset()
    """Elements of outer lists that belong to other persons."""


UNSCOPED: Final = Scoped((), frozenset())


class _Found(NamedTuple):
    """One person object of an answer."""

    members: Members
    siblings: int
    """`id` of the list it stands in, or its own."""
    enclosing: Members | None
    """The element of an outer list that lists it among its persons."""
    alone: bool
    """Its path has no list at all: the answer is about this person."""


@dataclass(frozen=True, slots=True)
class PersonsAt:
    """One persons path, made ready. Conditions are ignored: scoping too many persons is safe."""

    outer: tuple[tuple[str, bool], ...]
    """Names on the way, and whether a list is there."""
    name: str
    array: bool
    alone: bool
    """No list on the way: the answer is about the person here."""


@dataclass(frozen=True, slots=True)
class Scope:
    """How the answers of one operation are scoped for one view. Built once."""

    fields: PersonFields | None
    places: tuple[PersonsAt, ...]
    everyone: bool
    """Scope "listed": nobody is asked about, all are counted."""
    max_persons: int

    def judge(self, root: Members, asked: Asked) -> Scoped | Reason:
        """Which persons of one answer stay, or why none of it leaves."""
        if self.fields is None:
            return UNSCOPED
        found = _find(root, self.places)
        if found is None:
            return Reason.ANSWER_SHAPE
        if self.everyone:
            return _everyone(found, self.fields, self.max_persons)
        return _only_asked(found, self.fields, asked)


def compile_scope(shape: ResponseShape, listed: Iterable[Path]) -> Scope:
    """Make a checked shape ready. `listed`: the persons paths below which the view releases something.

    In a search the others are not looked at: they do not leave, so they do not count.
    """
    everyone = shape.scope == "listed"
    places = tuple(
        PersonsAt(
            outer=tuple((step.name, step.array) for step in path[:-1]),
            name=path[-1].name,
            array=path[-1].array,
            alone=not any(step.array for step in path),
        )
        for path in (listed if everyone else shape.persons)
    )
    return Scope(shape.identified_by, places, everyone, shape.max_persons)


# ---- judging


def _only_asked(found: list[_Found], fields: PersonFields, asked: Asked) -> Scoped | Reason:
    if not found:
        return UNSCOPED
    fitting: list[tuple[_Found, str | None]] = []
    owners: dict[int, bool] = {}
    for person in found:
        fits = _fits(person.members, fields, asked)
        if fits:
            fitting.append((person, written_nir(person.members.get(fields.nir))))
        elif person.alone:
            return Reason.ANSWER_SHAPE if fits is None else Reason.ANSWER_OTHER_PERSON
        if person.enclosing is not None:
            # Who cannot be identified (None) could be the one asked about: no reason to drop what encloses them.
            element = id(person.enclosing)
            owners[element] = owners.get(element, False) or fits is not False
    chosen = _choose({nir for _, nir in fitting}, asked.nir)
    if isinstance(chosen, Nobody):
        return Reason.ANSWER_OTHER_PERSON
    kept = [person for person, nir in fitting if nir == chosen]
    stranger_alone = len(kept) < len(fitting) and any(person.alone for person, nir in fitting if nir != chosen)
    if stranger_alone or _twice_in_one_list(kept):
        return Reason.ANSWER_OTHER_PERSON
    kept_ids = frozenset([id(person.members) for person in kept])
    identity = PersonIdentity(asked.nir or chosen or "", asked.birth_date or "", asked.birth_rank or 0)
    foreign = frozenset([element for element, perhaps in owners.items() if not perhaps])
    return Scoped((identity,), kept_ids, foreign - kept_ids)


def _fits(members: Members, fields: PersonFields, asked: Asked) -> bool | None:
    """Whether birth date and birth rank are those asked about; None when the object does not say."""
    date, rank = birth_date(members.get(fields.birth_date)), birth_rank(members.get(fields.birth_rank))
    if date is None or rank is None:
        return None
    return date == asked.birth_date and rank == asked.birth_rank


class Nobody(Enum):
    """No person of an answer can be said to be the one asked about."""

    NOBODY = "nobody"


def _choose(nirs: set[str | None], asked: str | None) -> str | Nobody | None:
    """Of the NIRs of all who share birth date and rank with the person asked about, theirs; None: they have none."""
    known = nirs - {None}
    for nir in known:
        if nir is not None and asked is not None and same_text(nir, asked):
            return nir
    if len(known) == 1:
        return known.pop()  # A child with a NIR of their own, asked for under a parent's.
    if nirs and not known and asked is not None:
        return None  # A newborn without a certified NIR, asked for under a parent's.
    return Nobody.NOBODY


def _twice_in_one_list(kept: list[_Found]) -> bool:
    """Two entries of one list with one identity and different contents: two people, and we cannot tell which."""
    seen: dict[int, Members] = {}
    return any([seen.setdefault(person.siblings, person.members) != person.members for person in kept])


def _everyone(found: list[_Found], fields: PersonFields, max_persons: int) -> Scoped | Reason:
    persons: dict[PersonIdentity, None] = {}
    kept: set[int] = set()
    for person in found:
        get = person.members.get
        nir, date, rank = (
            written_nir(get(fields.nir)),
            birth_date(get(fields.birth_date)),
            birth_rank(get(fields.birth_rank)),
        )
        if nir is None or date is None or rank is None:
            if person.alone:
                return Reason.ANSWER_SHAPE
            continue  # Whoever cannot be counted does not leave.
        persons[PersonIdentity(nir, date, rank)] = None
        kept.add(id(person.members))
    if len(persons) > max_persons:
        return Reason.TOO_MANY_PERSONS
    return Scoped(tuple(persons), frozenset(kept))


# ---- finding


def _find(root: Members, places: Iterable[PersonsAt]) -> list[_Found] | None:
    """Every person object; None when something else stands where the one person of an answer belongs."""
    found: list[_Found] = []
    for place in places:
        for holder, enclosing in _holders(root, place.outer) if place.outer else ((root, None),):
            value = holder.get(place.name)
            if not place.array:
                if isinstance(value, dict):
                    found.append(_Found(value, id(value), None, place.alone))
                elif place.alone and value is not None:
                    return None
            elif isinstance(value, list):
                found += [_Found(each, id(value), enclosing, False) for each in value if isinstance(each, dict)]
    return found


def _holders(root: Members, outer: tuple[tuple[str, bool], ...]) -> list[tuple[Members, Members | None]]:
    """The objects at the end of a way, each with the list element nearest above it, itself included."""
    level: list[tuple[Members, Members | None]] = [(root, None)]
    for name, array in outer:
        below: list[tuple[Members, Members | None]] = []
        for holder, enclosing in level:
            value = holder.get(name)
            if array and isinstance(value, list):
                below += [(element, element) for element in value if isinstance(element, dict)]
            elif not array and isinstance(value, dict):
                below.append((value, enclosing))
        level = below
    return level
