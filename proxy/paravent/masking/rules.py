"""What is wrong with a line of a view, told as sentences for the policy's author.

`policy` reads the lines, `masking` knows what they mean; who loads a policy connects the two.
"""

import difflib
from typing import Final

from paravent.masking.operators import REGISTRY, Identifies
from paravent.masking.operators.filter_period import NAME as PERIOD
from paravent.masking.places import listing
from paravent.rules import FieldRule, Format, Path, ResponseShape, Step, path_text

MAX_STEPS: Final = 32
"""Longest path of a view, and so the depth of every walk. The reference API's longest has 4 steps, FHIR's about 12."""

type Skeleton = tuple[tuple[str, bool], ...]


def skeleton(path: Path) -> Skeleton:
    """A path without its conditions."""
    return tuple((step.name, step.array) for step in path)


def check_shape(shape: ResponseShape) -> str | None:
    """What is wrong with how an operation says where persons stand, or None."""
    if shape.scope not in {"asked", "listed"}:
        return 'scope is "asked" or "listed"'
    if shape.max_persons < 1:
        return "max_persons is at least 1"
    if shape.persons and shape.identified_by is None:
        return "persons are listed, but not which members identify one: identified_by is missing"
    if shape.identified_by is not None and not shape.persons:
        return "identified_by is given, but no persons path"
    if any(not 0 < len(path) <= MAX_STEPS for path in shape.persons):
        return f"a persons path has 1 to {MAX_STEPS} steps"
    return None


def identifies(path: Path, shape: ResponseShape) -> Identifies | None:
    """Which part of a person's identity stands at a path, if any."""
    fields = shape.identified_by
    if fields is not None and _in_identifier(path, fields.nir, shape):
        return Identifies.NIR if path[-1].name == "value" else None
    if fields is None or path[-1].array or skeleton(path[:-1]) not in set(map(skeleton, shape.persons)):
        return None
    return _IDENTITY.get(
        (path[-1].name == fields.nir, path[-1].name == fields.birth_date, path[-1].name == fields.birth_rank)
    )


def _in_identifier(path: Path, name: str, shape: ResponseShape) -> bool:
    """Whether a path goes into the identifiers of a FHIR Patient: a list of objects, of which one holds the NIR."""
    identifiers = (*map(skeleton, shape.persons[:1]), ((name, True),)) if shape.format is Format.FHIR else ()
    return bool(identifiers) and skeleton(path[:-1]) == identifiers[0] + identifiers[1]


_IDENTITY: Final = {
    (True, False, False): Identifies.NIR,
    (False, True, False): Identifies.BIRTH_DATE,
    (False, False, True): Identifies.BIRTH_RANK,
}


def check_rule(rule: FieldRule, shape: ResponseShape) -> str | None:
    """What is wrong with one line of a view by itself, in one sentence, or None.

    Knows neither the other lines (`check_view` does) nor the request: that `{echo: /nom}` names a field which the
    operation accepts is for the policy's own check.
    """
    if not 0 < len(rule.path) <= MAX_STEPS:
        return f"a path has 1 to {MAX_STEPS} steps"
    operator = REGISTRY.get(rule.operator)
    if operator is None:
        near = difflib.get_close_matches(rule.operator.lower(), REGISTRY, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(REGISTRY)}"
        return f"unknown operator {rule.operator!r}; {hint}"
    if misplaced := _misplaced(rule.path, shape) or _selects_persons(rule.path, shape) or _of_nobody(rule.path, shape):
        return misplaced
    if rule.operator == PERIOD and not any(step.array for step in rule.path[:-1]):
        return "filter-period selects elements of a list: there is none on the way"
    if rule.operator == PERIOD and rule.parameter == rule.path[-1].name:
        return f"a period does not end with its own beginning: filter-period names another member than {rule.parameter}"
    if told := _told_by_condition(rule):
        return told
    part = identifies(rule.path, shape)
    if problem := operator.problem(rule.parameter, part):
        return problem
    if (rule.path[-1].name in _nir_members(shape) or part is Identifies.NIR) and not operator.for_nir:
        allowed = ", ".join(sorted(name for name, each in REGISTRY.items() if each.for_nir))
        return f"{operator.name} would show a NIR; here only: {allowed}"
    return None


def _nir_members(shape: ResponseShape) -> tuple[str, ...]:
    fields = shape.identified_by
    return (fields.nir, *fields.nir_also) if fields is not None else ()


def _selects_persons(path: Path, shape: ResponseShape) -> str | None:
    """That an element is there tells what its condition compares with: for a NIR or a birth date, who somebody is."""
    fields = shape.identified_by
    identity = (*_nir_members(shape), fields.birth_date, fields.birth_rank) if fields is not None else ()
    looked_at = next((step.where[0] for step in path if step.where is not None and step.where[0] in identity), None)
    return f"a condition may not look at {looked_at}: it would tell who somebody is" if looked_at else None


def _told_by_condition(rule: FieldRule) -> str | None:
    """Whoever gets an element that a condition selects knows what it was selected by."""
    where = rule.path[-2].where if len(rule.path) > 1 else None
    if where is None or rule.operator == "keep" or where[0] != rule.path[-1].name:
        return None
    return (
        f"{where[0]} is {where[1]} in every element here, so {rule.operator} hides nothing: keep it, or drop the line"
    )


def _of_nobody(path: Path, shape: ResponseShape) -> str | None:
    """What a search says beside its persons counts those who do not leave, or leads to them: totals, pages, links.

    Of FHIR the Bundle's own elements are looked at by its format.
    """
    if shape.scope != "listed" or shape.format is Format.FHIR:
        return None
    theirs = [way for persons in shape.persons for way in (persons, listing(persons)) if way is not None]
    if any(skeleton(path[: len(way)]) == skeleton(way) for way in theirs):
        return None
    return f"{path_text(path)} is nobody's of whom the search lists: a total or a link tells of those who do not leave"


def _misplaced(path: Path, shape: ResponseShape) -> str | None:
    if path[-1].where is not None:
        return "a condition selects objects: name a member below it"
    if any(step.where is not None and not step.array for step in path):
        return "a condition stands only on a list"
    names = [step.name for step in path]
    for persons in shape.persons:
        shared = names[: len(persons)]
        if len(path) <= len(persons) and shared == [step.name for step in persons][: len(names)]:
            return f"{path_text(path)} holds persons: name the members of a person that may leave"
        if _parts(path, persons):
            return f"persons stand at {path_text(_bare(persons))}: write the path the same way, or they are not scoped"
    return None


def _parts(path: Path, persons: Path) -> bool:
    """Whether a path says of something on the way to persons that it is one, where theirs says several, or otherwise:
    of the two, an answer fits one alone."""
    for step, other in zip(path, persons, strict=False):
        if step.name != other.name:
            return False
        if step.array != other.array:
            return True
    return False


def _bare(path: Path) -> Path:
    return tuple(Step(step.name, step.array) for step in path)
