"""What a value of each field type looks like, in a request body, in a request path and in a query.

    nir             13 characters, or 15 with the right key (`paravent.nir`)
    birth-date      eight digits, not always a calendar date: months above 12 occur where civil status is incomplete
    birth-rank      a number from 1 to 9 (rang gémellaire)
    date            a calendar date, 2026-11-22 (RFC 3339 full-date); in a body, as near to today as the policy says
    name            Latin letters, spaces, apostrophes, hyphens, dots, at most 60; no digit, no wildcard
    code            letters and digits, at most 20
    domain          PHAR MED OPTI AUDI DENT LABO HOSP
    amc-number      8 to 10 digits: 8 in gestion unique, up to 10 for a préfectoral number
    member-number   letters and digits, at most 30 (n° adhérent)
    choice          one of the texts that `one_of` lists: letters, digits and . _ : -, at most 64
    number          a whole number from 1 to `at_most`, without a leading zero
    persons         1 to `at_most` persons, each by NIR, birth date and birth rank, none of them twice
    acts            1 to 50 acts of a quote, each a code and an amount: {"code": "2212345", "montantCentimes": 45000}

Nothing is trimmed, folded or composed: a value is of its type as sent, or the request is refused.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from typing import Final

from paravent.model import Json
from paravent.nir import parse_request_nir
from paravent.rules import FieldType, RequestField

DOMAINS: Final = ("PHAR", "MED", "OPTI", "AUDI", "DENT", "LABO", "HOSP")

# Latin letters as French civil status writes them (U+00C0 to U+024F without the signs for times and divided by): one
# alphabet, so that look-alikes of another do not make a second person of one name.
_LETTER: Final = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"
_NAME: Final = re.compile(rf"(?=.*[{_LETTER}])[{_LETTER} '\u2019.-]{{1,60}}")


def _form(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


_DATE: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _is_date(text: str) -> bool:
    # fromisoformat alone would also take 20261122 and 2026-W47-7.
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


_TEXTS: Final[Mapping[FieldType, Callable[[str], bool]]] = {
    FieldType.NIR: lambda text: parse_request_nir(text) is not None,
    FieldType.BIRTH_DATE: _form("[0-9]{8}"),
    FieldType.DATE: _is_date,
    FieldType.NAME: lambda text: _NAME.fullmatch(text) is not None,
    FieldType.CODE: _form("[A-Za-z0-9]{1,20}"),
    FieldType.DOMAIN: DOMAINS.__contains__,
    FieldType.AMC_NUMBER: _form("[0-9]{8,10}"),
    FieldType.MEMBER_NUMBER: _form("[A-Za-z0-9]{1,30}"),
    FieldType.CHOICE: _form("[A-Za-z0-9._:-]{1,64}"),
    FieldType.NUMBER: _form("[1-9][0-9]{0,8}"),
}
"""Every type but the birth rank, which is a number in a body, and the acts, which are a list."""

_ACT: Final = frozenset({"code", "montantCentimes"})
_MAX_ACTS: Final = 50
"""A hearing aid, the dearest quote there is, has under twenty; a body of 8 KB has no room for many more than fifty."""
_MAX_ACT_CENTIMES: Final = 10_000_000

URL_TYPES: Final = frozenset(
    {
        FieldType.DATE,
        FieldType.CODE,
        FieldType.DOMAIN,
        FieldType.AMC_NUMBER,
        FieldType.MEMBER_NUMBER,
        FieldType.CHOICE,
        FieldType.NUMBER,
    }
)
"""What may stand in a request path or a query. Both end up in logs: nothing that names a person."""


def accepts_text(field: RequestField, text: str) -> bool:
    """Whether a text is a value of this field."""
    judge = _TEXTS.get(field.type)
    if judge is None or not judge(text) or (field.type is FieldType.NUMBER and int(text) > field.at_most):
        return False
    return text in field.one_of if field.one_of else field.type is not FieldType.CHOICE


def accepts(field: RequestField, value: Json) -> bool:
    """Whether a member of a JSON body is a value of this field, of the right JSON type too."""
    if isinstance(value, str):
        return field.type is not FieldType.NUMBER and accepts_text(field, value)
    if field.type is FieldType.BIRTH_RANK:
        return _is_number(field, value, 9)
    if field.type is FieldType.NUMBER:
        return _is_number(field, value, field.at_most)
    if field.type is FieldType.PERSONS:
        return persons_of(field, value) is not None
    return field.type is FieldType.ACTS and _are_acts(value)


def is_near(field: RequestField, text: str, today: str | None) -> bool:
    """Whether a date is none that the policy calls too long ago or too far ahead. `today`: YYYYMMDD.

    A person who has been paid for is asked about again for free: without an end, through a whole life, day by day.
    """
    if field.past_days is None and field.ahead_days is None:
        return True
    if today is None:
        return False
    first, last = _days_around(today, field.past_days, field.ahead_days)
    return first <= text <= last


@lru_cache(maxsize=64)
def _days_around(today: str, past_days: int | None, ahead_days: int | None) -> tuple[str, str]:
    """The first day and the last, as they are sent."""
    day, end = date.fromisoformat(today).toordinal(), date.max.toordinal()
    first = 1 if past_days is None else max(1, day - past_days)
    last = end if ahead_days is None else min(end, day + ahead_days)
    return date.fromordinal(first).isoformat(), date.fromordinal(last).isoformat()


def _are_acts(value: Json) -> bool:
    return isinstance(value, list) and 1 <= len(value) <= _MAX_ACTS and all(map(_is_act, value))


def _is_number(field: RequestField, value: Json, most: int) -> bool:
    # bool is an int in Python: `true` is not the first-born.
    return type(value) is int and 1 <= value <= most and (not field.one_of or str(value) in field.one_of)


def persons_of(field: RequestField, value: Json) -> tuple[tuple[str, str, int], ...] | None:
    """Whom a list of persons names: NIR of 13 characters, birth date and birth rank of each. None: not such a list."""
    if not isinstance(value, list) or not 1 <= len(value) <= field.at_most:
        return None
    found: dict[tuple[str, str, int], None] = {}
    for each in value:
        if not isinstance(each, dict) or each.keys() != set(field.members):
            return None
        nir, born, rank = (each[name] for name in field.members)
        number = parse_request_nir(nir) if isinstance(nir, str) else None
        if number is None or not isinstance(born, str) or not _TEXTS[FieldType.BIRTH_DATE](born):
            return None
        if type(rank) is not int or not 1 <= rank <= 9:
            return None
        found[number, born, rank] = None
    # Somebody twice would be charged once and answered twice.
    return tuple(found) if len(found) == len(value) else None


def _is_act(value: Json) -> bool:
    """A code of NGAP, CCAM or LPP with its amount, and nothing beside them."""
    if not isinstance(value, dict) or value.keys() != _ACT:
        return False
    code, centimes = value["code"], value["montantCentimes"]
    known = isinstance(code, str) and _TEXTS[FieldType.CODE](code) and parse_request_nir(code) is None
    # bool is an int in Python, and no amount.
    return known and type(centimes) is int and 0 <= centimes <= _MAX_ACT_CENTIMES
