"""Invariants of XML answers, over documents that nobody thought of.

The oracle walks the document with expat, by way of the standard library: another parser than the engine's, and the
specification read naively. A document is generated with its view's names among others, hostile text in every place that
is not a value, and a value of its own at every place, so that whatever leaves can be traced.
"""

from itertools import count
from typing import Final
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from effort import examples
from masking_views import NOBODY, rule
from paravent.masking import Reduced, View, compile_view
from paravent.reasons import Reason
from paravent.rules import Envelope, Format, ResponseShape, ViewSpec, XmlShape

NS: Final = "urn:exemple:1"
LINES: Final = ("/r/@a", "/r/b", "/r/c@a", "/r/d[]/@b", "/r/d[]/a", "/r/d[]/e/a", "/r/e/d[]")
VIEWS: Final[dict[Envelope, View]] = {
    envelope: compile_view(
        ViewSpec("o", "21", "p", tuple(rule(line, "keep") for line in LINES)),
        ResponseShape(format=Format.XML, details=XmlShape(NS, envelope)),
    )
    for envelope in Envelope
}
VIEW: Final = VIEWS[Envelope.NONE]
SOAP: Final = {
    Envelope.SOAP11: "http://schemas.xmlsoap.org/soap/envelope/",
    Envelope.SOAP12: "http://www.w3.org/2003/05/soap-envelope",
}

NAMES: Final = st.sampled_from(["a", "b", "c", "d", "e", "x:a", "x:d"])
STRAY: Final = st.sampled_from(["", " ", "<!-- {} -->", "<![CDATA[{}]]>", "{}", "&#x7b;{}", "&lt;b&gt;{}"])
type Node = tuple[str, list[str], list[Node], list[str]]
ATTRIBUTES: Final = st.lists(st.sampled_from(["a", "b", "x:a", "data-a"]), max_size=3, unique=True)


def _node(children: st.SearchStrategy[list[Node]]) -> st.SearchStrategy[Node]:
    return st.tuples(NAMES, ATTRIBUTES, children, st.lists(STRAY, min_size=2, max_size=2))


NODES: Final[st.SearchStrategy[Node]] = st.recursive(
    _node(st.just([])), lambda inner: _node(st.lists(inner, max_size=3)), max_leaves=8
)


def written(node: Node, numbers: "count[int]") -> str:
    """The node as a document, with a value of its own wherever one can stand."""
    name, attributes, children, stray = node

    def value() -> str:
        return f"v{next(numbers)}v"

    pairs = "".join(f' {attribute}="{value()}"' for attribute in attributes)
    texts = [text.replace("{}", value()) for text in stray]
    inside = texts[0] + "".join(written(child, numbers) + texts[-1] for child in children)
    return f"<{name}{pairs}>{inside}</{name}>"


def document(children: list[Node]) -> bytes:
    body = written(("r", ["a"], children, ["", "{}"]), count())
    return body.replace("<r ", f'<r xmlns="{NS}" xmlns:x="urn:autre" ', 1).encode()


def sent(children: list[Node], envelope: Envelope) -> bytes:
    """The document as a service sends it, with values of its own in the envelope and its header."""
    if envelope is Envelope.NONE:
        return document(children)
    head = '<s:Header><h a="v9001v">v9002v</h></s:Header><!-- v9003v -->'
    body = document(children).decode()
    return f'<s:Envelope xmlns:s="{SOAP[envelope]}">{head}<s:Body>{body}</s:Body></s:Envelope>'.encode()


def allowed(body: bytes) -> set[str]:
    """Every value at a place that a line names, as expat reads the document."""
    found: set[str] = set()

    def look(element: ElementTree.Element, steps: list[str]) -> None:
        step, *rest = steps
        child, _, attribute = step.removesuffix("[]").partition("@")
        if not child:
            found.add(element.get(attribute, ""))
            return
        for each in element.findall(f"{{{NS}}}{child}"):
            if attribute:
                found.add(each.get(attribute, ""))
            elif rest:
                look(each, rest)
            elif not len(each):
                found.add(each.text or "")

    root = ElementTree.fromstring(body)
    for line in LINES:
        look(root, line.split("/")[2:])
    return found


