"""A view as a tree, built once: what is not in it cannot be reached.

/contratsAMC[]/numeroAdherent: keep              Branch ─ contratsAMC ─ Elements ─ leaf numeroAdherent
/contratsAMC[]/garanties[domaine=PHAR]/taux…            └ garanties ─ Elements, by domaine ─ PHAR ─ leaf taux…
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from paravent.masking.formats import dress_problems
from paravent.masking.operators import REGISTRY, Release
from paravent.masking.rules import Skeleton, check_rule, check_shape, identifies, skeleton
from paravent.rules import FieldRule, Format, Path, Place, ResponseShape, ViewSpec, path_text


@dataclass(frozen=True, slots=True)
class Leaf:
    """One line of the view."""

    index: int
    """Which line: where its values are counted."""
    release: Release
    sweep: bool
    """Whether its values are looked into before they leave."""
    null: bool
    """Whether null leaves."""
    searched: bool
    """Whether its operator looks through long texts, at a cost that is counted."""
    looks: bool
    """Whether it looks through numbers, which are counted too."""
    price: int
    """What one of its values costs, in tenths of a microsecond."""


@dataclass(frozen=True, slots=True)
class Branch:
    """An object on the way to a leaf, or at a leaf's door."""

    leaves: tuple[tuple[str, int, type[str] | None, Leaf], ...]
    """Name and index of a leaf, `str` where texts leave as they came, and all of it: the walk spends its time here."""
    lists: tuple[tuple[str, Leaf], ...]
    """Members that are lists of values."""
    objects: tuple[tuple[str, "Branch", bool], ...]
    """Name, what is below, and whether a person stands there."""
    arrays: tuple[tuple[str, "Elements"], ...]
    deeper: bool
    """Whether it has any of the last three."""
    price: int
    """What such an object costs, in tenths of a microsecond, with all that its lines name, lists aside."""


@dataclass(frozen=True, slots=True)
class Elements:
    """A list of objects."""

    person: bool
    always: Branch | None
    """For elements that no condition selects; None: they go."""
    member: str
    """The member that conditions look at; "" when there are none."""
    selected: dict[str, Branch]
    """Value of that member → what such an element may show, `always` included."""
    values: tuple[object, ...]
    """Those values, to compare with: an object or a list cannot be looked up in a dict."""
    price: int
    """What an element costs of which most leaves."""


_OBJECT: Final = 5
_AS_IT_CAME: Final = 2
"""Prices, in tenths of a microsecond: of an object, and of a value that leaves as it came."""
_WRITTEN: Final = {Format.CSV: 3, Format.FHIR: 14}
"""What a value costs beside its operator where a format does more than read and write it: cells are made inert,
resources follow each other and are given what they must have."""


type ViewProblem = tuple[Place | None, str]
"""Where, when it is one line's fault, and what."""


def check_view(spec: ViewSpec, shape: ResponseShape) -> tuple[ViewProblem, ...]:
    """Everything that is wrong with a view, each rule by itself and then all together. Empty: it compiles."""
    shape_problem = check_shape(shape)
    if shape_problem is not None:
        return ((None, shape_problem),)
    problems = [(rule.place, text) for rule in spec.fields if (text := check_rule(rule, shape))]
    return (
        tuple(problems) or tuple(_clashes(spec.fields)) or tuple((None, text) for text in dress_problems(spec, shape))
    )


def _clashes(rules: Sequence[FieldRule]) -> Iterable[ViewProblem]:
    leaves: dict[Skeleton, list[Path]] = {}
    roles: dict[tuple[Skeleton, str], tuple[bool, bool]] = {}
    conditions: dict[Skeleton, str] = {}
    for rule in rules:
        text = path_text(rule.path)
        alike = leaves.setdefault(skeleton(rule.path), [])
        if any(_overlap(rule.path, other) for other in alike):
            yield rule.place, f"{text} is listed twice, or another line reaches the same value"
        alike.append(rule.path)
        for depth, step in enumerate(rule.path):
            role = (step.array, depth == len(rule.path) - 1)
            if roles.setdefault((skeleton(rule.path[:depth]), step.name), role) != role:
                yield rule.place, f"{text} and another line disagree on what {step.name} is: value, object or list"
            if step.where is not None:
                at, member = skeleton(rule.path[: depth + 1]), step.where[0]
                if conditions.setdefault(at, member) != member:
                    yield rule.place, f"{text}: the elements of one list are selected by one member only"


def _overlap(one: Path, other: Path) -> bool:
    """Whether two paths alike but for their conditions can reach the same value."""
    return all(a.where is None or b.where is None or a.where == b.where for a, b in zip(one, other, strict=True))


@dataclass(frozen=True, slots=True)
class _Line:
    """One rule on its way into the tree: what is left of its path, and its leaf."""

    path: Path
    leaf: Leaf


def build(spec: ViewSpec, shape: ResponseShape, persons: Iterable[Path]) -> Branch:
    """The tree of a view in which `check_view` found nothing. `persons`: where they stand in what the walk is given."""
    lines = [_Line(rule.path, _leaf(index, rule, shape)) for index, rule in enumerate(spec.fields)]
    return _branch(lines, (), frozenset(map(skeleton, persons)))


def _leaf(index: int, rule: FieldRule, shape: ResponseShape) -> Leaf:
    operator = REGISTRY[rule.operator]
    release = operator.bind(rule.parameter, identifies(rule.path, shape))
    # With a parameter an operator has looked into the value itself.
    sweep = operator.as_is and rule.parameter is None
    price = (_AS_IT_CAME if sweep else operator.price) + _WRITTEN.get(shape.format, 0)
    return Leaf(index, release, sweep, operator.keeps_null, operator.searched, operator.looks and not sweep, price)


def _branch(lines: list[_Line], at: Skeleton, persons: frozenset[Skeleton]) -> Branch:
    by_name: dict[str, list[_Line]] = {}
    for line in lines:
        by_name.setdefault(line.path[0].name, []).append(line)
    leaves, lists, objects, arrays = [], [], [], []
    for name, group in by_name.items():
        first, leaf = group[0].path[0], group[0].leaf
        below: Skeleton = (*at, (name, first.array))
        if len(group[0].path) == 1:
            if first.array:
                lists.append((name, leaf))
            else:
                leaves.append((name, leaf.index, str if leaf.sweep else None, leaf))
        elif first.array:
            arrays.append((name, _elements(group, below, persons)))
        else:
            objects.append((name, _branch(_shorter(group), below, persons), below in persons))
    price = _OBJECT + sum(leaf.price for *_, leaf in leaves) + sum(branch.price for _, branch, _ in objects)
    return Branch(tuple(leaves), tuple(lists), tuple(objects), tuple(arrays), bool(lists or objects or arrays), price)


def _elements(lines: list[_Line], at: Skeleton, persons: frozenset[Skeleton]) -> Elements:
    always = [line for line in lines if line.path[0].where is None]
    wheres = dict.fromkeys(where for line in lines if (where := line.path[0].where) is not None)
    selected = {
        value: _branch(_shorter([line for line in lines if line.path[0].where in (None, (member, value))]), at, persons)
        for member, value in wheres
    }
    shown = _branch(_shorter(always), at, persons) if always else None
    return Elements(
        person=at in persons,
        always=shown,
        member=next((member for member, _ in wheres), ""),
        selected=selected,
        values=tuple(selected),
        price=max(branch.price for branch in (shown, *selected.values()) if branch is not None),
    )


def _shorter(lines: list[_Line]) -> list[_Line]:
    return [_Line(line.path[1:], line.leaf) for line in lines]
