"""Who an answer is about: only the person asked about stays, or, for a search, every person is counted.

The upstream answers with the whole family. A child is asked for under a parent's NIR, twins differ by birth rank
alone, and the same person stands at several places of one answer. So:

* a person is the one asked about when birth date and birth rank agree, and the NIR agrees or no other person of this
  answer has that birth date and rank;
* two different persons who both fit cannot be told apart, and nothing leaves;
* an element of an outer list (a contract, the insurer of several) which names its persons, none of them the one asked
  about, is somebody else's and is dropped with them. Where nobody stands by themselves, and one element of a list is
  about the person asked about alone (`/droits[]/identite`), its others are about others;
* of a search, nobody leaves whose birth date or rank is not the one that was asked with, nor anybody who would hide
  behind the identity of another; and an element of an outer list leaves with a person who stands in it and is counted,
  or not at all.
"""

from collections.abc import Container, Sequence, Set
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from paravent.masking.json import Tree, same_tree
from paravent.masking.person import (
    Members,
    PersonIdentity,
    birth_date,
    birth_rank,
    identity_of,
    under_a_parent,
    written_nir,
)
from paravent.masking.places import Found, PersonsAt, find_persons, listing, listing_elements, others_beside, persons_at
from paravent.masking.rules import Skeleton, skeleton
from paravent.masking.several import asked_for
from paravent.model import Asked
from paravent.nir import same_text
from paravent.reasons import Reason
from paravent.rules import Format, Path, PersonFields, ResponseShape
from paravent.values import Value


class Scoped(Value, frozen=True):
    """Which parts of one parsed answer may be walked. By `id`: valid while that tree lives."""

    HIDDEN = frozenset({"nirs"})

    persons: tuple[PersonIdentity, ...]
    kept: frozenset[int]
    """Person objects that stay. Every other object at a persons path goes."""
    foreign: frozenset[int] = frozenset()
    """Elements of outer lists that belong to other persons."""
    nirs: frozenset[str] = frozenset()
    """Every NIR by which the answer names a person, but for the one that was asked with. Normal form."""


UNSCOPED: Final = Scoped((), frozenset())
_NO_NIRS: Final[frozenset[str]] = frozenset()


class _Judged(Value, frozen=True):
    """One person object, compared with who is asked about."""

    HIDDEN = frozenset({"nir"})

    person: Found
    fits: bool | None
    """Whether birth date and birth rank are those asked about; None when the object does not say."""
    nir: str | None


@dataclass(frozen=True, slots=True)
class Scope:
    """How the answers of one operation are scoped for one view. Built once."""

    fields: PersonFields | None
    places: tuple[PersonsAt, ...]
    everyone: bool
    """Scope "listed": nobody is asked about, all are counted."""
    max_persons: int
    each: tuple[PersonsAt, ...] = ()
    """Where one person stands in each element of a list, which is about them."""
    referred: bool = False
    """What stands in outer lists refers to whose it is, as in FHIR: it goes with them, and with nobody else."""

    def judge(self, root: Members, asked: Asked) -> Scoped | Reason:
        """Which persons of one answer stay, or why none of it leaves."""
        if self.fields is None:
            return UNSCOPED
        found = find_persons(root, self.places)
        if found is None:
            return Reason.ANSWER_SHAPE
        if self.everyone:
            return self._everyone(root, found, self.fields, asked)
        scoped = _only_asked(found, self.fields, asked)
        if self.each and isinstance(scoped, Scoped):
            return replace(scoped, foreign=scoped.foreign | others_beside(root, self.each, scoped.kept))
        if self.referred and isinstance(scoped, Scoped):
            return replace(scoped, foreign=_uncounted(root, self.places, found, scoped.kept))
        return scoped

    def _everyone(self, root: Members, found: list[Found], fields: PersonFields, asked: Asked) -> Scoped | Reason:
        known: dict[PersonIdentity, Members] = {}
        counted: list[tuple[PersonIdentity, Found]] = []
        named = asked_for(found, fields, asked.several) if asked.several else None
        for person in found:
            identity = identity_of(person.members, fields) if named is None or person.alone else None
            if identity is None and person.alone:
                return Reason.ANSWER_SHAPE
            if named is not None:
                identity = named.get(id(person.members))
            elif identity is not None and not _as_asked(identity, asked):
                identity = None
            # Whoever cannot be counted does not leave.
            if identity is not None and not _contradicts(said := known.setdefault(identity, {}), person.members):
                said.update((name, value) for name, value in person.members.items() if value is not None)
                counted.append((identity, person))
        kept = frozenset([id(person.members) for _, person in counted])
        foreign = _uncounted(root, self.places, found, kept)
        persons = dict.fromkeys(identity for identity, person in counted if id(person.within) not in foreign)
        if len(persons) > self.max_persons:
            return Reason.TOO_MANY_PERSONS
        numbers = {written_nir(each.members.get(fields.nir)) for each in found}
        nirs = frozenset([nir for nir in numbers if nir is not None]) - asked.sent_nirs
        return Scoped(tuple(persons), kept, foreign, nirs)


