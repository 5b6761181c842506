"""`initial`: of a name, only the first letter leaves."""

import unicodedata
from typing import Final

from paravent.masking.json import Scalar
from paravent.masking.operators.base import DROP, Drop, Identifies, Operator, Parameter, Release
from paravent.model import Asked

_LETTER: Final = 4
"""Characters of one letter, with its marks."""


def _initial(value: Scalar, _: Asked) -> Scalar | Drop:
    # NFC, so that the accent of a decomposed É stays with its letter. Of the first letter alone: to put marks in order
    # costs the square of how many there are.
    name = unicodedata.normalize("NFC", value.strip()[:_LETTER]) if isinstance(value, str) else ""
    return f"{name[0]}." if name[:1].isalpha() else DROP


def _bind(_: Parameter, __: Identifies | None) -> Release:
    return _initial


def _problem(parameter: Parameter, identifies: Identifies | None) -> str | None:
    if identifies is not None:
        return "no part of an identity begins with a letter, so nothing would leave: drop the line"
    return None if parameter is None else "initial takes no parameter"


INITIAL = Operator(
    name="initial",
    summary="Of a name, only the first letter leaves, with a full stop; what does not begin with a letter is dropped.",
    problem=_problem,
    bind=_bind,
)
