"""A question's members in the dress of its format: read from the caller's bytes, and written anew for the upstream.

    json   {"immatriculation": "…", "rangGemellaire": 1}
    form   immatriculation=…&rangGemellaire=1
    xml    <d:ConsulterDroits><d:immatriculation>…</d:immatriculation></d:ConsulterDroits>, perhaps in an envelope
    fhir   a CoverageEligibilityRequest, see `fhir_body`

Readers give the members as sent, whatever they are called: which of them the operation knows, and whether each is of
its type, is for `question` to say. Forms and XML have only texts: a birth rank is given as the number it spells.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import jiter
import orjson

from paravent import strict_xml
from paravent.media_types import ACTION, FHIR_R4, media_type
from paravent.model import Json
from paravent.policy import fhir_body
from paravent.rules import BodyFormat, BodyShape, Envelope, FieldType, Operation

type Members = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Body:
    """One format of questions."""

    types: re.Pattern[bytes]
    """Values of Content-Type that are this format, and no other."""
    read: Callable[[Operation, bytes], Members | None]
    write: Callable[[Operation, Mapping[str, Json]], bytes]


def headers(shape: BodyShape) -> tuple[tuple[bytes, bytes], ...]:
    """What describes the body that goes upstream."""
    if shape.format is not BodyFormat.XML:
        return ((b"content-type", _CONTENT_TYPES[shape.format]),)
    if shape.envelope is Envelope.SOAP12:
        return ((b"content-type", b"application/soap+xml; charset=utf-8"),)
    plain = ((b"content-type", b"text/xml; charset=utf-8"),)
    # SOAP 1.1 section 6.1.1: a client MUST use this header.
    return (*plain, (b"soapaction", f'"{shape.action}"'.encode())) if shape.envelope is Envelope.SOAP11 else plain


_CONTENT_TYPES: Final = {
    BodyFormat.JSON: b"application/json",
    BodyFormat.FORM: b"application/x-www-form-urlencoded",
    BodyFormat.FHIR: b"application/fhir+json",
}


def parse_json(body: bytes) -> Json:
    """The document, or None for what is not JSON in one reading: RFC 8259 section 4 leaves duplicate names to luck."""
    try:
        parsed: Json = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="none")
    except ValueError:
        # The text of this exception can hold the body: it ends here.
        return None
    return parsed


def _read_json(_: Operation, body: bytes) -> Members | None:
    parsed = parse_json(body)
    return parsed if isinstance(parsed, dict) else None


def _write_json(_: Operation, members: Mapping[str, Json]) -> bytes:
    # Every value has been accepted by its type, so nothing here is long, nested or beyond 64 bits.
    return orjson.dumps(members)


# ---- forms

# URL Standard, application/x-www-form-urlencoded serialising: all but these characters are written %HH, space as +.
# encodeURIComponent of ECMAScript, with which jQuery writes forms, leaves the apostrophe of a name as well.
_PAIR: Final = re.compile(rb"([A-Za-z0-9*._-]{1,64})=((?:[A-Za-z0-9*._'+-]|%[0-9A-Fa-f]{2})*)")
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")


def _read_form(operation: Operation, body: bytes) -> Members | None:
    members: Members = {}
    for part in body.split(b"&"):
        pair = _PAIR.fullmatch(part)
        if pair is None:
            return None
        name = pair.group(1).decode("ascii")
        raw = _ESCAPE.sub(lambda escape: bytes([int(escape.group(1), 16)]), pair.group(2).replace(b"+", b" "))
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            return None
        if name in members:
            return None
        members[name] = text
    # A browser sends every input of a form, the empty ones too.
    optional = {field.name for field in operation.request if not field.required}
    sent = {name: text for name, text in members.items() if text != "" or name not in optional}
    return _numbers(operation, sent)


def _write_form(_: Operation, members: Mapping[str, Json]) -> bytes:
    return urlencode([(name, str(value)) for name, value in members.items()]).encode("ascii")


def _numbers(operation: Operation, members: Members) -> Members:
    """Texts that spell a rank, as numbers: one digit, for `accepts` to judge."""
    ranks = {field.name for field in operation.request if field.type is FieldType.BIRTH_RANK}
    return {
        name: int(value) if name in ranks and isinstance(value, str) and value in _DIGITS else value
        for name, value in members.items()
    }


_DIGITS: Final = frozenset("123456789")


# ---- XML


def _read_xml(operation: Operation, body: bytes) -> Members | None:
    """The texts of the children, and nothing beside them. A header of the envelope is neither read nor passed on."""
    shape = operation.body
    root = strict_xml.parse(body)
    element = strict_xml.payload(root, shape.envelope) if root is not None else None
    if element is None or element.tag != strict_xml.tag(shape.element, shape.namespace) or element.attrib:
        return None
    members: Members = {}
    between = [element.text]
    for name, child in strict_xml.children(element, shape.inner):
        text = strict_xml.text_of(child)
        if text is None or name in members or child.attrib:
            return None
        members[name] = text
        between.append(child.tail)
    if len(members) != len(element) or any((text or "").strip() for text in between):
        return None
    return _numbers(operation, members)


def _write_xml(operation: Operation, members: Mapping[str, Json]) -> bytes:
    shape = operation.body
    inside = [
        strict_xml.element_written(strict_xml.tag_written(name, shape.inner), {}, strict_xml.between_tags(str(value)))
        for name, value in members.items()
    ]
    return strict_xml.document(shape.element, shape.namespace, shape.envelope, {}, "".join(inside) or None)


# ---- FHIR


def _read_fhir(operation: Operation, body: bytes) -> Members | None:
    parsed = parse_json(body)
    return fhir_body.read(operation, parsed) if isinstance(parsed, dict) else None


def _write_fhir(operation: Operation, members: Mapping[str, Json]) -> bytes:
    return orjson.dumps(fhir_body.write(operation, members))


BODIES: Final[Mapping[BodyFormat, Body]] = {
    BodyFormat.JSON: Body(media_type(rb"application/json"), _read_json, _write_json),
    BodyFormat.FORM: Body(media_type(rb"application/x-www-form-urlencoded"), _read_form, _write_form),
    BodyFormat.XML: Body(media_type(rb"text/xml|application/xml|application/soap\+xml", ACTION), _read_xml, _write_xml),
    BodyFormat.FHIR: Body(media_type(rb"application/(?:fhir\+)?json", FHIR_R4), _read_fhir, _write_fhir),
}