def compile_scope(shape: ResponseShape, named: Container[Skeleton]) -> Scope:
    """Make a checked shape ready. `named`: the objects and list elements below which the view releases something.

    In a search the others are not looked at: they do not leave, so they do not count. Whoever is listed in something
    that leaves counts, though, whether or not anything of themselves does: it says something of them.
    """
    everyone = shape.scope == "listed"
    paths = [path for path in shape.persons if not everyone or _is_disclosed(path, named)]
    places = tuple([persons_at(path, shown=skeleton(path) in named) for path in paths])
    # An answer about a person who stands by themselves has lists of what is theirs, whoever is named in them.
    single = not everyone and not any(place.alone for place in places)
    each = tuple([place for path, place in zip(paths, places, strict=True) if single and _is_about_one(path, paths)])
    return Scope(shape.identified_by, places, everyone, shape.max_persons, each, shape.format is Format.FHIR)


def _is_about_one(path: Path, paths: Sequence[Path]) -> bool:
    """Whether one person stands in each element of a list, `/droits[]/identite`, and none are listed in it."""
    by = listing(path)
    if by is None or path[-1].array:
        return False
    return not any(other[-1].array and skeleton(other[: len(by)]) == skeleton(by) for other in paths)


def _is_disclosed(path: Path, named: Container[Skeleton]) -> bool:
    by = listing(path)
    return skeleton(path) in named or (by is not None and skeleton(by) in named)


def _only_asked(found: list[Found], fields: PersonFields, asked: Asked) -> Scoped | Reason:
    if not found:
        return UNSCOPED
    if len(found) == 1 and (scoped := _nobody_else(found[0], fields, asked)) is not None:
        return scoped
    judged = _judged(found, fields, asked)
    fitting = []
    for each in judged:
        if each.fits:
            fitting.append(each)
        elif each.person.alone:
            return Reason.ANSWER_SHAPE if each.fits is None else Reason.ANSWER_OTHER_PERSON
    chosen = _choose(fitting, asked)
    kept = [each.person for each in fitting if each.nir in chosen]
    stranger_alone = len(kept) < len(fitting) and any([e.person.alone and e.nir not in chosen for e in fitting])
    if not kept or stranger_alone or _twice_in_one_list(kept):
        return Reason.ANSWER_OTHER_PERSON
    kept_ids = frozenset([id(person.members) for person in kept])
    nir = asked.nir or min([nir for nir in chosen if nir is not None], default="")
    identity = PersonIdentity(nir, asked.birth_date or "", asked.birth_rank or 0)
    named = {each.nir for each in judged}
    nirs = frozenset([nir for nir in named if nir is not None and nir != asked.sent_nir])
    return Scoped((identity,), kept_ids, _foreign(judged, chosen, asked) - kept_ids, nirs)


def _nobody_else(person: Found, fields: PersonFields, asked: Asked) -> Scoped | None:
    """The short way for the commonest answer: one person, as the question writes them. None: take the long way."""
    get, nir = person.members.get, asked.nir
    written, date, rank = get(fields.nir), get(fields.birth_date), get(fields.birth_rank)
    if not person.alone or nir is None or not isinstance(written, str) or type(rank) is not int:
        return None
    if not same_text(written, nir) or date != asked.birth_date or rank != asked.birth_rank or not isinstance(date, str):
        return None
    others = _NO_NIRS if asked.sent_nir is not None else frozenset([nir])  # who sent a handle does not know it
    return Scoped((PersonIdentity(nir, date, rank),), frozenset([id(person.members)]), nirs=others)


def _judged(found: list[Found], fields: PersonFields, asked: Asked) -> list[_Judged]:
    # One person stands in the family, and in every contract: what an entry says of them is judged once.
    known: dict[tuple[str, int, str], tuple[bool | None, str | None]] = {}
    nir_at, date_at, rank_at = fields.nir, fields.birth_date, fields.birth_rank
    judged: list[_Judged] = []
    for person in found:
        get = person.members.get
        date, rank, written = get(date_at), get(rank_at), get(nir_at)
        if type(date) is not str or type(rank) is not int or type(written) is not str:  # true equals 1 as a key.
            judged.append(_Judged(person, _fits(date, rank, asked), written_nir(written)))
            continue
        said = (date, rank, written)
        if said not in known:
            known[said] = _fits(date, rank, asked), written_nir(written)
        fits, nir = known[said]
        judged.append(_Judged(person, fits, nir))
    return judged


