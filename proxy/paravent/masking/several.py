"""Of several persons who were asked about: who of an answer each of them is, and under what name they leave.

Each is who stands there under all three that were asked with. A child may stand there under a number of their own, or
as a newborn without one, and was asked for under a parent's, as in a question about one person (`scope`). Here others
stand beside them, so all of this must hold:

* the number asked with is a parent's: it says another year or month of birth than the date asked with;
* nobody else was asked for, and not found, with this birth date and rank: there is no telling whose child it is;
* of that birth date and rank one person alone is answered about, in an element of an outer list that is about one
  person (`/reponses[]/beneficiaire`); in a list of persons (a family, a table, a Bundle) anybody could be meant;
* their own number is one that nobody asked with, and says no other year or month of birth; or they have none, stand
  there once, and nobody of that birth date and rank has one that nobody asked with.

Then they leave under the name that was asked with, which is the one that is charged.
"""

from collections.abc import Iterable

from paravent.masking.person import PersonIdentity, birth_date, birth_rank, identity_of, under_a_parent
from paravent.masking.places import Found
from paravent.rules import PersonFields

type _Who = tuple[str, str, int]
"""NIR, birth date and birth rank."""


def asked_for(found: Iterable[Found], fields: PersonFields, several: tuple[_Who, ...]) -> dict[int, PersonIdentity]:
    """The persons of an answer who were asked about, each by the name they were asked by. By `id` of their object."""
    standing: dict[_Who, list[Found]] = {}
    nameless: dict[tuple[str | None, int | None], list[Found]] = {}
    for each in found:
        who = identity_of(each.members, fields)
        if who is not None:
            standing.setdefault((who.nir, who.birth_date, who.birth_rank), []).append(each)
        elif _is_answered_about(each):
            get = each.members.get
            born = birth_date(get(fields.birth_date)), birth_rank(get(fields.birth_rank))
            nameless.setdefault(born, []).append(each)
    names = {id(each.members): PersonIdentity(*asked) for asked in several for each in standing.get(asked, ())}
    missing: dict[tuple[str, int], list[str]] = {}
    for nir, date, rank in dict.fromkeys(several):
        if (nir, date, rank) not in standing:
            missing.setdefault((date, rank), []).append(nir)
    sent = {nir for nir, _, _ in several}
    for (date, rank), (nir, *others) in missing.items():
        if not others and under_a_parent(nir, date):
            alike = [who for who in standing if who[1:] == (date, rank) and who[0] not in sent]
            without = nameless.get((date, rank), [])
            child = _only_child(standing, alike, without) if alike else _newborn(without, fields)
            names |= dict.fromkeys(child, PersonIdentity(nir, date, rank))
    return names


def _newborn(without: list[Found], fields: PersonFields) -> list[int]:
    """The object of the one person without a number; none when it could be another, or has what is no number."""
    if len(without) != 1 or without[0].members.get(fields.nir) not in (None, ""):
        return []
    return [id(without[0].members)]


def _only_child(standing: dict[_Who, list[Found]], alike: list[_Who], without: list[Found]) -> list[int]:
    """The objects of the one person among these who is answered about; none when it could be another."""
    answered = [who for who in alike if any(map(_is_answered_about, standing[who]))]
    if without or len(answered) != 1 or under_a_parent(*answered[0][:2]):
        return []
    return [id(each.members) for each in standing[answered[0]]]


def _is_answered_about(person: Found) -> bool:
    return person.enclosing is None and person.within is not None
