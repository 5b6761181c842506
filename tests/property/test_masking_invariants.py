"""Invariants of the masking engine, over documents and views that nobody thought of.

The oracle below is the specification read naively: for each value of the document, is there a line of the view that
names it? It shares no code with the engine.
"""

import json
from itertools import count, product
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jiter import LosslessFloat

from effort import examples
from masking_views import NO_PERSONS, NOBODY, shape, view
from paravent.masking import REGISTRY, Reduced, View, check_view, compile_view
from paravent.masking.json import Scalar
from paravent.masking.operators import Drop
from paravent.model import Asked
from paravent.reasons import Reason
from paravent.rules import FieldRule, Path, Step, ViewSpec, path_text

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None

NAMES: Final = st.sampled_from(["a", "b", "c", "d"])
SCALARS: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=9),
).filter(lambda value: len(str(value)) < 13)
DOCUMENTS: Final = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=20
    ),
    max_size=4,
)
STEPS: Final = st.builds(
    lambda name, array, where: Step(name, array, ("d", where) if array and where else None),
    NAMES,
    st.booleans(),
    st.sampled_from([None, None, None, "x"]),
)
PATHS: Final = st.lists(STEPS, min_size=1, max_size=4).map(tuple)


@st.composite
def views(draw: st.DrawFn, conditions: bool = True) -> tuple[View, list[Path]]:
    """Lines that do not clash, all of them `keep`."""
    rules: list[FieldRule] = []
    for path in draw(st.lists(PATHS, min_size=1, max_size=8)):
        plain = path if conditions else tuple(Step(step.name, step.array) for step in path)
        longer = (*rules, FieldRule(plain, "keep"))
        if not check_view(ViewSpec("o", "21", "p", longer), NO_PERSONS):
            rules.append(longer[-1])
    return compile_view(ViewSpec("o", "21", "p", tuple(rules)), NO_PERSONS), [rule.path for rule in rules]


# ---- the oracle


def project(members: dict[str, Json], paths: list[Path]) -> dict[str, Json]:
    """What may leave of an object when these paths lead on from it."""
    left: dict[str, Json] = {}
    for name, value in members.items():
        here = [path for path in paths if path[0].name == name]
        if not here:
            continue
        if value is None:
            left[name] = None
        elif here[0][0].array:
            if isinstance(value, list):
                left[name] = [each for element in value for each in project_element(element, here)]
        elif len(here[0]) == 1:
            if not isinstance(value, list | dict):
                left[name] = value
        elif isinstance(value, dict):
            left[name] = project(value, [path[1:] for path in here])
    return left


def project_element(element: Json, paths: list[Path]) -> list[Json]:
    """One element, or none."""
    if len(paths[0]) == 1:
        return [] if isinstance(element, list | dict) else [element]
    if not isinstance(element, dict):
        return []
    on = [path[1:] for path in paths if path[0].where is None or element.get(path[0].where[0]) == path[0].where[1]]
    return [project(element, on)] if on else []


