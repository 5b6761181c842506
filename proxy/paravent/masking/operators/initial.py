"""`initial`: of a name, only the first letter leaves."""

import unicodedata

from paravent.masking.json import Scalar
from paravent.masking.operators.base import DROP, Drop, Identifies, Operator, Parameter, Release, no_parameter
from paravent.model import Asked


def _initial(value: Scalar, _: Asked) -> Scalar | Drop:
    # NFC, so that the accent of a decomposed É stays with its letter.
    name = unicodedata.normalize("NFC", value).strip() if isinstance(value, str) else ""
    return f"{name[0]}." if name[:1].isalpha() else DROP


def _bind(_: Parameter, __: Identifies | None) -> Release:
    return _initial


INITIAL = Operator(
    name="initial",
    summary="Of a name, only the first letter leaves, with a full stop; what does not begin with a letter is dropped.",
    problem=no_parameter("initial"),
    bind=_bind,
)