def values(body: bytes) -> set[str]:
    """Every text and attribute, as expat reads what leaves."""
    root = ElementTree.fromstring(body)
    assert all(not (each.tail or "").strip() for each in root.iter())
    texts = {each.text or "" for each in root.iter() if not len(each)}
    return texts | {value for each in root.iter() for value in each.attrib.values()}


@given(st.lists(NODES, max_size=4), st.sampled_from(Envelope))
@settings(max_examples=examples(120), deadline=None)
def test_no_value_leaves_that_no_line_names(children: list[Node], envelope: Envelope) -> None:
    """Nor in a text, an attribute, a comment or a header: what leaves is among what the lines name."""
    body = document(children)
    reduced = VIEWS[envelope].apply(sent(children, envelope), NOBODY)
    if isinstance(reduced, Reason):
        assert reduced is Reason.ANSWER_SHAPE
        return
    assert values(reduced.body) - {""} <= allowed(body)
    assert b"<!--" not in reduced.body


@given(st.lists(NODES, max_size=4), st.sampled_from(Envelope))
@settings(max_examples=examples(60), deadline=None)
def test_filtering_twice_is_filtering_once(children: list[Node], envelope: Envelope) -> None:
    """What may leave may leave again, byte for byte."""
    once = VIEWS[envelope].apply(sent(children, envelope), NOBODY)
    if isinstance(once, Reduced):
        again = VIEWS[envelope].apply(once.body, NOBODY)
        assert isinstance(again, Reduced)
        assert again.body == once.body


CHARACTERS: Final = st.characters(codec="utf-8", exclude_characters="\ufffe\uffff").filter(
    lambda each: each >= " " or each in "\t\n\r"
)
"""XML 1.0 section 2.2, Char."""
TEXTS: Final = st.text(st.one_of(st.sampled_from("&<>\"'\t\n\r\x7f\x85\u2028]"), CHARACTERS), min_size=1, max_size=9)


@given(st.lists(TEXTS, min_size=9, max_size=9), st.sampled_from(Envelope), st.sampled_from(["", NS]))
@settings(max_examples=examples(100), deadline=None)
def test_what_is_written_is_what_libxml2_writes(texts: list[str], envelope: Envelope, namespace: str) -> None:
    """Byte for byte, whatever characters the values have; and expat reads those values in it."""
    a, b, c, d, *e = texts
    shape = ResponseShape(format=Format.XML, details=XmlShape(namespace, envelope))
    lines = ("/r/@a", "/r/b", "/r/c@a", "/r/d[]", "/r/e[]/@b", "/r/e[]/a", "/r/f/a")
    dress = compile_view(ViewSpec("o", "21", "p", tuple(rule(line, "keep") for line in lines)), shape).dress
    several = [{"@b": e[0], "a": e[1]}, {"a": e[2]}, {"@b": e[3]}, {}]
    body = dress.write({"r": {"@a": a, "b": b, "c@a": c, "d": [d, e[4]], "e": several, "f": {}}})
    assert etree.tostring(etree.fromstring(body), xml_declaration=True, encoding="UTF-8") == body
    root = ElementTree.fromstring(body)
    assert {each.text for each in root.iter() if each.text is not None} == {b, d, e[1], e[2], e[4]}
    assert {value for each in root.iter() for value in each.attrib.values()} == {a, c, e[0], e[3]}


HOSTILE: Final = st.one_of(
    st.binary(max_size=80),
    st.text(alphabet="<>/!?-[]&;=\"'rabd xmlns:#CDAT", max_size=80).map(
        lambda text: f'<r xmlns="{NS}">{text}'.encode()
    ),
    st.builds(lambda unit, times: unit * times, st.sampled_from([b"<r>", b"<!--", b"&a;"]), st.integers(1, 999)),
)


@given(HOSTILE)
@settings(max_examples=examples(80), deadline=None)
def test_no_bytes_make_it_raise(body: bytes) -> None:
    """Whatever an upstream sends, the outcome is a value; and what is read, expat reads too."""
    reduced = VIEW.apply(body, NOBODY)
    if isinstance(reduced, Reduced):
        assert values(reduced.body) - {""} <= allowed(body)
