"""Pages of a portal: what the operation's selectors point at is read, and a new page is written around what is left.

    regions:
      beneficiaires:
        selector: "#beneficiaires tbody tr"          each match is an element of /beneficiaires[]
        fields:
          nomUsuel: {selector: "td:nth-child(1)", label: Nom}

Nothing of the upstream's markup leaves: no script, style, comment, attribute, link or embedded data, and no text that
no selector points at. The page that leaves is a table for each region, with the labels of the policy. So a reader that
builds another tree of the same page, as browsers do, has nothing to disagree about.

Where selectors of fields count elements, every cell must stand where it is counted: one that goes over several rows or
columns moves those behind it, and withholds the page. Alone in its row it is a notice, and its row none of these.
"""

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from html import escape
from itertools import islice
from typing import Final

from cssselect import SelectorError
from lxml import etree
from lxml.cssselect import CSSSelector
from lxml.html import defs

from paravent.masking.formats.base import Dress, too_long
from paravent.masking.formats.json import MAX_WHOLE_BYTES
from paravent.masking.json import Outgoing, Tree
from paravent.masking.person import Members
from paravent.media_types import media_type
from paravent.reasons import Reason
from paravent.rules import HtmlRegion, HtmlShape, ResponseShape, ViewSpec, path_text

MAX_ROWS: Final = 200
"""Of one region. A family has ten; each costs some 10 µs a field."""

_MAX_PAIRS: Final = 100_000
"""Of elements beside each other. A selector by place, as `td:nth-child(5)`, looks at each pair, at 4 ns; a view has
some ten of them. Two hundred rows of eleven cells are 64 000."""
_MAX_ATTRIBUTE_PAIRS: Final = 2_000_000
"""Of attributes in one element: libxml2 goes through those that it has for each further one, at 2 ns each. Six thousand
elements of fifteen attributes have fewer."""
_FEW_ATTRIBUTES: Final = 1_400
"""So many make no more pairs, even in one element."""
_WIDEST_ATTRIBUTES: Final = 100
"""Of one element of a page that a glance finds narrow."""
_LONG_TAG: Final = re.compile(rb"<[^>]{%d,}" % (2 * _WIDEST_ATTRIBUTES))
"""In less, fewer attributes stand: each takes two bytes, one of them between it and what is before it."""
_OPEN_IN_QUOTES: Final = re.compile(rb"=[\t\n\f\r ]*(?:\"[^\">]*>|'[^'>]*>)")
"""What could be a tag that does not end at the next >, which stands in the value of an attribute."""
_BETWEEN_ATTRIBUTES: Final = bytes(set(range(256)) - set(b"\t\n\f\r /\"'"))
_ROWS_LOOKED_THROUGH: Final = 20
"""For new fields: rows are alike."""

_SILENT: Final = ("script", "style", "template", "noscript", "iframe", "object", "svg", "textarea", "select")
"""Elements whose text is not the page's, or not shown as such."""

_ELEMENTS: Final = frozenset(defs.tags) | {"data", "dialog", "main", "picture", "slot", "template"}
"""Of HTML; lxml's list is that of 2014."""

_UNSHOWN: Final = frozenset(
    ("applet", "audio", "canvas", "datalist", "dialog", "math", "noembed", "noframes", "rp", "title", "video")
)
"""Inside a cell: what browsers do not show, or only where they cannot show the element itself. Of `math` they show a
part, and not its annotations."""
_APART: Final = frozenset(
    (
        "address", "article", "aside", "blockquote", "br", "caption", "center", "dd", "details", "dir", "div", "dl",
        "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header",
        "hgroup", "hr", "legend", "li", "main", "menu", "nav", "ol", "p", "pre", "search", "section", "summary",
        "table", "td", "th", "tr", "ul",
    )
)  # fmt: skip
"""What stands on lines of its own, or in cells (HTML section 15.3): a word ends where it begins, and where it ends."""
_COUNTS: Final = re.compile(r":(?:nth|first|last|only)-|[+~]")
"""In a selector: it counts elements."""
_WIDE: Final = etree.XPath("//td/@rowspan/.. | //td/@colspan/.. | //th/@rowspan/.. | //th/@colspan/..")
_SPAN: Final = re.compile(r"[ \t\n\f\r]*\+?(?=[0-9])0*([0-9]{0,5})")
_TO_THE_END: Final = 65_534
_HIDING: Final = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))\b", re.IGNORECASE)

