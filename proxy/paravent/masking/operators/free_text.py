"""`free-text`: a text leaves with a mark in place of every NIR that somebody typed into it.

    mutation demandée (nir 292112b993001 17), pièces reçues       mutation demandée (nir [masqué]), pièces reçues

For what people type, where a view cannot do without it: `keep` would withhold the whole answer for one number in it.
The text is dropped where a number cannot be cut out exactly: behind an escape or in base64. Names, addresses and
numbers of other kinds are not looked for; who may not see them does not get the text.
"""

from typing import Final

from paravent.masking.json import Scalar
from paravent.masking.operators.base import DROP, Drop, Identifies, Operator, Parameter, Release
from paravent.masking.scanner import undressed
from paravent.model import Asked
from paravent.nir import SHORTEST, contains_identifier, identifier_spans, seems_numeric

MARK: Final = "[masqué]"
"""Letters and brackets: no number can begin or end in it."""
_NUMERIC: Final = 8
"""As `masking.sweep` has it: how many times as much a text costs that holds a long number."""


def without_identifiers(text: str) -> str | None:
    """The text with `MARK` in place of each NIR; itself when there is none; None when one is left all the same."""
    if len(text) < SHORTEST:
        return text
    if seems_numeric(text):
        text = _marked(text)
    return None if any(map(contains_identifier, undressed(text))) else text


def _marked(text: str) -> str:
    parts, behind = [], 0
    for start, end in identifier_spans(text):
        parts += [text[behind:start], MARK]
        behind = end
    return "".join((*parts, text[behind:]))


def effort(text: str, room: int) -> int:
    """What it costs to look for numbers in a text and behind its dresses, in characters of the sweep.

    `room`: of that, as much as there is. A text that needs more is put down before it is looked into any further.
    """
    spent = 0
    for each in undressed(text) if len(text) >= SHORTEST else (text,):
        spent += len(each)
        if spent <= room and seems_numeric(each):
            spent += _NUMERIC * len(each)
        if spent > room:
            break
    return spent


def _release(value: Scalar, _: Asked) -> Scalar | Drop:
    left = without_identifiers(value) if isinstance(value, str) else None
    return left if left is not None else DROP


def _problem(parameter: Parameter, identifies: Identifies | None) -> str | None:
    if identifies is not None:
        return "who somebody is, is no free-text: it would leave as it is, or not at all"
    return None if parameter is None else "free-text takes no parameter"


def _bind(_: Parameter, __: Identifies | None) -> Release:
    return _release


FREE_TEXT = Operator(
    name="free-text",
    summary=f"A text leaves with {MARK} in place of every NIR in it; one that hides a NIR behind an escape is dropped.",
    problem=_problem,
    bind=_bind,
    searched=True,
)
