"""One question, read from the request and written anew.

The caller's bytes end here. What goes upstream is built from values that are each of their declared type, in the
operation's own member order: the upstream cannot read another question into it than the one that was judged and
charged.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import jiter
import orjson

from paravent.model import Asked, Json
from paravent.nir import parse_request_nir
from paravent.policy.fields import accepts
from paravent.policy.paths import parameter_name
from paravent.reasons import Reason
from paravent.rules import FieldType, Operation

MAX_BODY_BYTES: Final = 8 * 1024
"""The longest question of the reference policy has under 300 bytes."""

# RFC 9110 section 8.3.1: type, subtype and charset names are case-insensitive; RFC 8259 section 8.1: UTF-8 only, and
# the type has no parameters of its own.
_JSON: Final = re.compile(rb'application/json(?:[ \t]*;[ \t]*charset=(?:utf-8|"utf-8"))?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and the request that asks the upstream."""

    asked: Asked
    """All that the caller has shown to know. `nir`, `birth_date` and `birth_rank` by type, normalised; in `fields`
    every value as sent, by "/member" or "{parameter}"."""
    target: bytes = field(repr=False)
    body: bytes = field(repr=False)
    """Empty for an operation without request members."""


def read_question(
    operation: Operation, parameters: Mapping[str, str], body: bytes, content_types: Sequence[bytes]
) -> Question | Reason:
    """The question in a matched request, or why it is none.

    `parameters` come from `match`; `content_types` are all values of the header. REQUEST_AMBIGUOUS: two readers could
    see two types. REQUEST_NOT_IN_SCHEMA: something is missing, unknown or not of its type. REQUEST_TOO_LARGE.
    """
    members = _members(operation, body, content_types)
    if isinstance(members, Reason):
        return members
    fields = {f"{{{name}}}": text for name, text in parameters.items()}
    fields |= {f"/{name}": str(value) for name, value in members.items()}
    return Question(_asked(operation, members, fields), _target(operation, parameters), _body(operation, members))


def _members(operation: Operation, body: bytes, content_types: Sequence[bytes]) -> dict[str, Json] | Reason:
    """The members of the body in the operation's order, each of its type."""
    if not operation.request:
        # RFC 9110 section 9.3.1: content in a GET has no meaning that both sides would agree on.
        return Reason.REQUEST_NOT_IN_SCHEMA if body else {}
    if len(body) > MAX_BODY_BYTES:
        return Reason.REQUEST_TOO_LARGE
    if len(content_types) > 1:
        return Reason.REQUEST_AMBIGUOUS
    if not content_types or _JSON.fullmatch(content_types[0]) is None:
        return Reason.REQUEST_NOT_IN_SCHEMA
    sent = _parse(body)
    if not isinstance(sent, dict):
        return Reason.REQUEST_NOT_IN_SCHEMA
    members: dict[str, Json] = {}
    for member in operation.request:
        if member.name in sent:
            if not accepts(member, sent[member.name]):
                return Reason.REQUEST_NOT_IN_SCHEMA
            members[member.name] = sent[member.name]
        elif member.required:
            return Reason.REQUEST_NOT_IN_SCHEMA
    # Whatever was sent and is not among them is unknown.
    return members if len(members) == len(sent) else Reason.REQUEST_NOT_IN_SCHEMA


def _parse(body: bytes) -> Json:
    """The document, or None for what is not JSON in one reading: RFC 8259 section 4 leaves duplicate names to luck."""
    try:
        parsed: Json = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="none")
    except ValueError:
        # The text of this exception can hold the body: it ends here.
        return None
    return parsed


def _asked(operation: Operation, members: Mapping[str, Json], fields: Mapping[str, str]) -> Asked:
    # One value a type: `lint` refuses an operation with two fields of one identity type.
    by_type = {known.type: members[known.name] for known in operation.request if known.name in members}
    nir, birth_date = by_type.get(FieldType.NIR), by_type.get(FieldType.BIRTH_DATE)
    rank = by_type.get(FieldType.BIRTH_RANK)
    return Asked(
        nir=parse_request_nir(nir) if isinstance(nir, str) else None,
        birth_date=birth_date if isinstance(birth_date, str) else None,
        birth_rank=rank if isinstance(rank, int) else None,
        fields=fields,
    )


def _target(operation: Operation, parameters: Mapping[str, str]) -> bytes:
    names = ((segment, parameter_name(segment)) for segment in operation.path)
    return "".join(f"/{segment if name is None else parameters[name]}" for segment, name in names).encode("ascii")


def _body(operation: Operation, members: Mapping[str, Json]) -> bytes:
    # Every value has been accepted by its type, so nothing here is long, nested or beyond 64 bits.
    return orjson.dumps(members) if operation.request else b""
