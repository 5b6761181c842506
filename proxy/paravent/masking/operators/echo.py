"""`echo`: the value leaves only when the caller sent it, so that it tells nothing new.

Bare, at a leaf that identifies a person: compared with the subject of the request in normal form.
`{echo: /nom}` or `{echo: "{numeroAMC}"}` anywhere else: compared with that request value as text.

null does not leave: nobody sent it, and it would tell "there is none" from "it is another".
"""

import re
from typing import Final

from paravent.masking.json import Scalar, scalar_text
from paravent.masking.operators.base import DROP, Drop, Identifies, Operator, Parameter, Release
from paravent.masking.person import birth_date, birth_rank
from paravent.model import Asked
from paravent.nir import same_text, says_nir, undress

_REQUEST_VALUE: Final = re.compile(r"/.+|\{[^{}]+\}|\?.+")
"""How `Asked.fields` names a value: a JSON pointer into the body, a path parameter in braces, a
query parameter behind its question mark."""


def _nir(value: Scalar, asked: Asked) -> Scalar | Drop:
    """Thirteen characters, or fifteen with the right key: a wrong one would tell two digits that nobody sent."""
    # In normal dress: how the upstream spaced it is nothing that the caller sent.
    text = undress(value) if isinstance(value, str) else "" if isinstance(value, bool) else scalar_text(value)
    # Where several are asked about, who is not has been cut off before: whose number it is, need not be asked again.
    sent = asked.sent_nir
    if (sent is None or not says_nir(text, sent)) and not any([says_nir(text, nir) for nir, _, _ in asked.several]):
        return DROP
    return text if isinstance(value, str) else value


def _birth_date(value: Scalar, asked: Asked) -> Scalar | Drop:
    written = birth_date(value)
    if written is None:
        return DROP
    sent = [date for _, date, _ in asked.several] or [asked.birth_date or ""]
    return value if any([same_text(written, date) for date in sent]) else DROP


def _birth_rank(value: Scalar, asked: Asked) -> Scalar | Drop:
    written = birth_rank(value)
    sent = [str(rank) for _, _, rank in asked.several] or [str(asked.birth_rank)]
    return value if written is not None and any([same_text(str(written), rank) for rank in sent]) else DROP


_SUBJECT: Final[dict[Identifies, Release]] = {
    Identifies.NIR: _nir,
    Identifies.BIRTH_DATE: _birth_date,
    Identifies.BIRTH_RANK: _birth_rank,
}


def _field(name: str) -> Release:
    def release(value: Scalar, asked: Asked) -> Scalar | Drop:
        sent = asked.fields.get(name)
        return value if sent is not None and same_text(scalar_text(value), sent) else DROP

    return release


def _problem(parameter: Parameter, identifies: Identifies | None) -> str | None:
    if parameter is None:
        if identifies is None:
            return "bare echo stands only where a person is identified; elsewhere name a request value: {echo: /nom}"
        return None
    if not isinstance(parameter, str) or _REQUEST_VALUE.fullmatch(parameter) is None:
        return 'echo takes the name of a request value: /nom or "{numeroAMC}"'
    return None


def _bind(parameter: Parameter, identifies: Identifies | None) -> Release:
    if isinstance(parameter, str):
        return _field(parameter)
    if identifies is None:
        raise ValueError("bare echo was bound where nobody is identified")
    return _SUBJECT[identifies]


ECHO = Operator(
    name="echo",
    summary="The value leaves only when it equals what the caller sent; otherwise the field is absent.",
    problem=_problem,
    bind=_bind,
    for_nir=True,
    keeps_null=False,
)
