"""`keep`: the value leaves as it is. For what one dispensation needs and nothing less will do.

Bare, at any leaf: the last sweep looks for a NIR in it, and one NIR withholds the whole answer. `{keep: member-number}`
where the upstream has a number of its own kind, of any length: the value leaves unless it seems to be a NIR, and a NIR
is dropped alone. Why the two differ: docs/decisions/0007-numbers-that-look-like-a-nir.md.
"""

import re
from typing import Final

from paravent.masking.json import Scalar, scalar_text
from paravent.masking.operators.base import DROP, Drop, Identifies, Operator, Parameter, Release
from paravent.model import Asked
from paravent.nir import SHORTEST, contains_identifier, says_nir

KINDS: Final = {"member-number": re.compile(r"[A-Za-z0-9](?:[ ./_-]?[A-Za-z0-9]){0,29}")}
"""What a leaf may be said to hold, and what it looks like. A text that does not is no such number and is dropped."""


def _keep(value: Scalar, _: Asked) -> Scalar:
    return value


def _number(form: re.Pattern[str]) -> Release:
    def release(value: Scalar, asked: Asked) -> Scalar | Drop:
        if isinstance(value, str):
            text = value
        elif isinstance(value, int) and not isinstance(value, bool):
            text = scalar_text(value)
        else:
            return DROP  # A number of a card has no fraction.
        # Letters and digits alone have the form; what is shorter than a NIR is none.
        if len(text) < SHORTEST and text.isascii() and text.isalnum():
            return value
        if form.fullmatch(text) is None:
            return DROP
        if asked.sent_nir is not None and says_nir(text, asked.sent_nir):
            return value  # Some insurers number their members by NIR, and this one the caller sent.
        return DROP if contains_identifier(text, number=True) else value

    return release


def _problem(parameter: Parameter, identifies: Identifies | None) -> str | None:
    if parameter is not None and identifies not in {None, Identifies.NIR}:
        return "who somebody is, is no number of another kind, so it would leave as it is: keep alone says so"
    if parameter is None or (isinstance(parameter, str) and parameter in KINDS):
        return None
    return f"keep takes nothing, or what kind of number stands there: {', '.join(KINDS)}"


def _bind(parameter: Parameter, _: Identifies | None) -> Release:
    return _number(KINDS[parameter]) if isinstance(parameter, str) else _keep


KEEP = Operator(
    name="keep",
    summary="The value leaves as it is; of a kind of number that is named, unless it seems to be a NIR.",
    problem=_problem,
    bind=_bind,
    as_is=True,
    looks=True,
    price=15,
)
