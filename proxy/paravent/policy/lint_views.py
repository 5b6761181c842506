"""Cross-checks of views: with the operations they reduce, with the operators they name, within one view."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from paravent.policy.hints import did_you_mean
from paravent.policy.lint_operations import Placed
from paravent.policy.source import Document, Where
from paravent.problems import Problem
from paravent.rules import FieldRule, Operation, Path, ResponseShape, ViewSpec, path_text

type CheckRule = Callable[[FieldRule, ResponseShape], str | None]
"""What the operators say of one line of a view: a sentence, or None when they can perform it."""


@dataclass(frozen=True, slots=True)
class PlacedView:
    """A view, and the file it stands in."""

    spec: ViewSpec
    document: Document

    def at(self, rule: FieldRule) -> Where:
        return (self.spec.operation, self.spec.purpose, path_text(rule.path))


def check_views(
    views: Sequence[PlacedView],
    operations: Sequence[Placed],
    purposes: Collection[str] | None,
    check_rule: CheckRule,
    *,
    all_operations: bool,
) -> Iterator[Problem]:
    """`purposes`: the words that exist, or None when they are not known.

    `all_operations`: whether `operations` is complete, so that what is not in it does not exist.
    """
    # Of two operations with one name the first counts; the second has its problem already.
    known = {placed.operation.name: placed.operation for placed in reversed(operations)}
    shapes = {name: operation.response for name, operation in known.items()}
    person_names = {path[-1].name for shape in shapes.values() for path in shape.persons}
    identity_names = {name for shape in shapes.values() for name in _identity(shape)}
    seen: set[tuple[str, str]] = set()
    for view in views:
        spec, document = view.spec, view.document
        if all_operations and spec.operation not in shapes and (document.file, spec.operation) not in seen:
            seen.add((document.file, spec.operation))
            hint = did_you_mean(spec.operation, shapes)
            yield document.at_key((spec.operation,), f"unknown operation {spec.operation}", hint)
        if purposes is not None and spec.purpose not in purposes:
            where = (spec.operation, spec.purpose)
            yield document.at_key(where, f"unknown purpose {spec.purpose!r}", did_you_mean(spec.purpose, purposes))
        shape = shapes.get(spec.operation)
        if shape is not None:
            yield from _operators(view, shape, check_rule)
            if all_operations:
                yield from _handles(view, known.values())
            yield from _echoes(view, known[spec.operation])
            yield from _persons(view, shape, person_names)
            yield from _identities(view, shape, identity_names)
            yield from _one_tree(view, shape)


def _operators(view: PlacedView, shape: ResponseShape, check_rule: CheckRule) -> Iterator[Problem]:
    for rule in view.spec.fields:
        complaint = check_rule(rule, shape)
        if complaint is not None:
            yield view.document.at_value(view.at(rule), complaint)


def _echoes(view: PlacedView, operation: Operation) -> Iterator[Problem]:
    """`{echo: /nom}` compares with a value of the request: one that the request can hold."""
    values = [f"/{member.name}" for member in operation.request]
    values += [f"{{{parameter.name}}}" for parameter in operation.parameters]
    values += [f"?{parameter.name}" for parameter in operation.query]
    for rule in view.spec.fields:
        if rule.operator == "echo" and isinstance(rule.parameter, str) and rule.parameter not in values:
            message = f"{rule.parameter!r} is not a value of the request, so nothing could be echoed"
            yield view.document.at_value(view.at(rule), message, did_you_mean(rule.parameter, values))


def _handles(view: PlacedView, operations: Collection[Operation]) -> Iterator[Problem]:
    """A handle that no question accepts is a number that nobody can use."""
    if any(member.handle for operation in operations for member in operation.request):
        return
    for rule in view.spec.fields:
        if rule.operator == "handle":
            message = "no operation accepts a handle, so nothing could be asked with it"
            hint = "write {type: nir, handle: true} where it may be sent"
            yield view.document.at_value(view.at(rule), message, hint)


def _persons(view: PlacedView, shape: ResponseShape, person_names: Collection[str]) -> Iterator[Problem]:
    """Persons that the operation does not declare would leave unscoped and uncounted.

    A policy does not know the upstream's whole answer, but it knows how persons are called in it: a member that holds
    persons in one operation is taken for persons in all.
    """
    declared = {_names(path) for path in shape.persons}
    for rule in view.spec.fields:
        names = _names(rule.path)
        for length, step in enumerate(rule.path, 1):
            if step.name in person_names and names[:length] not in declared:
                place = path_text(rule.path[:length])
                message = f"{place} holds persons, but {view.spec.operation} does not list it under response.persons"
                yield view.document.at_key(view.at(rule), message)
        if names in declared:
            message = f"{path_text(rule.path)} is a whole person"
            yield view.document.at_key(view.at(rule), message, "name the fields of that person, one a line")


def _identity(shape: ResponseShape) -> tuple[str, ...]:
    fields = shape.identified_by
    return (fields.nir, fields.birth_date, fields.birth_rank, *fields.nir_also) if fields else ()


def _identities(view: PlacedView, shape: ResponseShape, identity_names: Collection[str]) -> Iterator[Problem]:
    """A NIR or a birth date is somebody's: where one may stand, a person does, and has to be declared.

    Where it is declared, what may be done with it is for the operators to say (`_operators`).
    """
    declared = {_names(path) for path in shape.persons}
    for rule in view.spec.fields:
        name, holder = rule.path[-1].name, _names(rule.path[:-1])
        if name in identity_names and holder not in declared:
            message = f"{name} says who somebody is, but {view.spec.operation} lists no person there"
            yield view.document.at_key(
                view.at(rule), message, "list the person under response.persons, or drop the line"
            )


def _one_tree(view: PlacedView, shape: ResponseShape) -> Iterator[Problem]:
    """All paths of a view, and the persons paths, must agree on what is a field, an object and a list."""
    lists: dict[tuple[str, ...], tuple[bool, str]] = {}
    for path in shape.persons:
        for length, step in enumerate(path, 1):
            lists.setdefault(_names(path[:length]), (step.array, path_text(path)))
    leaves = {_names(rule.path): rule for rule in view.spec.fields}
    for rule in view.spec.fields:
        for length, step in enumerate(rule.path, 1):
            names = _names(rule.path[:length])
            is_list, other = lists.setdefault(names, (step.array, path_text(rule.path)))
            if is_list != step.array:
                message = f"{step.name} is {_kind(step.array)} here and {_kind(is_list)} in {other}"
                yield view.document.at_key(view.at(rule), message)
            if length < len(rule.path) and names in leaves:
                message = f"{path_text(leaves[names].path)} is a field in one line and holds other fields here"
                yield view.document.at_key(view.at(rule), message)


def _kind(array: bool) -> str:
    return "a list" if array else "not a list"


def _names(path: Path) -> tuple[str, ...]:
    return tuple(step.name for step in path)
