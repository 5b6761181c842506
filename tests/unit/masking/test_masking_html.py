"""Pages: what a selector points at leaves in a page of our own, and nothing of the upstream's markup does."""

import time
from typing import Final

import pytest

from masking_views import NOBODY, path, rule
from paravent.masking import Reduced, View, check_view, compile_view
from paravent.masking.formats.html import MAX_ROWS
from paravent.model import Asked
from paravent.reasons import Reason
from paravent.rules import Format, HtmlField, HtmlRegion, HtmlShape, PersonFields, ResponseShape, ViewSpec

FIELDS: Final = (
    HtmlField("nom", "td.nom", "Nom"),
    HtmlField("nir", "td.nir", "NIR"),
    HtmlField("date", "td.date", "Né(e) le"),
    HtmlField("rang", "td.rang", "Rang"),
)
DETAILS: Final = HtmlShape("Droits <1>", (HtmlRegion("p", "#p tr", FIELDS),), ("/style.css",))
IDENTITY: Final = PersonFields("nir", "date", "rang")


def shape(*persons: str, details: HtmlShape = DETAILS) -> ResponseShape:
    return ResponseShape(tuple(map(path, persons)), IDENTITY if persons else None, format=Format.HTML, details=details)


def view(*lines: str, of: ResponseShape | None = None) -> View:
    rules = tuple(rule(line.split()[0], *(line.split()[1:] or ["keep"])) for line in lines)
    return compile_view(ViewSpec("o", "21", "p", rules), of or shape())


NAMES: Final = view("/p[]/nom")


def page(*rows: str, around: str = "") -> bytes:
    return (
        f"<html><body>{around}<table id=p>{''.join(f'<tr>{row}</tr>' for row in rows)}</table></body></html>".encode()
    )


def cells(body: bytes, compiled: View = NAMES, asked: Asked = NOBODY) -> list[str] | Reason:
    """What stands in the body of the one table that leaves."""
    reduced = compiled.apply(body, asked)
    if isinstance(reduced, Reason):
        return reduced
    inside = reduced.body.decode().partition("<tbody>")[2].partition("</tbody>")[0]
    return [cell.partition(">")[2].removesuffix("</td></tr>") for cell in inside.split("<tr><td")[1:]]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        pytest.param("<td class=nom>A", "A", id="a text"),
        pytest.param("<td class=nom> A \n  B ", "A B", id="blanks as a page shows them"),
        pytest.param("<td class=nom>A<b>B</b>C", "ABC", id="text of elements inside"),
        pytest.param("<td class=nom>01/01/2026<br>31/12/2026", "01/01/2026 31/12/2026", id="lines apart"),
        pytest.param("<td class=nom><div>A</div><p>B</p>C<ul><li>D<li>E</ul>", "A B C D E", id="blocks apart"),
        pytest.param("<td class=nom><h4>A</h4><dl><dt>B<dd>C</dl>D", "A B C D", id="also by a tag that nothing closes"),
        pytest.param("<td class=nom>A<wbr>B", "AB", id="not what may be broken, and is one word"),
        pytest.param("<td class=nom>A<!-- B -->C", "AC", id="not a comment"),
        pytest.param("<td class=nom>A<script>B</script>C", "AC", id="not a script"),
        pytest.param("<td class=nom>A<style>B</style><template>C</template>", "A", id="not a style or a template"),
        pytest.param("<td class=nom data-nir=B title=C>A", "A", id="not an attribute"),
        pytest.param("<td class=nom>&lt;b&gt;&amp;", "&lt;b&gt;&amp;", id="escaped again"),
        pytest.param("<td class=nom>A<td class=autre>B", "A", id="not the next cell"),
        pytest.param("<td class=autre>B", "", id="nothing where the cell is missing"),
        pytest.param("<td class=nom>A<?php B ?>C", "AC", id="not an instruction"),
        pytest.param("<td class=nom>A<span hidden>B</span>C", "AC", id="not what is hidden"),
        pytest.param(
            "<td class=nom>A<i style='color:red; DISPLAY :none'><b>B</b></i>", "A", id="not by a style either"
        ),
        pytest.param("<td class=nom>A<canvas>B</canvas><video>C</video>", "A", id="not what stands in for a picture"),
        pytest.param("<td class=nom>A<noframes>B</noframes><noembed>C</noembed>", "A", id="nor in for a frame"),
        pytest.param("<td class=nom>A<math><mi>B</mi></math><svg>C</svg>", "A", id="not foreign content"),
        pytest.param("<td class=nom>A<![CDATA[B]]>C", "AC", id="CDATA is a comment to HTML"),
        pytest.param(
            "<td class=nom hidden>A", "A", id="a cell that the policy names, though a script may show it later"
        ),
        pytest.param("<td class=nom>" + "<i>" * 5000 + "A", "", id="nothing nested deeper than any page"),
    ],
)
def test_the_text_of_a_cell_leaves(cell: str, text: str) -> None:
    """As a reader of the page sees it, and as text."""
    assert cells(page(cell)) == [text]


