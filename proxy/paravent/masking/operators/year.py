"""`year`: of a date, only the year leaves."""

import re
from typing import Final

from paravent.masking.json import Scalar
from paravent.masking.operators.base import DROP, Drop, Identifies, Operator, Parameter, Release
from paravent.model import Asked

_DATE: Final = re.compile(r"([0-9]{4})(?:[0-9]{4}|-[0-9]{2}(?:-[0-9]{2}(?:T[0-9:.+\-Z]{5,32})?)?)?")
"""YYYYMMDD, not always a calendar date; ISO 8601 year, month, day or moment."""
_FRENCH: Final = re.compile(r"[0-9]{2}/[0-9]{2}/([0-9]{4})")
"""DD/MM/YYYY."""


def _year(value: Scalar, _: Asked) -> Scalar | Drop:
    match = (_DATE.fullmatch(value) or _FRENCH.fullmatch(value)) if isinstance(value, str) else None
    return match.group(1) if match is not None else DROP


def _bind(_: Parameter, __: Identifies | None) -> Release:
    return _year


def _problem(parameter: Parameter, identifies: Identifies | None) -> str | None:
    if identifies is Identifies.BIRTH_RANK:
        return "a birth rank is no date, so nothing would leave: drop the line"
    return None if parameter is None else "year takes no parameter"


YEAR = Operator(
    name="year",
    summary="Of a date, only the year leaves; what is no date is dropped.",
    problem=_problem,
    bind=_bind,
)
