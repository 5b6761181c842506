"""Cross-checks of operations: with their own parts, with one another, with the levels."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from paravent.policy.fhir_body import TYPES as FHIR_TYPES
from paravent.policy.fields import URL_TYPES, accepts_text
from paravent.policy.hints import did_you_mean
from paravent.policy.paths import duration_text, parameter_name
from paravent.policy.query import MAX_QUERY_FIELDS
from paravent.policy.source import Document, Where
from paravent.problems import Problem
from paravent.rules import (
    BodyFormat,
    CsvShape,
    Envelope,
    FieldType,
    Format,
    HtmlShape,
    Operation,
    RequestField,
    StaticShape,
    XmlShape,
    path_text,
)

MAX_AUTH_AGE_S: Final = 12 * 3600
"""NIST SP 800-63B-3 section 4.2.3: reauthentication at least once in 12 hours at AAL2. Pro Santé Connect ends a session
after 4."""

_IDENTITY: Final = (FieldType.NIR, FieldType.BIRTH_DATE, FieldType.BIRTH_RANK)
_PERSON: Final = ("nir", "birth_date", "birth_rank")
"""The keys of what names a person, in the order of `_IDENTITY`."""
_BOUNDED: Final = frozenset({FieldType.NUMBER, FieldType.PERSONS})
_CARD: Final = (FieldType.AMC_NUMBER, FieldType.MEMBER_NUMBER)
_LEADING: Final = frozenset({FieldType.MEMBER_NUMBER})
"""What leads a search by address to somebody, and does not name them. An insurer has millions."""
_OF_PERSONS: Final = frozenset({*_IDENTITY, FieldType.NAME, FieldType.PERSONS})
"""A question with one of these is about persons, and so is its answer."""

MAX_OPERATIONS: Final = 200
"""The reference API has 11. Every two are compared with each other."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An operation, and the file it stands in."""

    operation: Operation
    document: Document

    def at(self, *where: str | int) -> Where:
        return (self.operation.name, *where)


def check_operations(operations: Sequence[Placed], levels: Collection[str] | None) -> Iterator[Problem]:
    """`levels`: the names that exist, or None when they are not known."""
    for placed in operations:
        yield from _require(placed, levels)
        yield from _path(placed)
        yield from _fields(placed)
        yield from _query(placed)
        yield from _body(placed)
        yield from _subject(placed)
        yield from _format(placed)
        yield from _response(placed)
    yield from _twice(operations)
    if len(operations) > MAX_OPERATIONS:
        yield operations[-1].document.at_value((), f"a policy has at most {MAX_OPERATIONS} operations")
        return
    for one, other in combinations(operations, 2):
        if _overlap(one.operation, other.operation):
            message = f"some requests match both this path and that of {one.operation.name}"
            yield other.document.at_value(other.at("match", "path"), message, f"see {one.operation.place}")


def _require(placed: Placed, levels: Collection[str] | None) -> Iterator[Problem]:
    operation = placed.operation
    if levels is not None and operation.level not in levels:
        where = placed.at("require", "level")
        yield placed.document.at_value(
            where, f"unknown level {operation.level!r}", did_you_mean(operation.level, levels)
        )
    if operation.max_auth_age_s > MAX_AUTH_AGE_S:
        message = f"a login older than {duration_text(MAX_AUTH_AGE_S)} is not a recent one"
        yield placed.document.at_value(placed.at("require", "max_auth_age"), message)


def _path(placed: Placed) -> Iterator[Problem]:
    operation, where = placed.operation, placed.at("match", "path")
    used = [name for name in map(parameter_name, operation.path) if name is not None]
    declared = {parameter.name for parameter in operation.parameters}
    for name in sorted({name for name in used if used.count(name) > 1}):
        yield placed.document.at_value(where, f"the path has {{{name}}} twice")
    for name in sorted(set(used) - declared):
        yield placed.document.at_value(where, f"the type of {{{name}}} is not given", f"add parameters: {{{name}: …}}")
    for name in sorted(declared - set(used)):
        message = f"the path has no {{{name}}}"
        yield placed.document.at_key(placed.at("parameters", name), message, did_you_mean(name, used))


