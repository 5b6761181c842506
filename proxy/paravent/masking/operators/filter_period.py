"""`/lstPeriodeAMO[]/dateDebut: {filter-period: dateFin}`: of a list of periods, only what covers the care date leaves.

The line stands at the beginning of the period and names the member beside it that holds the end; without an end it is
open. An element of the list (a right, a contract) whose period does not cover the date is dropped whole, with all that
other lines would have let leave of it: `masking.periods`.
"""

import re
from typing import Final

from paravent.masking.json import Scalar
from paravent.masking.operators.base import DROP, Drop, Identifies, Operator, Parameter, Release
from paravent.model import Asked

NAME: Final = "filter-period"
_MEMBER: Final = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_.-]{0,63})?(?:@[A-Za-z_][A-Za-z0-9_.-]{0,63})?")
_DATE: Final = re.compile(
    r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})"
    r"(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?)?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
"""ISO 8601. As it leaves unswept, nothing else than a time and a zone may stand behind the day."""
_FRENCH: Final = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4})")
"""DD/MM/YYYY."""


def day_of(value: object) -> str | None:
    """YYYYMMDD of a date or a moment in either spelling, or of a date as French pages write it."""
    if not isinstance(value, str):
        return None
    if (match := _DATE.fullmatch(value)) is not None:
        return "".join(match.groups())
    match = _FRENCH.fullmatch(value)
    return "".join(reversed(match.groups())) if match is not None else None


def _release(value: Scalar, _: Asked) -> Scalar | Drop:
    return value if day_of(value) is not None else DROP


def _problem(parameter: Parameter, identifies: Identifies | None) -> str | None:
    if identifies is not None:
        return "who somebody is, is no period"
    if not isinstance(parameter, str) or not parameter or _MEMBER.fullmatch(parameter) is None:
        return "filter-period takes the name of the member that holds the end: {filter-period: dateFin}"
    return None


def _bind(_: Parameter, __: Identifies | None) -> Release:
    return _release


FILTER_PERIOD = Operator(
    name=NAME,
    summary="Of a list of periods only those leave that cover the care date; the line itself shows their beginning.",
    problem=_problem,
    bind=_bind,
    keeps_null=False,
)
