"""A document of each format in which one text stands, and a view whose one line names it.

form = FORMATS["xml"]
reduced = form.view("keep").apply(form.written("bonjour"), PATIENT)
form.said(reduced.body)                                # "bonjour"
"""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape, unescape
from typing import Final

from masking_views import NO_PERSONS, path, rule
from paravent.masking import View, compile_view
from paravent.masking.formats.fhir import IDENTITY
from paravent.model import Asked
from paravent.rules import Format, HtmlField, HtmlRegion, HtmlShape, ResponseShape, StaticShape, ViewSpec, XmlShape

PATIENT: Final = Asked("1990799990999", "19990701", 1)
"""Whom the FHIR answer is about; the others are about nobody."""


@dataclass(frozen=True, slots=True)
class OneText:
    """One format."""

    line: str
    shape: ResponseShape
    written: Callable[[str], bytes]
    """The document, as the upstream writes it."""
    said: Callable[[bytes], str]
    """The text of what leaves; empty where it does not."""

    def view(self, operator: str) -> View:
        return compile_view(ViewSpec("o", "21", "p", (rule(self.line, operator),)), self.shape)


def _fhir(text: str) -> bytes:
    number = {"system": "urn:oid:1.2.250.1.213.1.4.8", "value": PATIENT.nir}
    patient = {"id": "1", "birthDate": "1999-07-01", "identifier": [number], "maritalStatus": {"text": text}}
    return json.dumps({"resourceType": "Patient", **patient}).encode()


def _table(text: str) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([("a", "b"), (text, "x")])
    return out.getvalue().encode()


_PAGE: Final = HtmlShape("T", (HtmlRegion("r", "tr", (HtmlField("a", "td", "A"),)),))
_XML: Final = ResponseShape(format=Format.XML, details=XmlShape(""))

FORMATS: Final = {
    "json": OneText(
        "/a[]/b",
        NO_PERSONS,
        lambda text: json.dumps({"a": [{"b": text}]}).encode(),
        lambda body: str(json.loads(body)["a"][0].get("b", "")),
    ),
    "json, a list": OneText(
        "/a[]", NO_PERSONS, lambda text: json.dumps({"a": [text]}).encode(), lambda body: "".join(json.loads(body)["a"])
    ),
    "xml": OneText(
        "/r/a",
        _XML,
        lambda text: f"<r><a>{escape(text)}</a></r>".encode(),
        lambda body: unescape(re.sub("<[^>]*>", "", body.decode())).strip(),
    ),
    "an attribute": OneText(
        "/r/@a",
        _XML,
        lambda text: f'<r a="{escape(text)}"/>'.encode(),
        lambda body: unescape("".join(re.findall(' a="([^"]*)"', body.decode()))),
    ),
    "html": OneText(
        "/r[]/a",
        ResponseShape(format=Format.HTML, details=_PAGE),
        lambda text: f"<table><tr><td>{escape(text)}</table>".encode(),
        lambda body: unescape("".join(re.findall("<td[^>]*>([^<]*)", body.decode()))),
    ),
    "csv": OneText(
        "/lignes[]/a",
        ResponseShape(format=Format.CSV),
        _table,
        lambda body: list(csv.reader(io.StringIO(body.decode(), newline="")))[1][0],
    ),
    "fhir": OneText(
        "/Patient[]/maritalStatus/text",
        ResponseShape((path("/Patient[]"),), IDENTITY, format=Format.FHIR),
        _fhir,
        lambda body: str(json.loads(body)["entry"][0]["resource"].get("maritalStatus", {}).get("text", "")),
    ),
}

FILE: Final = OneText(
    "/contenu",
    ResponseShape(format=Format.STATIC, details=StaticShape("text/plain")),
    str.encode,
    bytes.decode,
)
"""Which leaves whole or not at all."""
EVERY_FORMAT: Final = FORMATS | {"static": FILE}