def _fields(placed: Placed) -> Iterator[Problem]:
    operation, document = placed.operation, placed.document
    if operation.request and operation.method == b"GET":
        yield document.at_key(placed.at("request"), "a GET has no body", "use POST, or parameters in the path or query")
    if not operation.request and operation.method == b"POST":
        yield document.at_key(placed.at(), "a POST needs request: the members of its body")
    for parameter in operation.parameters:
        where = placed.at("parameters", parameter.name)
        yield from _no_bounds(placed, parameter, where)
        if parameter.type not in URL_TYPES:
            yield document.at_value(where, f"a {parameter.type} does not belong in a path: paths end up in logs")
        if not parameter.required:
            yield document.at_value(where, "a path parameter cannot be optional")
        yield from _choices(placed, parameter, where)
    for member in operation.request:
        yield from _choices(placed, member, placed.at("request", member.name))
        if member.type is not FieldType.DATE and (member.past_days, member.ahead_days) != (None, None):
            yield document.at_value(placed.at("request", member.name), "only a date is in the past or ahead")
        if member.handle and member.type is not FieldType.NIR:
            yield document.at_key(placed.at("request", member.name, "handle"), "only a NIR has handles")
    for type_ in (*_IDENTITY, FieldType.DATE):
        for member in [member for member in operation.request if member.type is type_][1:]:
            what = "what day" if type_ is FieldType.DATE else "who"
            message = f"a second field of type {type_}: it would not be clear {what} is asked about"
            yield document.at_value(placed.at("request", member.name), message)


def _query(placed: Placed) -> Iterator[Problem]:
    """A search is no oracle: its parameters name nobody to a log, and some card to the upstream."""
    operation, document = placed.operation, placed.document
    if not operation.query:
        return
    if operation.method != b"GET":
        yield document.at_key(placed.at("query"), "only a GET has a query", "write the members under request")
    if len(operation.query) > MAX_QUERY_FIELDS:
        yield document.at_key(placed.at("query"), f"a query has at most {MAX_QUERY_FIELDS} parameters")
    for parameter in operation.query:
        where = placed.at("query", parameter.name)
        yield from _no_bounds(placed, parameter, where)
        if parameter.type not in URL_TYPES:
            message = f"a {parameter.type} does not belong in a query: addresses end up in logs"
            yield document.at_value(where, message, "ask by POST, and write it under request")
        yield from _choices(placed, parameter, where)
    needed = (*operation.query, *operation.parameters)
    if operation.response.persons and not any(each.type in _LEADING and each.required for each in needed):
        message = "a search without a member number that must be given walks through everybody"
        yield document.at_key(placed.at("query"), message, "add a parameter of type member-number that is required")


def _body(placed: Placed) -> Iterator[Problem]:
    operation, document, where = placed.operation, placed.document, placed.at("body")
    shape = operation.body
    if shape.format is not BodyFormat.JSON and not operation.request:
        yield document.at_key(where, "there is no request whose members could stand in a body")
    for field in operation.request:
        if field.type is FieldType.ACTS and shape.format is not BodyFormat.JSON:
            yield document.at_value(placed.at("request", field.name), "a list of acts stands in a JSON body alone")
        if field.type is FieldType.NUMBER and shape.format is not BodyFormat.JSON:
            message = "a number stands in a JSON body, a path or a query"
            yield document.at_value(placed.at("request", field.name), message)
    if (shape.format is BodyFormat.XML) != bool(shape.element):
        yield document.at_key(where, "element goes with format: xml", "name the element whose children are the members")
    if shape.action and shape.envelope is not Envelope.SOAP11:
        yield document.at_value((*where, "action"), "only SOAP 1.1 has a SOAPAction header")
    if shape.format is BodyFormat.FHIR:
        types = sorted(field.type for field in operation.request if field.required)
        if types != sorted(FHIR_TYPES) or len(types) != len(operation.request):
            message = f"a CoverageEligibilityRequest asks with {', '.join(FHIR_TYPES)}, no more and no less"
            yield document.at_key(placed.at("request"), message)


_DETAILS: Final = {
    Format.XML: XmlShape, Format.HTML: HtmlShape, Format.CSV: CsvShape, Format.STATIC: StaticShape,
}  # fmt: skip