_BY_PLACE: Final = re.compile(r"([a-z][a-z0-9]*):nth-child\(([1-9][0-9]{0,3})\)")
_BY_CLASS: Final = re.compile(r"([a-z][a-z0-9]*|)\.([A-Za-z_][A-Za-z0-9_-]*)")
"""How most fields are named: one look at the elements of a row finds them all, where selectors take one each."""
_BY_ID: Final = re.compile(r"^descendant-or-self::\*\[@id = ('[^']*')\](?=/|$)")
"""Of each element of a page, XPath asks this at 0.1 µs; where the value leads to its element, at a third of that."""
_COUNTED: Final = etree.XPath("count(//*)")

type _Element = etree._Element


def html_dress(spec: ViewSpec, shape: ResponseShape) -> Dress:
    """HTML for one view of one operation."""
    details = shape.details
    if not isinstance(details, HtmlShape):
        raise TypeError("a page needs its regions")
    regions = {region.name: _Region(region, spec) for region in details.regions}
    head = _head(details)

    def read(body: bytes, limit_bytes: int) -> Members | Reason:
        if too_long(body, limit_bytes) or _is_overgrown(body):
            return Reason.ANSWER_TOO_LARGE
        root = _parse(body)
        if root is None:
            return Reason.ANSWER_MALFORMED
        if _is_crowded(root):
            return Reason.ANSWER_TOO_LARGE
        wide = _WIDE(root)
        members: Members = {}
        for name, region in regions.items():
            rows = region.rows(root, wide)
            if isinstance(rows, Reason):
                return rows
            members[name] = rows
        return members

    def write(reduced: dict[str, Outgoing]) -> bytes:
        tables = "".join(regions[name].table(rows) for name, rows in reduced.items() if isinstance(rows, list))
        return f"{head}{tables}</body></html>\n".encode()

    def whole(body: bytes) -> Members | None:
        root = None if too_long(body, MAX_WHOLE_BYTES) or _is_overgrown(body) else _parse(body, silent=())
        return None if root is None or _is_crowded(root) else _everything(root, regions)

    return Dress(b"text/html", media_type(rb"text/html"), b"text/html; charset=utf-8", read, write, _said, whole)


class _Region:
    """One region, its selectors made ready."""

    def __init__(self, region: HtmlRegion, spec: ViewSpec) -> None:
        self._rows = etree.XPath(_quick(CSSSelector(region.selector, translator="html").path))
        self._fields = [(each.name, CSSSelector(each.selector, translator="html")) for each in region.fields]
        self._counts = any(_COUNTS.search(each.selector) for each in region.fields)
        self._by_place: dict[tuple[object, int], list[str]] = {}
        self._by_class: list[tuple[str, str, str]] = []
        self._by_selector = []
        for (name, selector), each in zip(self._fields, region.fields, strict=True):
            if place := _BY_PLACE.fullmatch(each.selector):
                self._by_place.setdefault((place[1], int(place[2])), []).append(name)
            elif kind := _BY_CLASS.fullmatch(each.selector):
                self._by_class.append((kind[1], f" {kind[2]} ", name))
            else:
                self._by_selector.append((name, selector))
        self._placed = {tag for tag, _ in self._by_place}
        labels = {each.name: each.label for each in region.fields}
        shown = dict.fromkeys(rule.path[1].name for rule in spec.fields if rule.path[0].name == region.name)
        self._cells = [(name, f'<td class="{escape(name)}">') for name in shown]
        titles = "".join(f"<th>{escape(labels[name])}</th>" for name in shown)
        self._head = f'<table id="{escape(region.name)}"><thead><tr>{titles}</tr></thead><tbody>'

    def rows(self, root: _Element, wide: Sequence[_Element]) -> list[Tree] | Reason:
        """The region's values, a row an object. `wide`: the cells of the page over several rows or columns."""
        found = self._rows(root)
        if len(found) > MAX_ROWS:
            return Reason.ANSWER_TOO_LARGE
        if _one_holds_another(found):
            return Reason.ANSWER_SHAPE  # A row inside a row, as unclosed markup makes them: whose a cell is, is open.
        if wide and self._counts:
            notices = {cell.getparent() for cell in wide if _columns(cell) > 1 and len(cell.getparent()) == 1}
            if not set(found).isdisjoint(_moved(wide, notices)):
                return Reason.ANSWER_SHAPE
            found = [row for row in found if row not in notices]
        rows: list[Tree] = []
        for row in found:
            values: Members = {}
            for name, cell in self._named(row):
                if name in values:
                    return Reason.ANSWER_SHAPE  # Which of them is the value, the policy does not say.
                values[name] = " ".join((cell.text or "" if len(cell) == 0 else "".join(_shown(cell, []))).split())
            rows.append(values)
        return rows

    def _named(self, row: _Element) -> Iterator[tuple[str, _Element]]:
        """Each element that a field names, and the field."""
        for name, selector in self._by_selector:
            for cell in selector(row):
                yield name, cell
        if not self._by_place and not self._by_class:
            return
        # A selector may find the row itself.
        place = 1 + sum(1 for _ in row.itersiblings(preceding=True)) if row.tag in self._placed else 0
        for name in self._names(row, place):
            yield name, row
        waiting = [row]
        while waiting:
            for place, cell in enumerate(waiting.pop(), 1):
                for name in self._names(cell, place):
                    yield name, cell
                if len(cell):
                    waiting.append(cell)

    def _names(self, element: _Element, place: int) -> Sequence[str]:
        """The fields that name an element by its place among its siblings, or by a class."""
        tag = element.tag
        names: Sequence[str] = self._by_place.get((tag, place), ())
        classes = element.get("class") if self._by_class else None
        if classes is not None:
            # What parts classes for a selector (XPath 1.0 section 4.2, normalize-space).
            apart = f" {classes} ".replace("\t", " ").replace("\r", " ").replace("\n", " ")
            names = [*names, *(name for of, kind, name in self._by_class if of in ("", tag) and kind in apart)]
        return names

    def places(self, root: _Element) -> Iterator[tuple[_Element, dict[_Element, str]]]:
        """Each row, the first ones with the elements that their fields point at, and their names."""
        for number, row in enumerate(self._rows(root)):
            fields = self._fields if number < _ROWS_LOOKED_THROUGH else ()
            yield row, {cell: name for name, selector in fields for cell in selector(row)}

    def table(self, rows: list[Outgoing]) -> str:
        """What leaves of it, in the order of the view's lines."""
        body = "".join([f"<tr>{self._written(row)}</tr>" for row in rows if isinstance(row, dict)])
        return f"{self._head}{body}</tbody></table>"

    def _written(self, row: dict[str, Outgoing]) -> str:
        return "".join([f"{cell}{escape(_text(row.get(name)))}</td>" for name, cell in self._cells])


