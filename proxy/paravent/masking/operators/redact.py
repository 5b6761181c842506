"""`redact`: a constant leaves in place of the value, whatever its length, for software that insists on the field."""

from typing import Final

from paravent.masking.json import Scalar
from paravent.masking.operators.base import Identifies, Operator, Parameter, Release, no_parameter
from paravent.model import Asked

CONSTANT: Final = "***"


def _redact(_: Scalar, __: Asked) -> Scalar:
    return CONSTANT


def _bind(_: Parameter, __: Identifies | None) -> Release:
    return _redact


REDACT = Operator(
    name="redact",
    summary=f'The constant text "{CONSTANT}" leaves in place of the value.',
    problem=no_parameter("redact"),
    bind=_bind,
    for_nir=True,
)