def _fits(written_date: Tree, written_rank: Tree, asked: Asked) -> bool | None:
    date, rank = birth_date(written_date), birth_rank(written_rank)
    return None if date is None or rank is None else date == asked.birth_date and rank == asked.birth_rank


type _Nirs = frozenset[str | None]
_NOBODY: Final[_Nirs] = frozenset()


def _choose(fitting: list[_Judged], asked: Asked) -> _Nirs:
    """Under which NIRs the person asked about stands in this answer; None among them: under none. Empty: nobody.

    `fitting`: who shares birth date and birth rank with the person asked about.
    """
    if _under_a_parent(asked) and any(each.person.alone for each in fitting):
        # The compulsory scheme may name a child by its own NIR where a contract's list has the parent's: what such
        # lists say is no evidence against the one person whom the answer is about.
        fitting = [each for each in fitting if each.person.enclosing is None]
    return _own_or_asked({each.nir for each in fitting}, asked.nir)


def _own_or_asked(nirs: set[str | None], asked: str | None) -> _Nirs:
    known = nirs - {None}
    for nir in known:
        if nir is not None and asked is not None and same_text(nir, asked):
            return frozenset({nir})
    if len(known) == 1:
        return frozenset(known)  # A child with a NIR of their own, asked for under a parent's.
    if nirs and not known and asked is not None:
        return frozenset({None})  # A newborn without a certified NIR, asked for under a parent's.
    return _NOBODY


def _under_a_parent(asked: Asked) -> bool:
    return asked.nir is not None and asked.birth_date is not None and under_a_parent(asked.nir, asked.birth_date)


def _foreign(judged: list[_Judged], chosen: _Nirs, asked: Asked) -> frozenset[int]:
    """The elements of outer lists that name persons, all of them others than the one asked about.

    Who cannot be identified could be the one asked about: no reason to drop what encloses them. Who was born on the
    same day, with the same rank and another NIR, a spouse say, is somebody else.
    """
    owners: dict[int, bool] = {}
    for each in judged:
        enclosing = each.person.enclosing
        if enclosing is not None:
            perhaps = each.fits is not False and (each.nir is None or each.nir in chosen or each.nir == asked.nir)
            for element in (enclosing, *each.person.above):
                owners[id(element)] = owners.get(id(element), False) or perhaps
    return frozenset([element for element, perhaps in owners.items() if not perhaps])


def _twice_in_one_list(kept: list[Found]) -> bool:
    """Two entries of one list with one identity and different contents: two people, and we cannot tell which.

    Only of lists from which something leaves: an insurer may list one person twice, once for each of two periods.
    """
    seen: dict[int, Members] = {}
    shown = [person for person in kept if person.shown]
    return not all([same_tree(seen.setdefault(person.siblings, person.members), person.members) for person in shown])


def _as_asked(identity: PersonIdentity, asked: Asked) -> bool:
    """A search by birth date that answers with other dates would tell who bears a name, for any date at all."""
    return asked.birth_date in (None, identity.birth_date) and asked.birth_rank in (None, identity.birth_rank)


def _uncounted(root: Members, places: tuple[PersonsAt, ...], found: list[Found], kept: Set[int]) -> frozenset[int]:
    """The elements of outer lists in which nobody stands who is counted: others' or nobody's, there is no telling.

    One that has a person of its own, beside those that it lists, is that person's.
    """
    counted = {id(each.within) for each in found if id(each.members) in kept}
    others = {id(each.within) for each in found if each.enclosing is None and id(each.members) not in kept}
    return frozenset([id(element) for element in listing_elements(root, places)]) - (counted - others) - kept


def _contradicts(one: Members, other: Members) -> bool:
    """Whether an entry says another thing of an identity than those before it: two people under a stand-in number,
    counted as one. What only one of them says, and lists and objects, prove nothing. Resources of FHIR each have their
    place (`@id`): a second Patient is always a second one."""
    fewer, more = (one, other) if len(one) <= len(other) else (other, one)
    return any(
        value is not None and not isinstance(value, dict | list) and not _agrees(value, more.get(name))
        for name, value in fewer.items()
    )


def _agrees(value: Tree, other: Tree) -> bool:
    return other is None or same_tree(value, other)
