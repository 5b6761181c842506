"""A person as an answer names them: normal forms of the three members that identify one."""

import re
from typing import Final

from paravent.masking.json import Tree
from paravent.nir import normalise_answer
from paravent.rules import PersonFields
from paravent.values import Value

_BEHIND_THE_DAY: Final = re.compile(r"Z|[+-][0-9]{2}:[0-9]{2}|T00:00(?::00(?:\.0{1,9})?)?")
"""A zone; or midnight, where no zone makes it a moment: elsewhere that is on another day."""
_RANKS: Final = frozenset("123456789")

type Members = dict[str, Tree]


class PersonIdentity(Value, frozen=True):
    """One person in normal form, before hashing. Nothing of it prints."""

    HIDDEN = frozenset({"nir", "birth_date", "birth_rank"})

    nir: str
    """13 characters. In scope "asked" the NIR that was asked with, so that a child looked up under a parent's NIR is
    the same person before and after the answer."""
    birth_date: str
    """YYYYMMDD, not always a calendar date."""
    birth_rank: int
    """1 to 9."""


def written_nir(value: Tree) -> str | None:
    """The normal form of a NIR written as text or as a number."""
    if isinstance(value, str):
        return normalise_answer(value)
    return normalise_answer(str(value)) if _is_number(value) else None


def birth_date(value: Tree) -> str | None:
    """YYYYMMDD from `19840517`, `"19840517"`, `"1984-05-17"` or, as libraries have it, `"1984-05-17+02:00"` and
    `"1984-05-17T00:00:00"`; and from `"17/05/1984"`, as French pages and tables write it.

    The day stands first. An upstream that put the month there would name people by other dates than they were asked for
    by, and nothing would leave.
    """
    if not isinstance(value, str):
        value = str(value) if _is_number(value) else ""
    if len(value) > 10 and value[4] == "-" and _BEHIND_THE_DAY.fullmatch(value, 10):
        value = value[:10]
    if len(value) == 10 and value[4] == value[7] == "-":
        value = value[:4] + value[5:7] + value[8:]
    elif len(value) == 10 and value[2] == value[5] == "/":
        value = value[6:] + value[3:5] + value[:2]
    return value if len(value) == 8 and value.isascii() and value.isdecimal() else None


def birth_rank(value: Tree) -> int | None:
    """1 to 9 from `2` or `"2"`."""
    if isinstance(value, str):
        return int(value) if value in _RANKS else None
    return value if type(value) is int and 1 <= value <= 9 else None  # `type`: true is an int in Python, and no rank.


def identity_of(members: Members, fields: PersonFields) -> PersonIdentity | None:
    """Who an object of an answer is; None when it does not say."""
    get = members.get
    nir, date, rank = (
        written_nir(get(fields.nir)),
        birth_date(get(fields.birth_date)),
        birth_rank(get(fields.birth_rank)),
    )
    return None if nir is None or date is None or rank is None else PersonIdentity(nir, date, rank)


def under_a_parent(nir: str, date: str) -> bool:
    """Whether a NIR says another year or month of birth than a birth date: it is not that person's own.

    Only of numbers that hold a date (first digit 1 to 4), and not where either month is one of incomplete civil status.
    """
    if nir[0] not in "1234":
        return False
    months = {nir[3:5], date[4:6]}
    return nir[1:3] != date[2:4] or (len(months) == 2 and all("01" <= month <= "12" for month in months))


def _is_number(value: Tree) -> bool:
    # bool is an int in Python, and no member of an identity is one. Longer than a NIR with key is none either.
    return type(value) is int and 0 <= value < 10**15
