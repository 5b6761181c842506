"""What the API sends back, before any socket: status, type, body, and how many persons the body discloses."""

from dataclasses import dataclass
from typing import Final

import orjson

from paravent.sandbox.documents_json import Document

JSON: Final = "application/json"
FHIR: Final = "application/fhir+json"
XML: Final = "text/xml; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
CSV: Final = "text/csv; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    status: int
    content_type: str
    body: bytes
    persons: int = 0
    """Person records in the body, counted once a person."""


def json_reply(document: Document, persons: int = 0, content_type: str = JSON) -> Reply:
    """200 and a document."""
    return Reply(200, content_type, orjson.dumps(document), persons)


def error(status: int, code: str, message: str) -> Reply:
    """`Erreur`: the message repeats the identifiers that were sent."""
    return Reply(status, JSON, orjson.dumps({"code": code, "message": message}))