def _quick(path: str) -> str:
    """The same elements by a shorter way, where the path begins at an id."""
    return _BY_ID.sub(r"descendant-or-self::*/@id[. = \1]/..", path, count=1)


def _one_holds_another(rows: Sequence[_Element]) -> bool:
    within = set(rows)
    above: set[_Element] = set()
    for row in rows:
        for each in row.iterancestors():
            if each in within:
                return True
            if each in above:
                break  # From there on, another row's ancestors were looked at.
            above.add(each)
    return False


def _text(value: Outgoing) -> str:
    if isinstance(value, bool):
        return "oui" if value else "non"
    return value if isinstance(value, str) else ""


def _said(text: str) -> tuple[str, ...]:
    return (escape(text),)


def _shown(cell: _Element, texts: list[str]) -> list[str]:
    """The texts of a cell, behind others, without what the page itself hides inside it."""
    texts.append(cell.text or "")
    for child in cell:
        if not (child.tag in _UNSHOWN or "hidden" in child.attrib or _HIDING.search(child.get("style", ""))):
            gap = " " if child.tag in _APART else ""
            texts.append(gap)
            _shown(child, texts)
            texts.append(gap)
        texts.append(child.tail or "")
    return texts


def _moved(wide: Sequence[_Element], notices: Container[_Element]) -> Iterator[_Element]:
    """The rows in which a cell does not stand where it is counted (HTML section 4.9.11)."""
    reach: dict[_Element, int] = {}
    for cell in wide:
        row, rows = cell.getparent(), _span(cell, "rowspan")
        reach[row] = max(reach.get(row, 0), rows - 1 if rows else _TO_THE_END)
        if _columns(cell) > 1 and row not in notices:
            yield row
    for row, rows in reach.items():
        yield from islice(row.itersiblings(), rows)


def _columns(cell: _Element) -> int:
    return _span(cell, "colspan") or 1


def _span(cell: _Element, name: str) -> int:
    """Over how many a cell goes, as browsers read it: `2px` is two. 0 rows: down to the end of the table."""
    written = _SPAN.match(cell.get(name, ""))
    return int(written.group(1) or 0) if written is not None else 1


