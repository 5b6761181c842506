"""XML in one reading: what a document may be made of before anything is looked for in it (XML 1.0, SOAP 1.1 and 1.2).

Refused, as None: encodings other than UTF-8, a byte order mark, a document type, a processing instruction, an entity
that is not predefined, nesting over 256, a second root. Comments are not content: text around one is one text. CDATA
is text.

Questions are read and written with this, and answers too: `policy` and `masking` are siblings.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from lxml import etree

from paravent.rules import Envelope

_AS_IT_IS: Final = re.compile(r"[^&<>\"'\x00-\x1f\x7f-\x9f\u2028\ud800-\udfff\ufffe\uffff]*")
"""What no writer of XML puts otherwise or refuses, in a text or in an attribute."""

type Element = etree._Element

ENVELOPES: Final = {
    Envelope.SOAP11: "http://schemas.xmlsoap.org/soap/envelope/",
    Envelope.SOAP12: "http://www.w3.org/2003/05/soap-envelope",
}
"""SOAP 1.1 section 4, SOAP 1.2 part 1 section 5."""

# XML 1.0 section 2.8; only this encoding, or none, which means UTF-8 (section 4.3.3).
_DECLARATION: Final = re.compile(
    rb"""<\?xml\s+version\s*=\s*(?:"1\.0"|'1\.0')(?:\s+encoding\s*=\s*(?:"UTF-8"|'UTF-8'))?"""
    rb"""(?:\s+standalone\s*=\s*(?:"(?:yes|no)"|'(?:yes|no)'))?\s*\?>""",
    re.IGNORECASE,
)
_FORBIDDEN: Final = re.compile(rb"<!DOCTYPE|<\?", re.IGNORECASE)
"""A document type brings entities and defaults that another reader may not follow; an instruction is for a reader that
is not there. Searched for in the bytes, so also inside CDATA, where no answer of this kind has one."""


def parse(body: bytes) -> Element | None:
    """The root of a document, or None for what is not one in a single reading."""
    declaration = _DECLARATION.match(body)
    content = body[declaration.end() :] if declaration is not None else body
    if _FORBIDDEN.search(content):
        return None
    try:
        # The parser would take a byte order mark, and bytes that are not UTF-8 as Latin-1 after an error.
        text = content.decode("utf-8")
        if text.startswith("\ufeff"):
            return None
        parser = _parser()
        root: Element = etree.fromstring(content, parser)
    except (UnicodeDecodeError, etree.XMLSyntaxError, ValueError):
        # Their texts quote the document: they end here.
        return None
    # Of a prefix that is not bound, or a namespace that is no URI, libxml2 tells, reads on, and looks no more at what
    # follows the root; lxml takes the document when anything milder was told after it.
    return None if parser.error_log.filter_from_errors() else root


def _parser() -> etree.XMLParser:
    # One a document: libxml2's parser keeps what it has seen.
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
    )


def payload(root: Element, envelope: Envelope) -> Element | None:
    """The one element that the envelope holds, or None where there is another number of them.

    SOAP 1.1 section 4.3 lets a body hold several; nobody could say which of them is the answer.
    """
    if envelope is Envelope.NONE:
        return root
    uri = ENVELOPES[envelope]
    if root.tag != f"{{{uri}}}Envelope":
        return None
    bodies = [child for child in root if child.tag == f"{{{uri}}}Body"]
    inside = list(bodies[0]) if len(bodies) == 1 else []
    return inside[0] if len(inside) == 1 else None


def refuses(element: Element, envelope: Envelope) -> bool:
    """Whether the payload is a fault that puts the blame on the question: it has no answer, today or tomorrow.

    SOAP 1.1 section 4.4.1 (faultcode Client), SOAP 1.2 part 1 section 5.4.6 (Code/Value Sender). Any other fault is the
    server's own.
    """
    uri = ENVELOPES.get(envelope, "")
    if not uri or element.tag != f"{{{uri}}}Fault":
        return False
    code = element.findtext("faultcode" if envelope is Envelope.SOAP11 else f"{{{uri}}}Code/{{{uri}}}Value")
    # A QName; SOAP 1.1 lets what follows a dot say more: Client.Authentication.
    return (code or "").strip().rpartition(":")[2].partition(".")[0] in {"Client", "Sender"}


def tag(name: str, namespace: str) -> str:
    """A name as lxml writes it."""
    return f"{{{namespace}}}{name}" if namespace else name


def children(element: Element, namespace: str) -> Iterator[tuple[str, Element]]:
    """Local name and element of each child in a namespace."""
    prefix = f"{{{namespace}}}" if namespace else ""
    for child in element:
        written = child.tag
        # An entity reference that was not resolved has a function for a tag.
        if isinstance(written, str) and written.startswith(prefix) and "}" not in written[len(prefix) :]:
            yield written[len(prefix) :], child


def text_of(element: Element) -> str | None:
    """The text of an element that holds nothing but text; None for any other."""
    return (element.text or "") if len(element) == 0 else None


def tag_written(name: str, namespace: str) -> str:
    """A name as it stands in the tags of a new document."""
    return f"d:{name}" if namespace else name


def element_written(tag: str, attributes: Mapping[str, str], inside: str | None) -> str:
    """An element of what is written already: its attributes, and what stands between its tags. None: it has one tag."""
    given = "".join([f' {name}="{value}"' for name, value in attributes.items()])
    return f"<{tag}{given}/>" if inside is None else f"<{tag}{given}>{inside}</{tag}>"


def between_tags(text: str) -> str:
    """A text as it stands between tags. ValueError for what no document can hold."""
    return text if _AS_IT_IS.fullmatch(text) else written(text)[0]


def in_quotes(text: str) -> str:
    """A text as it stands in an attribute. ValueError for what no document can hold."""
    return text if _AS_IT_IS.fullmatch(text) else written(text)[-1]


def written(text: str) -> tuple[str, ...]:
    """How a text stands in the document: between tags, and as an attribute."""
    if _AS_IT_IS.fullmatch(text):
        return (text,)
    element = etree.Element("a", a=text)
    element.text = text
    attribute, _, between = etree.tostring(element, encoding="unicode").partition('">')
    return between[: -len("</a>")], attribute[len('<a a="') :]


def document(name: str, namespace: str, envelope: Envelope, attributes: Mapping[str, str], inside: str | None) -> bytes:
    """A new document, with a declaration: the payload element of what is written already, in its envelope."""
    declared = {"xmlns:d": in_quotes(namespace)} if namespace else {}
    tag = tag_written(name, namespace)
    if envelope is Envelope.NONE:
        root = element_written(tag, {**declared, **attributes}, inside)
    else:
        payload = element_written(tag, attributes, inside)
        body = element_written("soap:Body", {}, payload)
        root = element_written("soap:Envelope", {"xmlns:soap": ENVELOPES[envelope], **declared}, body)
    return f"<?xml version='1.0' encoding='UTF-8'?>\n{root}".encode()
