"""`handle`: in place of a NIR leaves an opaque reference, which its practitioner can send back in place of the NIR.

So a portal can page and link without ever holding a number. Expires within a day: `paravent.handles`.
"""

from paravent.handles import make_handle
from paravent.masking.json import Scalar
from paravent.masking.operators.base import DROP, Drop, Identifies, Operator, Parameter, Release
from paravent.masking.person import written_nir
from paravent.model import Asked


def _handle(value: Scalar, asked: Asked) -> Scalar | Drop:
    nir = written_nir(value)
    return make_handle(asked.disguise, nir) if nir is not None and asked.disguise is not None else DROP


def _problem(parameter: Parameter, identifies: Identifies | None) -> str | None:
    if identifies is not Identifies.NIR:
        return "handle stands only at the NIR of a person: nothing else is turned back on the way in"
    return None if parameter is None else "handle takes no parameter"


def _bind(_: Parameter, __: Identifies | None) -> Release:
    return _handle


HANDLE = Operator(
    name="handle",
    summary="An opaque reference leaves in place of a NIR; the same practitioner can ask with it for up to a day.",
    problem=_problem,
    bind=_bind,
    for_nir=True,
    price=150,
    keeps_null=False,
)
