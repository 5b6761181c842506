"""Cells that fields of a page name by their place in a row or by a class, over rows that nobody thought of.

The oracle asks lxml for each field of each row by itself, as the selector has it, on a tree of its own.
"""

from collections.abc import Iterator
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html

from effort import examples
from masking_views import rule
from paravent.masking import View, compile_view
from paravent.reasons import Reason
from paravent.rules import Format, HtmlField, HtmlRegion, HtmlShape, ResponseShape, ViewSpec

ROWS: Final = ("#p tr", "#p > *", "#p td", "#p div", "#p *", "#p", "#p, tr", "div#p", "#p.n td")
SELECTORS: Final = (
    "td:nth-child(1)",
    "td:nth-child(2)",
    "th:nth-child(1)",
    "b:nth-child(1)",
    "div:nth-child(2)",
    "td.n",
    "b.n",
    ".x",
    "div > b",
)
TAGS: Final = st.sampled_from(
    [
        "tr",
        "td",
        "td class='n'",
        "td class='n x n'",
        "b class=' n\t'",
        "b class='nn N n\u00a0m'",
        "b class='x'",
        "th",
        "b",
        "div",
        "div id=p",
        "td class=n id=p",
        "table",
        "p",
        "svg:td",
        "TD",
        "br",
    ]
)
TEXTS: Final = st.sampled_from(["", " ", "a", "é  e", "&amp;", "<!-- x -->", "<?x y?>", "<![CDATA[x]]>", "&x;", "x"])

type Node = tuple[str, str, list[Node], str]


def _node(children: st.SearchStrategy[list[Node]]) -> st.SearchStrategy[Node]:
    return st.tuples(TAGS, TEXTS, children, TEXTS)


NODES: Final[st.SearchStrategy[list[Node]]] = st.lists(
    st.recursive(_node(st.just([])), lambda inner: _node(st.lists(inner, max_size=4)), max_leaves=10), max_size=6
)


def written(nodes: list[Node]) -> str:
    return "".join(f"<{tag}>{text}{written(inside)}</{tag.split()[0]}>{tail}" for tag, text, inside, tail in nodes)


def view(rows: str) -> View:
    fields = tuple(HtmlField(f"f{place}", selector, "F") for place, selector in enumerate(SELECTORS))
    shape = ResponseShape(format=Format.HTML, details=HtmlShape("T", (HtmlRegion("r", rows, fields),)))
    lines = tuple(rule(f"/r[]/{field.name}", "keep") for field in fields)
    return compile_view(ViewSpec("o", "21", "p", lines), shape)


VIEWS: Final = {rows: view(rows) for rows in ROWS}


def found(body: bytes, selector: str) -> Iterator[dict[str, str] | None]:
    """Each row as lxml finds its cells one by one, blanks aside; None for one that is ambiguous."""
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    rows = html.document_fromstring(body, parser=parser).cssselect(selector)
    for row in rows:
        cells: dict[str, Any] = {f"f{place}": row.cssselect(each) for place, each in enumerate(SELECTORS)}
        if any(len(each) > 1 for each in cells.values()) or any(above in rows for above in row.iterancestors()):
            yield None
        yield {name: "".join(each[0].text_content().split()) for name, each in cells.items() if each}


@given(NODES, st.sampled_from(ROWS))
@settings(max_examples=examples(300), deadline=None)
def test_a_place_or_a_class_names_what_its_selector_finds(nodes: list[Node], rows: str) -> None:
    """In nested rows too, in cells of cells, and where the row itself is what the selector finds."""
    body = f"<html><body><table id=p>{written(nodes)}</table></body></html>".encode()
    expected = list(found(body, rows))
    read: Any = VIEWS[rows].dress.read(body, 10**6)
    if None in expected:
        assert read is Reason.ANSWER_SHAPE
    else:
        assert [{name: "".join(text.split()) for name, text in row.items()} for row in read["r"]] == expected
