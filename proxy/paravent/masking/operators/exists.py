"""`exists`: whether there is a value, not which."""

from paravent.masking.json import Scalar
from paravent.masking.operators.base import Identifies, Operator, Parameter, Release, no_parameter
from paravent.model import Asked


def _exists(value: Scalar, _: Asked) -> Scalar:
    # An empty text is how some software writes null.
    return None if value == "" else True


def _bind(_: Parameter, __: Identifies | None) -> Release:
    return _exists


EXISTS = Operator(
    name="exists",
    summary="true leaves in place of any value, and null where there is none.",
    problem=no_parameter("exists"),
    bind=_bind,
    for_nir=True,
)
