"""`{mask: n}`: only the last n characters of a text leave, after a mask of constant width.

For contract and member numbers that a person must recognise on a card. Never for a NIR: its last characters are the
part that cannot be guessed, its first ones are sex, birth date and birthplace.
"""

from typing import Final

from paravent.masking.json import Scalar
from paravent.masking.operators.base import DROP, Drop, Identifies, Operator, Parameter, Release
from paravent.model import Asked
from paravent.nir import contains_identifier

_WIDTH: Final = 6
"""Stars before what is shown: constant, because the length of a number narrows it down."""
_SHOWN_MAX: Final = 4
"""As on a payment receipt (PCI DSS 3.4 lets the last four digits of a card number be shown)."""

_LONGEST: Final = 48
"""Characters of what has an end to be recognised by: an IBAN in groups has 42. Nothing is shown of a longer text, which
is not looked through either."""


def masked(text: str, shown: int) -> str:
    """A text of constant length; nothing is shown of what is not more than twice as long as the part shown."""
    hidden = not 2 * shown < len(text) <= _LONGEST or contains_identifier(text)
    return "*" * _WIDTH + ("*" * shown if hidden else text[-shown:])


def _problem(parameter: Parameter, identifies: Identifies | None) -> str | None:
    if identifies is Identifies.BIRTH_RANK:
        return "a birth rank has one digit, so nothing of it would be shown: redact says so"
    if isinstance(parameter, bool) or not isinstance(parameter, int) or not 1 <= parameter <= _SHOWN_MAX:
        return f"mask takes how many last characters are shown, 1 to {_SHOWN_MAX}"
    return None


def _bind(parameter: Parameter, _: Identifies | None) -> Release:
    shown = parameter if isinstance(parameter, int) else 1

    def release(value: Scalar, _: Asked) -> Scalar | Drop:
        return masked(value, shown) if isinstance(value, str) else DROP

    return release


MASK = Operator(
    name="mask",
    summary=f"Only the last characters of a text leave (1 to {_SHOWN_MAX}), after a mask of constant width.",
    problem=_problem,
    bind=_bind,
    looks=True,
)