def test_nothing_else_of_a_page_leaves() -> None:
    """Title, scripts, embedded data, links and other tables stay behind; title and labels are the policy's."""
    around = '<title>SECRET</title><script type="application/json">SECRET</script><a href="/SECRET">SECRET</a>'
    reduced = NAMES.apply(page("<td class=nom>A<td class=nir>SECRET", around=around), NOBODY)
    assert isinstance(reduced, Reduced)
    assert b"SECRET" not in reduced.body
    head = '<!DOCTYPE html>\n<html lang="fr"><head><meta charset="utf-8"><title>Droits &lt;1&gt;</title>'
    assert reduced.body.decode().startswith(head)
    assert b'<link rel="stylesheet" href="/style.css">' in reduced.body
    assert b"<th>Nom</th></tr>" in reduced.body


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", Reason.ANSWER_MALFORMED, id="nothing"),
        pytest.param(b"  \n", Reason.ANSWER_MALFORMED, id="blanks"),
        pytest.param(page("<td class=nom>\u00e9").decode().encode("latin-1"), Reason.ANSWER_MALFORMED, id="Latin-1"),
        pytest.param(page("<td class=nom>A").decode().encode("utf-16"), Reason.ANSWER_MALFORMED, id="UTF-16"),
        pytest.param("\ufeff".encode() + page(), Reason.ANSWER_MALFORMED, id="a byte order mark"),
        pytest.param(page("<td class=nom>A\0"), Reason.ANSWER_MALFORMED, id="a NUL"),
        pytest.param(page("<td class=nom>A<td class=nom>B"), Reason.ANSWER_SHAPE, id="two cells for one value"),
        pytest.param(
            page("<td class=autre><table><tr><td class=nom>A</table>"), Reason.ANSWER_SHAPE, id="a row inside a row"
        ),
        pytest.param(
            page("<td class=autre><form><tr><td class=nom>A</form>"), Reason.ANSWER_SHAPE, id="also by a tag left open"
        ),
        pytest.param(page(*["<td class=nom>A"] * (MAX_ROWS + 1)), Reason.ANSWER_TOO_LARGE, id="too many rows"),
        pytest.param(page("<td class=nom>2 84 05 75&nbsp;990 003"), Reason.ANSWER_IDENTIFIER_LEFT, id="a NIR"),
    ],
)
def test_a_page_that_cannot_be_read_in_one_way_is_withheld(body: bytes, reason: Reason) -> None:
    """Nothing of it leaves."""
    assert cells(body) is reason


@pytest.mark.parametrize(
    ("rows", "withheld"),
    [
        pytest.param(["<td class=nom>A" + "<td>x" * 10] * MAX_ROWS, False, id="as many rows as a region may have"),
        pytest.param(["<td class=nom>A" + "<td>x" * 5000], True, id="five thousand cells in one row"),
        pytest.param(["<td class=nom>A" + "<td>x" * 180] * 30, True, id="thirty rows of two hundred"),
    ],
)
def test_a_page_that_would_hold_everybody_up_is_withheld(rows: list[str], withheld: bool) -> None:
    """Selectors by place look at each pair of neighbours: a second for a row of five thousand."""
    outcome = cells(page(*rows))
    assert (outcome is Reason.ANSWER_TOO_LARGE) is withheld
    assert isinstance(outcome, Reason) is withheld


@pytest.mark.parametrize(
    ("attributes", "value", "elements", "withheld"),
    [
        pytest.param(15, "", 3000, False, id="three thousand elements of fifteen"),
        pytest.param(70, "", 400, False, id="four hundred of seventy"),
        pytest.param(120, "", 200, True, id="two hundred of a hundred and twenty"),
        pytest.param(1_500, "", 20, True, id="twenty of fifteen hundred"),
        pytest.param(1_500, "", 10, True, id="ten of fifteen hundred"),
        pytest.param(1_300, '=">"', 5, True, id="five of thirteen hundred, with tags that seem to end in values"),
        pytest.param(1_300, "= '>'", 4, True, id="four of them, in single quotes behind a blank"),
        pytest.param(80, '=">"', 80, False, id="eighty of eighty such values"),
    ],
)
def test_so_many_attributes_are_read(attributes: int, value: str, elements: int, withheld: bool) -> None:
    """libxml2 goes through an element's attributes for each further one: four seconds for thirty-five thousand."""
    element = f"<br {' '.join(f'a{number}{value}' for number in range(attributes))}>"
    groups = [f"<div>{element * min(20, elements - first)}</div>" for first in range(0, elements, 20)]
    body = page("<td class=nom>A", around="".join(groups) + "<p>avis")
    assert cells(body) == (Reason.ANSWER_TOO_LARGE if withheld else ["A"])
    assert bool(NAMES.unnamed(body)) is not withheld


