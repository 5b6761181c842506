"""`pseudonym`: in place of a value leaves a keyed name for it, the same for one practitioner and for nobody else.

For software that has to tell two contracts or two persons apart, or find one of them again, without their numbers. Two
practitioners cannot compare: the name depends on who asks. The NIR of a person has one however it is written.
"""

import base64
import hmac
from typing import Final

from paravent.masking.json import Scalar, scalar_text
from paravent.masking.operators.base import DROP, Drop, Identifies, Operator, Parameter, Release, no_parameter
from paravent.masking.person import written_nir
from paravent.model import Asked, Disguise

_LABEL: Final = b"paravent pseudonym 1"
_BYTES: Final = 10
"""80 bits: no two of one practitioner's patients meet by accident, and sixteen characters fit any field."""


def pseudonym(disguise: Disguise, text: str) -> str:
    """Sixteen letters and digits 2 to 7 (RFC 4648 section 6): never a number."""
    # The RPPS has eleven digits, so that no two pairs of practitioner and text are one message.
    digest = hmac.digest(disguise.key.reveal(), _LABEL + disguise.rpps.encode() + b"|" + text.encode(), "sha256")
    return base64.b32encode(digest[:_BYTES]).decode("ascii")


def _pseudonym(value: Scalar, asked: Asked) -> Scalar | Drop:
    if asked.disguise is None or isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        return DROP
    return pseudonym(asked.disguise, scalar_text(value))


def _of_a_nir(value: Scalar, asked: Asked) -> Scalar | Drop:
    # In normal form: one operation writes it with its key, another in groups or as a number.
    nir = written_nir(value)
    return _pseudonym(value if nir is None else nir, asked)


def _bind(_: Parameter, identifies: Identifies | None) -> Release:
    return _of_a_nir if identifies is Identifies.NIR else _pseudonym


PSEUDONYM = Operator(
    name="pseudonym",
    summary="A keyed name leaves in place of a text or whole number: the same for one practitioner, and for no other.",
    problem=no_parameter("pseudonym"),
    bind=_bind,
    for_nir=True,
    price=60,
)
