"""`keep`: the value leaves as it is. For what one dispensation needs and nothing less will do."""

from paravent.masking.json import Scalar
from paravent.masking.operators.base import Identifies, Operator, Parameter, Release, no_parameter
from paravent.model import Asked


def _keep(value: Scalar, _: Asked) -> Scalar:
    return value


def _bind(_: Parameter, __: Identifies | None) -> Release:
    return _keep


KEEP = Operator(
    name="keep",
    summary="The value leaves as it is.",
    problem=no_parameter("keep"),
    bind=_bind,
    as_is=True,
)
