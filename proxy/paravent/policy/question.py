"""One question, read from the request and written anew.

The caller's bytes end here. What goes upstream is built from values that are each of their declared type, in the
operation's own member order: the upstream cannot read another question into it than the one that was judged and
charged.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from paravent.handles import looks_like_handle, open_handle
from paravent.model import Asked, Disguise, Json
from paravent.nir import parse_request_nir
from paravent.policy.bodies import BODIES, Members, headers
from paravent.policy.fields import accepts, is_near, persons_of
from paravent.policy.paths import parameter_name
from paravent.policy.query import read_query, written_query
from paravent.reasons import Reason
from paravent.rules import FieldType, Operation, RequestField
from paravent.values import Value

MAX_BODY_BYTES: Final = 8 * 1024
"""The longest question of the reference policy has under 300 bytes."""


class Question(Value, frozen=True):
    """What is asked, and the request that asks the upstream."""

    HIDDEN = frozenset({"target", "body"})

    asked: Asked
    """All that the caller has shown to know. `nir`, `birth_date` and `birth_rank` by type, normalised; in `fields`
    every value as sent, by "/member", "{parameter}" or "?parameter"."""
    target: bytes
    body: bytes
    """Empty for an operation without request members."""
    headers: tuple[tuple[bytes, bytes], ...]
    """What describes the body; none where there is none."""


def read_question(
    operation: Operation,
    parameters: Mapping[str, str],
    body: bytes,
    content_types: Sequence[bytes],
    disguise: Disguise | None = None,
    today: str | None = None,
    query: bytes | None = None,
) -> Question | Reason:
    """The question in a matched request, or why it is none.

    `parameters` and `query` come from `match`; `content_types` are all values of the header. REQUEST_AMBIGUOUS: two
    readers could see two types. REQUEST_NOT_IN_SCHEMA: something is missing, unknown or not of its type;
    QUERY_NOT_IN_SCHEMA: of the query. REQUEST_TOO_LARGE. HANDLE_REFUSED: a handle that is not the caller's, or too old.
    `disguise` opens handles.
    `today`: YYYYMMDD, the care date of a question that names none, and what any other must be near to.
    """
    members = _members(operation, body, content_types, today)
    if isinstance(members, Reason):
        return members
    queried = read_query(operation.query, query)
    if queried is None:
        return Reason.QUERY_NOT_IN_SCHEMA
    fields = {f"/{name}": str(value) for name, value in members.items() if not isinstance(value, list)}
    target = _plain(operation.path)
    if parameters or queried:
        fields |= {f"{{{name}}}": text for name, text in parameters.items()}
        fields |= {f"?{name}": text for name, text in queried.items()}
        target = _target(operation, parameters) + written_query(queried).encode("ascii")
    opened = _open(operation, members, disguise)
    if opened is None:
        return Reason.HANDLE_REFUSED
    # One value a type: `lint` refuses an operation with two fields of one identity type, or two dates.
    by_type = {known.type: opened[known.name] for known in operation.request if known.name in opened}
    nir, birth_date = by_type.get(FieldType.NIR), by_type.get(FieldType.BIRTH_DATE)
    rank, day = by_type.get(FieldType.BIRTH_RANK), by_type.get(FieldType.DATE)
    asked = Asked(
        nir=parse_request_nir(nir) if isinstance(nir, str) else None,
        birth_date=birth_date if isinstance(birth_date, str) else None,
        birth_rank=rank if isinstance(rank, int) else None,
        fields=fields,
        by_handle=opened is not members,
        care_date=day.replace("-", "") if isinstance(day, str) else today,
        disguise=disguise,
        several=_several(operation, members) if FieldType.PERSONS in by_type else (),
    )
    if not operation.request:
        return Question(asked, target, b"", ())
    written = BODIES[operation.body.format].write(operation, opened)
    return Question(asked, target, written, headers(operation.body))


def _several(operation: Operation, members: Members) -> tuple[tuple[str, str, int], ...]:
    """Everybody whom the members name, where they name several."""
    known = next((field for field in operation.request if field.type is FieldType.PERSONS), None)
    return (persons_of(known, members.get(known.name)) or ()) if known is not None else ()


def _open(operation: Operation, members: Members, disguise: Disguise | None) -> Members | None:
    """The members with the NIR in place of a handle; None when the handle is not the caller's, or too old."""
    for known in operation.request:
        sent = members.get(known.name) if known.handle else None
        if isinstance(sent, str) and looks_like_handle(sent):
            nir = open_handle(disguise, sent) if disguise is not None else None
            # Of FHIR it is of a type that keeps the system it came with.
            return members | {known.name: type(sent)(nir)} if nir is not None else None
    return members


def _members(operation: Operation, body: bytes, content_types: Sequence[bytes], today: str | None) -> Members | Reason:
    """The members of the body in the operation's order, each of its type."""
    if not operation.request:
        # RFC 9110 section 9.3.1: content in a GET has no meaning that both sides would agree on.
        return Reason.REQUEST_NOT_IN_SCHEMA if body else {}
    if len(body) > MAX_BODY_BYTES:
        return Reason.REQUEST_TOO_LARGE
    if len(content_types) > 1:
        return Reason.REQUEST_AMBIGUOUS
    dress = BODIES[operation.body.format]
    if not content_types or dress.types.fullmatch(content_types[0]) is None:
        return Reason.REQUEST_NOT_IN_SCHEMA
    sent = dress.read(operation, body)
    if sent is None:
        return Reason.REQUEST_NOT_IN_SCHEMA
    members: Members = {}
    for member in operation.request:
        if member.name in sent:
            if not accepts(member, sent[member.name]) and not _is_handle(member, sent[member.name]):
                return Reason.REQUEST_NOT_IN_SCHEMA
            value = sent[member.name]
            if member.type is FieldType.DATE and not is_near(member, str(value), today):
                return Reason.REQUEST_NOT_IN_SCHEMA
            members[member.name] = value if isinstance(value, str) else _in_order(member, value)
        elif member.required:
            return Reason.REQUEST_NOT_IN_SCHEMA
    # Whatever was sent and is not among them is unknown.
    return members if len(members) == len(sent) else Reason.REQUEST_NOT_IN_SCHEMA


def _in_order(known: RequestField, value: Json) -> Json:
    """A list of persons with the members of each in our order."""
    if known.type is not FieldType.PERSONS or not isinstance(value, list):
        return value
    return [{name: each[name] for name in known.members} for each in value if isinstance(each, dict)]


def _is_handle(known: RequestField, value: Json) -> bool:
    return known.handle and isinstance(value, str) and looks_like_handle(value)


def _target(operation: Operation, parameters: Mapping[str, str]) -> bytes:
    if not parameters:
        return _plain(operation.path)
    names = ((segment, parameter_name(segment)) for segment in operation.path)
    return "".join(f"/{segment if name is None else parameters[name]}" for segment, name in names).encode("ascii")


@lru_cache(maxsize=256)
def _plain(path: tuple[str, ...]) -> bytes:
    return "".join(f"/{segment}" for segment in path).encode("ascii")
