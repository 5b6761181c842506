"""`{code-map: {"0100": "1", "0000": "0"}}`: a code leaves as a coarser one; one that is not listed does not leave."""

from typing import Final

from paravent.masking.json import Scalar, scalar_text
from paravent.masking.operators.base import DROP, Drop, Identifies, Operator, Parameter, Release
from paravent.model import Asked
from paravent.nir import contains_identifier

_MAX_CODES: Final = 200
_MAX_CHARACTERS: Final = 64


def _problem(parameter: Parameter, identifies: Identifies | None) -> str | None:
    if identifies is not None:
        return "who somebody is, is no code"
    if not isinstance(parameter, tuple) or not parameter:
        return 'code-map takes codes, each with what leaves in its place: {code-map: {"0100": "1"}}'
    if len(parameter) > _MAX_CODES or any(len(text) > _MAX_CHARACTERS for pair in parameter for text in pair):
        return f"code-map takes at most {_MAX_CODES} codes, of {_MAX_CHARACTERS} characters at most"
    if any(contains_identifier(text) for pair in parameter for text in pair):
        return "a code does not look like a NIR"
    if all(code == mapped for code, mapped in parameter):
        return "every code leaves as itself, which changes nothing: a shorter word for it is keep"
    return None


def _bind(parameter: Parameter, _: Identifies | None) -> Release:
    codes = dict(parameter) if isinstance(parameter, tuple) else {}

    def release(value: Scalar, _: Asked) -> Scalar | Drop:
        known = isinstance(value, str | int) and not isinstance(value, bool)
        return codes.get(scalar_text(value), DROP) if known else DROP

    return release


CODE_MAP = Operator(
    name="code-map",
    summary="A code leaves as the one that the policy gives for it; a code that it does not list is dropped.",
    problem=_problem,
    bind=_bind,
)