def _format(placed: Placed) -> Iterator[Problem]:
    """What a format needs to know is there, and nothing that it would not read."""
    shape, document, where = placed.operation.response, placed.document, placed.at("response")
    wanted = _DETAILS.get(shape.format, type(None))
    if shape.format is Format.CSV and shape.details is None:
        return  # It is cut at commas (RFC 4180).
    if not isinstance(shape.details, wanted):
        needed = f"{shape.format}: {{…}}" if shape.format in _DETAILS else "none of xml, html, csv and static"
        yield document.at_key(where, f"format: {shape.format} goes with {needed}, and with no other")


def _no_bounds(placed: Placed, parameter: RequestField, where: Where) -> Iterator[Problem]:
    """An address is matched without a clock."""
    if (parameter.past_days, parameter.ahead_days) != (None, None):
        message = "what stands in a path or a query has no past and no ahead"
        yield placed.document.at_value(where, message, "ask by POST, and write the date under request")


def _choices(placed: Placed, field: RequestField, where: Where) -> Iterator[Problem]:
    if field.type is FieldType.CHOICE and not field.one_of:
        yield placed.document.at_value(where, "a choice is one of a list", "add one_of: […]")
    if (field.type in _BOUNDED) != bool(field.at_most):
        hint = f"write {{type: {field.type}, at_most: …}}" if field.type in _BOUNDED else ""
        yield placed.document.at_value(where, "numbers and persons, and nothing else, have an at_most", hint)
    if (field.type is FieldType.PERSONS) != bool(field.members):
        hint = "write members: {nir: …, birth_date: …, birth_rank: …}"
        yield placed.document.at_value(where, "persons, and nothing else, are named by members", hint)
    yield from _one_name_each(placed, field.members, (*where, "members"))
    for choice in sorted(field.one_of):
        plain = RequestField(field.name, field.type, one_of=frozenset({choice}), at_most=field.at_most)
        if not accepts_text(plain, choice):
            yield placed.document.at_key((*where, "one_of"), f"{choice!r} is not a value of type {field.type}")


def _one_name_each(placed: Placed, names: Sequence[str], where: Where) -> Iterator[Problem]:
    """NIR, birth date and birth rank, in this order."""
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        keys = [key for key, named in zip(_PERSON, names, strict=True) if named == name]
        message = f"{name} is the name of {' and of '.join(keys)}: nothing is both, so nobody would ever be served"
        yield placed.document.at_value((*where, keys[-1]), message, "give each the name that the API has for it")


def _subject(placed: Placed) -> Iterator[Problem]:
    """A child is asked for under a parent's NIR: NIR, birth date and rank name a person together or not at all."""
    operation, document, where = placed.operation, placed.document, placed.at("subject")
    subject = operation.subject
    person = dict(zip(_PERSON, (subject.nir, subject.birth_date, subject.birth_rank), strict=True))
    named = [key for key, pointer in person.items() if pointer is not None]
    if named and len(named) < 3:
        missing = ", ".join(key for key in person if key not in named)
        yield document.at_key(where, f"a person is named by nir, birth_date and birth_rank: {missing} is missing")
    if named and subject.card:
        yield document.at_key(where, "the subject is a person or a card, not both")
    if subject.card and len(subject.card) != len(_CARD):
        yield document.at_key((*where, "card"), "a card is named by its AMC number and its member number")
    for (key, pointer), type_ in zip(person.items(), _IDENTITY, strict=True):
        if pointer is not None:
            yield from _pointer(placed, pointer, type_, (*where, key))
    for index, (pointer, type_) in enumerate(zip(subject.card, _CARD, strict=False)):
        yield from _pointer(placed, pointer, type_, (*where, "card", index))
    yield from _several(placed, named)
    nirs = [member.name for member in operation.request if member.type is FieldType.NIR]
    if nirs and not named:
        message = f"the request asks about a person by {nirs[0]}, but subject does not say so"
        yield document.at_value(placed.at("request", nirs[0]), message, "add subject: {nir, birth_date, birth_rank}")