def _parse(body: bytes, silent: Sequence[str] = _SILENT) -> _Element | None:
    """The page's tree without what is silent. UTF-8 only, whatever its meta elements say."""
    try:
        text = body.decode("utf-8")
        if not text.strip() or text.startswith("\ufeff") or "\0" in text:
            return None
        # lxml.html's own parser calls Python for each element, to make it one of its classes.
        parser = etree.HTMLParser(
            encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=False
        )
        root: _Element | None = etree.fromstring(body, parser)
    except (UnicodeDecodeError, etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None
    if root is not None:
        etree.strip_elements(root, *silent, with_tail=False)
    return root


def _is_overgrown(body: bytes) -> bool:
    """Whether elements have so many attributes that to build the tree would hold everybody up."""
    most = _attributes(body)
    if most <= _FEW_ATTRIBUTES or (most * _WIDEST_ATTRIBUTES <= _MAX_ATTRIBUTE_PAIRS and _is_narrow(body)):
        return False
    try:
        pairs: int = etree.fromstring(body, etree.HTMLParser(encoding="utf-8", no_network=True, target=_Attributes()))
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return False  # It is no page at all, as `_parse` will say.
    return pairs > _MAX_ATTRIBUTE_PAIRS


def _attributes(tags: bytes) -> int:
    """More attributes do not stand in so many bytes."""
    return len(tags.translate(None, _BETWEEN_ATTRIBUTES))


def _is_narrow(body: bytes) -> bool:
    """Whether no element has more than `_WIDEST_ATTRIBUTES`, as far as a glance tells: true only where it is so."""
    if _OPEN_IN_QUOTES.search(body) is not None:
        return False
    return all([_attributes(tag) <= _WIDEST_ATTRIBUTES for tag in _LONG_TAG.findall(body)])


class _Attributes:
    """For lxml, which calls it for each element and builds no tree."""

    def __init__(self) -> None:
        self._pairs = 0

    def start(self, _tag: str, attributes: Mapping[str, str]) -> None:
        """One element."""
        self._pairs += len(attributes) ** 2

    def close(self) -> int:
        """The end of the page."""
        return self._pairs


def _is_crowded(root: _Element) -> bool:
    """Whether so many elements stand beside each other that selectors would hold everybody up."""
    # As many as if all of them stood beside each other, or fewer.
    return _COUNTED(root) ** 2 > _MAX_PAIRS and sum(len(each) ** 2 for each in root.iter()) > _MAX_PAIRS


# ---- what no selector points at


def _everything(root: _Element, regions: Mapping[str, "_Region"]) -> Members:
    """Every place of a page that has a text, script included: for who looks for new ones. No text is told."""
    members: Members = {}
    inside: set[_Element] = set()
    for name, region in regions.items():
        rows: list[Tree] = []
        for row, cells in region.places(root):
            inside.add(row)
            if len(rows) < _ROWS_LOOKED_THROUGH:
                rows.append(dict.fromkeys([*cells.values(), *_places(row, set(cells), None)]))
        members[name] = rows
    return members | dict.fromkeys(_places(root, inside, None))


def _places(element: _Element, known: Container[_Element], label: str | None) -> Iterator[str]:
    """What stands below an element: the nearest class above each text, as in `td.note`; without one, `td:11`.

    Never an id: in a row it is whose the row is (`benef-12294990`). Nor is a class with a digit told, nor the name of
    an element that HTML does not have. A heading is `h:1` whatever its level.
    """
    seen: dict[str, int] = {}
    if label is not None and any((text or "").strip() for text in (element.text, *(each.tail for each in element))):
        yield label
    for child in element:
        tag = child.tag.rstrip("123456") if child.tag in _ELEMENTS else "?"
        seen[tag] = seen.get(tag, 0) + 1
        if child not in known:
            names = [name for name in child.get("class", "").split() if not any(map(str.isdigit, name))]
            above = None if child.tag in {"head", "body"} else label or f"{tag}:{seen[tag]}"
            yield from _places(child, known, f"{tag}.{names[0]}" if names else above)


def _head(details: HtmlShape) -> str:
    sheets = "".join(f'<link rel="stylesheet" href="{escape(path)}">' for path in details.stylesheets)
    title = escape(details.title)
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(details.language)}"><head><meta charset="utf-8"><title>{title}</title>'
        f"{sheets}</head><body><h1>{title}</h1>"
    )


def html_problems(spec: ViewSpec, shape: ResponseShape) -> Iterator[str]:
    """Selectors that are none, and paths that no region gives."""
    details = shape.details
    if not isinstance(details, HtmlShape):
        yield "the operation says format: html, but no regions"
        return
    for region in details.regions:
        for selector in (region.selector, *(each.selector for each in region.fields)):
            try:
                CSSSelector(selector, translator="html")
            except SelectorError:
                yield f"{selector} is not a CSS selector"
    known = {(region.name, each.name) for region in details.regions for each in region.fields}
    fields = shape.identified_by
    identity = (fields.nir, fields.birth_date, fields.birth_rank) if fields is not None else ()
    for rule in spec.fields:
        names = tuple(step.name for step in rule.path)
        if names not in known or not rule.path[0].array or rule.path[1].array:
            yield f"{path_text(rule.path)}: a field of a page is /region[]/field, as the operation names them"
    for path in shape.persons:
        if len(path) != 1 or any((path[0].name, name) not in known for name in identity):
            yield f"{path_text(path)} is no region with the fields of identified_by"