def scalars(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return [each for member in value.values() for each in scalars(member)]
    if isinstance(value, list):
        return [each for element in value for each in scalars(element)]
    return [value]


def applied(compiled: View, body: bytes, asked: Asked = NOBODY) -> bytes:
    reduced = compiled.apply(body, asked)
    assert isinstance(reduced, Reduced), reduced
    return reduced.body


# ---- the invariants


@given(DOCUMENTS, views())
@settings(max_examples=examples(100), deadline=None)
def test_exactly_what_the_view_names_leaves(document: dict[str, Json], drawn: tuple[View, list[Path]]) -> None:
    """The output, read by the standard library, is the naive projection of the input, read by the standard library."""
    compiled, paths = drawn
    body = json.dumps(document).encode()
    assert json.loads(applied(compiled, body)) == project(json.loads(body), paths)


@given(DOCUMENTS, views(), st.integers(0, 150))
@settings(max_examples=examples(100), deadline=None)
def test_no_unlisted_value_leaves_however_deep_it_is_wrapped(
    document: dict[str, Json], drawn: tuple[View, list[Path]], depth: int
) -> None:
    """Every value made unique, every document wrapped in lists and objects: only listed ones are found again."""
    compiled, paths = drawn
    numbers = count()

    def unique(value: Json) -> Json:
        if isinstance(value, dict):
            return {name: unique(member) for name, member in value.items()}
        return [unique(element) for element in value] if isinstance(value, list) else f"v{next(numbers)}"

    marked = unique(document)
    wrapped: Json = unique(document)
    for level in range(depth):
        wrapped = [wrapped] if level % 3 else {"a": wrapped, "b": f"w{level}"}
    assert isinstance(marked, dict)
    hostile = {**marked, "e": wrapped, "d": [wrapped, marked]}
    allowed = set(map(str, scalars(project(hostile, paths))))
    left = json.loads(applied(compiled, json.dumps(hostile).encode()))
    assert {str(value) for value in scalars(left)} <= allowed


@given(DOCUMENTS, views(conditions=False))
@settings(max_examples=examples(100), deadline=None)
def test_filtering_twice_is_filtering_once(document: dict[str, Json], drawn: tuple[View, list[Path]]) -> None:
    """What may leave may leave again, byte for byte."""
    once = applied(drawn[0], json.dumps(document).encode())
    assert applied(drawn[0], once) == once


@given(DOCUMENTS, views())
@settings(max_examples=examples(60), deadline=None)
def test_released_values_are_counted(document: dict[str, Json], drawn: tuple[View, list[Path]]) -> None:
    """Every value that leaves is counted under the line that let it; null containers are nobody's."""
    compiled, paths = drawn
    reduced = compiled.apply(json.dumps(document).encode(), NOBODY)
    assert isinstance(reduced, Reduced)
    assert set(reduced.released) <= set(map(path_text, paths))
    values = [value for value in scalars(json.loads(reduced.body)) if value is not None]
    assert len(values) <= sum(reduced.released.values()) <= len(scalars(json.loads(reduced.body)))


HOSTILE: Final = st.one_of(
    st.binary(max_size=60),
    st.text(alphabet='{}[]":,\\u0019eE+-.abnulltrefs ', max_size=60).map(str.encode),
    st.builds(lambda unit, times: unit * times, st.sampled_from([b"[", b'{"a":', b'[{"b":']), st.integers(1, 3000)),
    st.integers(1, 4400).map(lambda digits: b'{"a":' + b"7" * digits + b"}"),
)


@given(HOSTILE, views())
@settings(max_examples=examples(80), deadline=None)
def test_no_bytes_make_it_raise(body: bytes, drawn: tuple[View, list[Path]]) -> None:
    """Whatever an upstream sends, the outcome is a value."""
    assert isinstance(drawn[0].apply(body, NOBODY), Reduced | Reason)


VALUES: Final = st.one_of(
    SCALARS.filter(lambda value: value is not None and not isinstance(value, float)),
    st.text(alphabet="0123456789-CRT*.é", max_size=20),
    st.sampled_from(["19840517", "2026-01-31", "2840575990003", "CLAIRE", "******5678"]),
)


@given(
    st.sampled_from([("keep", None), ("redact", None), ("year", None), ("initial", None), ("mask", 1), ("mask", 4)]),
    VALUES,
)
@settings(max_examples=examples(100), deadline=None)
def test_every_operator_is_its_own_fixed_point(operator: tuple[str, int | None], value: Scalar) -> None:
    """Applying it to its own result changes nothing."""
    release = REGISTRY[operator[0]].bind(operator[1], None)
    once = release(value, NOBODY)
    if not isinstance(once, Drop | LosslessFloat | None):
        assert release(once, NOBODY) == once


@given(VALUES, st.integers(1, 4))
@settings(max_examples=examples(100), deadline=None)
def test_a_mask_shows_less_than_half_and_never_how_long(value: Scalar, shown: int) -> None:
    """Same width for all; what is visible is at most the end, and shorter than what is hidden."""
    left = REGISTRY["mask"].bind(shown, None)(value, NOBODY)
    if not isinstance(left, str):
        return
    assert len(left) == 6 + shown
    assert isinstance(value, str)
    assert left[6:] == "*" * shown or (value.endswith(left[6:]) and len(value) > 2 * shown)


PEOPLE: Final = st.lists(
    st.tuples(
        st.sampled_from(["2790369991012", "1120469991033", None]),
        st.sampled_from(["20190713", "20190714", "19790314", None]),
        st.sampled_from([1, 2, "1", None]),
    ),
    max_size=6,
)
FAMILY: Final = view(
    {"/p/nom": "keep", "/famille[]/nom": "keep", "/contrats[]/beneficiaires[]/nom": "keep", "/contrats[]/n": "keep"},
    shape("/p", "/famille[]", "/contrats[]/beneficiaires[]"),
)


@given(PEOPLE, PEOPLE, PEOPLE)
@settings(max_examples=examples(100), deadline=None)
def test_nobody_leaves_but_the_person_asked_about(
    family: list[tuple[str | None, str | None, int | str | None]],
    first: list[tuple[str | None, str | None, int | str | None]],
    second: list[tuple[str | None, str | None, int | str | None]],
) -> None:
    """Whoever leaves has the birth date and the rank that were asked about, and all who leave have one NIR."""

    def people(drawn: list[tuple[str | None, str | None, int | str | None]]) -> list[dict[str, Json]]:
        return [
            {
                "nom": f"{str(nir)[0]}/{date}/{rank}",
                "noNIRCertifie": nir,
                "dateNaissance": date,
                "rangGemellaire": rank,
            }
            for nir, date, rank in drawn
        ]

    contracts: list[Json] = [{"n": n, "beneficiaires": people(each)} for n, each in ((1, first), (2, second))]
    body = json.dumps({"famille": people(family), "contrats": contracts}).encode()
    reduced = FAMILY.apply(body, Asked("2790369991012", "20190713", 1))
    if isinstance(reduced, Reason):
        assert reduced is Reason.ANSWER_OTHER_PERSON
        return
    names = [str(value).split("/") for value in scalars(json.loads(reduced.body)) if isinstance(value, str)]
    assert all((date, rank) == ("20190713", "1") for _, date, rank in names)
    assert len({nir for nir, _, _ in names}) <= 1
    assert len(reduced.persons) == (1 if family or first or second else 0)


@pytest.mark.parametrize("by_handle", [False, True], ids=["by number", "by handle"])
def test_whoever_stands_alone_is_judged_as_beside_a_stranger(by_handle: bool) -> None:
    """The short way for an answer about one person is no other way: same person, same reason, same numbers known."""
    asked = Asked("2790369991012", "20190713", 1, by_handle=by_handle)
    stranger: Any = {"noNIRCertifie": "1530169993001", "dateNaissance": "19530102", "rangGemellaire": 1}
    nirs = ("2790369991012", "2 79 03 69 991 012", 2790369991012, "1120469991033", None, "x")
    dates, ranks = ("20190713", "2019-07-13", 20190713, "19790314", None), (1, 2, "1", True, None)
    for nir, date, rank in product(nirs, dates, ranks):
        person: Any = {"noNIRCertifie": nir, "dateNaissance": date, "rangGemellaire": rank}
        alone = FAMILY.scope.judge({"p": person, "famille": []}, asked)
        beside = FAMILY.scope.judge({"p": person, "famille": [stranger]}, asked)
        if isinstance(alone, Reason) or isinstance(beside, Reason):
            assert alone is beside
        else:
            assert (alone.persons, alone.kept) == (beside.persons, beside.kept)
            assert beside.nirs - alone.nirs == {"1530169993001"}