def _several(placed: Placed, named: list[str]) -> Iterator[Problem]:
    """Everybody whom a question names is charged before it is asked, and nobody else is looked for in the answer."""
    operation, document, where = placed.operation, placed.document, placed.at("subject")
    subject = operation.subject
    lists = [member for member in operation.request if member.type is FieldType.PERSONS]
    if subject.persons is not None:
        yield from _pointer(placed, subject.persons, FieldType.PERSONS, (*where, "persons"))
        if named or subject.card:
            yield document.at_key(where, "the subject is one person, a card or several persons")
    elif lists:
        message = f"the request asks about persons by {lists[0].name}, but subject does not say so"
        yield document.at_value(
            placed.at("request", lists[0].name), message, f"add subject: {{persons: /{lists[0].name}}}"
        )
    for member in lists[1:]:
        yield document.at_value(placed.at("request", member.name), "a second list of persons")
    for member in lists:
        if operation.body.format is not BodyFormat.JSON:
            yield document.at_value(placed.at("request", member.name), "a list of persons stands in a JSON body alone")
        if operation.response.scope != "listed" or operation.response.max_persons < member.at_most:
            message = f"an answer about {member.at_most} persons needs scope: listed, and max_persons as many"
            yield document.at_key(placed.at("response"), message)


def _pointer(placed: Placed, pointer: str, type_: FieldType, where: Where) -> Iterator[Problem]:
    known = {f"/{member.name}": member for member in placed.operation.request}
    known |= {f"{{{parameter.name}}}": parameter for parameter in placed.operation.parameters}
    known |= {f"?{parameter.name}": parameter for parameter in placed.operation.query}
    field = known.get(pointer)
    if field is None:
        yield placed.document.at_value(where, f"{pointer} is not in the request", did_you_mean(pointer, known))
    elif field.type is not type_:
        yield placed.document.at_value(where, f"{pointer} is of type {field.type}, and {type_} is needed here")
    elif not field.required:
        yield placed.document.at_value(where, f"{pointer} may be left out, and then nobody would be charged")


def _response(placed: Placed) -> Iterator[Problem]:
    shape, document, where = placed.operation.response, placed.document, placed.at("response")
    if shape.persons and shape.identified_by is None:
        yield document.at_key((*where, "persons"), "identified_by must say which members name a person")
    by = shape.identified_by
    if by is not None and not shape.persons:
        yield document.at_key((*where, "identified_by"), "persons must say where the persons stand")
    if by is not None:
        names = (by.nir, by.birth_date, by.birth_rank)
        yield from _one_name_each(placed, names, (*where, "identified_by"))
    if shape.scope == "listed" and not shape.persons:
        yield document.at_key((*where, "scope"), "a list of persons needs persons: where they stand")
    personal = next((member for member in placed.operation.request if member.type in _OF_PERSONS), None)
    if personal is not None and not shape.persons:
        message = f"the request asks about persons by {personal.name}, but response does not say where persons stand"
        yield document.at_key(where, message, "add persons and identified_by: whoever is not declared is not counted")
    if shape.scope == "listed" and placed.operation.subject.nir is not None:
        message = "the subject is one person, and listed would let everybody around them leave"
        yield document.at_value((*where, "scope"), message, "write scope: asked, or leave it out")
    if shape.scope == "asked" and shape.persons and placed.operation.subject.nir is None:
        message = "nobody is asked about by NIR, so no person of the answer could be the one asked about"
        yield document.at_key((*where, "persons"), message, "add subject, or scope: listed, or leave persons out")
    for index, path in enumerate(shape.persons):
        if shape.scope == "listed" and sum(step.array for step in path) > 2:
            message = f"{path_text(path)} has a list around the list that names persons: whose is what is in it?"
            yield document.at_value((*where, "persons", index), message, "one outer list at most")
        if any(step.where for step in path):
            message = f"{path_text(path)} has a condition: persons are found everywhere or not at all"
            yield document.at_value((*where, "persons", index), message, "write [] instead")


def _twice(operations: Sequence[Placed]) -> Iterator[Problem]:
    first: dict[str, Placed] = {}
    for placed in operations:
        other = first.setdefault(placed.operation.name, placed)
        if other is not placed:
            yield placed.document.at_key(
                placed.at(), f"the operation {placed.operation.name} is already in {other.operation.place}"
            )


def _overlap(one: Operation, other: Operation) -> bool:
    """Whether a path exists that both templates match."""
    if one.method != other.method or len(one.path) != len(other.path) or one.name == other.name:
        return False
    pairs = zip(one.path, other.path, strict=True)
    return all(a == b or parameter_name(a) is not None or parameter_name(b) is not None for a, b in pairs)
