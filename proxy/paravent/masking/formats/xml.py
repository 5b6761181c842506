"""XML and SOAP: elements and attributes as members, those alone that a path names.

    <d:contratAMC numeroAMC="99990001"><d:periode dateFin="2026-12-31"/></d:contratAMC>

    /DroitsReponse/contratAMC[]/@numeroAMC              an attribute of the element
    /DroitsReponse/contratAMC[]/periode@dateFin         an attribute of a child that is read for nothing else
    /DroitsReponse/beneficiaireDeSoins/nomUsuel         the text of a child

The first step is the root, or what a SOAP body holds. Names are those of the operation's namespace, whatever prefix the
document gives it; below the first step, where the operation says `unqualified`, those of none. Attributes that carry a
prefix, text between elements, comments, headers and elements of other namespaces cannot be named. One child where a
path has no [], several in the document: withheld, for two readers could take two of them. What leaves is a new
document, in the order of the view's lines.

Blanks at the ends of a value are no part of it, in a text as in an attribute. XML Schema 1.0 part 2, section 4.3.6:
"For all atomic datatypes other than string (and types derived by restriction from it) the value of whiteSpace is
collapse"; and of a text, blanks there tell nobody from anybody else. Inside a value they stay.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from paravent import strict_xml
from paravent.masking.formats.base import Dress, too_long
from paravent.masking.formats.json import MAX_WHOLE_BYTES
from paravent.masking.json import Outgoing
from paravent.masking.periods import ends_of
from paravent.masking.person import Members
from paravent.masking.rules import skeleton
from paravent.media_types import ACTION, media_type
from paravent.reasons import Reason
from paravent.rules import Envelope, Path, ResponseShape, Step, ViewSpec, XmlShape, path_text
from paravent.strict_xml import Element

_CONTENT_TYPES: Final = {
    Envelope.NONE: b"application/xml; charset=utf-8",
    Envelope.SOAP11: b"text/xml; charset=utf-8",
    Envelope.SOAP12: b"application/soap+xml; charset=utf-8",
}
"""SOAP 1.1 section 6, SOAP 1.2 part 2 section 7."""
MAX_VALUES: Final = 2_500
"""That lines name, elements included. Each costs 5 µs to read, look at and write; a family has some 600."""
_BLANKS: Final = " \t\r\n"
"""XML 1.0 section 2.3, S."""
_LONGEST_FAULT_BYTES: Final = 64 * 1024
"""A fault that repeats the question has under 2 KB."""


@dataclass(slots=True)
class Named:
    """What paths name of one element: its place in a schema that the view draws."""

    array: bool = False
    below: dict[str, "Named"] = field(default_factory=dict)
    """Children, in the order of the lines."""
    attributes: dict[str, None] = field(default_factory=dict)
    """Of the element itself."""
    of_children: dict[str, dict[str, str]] = field(default_factory=dict)
    """Child → its attribute → the name of both together, as paths write it."""
    leaf: bool = False
    order: dict[str, None] = field(default_factory=dict)
    """Every child that a line says something of, as the lines come."""


@dataclass(frozen=True, slots=True)
class _Content:
    """The same, made ready: what is read of an element, and written."""

    attributes: tuple[tuple[str, str], ...]
    """Its own, each with its name among the members."""
    children: Mapping[str, "_Child"]
    """By tag, as lxml writes it, in the order of the lines."""


@dataclass(frozen=True, slots=True)
class _Child:
    """One child that lines name."""

    name: str
    tag: str
    """As it is written."""
    attributes: tuple[tuple[str, str], ...]
    """Of the child, each with the name of both together."""
    below: _Content | None
    """None: nothing of it but those is read."""
    array: bool
    leaf: bool


def xml_dress(spec: ViewSpec, shape: ResponseShape) -> Dress:
    """XML for one view of one operation."""
    details = shape.details
    if not isinstance(details, XmlShape):
        raise TypeError("an XML answer needs its namespace")
    ((root_name, named),) = _named(
        [rule.path for rule in spec.fields], [*_identities(shape), *ends_of(spec.fields)]
    ).below.items()
    envelope, namespace = details.envelope, details.namespace
    inner = "" if details.unqualified else namespace
    content = _content(named, inner)

    def read(body: bytes, limit_bytes: int) -> Members | Reason:
        if too_long(body, limit_bytes):
            return Reason.ANSWER_TOO_LARGE
        root = strict_xml.parse(body)
        if root is None:
            return Reason.ANSWER_MALFORMED
        element = strict_xml.payload(root, envelope)
        if element is not None and strict_xml.refuses(element, envelope):
            return Reason.BENEFICIARY_UNKNOWN
        if element is None or element.tag != strict_xml.tag(root_name, namespace):
            # Also a fault of the server's own.
            return Reason.ANSWER_SHAPE
        members = _members(element, content)
        if members is None:
            return Reason.ANSWER_SHAPE
        if _may_hold(body) > MAX_VALUES and _values(members) > MAX_VALUES:
            return Reason.ANSWER_TOO_LARGE
        return {root_name: members}

    def write(reduced: dict[str, Outgoing]) -> bytes:
        members = reduced.get(root_name)
        attributes: dict[str, str] = {}
        inside = _inside(members, content, attributes) if isinstance(members, dict) else None
        return strict_xml.document(root_name, namespace, envelope, attributes, inside)

    def fault(body: bytes) -> bool:
        root = None if too_long(body, _LONGEST_FAULT_BYTES) else strict_xml.parse(body)
        element = strict_xml.payload(root, envelope) if root is not None else None
        return element is not None and strict_xml.refuses(element, envelope)

    def whole(body: bytes) -> Members | None:
        root = None if too_long(body, MAX_WHOLE_BYTES) else strict_xml.parse(body)
        element = strict_xml.payload(root, envelope) if root is not None else None
        return None if element is None else {root_name: _whole(element, inner)}

    types = media_type(rb"text/xml|application/xml|application/soap\+xml", ACTION)
    content_type = _CONTENT_TYPES[envelope]
    faults = fault if envelope is not Envelope.NONE else None
    return Dress(content_type, types, content_type, read, write, strict_xml.written, whole, faults)


def xml_problems(spec: ViewSpec, shape: ResponseShape) -> Iterator[str]:
    """What no XML document can be read by."""
    if not isinstance(shape.details, XmlShape):
        yield "the operation says format: xml, but no namespace"
    paths = [rule.path for rule in spec.fields]
    roots = dict.fromkeys(path[0].name for path in (*paths, *shape.persons))
    if len(roots) != 1 or any(path[0].array or len(path) == 1 for path in paths):
        yield "every path begins with the root element, or with what the SOAP body holds"
    yield from _beside(paths, shape.persons, ends_of(spec.fields))


def _beside(lines: list[Path], persons: Sequence[Path], ends: Iterator[Path]) -> Iterator[str]:
    """Attributes that would be read beside their element: of one of several, or of a person who may not leave."""
    ways = {skeleton(path[:depth]) for path in (*lines, *persons) for depth in range(1, len(path) + 1)}
    theirs = set(map(skeleton, persons))
    for path in (*lines, *ends):
        element, at_sign, attribute = path[-1].name.partition("@")
        above = skeleton(path[:-1])
        if not at_sign or not element:
            continue
        if (*above, (element, True)) in ways:
            yield f"{path_text(path)}: of the elements of a list, write {element}[]/@{attribute}"
        elif (*above, (element, False)) in theirs:
            yield f"{path_text(path)}: a person stands there, write {element}/@{attribute}"


# ---- the schema that a view draws


def _named(lines: Sequence[Path], looked_at: Sequence[Path]) -> Named:
    root = Named()
    for path in (*lines, *looked_at):
        at = root
        for step in path[:-1]:
            at = _child(at, step.name, array=step.array)
            if step.where is not None:
                _leaf(at, step.where[0], array=False)
        _leaf(at, path[-1].name, array=path[-1].array)
    return root


def _identities(shape: ResponseShape) -> Iterator[Path]:
    """What scoping looks at, whether or not a line names it."""
    fields = shape.identified_by
    if fields is None:
        return
    for path in shape.persons:
        for name in (fields.nir, fields.birth_date, fields.birth_rank):
            yield (*path, Step(name))


def _child(at: Named, name: str, *, array: bool) -> Named:
    at.order.setdefault(name)
    return at.below.setdefault(name, Named(array))


def _leaf(at: Named, name: str, *, array: bool) -> None:
    element, at_sign, attribute = name.partition("@")
    if not at_sign:
        _child(at, name, array=array).leaf = True
    elif element:
        at.order.setdefault(element)
        at.of_children.setdefault(element, {})[attribute] = name
    else:
        at.attributes[attribute] = None


def _content(named: Named, namespace: str) -> _Content:
    children = {}
    for name in named.order:
        below = named.below.get(name)
        children[strict_xml.tag(name, namespace)] = _Child(
            name=name,
            tag=strict_xml.tag_written(name, namespace),
            attributes=tuple(named.of_children.get(name, {}).items()),
            below=_content(below, namespace) if below is not None else None,
            array=below is not None and below.array,
            leaf=below is not None and below.leaf,
        )
    return _Content(tuple((attribute, f"@{attribute}") for attribute in named.attributes), children)


# ---- reading


def _members(element: Element, content: _Content) -> Members | None:
    """The named members of an element; None when the document says one of them in two ways."""
    members: Members = {}
    for attribute, name in content.attributes:
        value = element.get(attribute)
        if value is not None:
            members[name] = value.strip(_BLANKS)
    children = content.children
    if not children:
        return members
    single: set[str] = set()
    for child in element:
        # An entity reference that was not resolved has a function for a tag.
        known = children.get(child.tag)
        if known is None:
            continue
        if not known.array:
            if known.name in single:
                return None
            single.add(known.name)
        if not _take(child, known, members):
            return None
    return members


def _take(child: Element, known: _Child, members: Members) -> bool:
    """Put one child among the members. False when something is ambiguous inside."""
    for attribute, both in known.attributes:
        given = child.get(attribute)
        if given is not None:
            members[both] = given.strip(_BLANKS)
    if known.below is None:
        return True
    value = _text_of(child) if known.leaf else _members(child, known.below)
    if value is None:
        return known.leaf  # A leaf with elements inside is no value and does not leave.
    if known.array:
        items = members.setdefault(known.name, [])
        assert isinstance(items, list)  # noqa: S101 - only this line puts a value there
        items.append(value)
    else:
        members[known.name] = value
    return True


def _may_hold(body: bytes) -> int:
    """No document holds more values: of an element, which takes a `<`, itself and a list; an attribute takes a `=`."""
    return 2 * body.count(b"<") + body.count(b"=")


def _values(members: Members) -> int:
    """How many values members hold, each object and list one of them."""
    count = 1 + len(members)
    for value in members.values():
        if isinstance(value, dict):
            count += _values(value) - 1
        elif isinstance(value, list):
            count += len(value) + sum([_values(each) - 1 for each in value if isinstance(each, dict)])
    return count


def _text_of(leaf: Element) -> str | None:
    return (leaf.text or "").strip(_BLANKS) if len(leaf) == 0 else None


def _whole(element: Element, namespace: str) -> Members:
    """Every name below an element, as often as it stands there: for who looks for new ones."""
    # Names alone: to look for the value of each among all others takes seconds where they are many.
    members: Members = {f"@{name}": None for name in element.attrib.keys() if "}" not in name}  # noqa: SIM118
    for name, child in strict_xml.children(element, namespace):
        items = members.setdefault(name, [])
        if isinstance(items, list):
            items.append(_whole(child, namespace))
    return members


# ---- writing


def _inside(members: dict[str, Outgoing], content: _Content, attributes: dict[str, str]) -> str | None:
    """What stands between the tags of an element of these members, None for nothing; its attributes join those that it
    has."""
    for attribute, name in content.attributes:
        _set(attributes, attribute, members.get(name))
    inside: list[str] = []
    for child in content.children.values():
        value = members.get(child.name)
        given = [(attribute, members[both]) for attribute, both in child.attributes if both in members]
        items = value if isinstance(value, list) else (value,)
        inside += [_element(item, child, given) for item in items if item is not None or given]
    return "".join(inside) or None


def _element(item: Outgoing, child: _Child, given: list[tuple[str, Outgoing]]) -> str:
    attributes: dict[str, str] = {}
    for attribute, value in given:
        _set(attributes, attribute, value)
    if isinstance(item, dict) and child.below is not None:
        inside = _inside(item, child.below, attributes)
    else:
        inside = strict_xml.between_tags(_text(item)) if item is not None else None
    return strict_xml.element_written(child.tag, attributes, inside)


def _set(attributes: dict[str, str], attribute: str, value: Outgoing) -> None:
    if value is not None:
        attributes[attribute] = strict_xml.in_quotes(_text(value))


def _text(value: Outgoing) -> str:
    """A value that an operator let leave: a text, or what `exists` says."""
    if isinstance(value, str):
        return value
    if not isinstance(value, bool):
        raise TypeError("no operator makes this of a text")
    return "true" if value else "false"
