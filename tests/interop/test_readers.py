"""What clients read in an answer is what we see in it: each format by two readers of others, over hostile documents.

| format | we | one | the other |
| --- | --- | --- | --- |
| JSON, FHIR | msgspec, jiter | the standard library | V8 |
| XML | libxml2 | expat | saxes |
| pages | libxml2 | the standard library's tokeniser | parse5, which builds trees as browsers do |
| tables | the standard library | csv-parse | Papa Parse |
| forms, on the way in | a few lines of our own | the standard library | URLSearchParams |

Of JSON, XML, tables and forms what came is compared too: what we take for a document is one to the others, and the same
one. A page is written anew, so there it is what leaves that has to be read alike.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import parse_qsl
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jiter import LosslessFloat

from effort import examples
from interop import Readers, Refused
from masking_views import NOBODY, rule, view
from one_text import EVERY_FORMAT, PATIENT
from paravent import strict_xml
from paravent.masking import Reduced, View, compile_view
from paravent.masking.json import Undecodable, decode
from paravent.policy.question import read_question
from paravent.reasons import Reason
from paravent.rules import (
    BodyFormat,
    BodyShape,
    Format,
    HtmlField,
    HtmlRegion,
    HtmlShape,
    ResponseShape,
    ViewSpec,
    XmlShape,
)
from reference import compiled as compiled_policy

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    with Readers() as running:
        yield running


def compiled(shape: ResponseShape, *lines: str) -> View:
    return compile_view(ViewSpec("o", "21", "p", tuple(rule(line, "keep") for line in lines)), shape)


# ---- JSON

TOKENS: Final = st.sampled_from(
    [
        *(b"{", b"}", b"[", b"]", b":", b",", b'"', b'"a"', b'"b":', b'"\\u0061"', b'"__proto__":', b"\\", b"\\ud83d"),
        *(b"1", b"-", b"0", b".5", b"e9", b"E400", b"+", b"9" * 19, b"9" * 25, b"null", b"true", b"NaN", b"-Infinity"),
        *(b" ", b"\n", b"\x0b", b"\x00", b"\xef\xbb\xbf", b"\xc3\xa9", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\xc0\x80"),
    ]
)
JSON: Final = st.sampled_from(
    [
        b'{"a":1.10,"b":[null,"\xc3\xa9"]}',
        b'{"a":{"b":[{"a":"x"},-0,1e5]},"b":"\\n"}',
        b'{"b":12345678901234567890,"a":"","__proto__":{"a":"y"}}',
        b'{"a":"\\u0000\\ud83d\\ude42 \xf0\x9f\x99\x82","b":["<\\/script>"]}',
    ]
)

TEXTS: Final = st.text(alphabet='ab"\\/é\U0001f600\u0022\u2028:,{}[]\t0', max_size=6)
VALUES: Final = st.recursive(
    TEXTS
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([None, True]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.just("a") | st.just("b"), inner, max_size=3),
    max_leaves=8,
)
WRITTEN: Final = st.builds(
    lambda value, ascii_: json.dumps(value, ensure_ascii=ascii_).encode(),
    st.dictionaries(st.sampled_from(["a", "b", "__proto__", "constructor", "0", ""]), VALUES, max_size=3),
    st.booleans(),
)


@st.composite
def spoiled(draw: st.DrawFn, documents: st.SearchStrategy[bytes], tokens: st.SearchStrategy[bytes]) -> bytes:
    """A document with tokens put in and bytes taken out."""
    body = bytearray(draw(documents))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(body)))
        body[at : at + draw(st.integers(0, 2))] = draw(tokens)
    return bytes(body)


def plain(value: Any) -> Any:
    """With every number as a double, which is what V8 has."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return float(value) if isinstance(value, int | LosslessFloat) and not isinstance(value, bool) else value