PLACES: Final = shape(
    details=HtmlShape(
        "t",
        (HtmlRegion("p", "#p tr", (HtmlField("nom", "td:nth-child(1)", ""), HtmlField("n", "td:nth-child(2)", ""))),),
    )
)
BY_PLACE: Final = view("/p[]/nom", of=PLACES)


@pytest.mark.parametrize(
    ("rows", "by_place", "by_class"),
    [
        pytest.param(
            ["<td class=nom rowspan=2>A<td>1", "<td class=autre>B"], Reason.ANSWER_SHAPE, ["A", ""], id="from above"
        ),
        pytest.param(
            ["<td class=nom rowspan=0>A<td>1", "<td class=nom>B", "<td>C"],
            Reason.ANSWER_SHAPE,
            ["A", "B", ""],
            id="down to the end of the table",
        ),
        pytest.param(
            ["<td class=nom>A<td rowspan=3>1", "<td class=nom>B", "<td class=nom>C"],
            Reason.ANSWER_SHAPE,
            ["A", "B", "C"],
            id="whichever cell it is",
        ),
        pytest.param(
            ["<td class=autre colspan=2>A<td class=nom>B"], Reason.ANSWER_SHAPE, ["B"], id="beside it, over two columns"
        ),
        pytest.param(
            ["<td class=nom>A<td>1", "<td class=nom colspan=2>avis"], ["A"], ["A", "avis"], id="a notice, all across"
        ),
        pytest.param(["<td class=nom rowspan=1 colspan=0>A<td>1"], ["A"], ["A"], id="over one row and one column"),
        pytest.param(
            ["<td class=nom rowspan=a>A", "<td class=nom>B"], ["A", "B"], ["A", "B"], id="over no number of rows"
        ),
        pytest.param(
            ["<td class=nom rowspan=' +02px'>A<td>1", "<td class=autre>B"],
            Reason.ANSWER_SHAPE,
            ["A", ""],
            id="over as many rows as browsers read",
        ),
        pytest.param(
            ["<td class=nom rowspan=2>A", "<td>B", "<td class=nom>C"],
            Reason.ANSWER_SHAPE,
            ["A", "", "C"],
            id="by the only cell of a row",
        ),
        pytest.param(["<td class=nom>A<td rowspan=2>1"], ["A"], ["A"], id="over a row that is not there"),
    ],
)
def test_a_cell_that_another_moves_is_not_taken_for_its_neighbour(
    rows: list[str], by_place: list[str] | Reason, by_class: list[str]
) -> None:
    """HTML section 4.9.11: a cell over several rows or columns moves those behind it, and places count otherwise."""
    assert cells(page(*rows), BY_PLACE) == by_place
    assert cells(page(*rows)) == by_class


def test_many_classes_of_an_element_cost_little_more_than_one() -> None:
    """As many as a page can hold, in a row: to go through them one by one took 17 ms."""

    def seconds(classes: str) -> float:
        body = page(f'<td class="{classes}">A')
        started = time.process_time()
        assert NAMES.dress.read(body, 10**6) == {"p": [{}]}
        return time.process_time() - started

    many, one = (" ".join(f"a{number}" for number in range(38_000)), "a" * 250_000)
    least = [min(seconds(classes) for _ in range(5)) for classes in (many, one)]
    assert least[0] < 4 * least[1]


def test_only_the_row_of_the_person_asked_about_leaves() -> None:
    """Twins by rank; a row that names nobody is nobody's."""

    def row(name: str, rank: str) -> str:
        return f"<td class=nom>{name}<td class=nir>2 79 03 69 991 012<td class=date>20190713<td class=rang>{rank}"

    scoped = view("/p[]/nom", of=shape("/p[]"))
    body = page(row("ZOE", "1"), row("LOU", "2"), "<td class=nom>PERSONNE")
    assert cells(body, scoped, Asked("2790369991012", "20190713", 2)) == ["LOU"]


@pytest.mark.parametrize(
    ("line", "of", "told"),
    [
        pytest.param("/q[]/nom", shape(), "a field of a page is", id="a region that is not there"),
        pytest.param("/p[]/autre", shape(), "a field of a page is", id="a field that is not there"),
        pytest.param("/p/nom", shape(), "a field of a page is", id="a region without []"),
        pytest.param(
            "/p[]/nom",
            shape(details=HtmlShape("t", (HtmlRegion("p", "##", FIELDS),))),
            "is not a CSS selector",
            id="what is no selector",
        ),
        pytest.param("/p[]/nom", shape("/q[]"), "is no region", id="persons in no region"),
    ],
)
def test_a_view_that_no_page_fits_is_a_policy_error(line: str, of: ResponseShape, told: str) -> None:
    """Told when the policy is loaded."""
    problems = check_view(ViewSpec("o", "21", "p", (rule(line, "keep"),)), of)
    assert any(told in text for _, text in problems), problems