def finite(value: Any) -> bool:
    """Whether no number of a document is beyond doubles: V8 has no word for it that JSON has."""
    if isinstance(value, dict | list):
        return all(map(finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or abs(value) < float("inf")


EVERYTHING: Final = view({"/a": "keep", "/b[]": "keep"})


@given(body=WRITTEN | spoiled(JSON | WRITTEN, TOKENS))
@settings(max_examples=examples(200), deadline=None)
def test_json_that_we_take_for_a_document_is_one_to_all_and_the_same(readers: Readers, body: bytes) -> None:
    """Names that are special to some, numbers of any length, line separators, escapes."""
    tree = decode(body, limit_bytes=10_000)
    if isinstance(tree, Undecodable):
        return
    assert plain(json.loads(body)) == plain(tree)
    if finite(plain(tree)):
        assert plain(readers.read("json", body)) == plain(tree)
    left = EVERYTHING.apply(body, NOBODY)
    if isinstance(left, Reduced):
        assert (
            plain(json.loads(left.body))
            == plain(readers.read("json", left.body))
            == plain(decode(left.body, limit_bytes=10_000))
        )


# ---- XML

NS: Final = "urn:exemple:1"
XML_VIEW: Final = compiled(
    ResponseShape(format=Format.XML, details=XmlShape(NS)), "/r/@a", "/r/b", "/r/c@a", "/r/d[]/@b", "/r/d[]/a", "/r/e[]"
)
SAID: Final = st.lists(
    st.sampled_from(
        [
            *(
                "v",
                "é",
                "🙂",
                " ",
                "\n",
                "\r\n",
                "\t",
                "&lt;",
                "&amp;",
                "&#x7b;",
                "&#13;",
                "&#10;",
                "&#9;",
                "]]&gt;",
                "'",
            ),
            *(
                "<!-- v -->",
                "<![CDATA[<a>]]>",
                "<![CDATA[&lt;]]>",
                "<![CDATA[]]>",
                "&#xe9;",
                "&apos;",
                "\u2028",
                "\u0085",
            ),
        ]
    ),
    max_size=4,
).map("".join)
QUOTED: Final = st.lists(
    st.sampled_from(
        ["v", "é", " ", "\n", "\r\n", "\t", "&lt;", "&quot;", "&#10;", "&#13;", "&#9;", ">", "'", "\u0085"]
    ),
    max_size=4,
).map("".join)
ATTRIBUTES: Final = st.dictionaries(st.sampled_from(["a", "b", "x:a", "xml:lang", "xml:space"]), QUOTED, max_size=3)


def element(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def written(name: str, attributes: dict[str, str], inside: list[str], said: str) -> str:
        pairs = "".join(f' {each}="{value}"' for each, value in attributes.items())
        return f"<{name}{pairs}>{said.join(inside) if inside else said}</{name}>"

    return st.builds(
        written, st.sampled_from("abcde") | st.just("x:a"), ATTRIBUTES, st.lists(children, max_size=3), SAID
    )


ELEMENTS: Final = st.recursive(SAID | element(SAID), element, max_leaves=8)
XML: Final = st.lists(ELEMENTS, max_size=4).map(
    lambda each: f'<r xmlns="{NS}" xmlns:x="urn:autre" a="1">{"".join(each)}</r>'.encode()
)
XML_TOKENS: Final = st.sampled_from(
    [
        *(
            b"<",
            b">",
            b"</a>",
            b"<a>",
            b"<a/>",
            b'"',
            b"'",
            b"&",
            b"&#0;",
            b"&#x1F;",
            b"&nbsp;",
            b"]]>",
            b"--",
            b"<?a?>",
        ),
        *(b"<!DOCTYPE r>", b' xmlns="urn:autre"', b' xmlns:x="urn:exemple:1"', b' xmlns:x=""', b"x:", b"\xef\xbf\xbe"),
        *(b"\x0c", b"\x00", b"\xed\xa0\x80", b"\xc0\xbc", b"\xff", b"=", b' a="2"', b"<!--", b"-->", b"<![CDATA["),
    ]
)

type Seen = list[Any]
"""An element as readers.mjs writes it: name, attributes, children; texts between children joined."""


def seen(root: Any) -> Seen:
    children: list[Any] = []

    def say(text: str | None) -> None:
        if text and children and isinstance(children[-1], str):
            children[-1] += text
        elif text:
            children.append(text)

    say(root.text)
    for child in root:
        children.append(seen(child))
        say(child.tail)
    return [root.tag, dict(root.attrib), children]


def by_expat(body: bytes) -> Seen | None:
    try:
        return seen(ElementTree.fromstring(body))
    except ElementTree.ParseError:
        return None


@given(body=spoiled(XML, XML_TOKENS) | XML)
@settings(max_examples=examples(200), deadline=None)
def test_xml_that_we_take_for_a_document_is_one_to_all_and_the_same(readers: Readers, body: bytes) -> None:
    """Prefixes bound anew, CDATA, comments between texts, blanks of every kind in texts and attributes."""
    root = strict_xml.parse(body)
    if root is None:
        return
    assert seen(root) == by_expat(body) == readers.read("xml", body)
    left = XML_VIEW.apply(body, NOBODY)
    if isinstance(left, Reduced):
        again = strict_xml.parse(left.body)
        assert again is not None
        assert seen(again) == by_expat(left.body) == readers.read("xml", left.body)


# ---- pages

FIELDS: Final = tuple(HtmlField(name, f"td.{name}", name.upper()) for name in "abc")
PAGE: Final = compiled(
    ResponseShape(format=Format.HTML, details=HtmlShape("T", (HtmlRegion("r", "#r > tbody > tr", FIELDS),))),
    "/r[]/a",
    "/r[]/c",
)
MARKUP: Final = st.lists(
    st.sampled_from(
        [
            *(
                "v",
                "é",
                "&lt;script&gt;",
                "&amp;lt;",
                "&",
                "&lt",
                "&#0;",
                "&#x80;",
                "&notit;",
                "\x01",
                "\ufffe",
                "\u2028",
            ),
            *(
                "<b>",
                "</b>",
                "<p>",
                "<table>",
                "</table>",
                "<td class=c>",
                "</td>",
                "<tr>",
                "<script>",
                "</script>",
                "<!--",
            ),
            *(
                "-->",
                "<svg>",
                "<math>",
                "<plaintext>",
                "<textarea>",
                "<select>",
                "<form>",
                "<a href='",
                "'>",
                '"',
                "<![CDATA[",
            ),
            *("</title>", "<style>", "<template>", "<noscript>", "<iframe>", "\r", "\n", "\t", "<br/>", "</p>", "]]>"),
        ]
    ),
    max_size=6,
).map("".join)


class Cells(HTMLParser):
    """The cells of a page, as a tokeniser sees them, and every other text that is none of a heading."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.others = ""
        self.tags: set[str] = set()
        self._in: list[str] = []
        self.feed(body.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in.append(tag)
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        while self._in and self._in.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "td" in self._in:
            self.rows[-1][-1] += data
        elif not {"th", "title", "h1"} & set(self._in):
            self.others += data.strip()


def cells(node: Seen, rows: list[list[str]], tags: set[str]) -> str:
    """The same of a tree of parse5: rows and names of elements; other texts come back."""
    name, _, children = node
    tags.add(name)
    if name == "tr":
        rows.append([])
    if name == "td":
        assert all(isinstance(child, str) for child in children), "an element in a cell"
        rows[-1].append("".join(children))
        return ""
    if name in {"th", "title", "h1"}:
        return ""
    return "".join(child.strip() if isinstance(child, str) else cells(child, rows, tags) for child in children)


OURS: Final = {"html", "head", "meta", "title", "body", "h1", "table", "thead", "tr", "th", "tbody", "td"}


@given(said=st.lists(st.tuples(MARKUP, MARKUP, MARKUP), max_size=4))
@settings(max_examples=examples(100), deadline=None)
def test_a_page_that_leaves_has_the_same_cells_for_all(readers: Readers, said: list[tuple[str, str, str]]) -> None:
    """Whatever markup stood in them: a browser builds the table that we wrote, and finds nothing else on the page."""
    rows = "".join(f"<tr><td class=a>{a}</td><td class=b>{b}</td><td class=c>{c}</td></tr>" for a, b, c in said)
    left = PAGE.apply(f"<p>x<table id=r><tbody>{rows}</tbody></table>".encode(), NOBODY)
    if not isinstance(left, Reduced):
        return
    ours = PAGE.dress.read(left.body, 10**6)
    assert isinstance(ours, dict)
    by_browser: list[list[str]] = []
    tags: set[str] = set()
    assert cells(readers.read("html", left.body), by_browser, tags) == ""
    assert tags - {"#document", "#documentType"} <= OURS
    by_tokeniser = Cells(left.body)
    assert by_tokeniser.others == ""
    assert by_tokeniser.tags <= OURS
    shown = [[" ".join(cell.split()) for cell in row] for row in by_browser if row]
    assert shown == [[" ".join(cell.split()) for cell in row] for row in by_tokeniser.rows if row]
    assert shown == [[str(row.get("a", "")), str(row.get("c", ""))] for row in ours["r"] if isinstance(row, dict)]


# ---- tables

TABLE: Final = compiled(ResponseShape(format=Format.CSV), "/lignes[]/a", "/lignes[]/c")
CELLS: Final = st.text(alphabet="ab,\"\n\r ;'=é\t\u2028\ufeff", max_size=8)


@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=6))
@settings(max_examples=examples(100), deadline=None)
def test_a_table_that_leaves_has_the_same_cells_for_all(readers: Readers, rows: list[tuple[str, str, str]]) -> None:
    """Quotes, separators and line ends of every kind inside cells."""
    out = io.StringIO()
    csv.writer(out).writerows([("a", "b", "c"), *rows])
    left = TABLE.apply(out.getvalue().encode(), NOBODY)
    assert isinstance(left, Reduced)
    ours = TABLE.dress.read(left.body, 10**6)
    assert isinstance(ours, dict)
    lines = [[str(row["a"]), str(row["c"])] for row in ours["lignes"] if isinstance(row, dict)]
    said = [["a", "c"], *lines]
    assert len(lines) == len(rows)
    assert readers.read("csv, csv-parse", left.body) == said
    assert readers.read("csv, papaparse", left.body) == said


TABLES: Final = st.sampled_from([b'a,b,c\r\n1,"2","3"\r\n', b'"a",b,c\n"x\ny",2,"""3"""\n', b"a,c\n1,2"])
TABLE_TOKENS: Final = st.sampled_from(
    [b'"', b'""', b",", b";", b"\r", b"\n", b"\r\n", b" ", b"\t", b"=1", b"'", b"\x0b"]
)


@given(body=spoiled(TABLES, TABLE_TOKENS) | TABLES)
@settings(max_examples=examples(200), deadline=None)
def test_a_table_that_we_take_for_one_is_one_to_all_and_the_same(readers: Readers, body: bytes) -> None:
    """As the upstream put it: cut where another reader cuts it, by quotes and line ends, or withheld."""
    ours = TABLE.dress.read(body, 10**6)
    if isinstance(ours, Reason):
        return
    seen = readers.read("csv, csv-parse, either line end", body)
    assert not isinstance(seen, Refused)
    head, *lines = seen
    assert ours == {"lignes": [dict(zip(head, line, strict=True)) for line in lines]}


# ---- FHIR: JSON that was taken apart and put together again


@given(family=TEXTS, given_=st.lists(TEXTS, max_size=3), city=TEXTS, rate=st.integers(0, 10**12) | st.floats(0, 1e9))
@settings(max_examples=examples(60), deadline=None)
def test_a_fhir_answer_that_leaves_is_one_to_all_and_the_same(
    readers: Readers, family: str, given_: list[str], city: str, rate: float
) -> None:
    """Texts and amounts of any kind, in a Bundle that is written anew."""
    patient = json.loads(EVERY_FORMAT["fhir"].written(""))
    patient |= {"name": [{"family": family, "given": given_}], "address": [{"city": city, "period": {"start": rate}}]}
    view = compiled(
        EVERY_FORMAT["fhir"].shape,
        *("/Patient[]/name[]/family", "/Patient[]/name[]/given[]", "/Patient[]/address[]/city"),
        "/Patient[]/address[]/period/start",
    )
    left = view.apply(json.dumps(patient).encode(), PATIENT)
    if isinstance(left, Reduced):
        ours = plain(decode(left.body, limit_bytes=10_000))
        assert ours == plain(json.loads(left.body)) == plain(readers.read("json", left.body))
        (entry,) = ours["entry"]
        assert [each.get("family", "") for each in entry["resource"].get("name", [{}])] == [family]


# ---- forms

SEARCH: Final = replace(compiled_policy()[0].operations["beneficiaires.recherche"], body=BodyShape(BodyFormat.FORM))
"""The one question of the reference policy in which people write freely, as a form."""
FORM_TYPE: Final = (b"application/x-www-form-urlencoded",)
FORMS: Final = st.sampled_from(
    [
        b"nom=ESSAI&prenom=CLAIRE&dateNaissance=19840517",
        b"nom=L%27ESSAI+DUPONT&prenom=%C3%89lodie&dateNaissance=19840517",
        b"nom=ESSAI%2BDUPONT&prenom=CLAIRE&dateNaissance=19840517",
    ]
)
FORM_TOKENS: Final = st.sampled_from(
    [
        *(b"&", b"=", b"+", b"%", b"%20", b"%26", b"%3D", b"%2B", b"%00", b"%C3%A9", b"%FF", b";", b"?", b"#", b"\r\n"),
        *(b" ", b"'", b"%27", b"&nom=A", b"&prenom=", b"nom", b"%2527"),
    ]
)


@given(body=spoiled(FORMS, FORM_TOKENS) | FORMS)
@settings(max_examples=examples(300), deadline=None)
def test_a_form_that_we_take_for_a_question_is_one_to_all_and_the_same(readers: Readers, body: bytes) -> None:
    """As the caller put it, and as it goes to the API: each member once."""
    question = read_question(SEARCH, {}, body, FORM_TYPE)
    if isinstance(question, Reason):
        return
    ours = [[name.removeprefix("/"), value] for name, value in question.asked.fields.items()]
    for each in (body, question.body):
        assert sorted(map(list, parse_qsl(each.decode(), keep_blank_values=True))) == sorted(ours)
        assert sorted(readers.read("form", each)) == sorted(ours)


def test_the_readers_can_refuse(readers: Readers) -> None:
    """What is no document is none to any of them: the comparison could fail."""
    for name, body in (
        ("json", b'{"a":'),
        ("xml", b"<a><b></a>"),
        ("csv, csv-parse", b'a\r\n"b'),
        ("csv, papaparse", b'a\r\n"b'),
    ):
        assert isinstance(readers.read(name, body), Refused), name
