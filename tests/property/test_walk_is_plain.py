"""Each walk of the product lets out what a walk lets out that was written to be read alone (`plain_walk`), and notes as
much: the one in Python, and the one that is compiled where there is a compiler.

Views and documents that nobody thought of: every operator, conditions, persons, lists of values; and values of the
wrong kind wherever one is expected, numbers that nobody can write, texts that are long, numeric or hostile.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jiter import LosslessFloat

from compiler import compiles
from effort import examples
from masking_views import shape
from paravent.masking import REGISTRY, check_view, compile_view, walkers
from paravent.masking.json import Tree, encode
from paravent.masking.operators import Parameter
from paravent.masking.scope import Scoped
from paravent.masking.sweep import MAX_EFFORT, sweep
from paravent.masking.trie import Branch, Elements
from paravent.masking.view import View
from paravent.masking.walk import MAX_ELEMENTS, MAX_TEXT_CHARACTERS, MAX_WORK, Run
from paravent.masking.walkers import Walker, compiled_walker, plain_walker
from paravent.model import Asked, Disguise, Secret
from paravent.rules import FieldRule, Step, ViewSpec
from plain_walk import Walked, swept

NAMES: Final = st.sampled_from(["a", "b", "c", "d"])
NIR: Final = "2840575990003"
OTHER: Final = "1530169993001"
TEXTS: Final = st.one_of(
    st.text(max_size=20),
    st.text(alphabet="0123456789AB .-é|", max_size=20),
    st.sampled_from(
        [NIR, OTHER, f"né sous le {OTHER}", "2 84 05 75 990 003 26", "19840517", "2026-01-31", "", "x", "y"]
    ),
    st.sampled_from(["a" * 12, "a" * 13]),
    st.sampled_from(["1" * 5000, "à la carte " * 700, "z" * (MAX_TEXT_CHARACTERS + 1)]),
)
NUMBERS: Final = st.one_of(
    st.booleans(),
    st.sampled_from([10**12 - 1, 10**12, -(10**12)]),
    st.sampled_from([0, 1, int(NIR), int(OTHER), 2**64 - 1, 2**64, -(2**63) - 1]),
    st.sampled_from([b"1.10", b"1e400", b"2.840575990003e12", b"1530169993001.0", b"-0.0", b"1e14", b"1e15"]).map(
        LosslessFloat
    ),
    st.integers(),
)
SCALARS: Final[st.SearchStrategy[Tree]] = st.one_of(st.none(), TEXTS, NUMBERS)
TREES: Final[st.SearchStrategy[Tree]] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=30,
)
PARAMETERS: Final[dict[str, list[Parameter]]] = {
    "keep": [None, None, None, "member-number"],
    "echo": [None, "/nom"],
    "mask": [4],
    "code-map": [(("x", "1"), ("1", OTHER[:13]), ("y", "2"))],
    "filter-period": ["b"],
}
OPERATORS: Final = st.sampled_from(sorted(REGISTRY)).flatmap(
    lambda name: st.tuples(st.just(name), st.sampled_from(PARAMETERS.get(name, [None])))
)
LIKELY: Final[list[tuple[str, Parameter]]] = [("free-text", None), ("keep", "member-number"), ("echo", "/nom")]
STEPS: Final = st.builds(
    lambda name, array, value: Step(name, array, ("d", value) if array and value else None),
    NAMES,
    st.booleans(),
    st.sampled_from([None, None, "x", "y"]),
)
PATHS: Final = st.lists(STEPS, min_size=1, max_size=4).map(tuple)
SHAPES: Final = st.sampled_from([shape(), shape("/a"), shape("/b[]"), shape("/c[]/a[]", "/a/b")])
ASKED: Final = st.builds(
    Asked,
    nir=st.sampled_from([None, NIR]),
    birth_date=st.just("19840517"),
    birth_rank=st.just(1),
    fields=st.just({"/nom": "x"}),
    by_handle=st.booleans(),
    disguise=st.sampled_from([None, Disguise(Secret(b"k" * 32), "10001234567", 0)]),
)


type Walking = Callable[[Branch], Walker]
BOTH: Final = pytest.mark.parametrize(
    "walker",
    [
        pytest.param(plain_walker, id="in Python"),
        pytest.param(
            compiled_walker,
            id="compiled",
            marks=pytest.mark.skipif(compiled_walker is None, reason="Paravent was built where there is no compiler"),
        ),
    ],
)


@st.composite
def views(draw: st.DrawFn) -> View:
    """Lines that do not clash, of any operator; `keep` is the commonest, as in any policy."""
    of = draw(SHAPES)
    rules: list[FieldRule] = []
    for path in draw(st.lists(PATHS, min_size=1, max_size=10)):
        operator, parameter = draw(st.one_of(st.just(("keep", None)), st.sampled_from(LIKELY), OPERATORS))
        longer = (*rules, FieldRule(path, operator, parameter))
        if not check_view(ViewSpec("o", "21", "p", longer), of):
            rules.append(longer[-1])
    return compile_view(ViewSpec("o", "21", "p", tuple(rules)), of)


@st.composite
def documents(draw: st.DrawFn, branch: Branch) -> dict[str, Tree]:
    """Of the kinds that a view expects, but for one member in six, which is anything or not there."""
    members: dict[str, Tree] = dict(draw(st.dictionaries(NAMES, TREES, max_size=2)))

    def expected(name: str, value: st.SearchStrategy[Tree]) -> None:
        chance = draw(st.integers(0, 11))
        if chance != 0:
            members[name] = draw(TREES if chance == 1 else value)

    for name, *_ in branch.leaves:
        expected(name, st.none() if draw(st.integers(0, 5)) == 0 else SCALARS)
    for name, below, _ in branch.objects:
        expected(name, st.none() | documents(below))
    for name, elements in branch.arrays:
        expected(name, st.lists(items(elements), max_size=4))
    for name, _ in branch.lists:
        expected(name, st.lists(SCALARS, max_size=4))
    return members


@st.composite
def items(draw: st.DrawFn, elements: Elements) -> Tree:
    """Elements that are selected and such as are not."""
    value = draw(st.sampled_from([*elements.selected, "z", None, 0]))
    branch = elements.selected.get(str(value), elements.always)
    if branch is None or draw(st.integers(0, 7)) == 0:
        return draw(TREES)
    item = draw(documents(branch))
    return item | {elements.member: value} if elements.selected else item


def objects(value: Tree) -> list[int]:
    """By `id`, every object of a document."""
    if isinstance(value, dict):
        return [id(value), *(each for member in value.values() for each in objects(member))]
    return [each for item in value for each in objects(item)] if isinstance(value, list) else []


@st.composite
def scopes(draw: st.DrawFn, document: Tree) -> Scoped:
    """Any objects may be those that stay, or somebody else's."""
    found = objects(document)
    some = st.frozensets(st.sampled_from(found)) if found else st.just(frozenset[int]())
    foreign = draw(st.one_of(st.just(frozenset[int]()), some))
    return Scoped((), draw(some), foreign, draw(st.sampled_from([frozenset[str](), frozenset({OTHER})])))


@BOTH
@given(view=views(), asked=ASKED, data=st.data())
@settings(max_examples=examples(400), deadline=None)
def test_the_walk_and_the_plain_walk_agree(walker: Walking, view: View, asked: Asked, data: st.DataObject) -> None:
    """On the bytes that leave, member for member; on what is counted, swept and vouched for; on what withholds it."""
    document = data.draw(documents(view.tree))
    scoped = data.draw(scopes(document))
    spent = data.draw(st.sampled_from([0, 0, 0, MAX_WORK - 40, MAX_WORK - 200]))
    plain = Walked(asked, scoped, work=spent)
    run = Run(asked, scoped, [0] * len(view.paths), work=spent)
    expected = plain.object(view.tree, document)
    reduced = walker(view.tree)(document, run)
    assert run.too_large == plain.too_large
    assert run.unwritable == plain.unwritable
    assert encode(reduced) == encode(expected)
    assert {line: count for line, count in enumerate(run.counts) if count} == plain.released
    assert run.dropped == plain.dropped
    assert (Counter(run.texts), Counter(run.vouched)) == (Counter(plain.texts), Counter(plain.vouched))
    assert (run.effort, run.looked, run.elements) == (plain.effort, plain.looked, plain.elements)
    assert (run.work, run.swept) == (plain.work, max(plain.effort, plain.work + MAX_EFFORT - MAX_WORK))


@BOTH
@given(lengths=st.lists(st.integers(0, MAX_ELEMENTS), min_size=1, max_size=4), view=views())
@settings(max_examples=examples(40), deadline=None)
def test_they_agree_on_how_many_elements_are_too_many(walker: Walking, lengths: list[int], view: View) -> None:
    """Lists that are short alone and long together."""
    document: dict[str, Tree] = {
        name: [{"a": "x", "d": "x"}] * length for name, length in zip("abcd", lengths, strict=False)
    }
    scoped = Scoped((), frozenset())
    plain, run = Walked(Asked(), scoped), Run(Asked(), scoped, [0] * len(view.paths))
    expected, reduced = plain.object(view.tree, document), walker(view.tree)(document, run)
    assert (run.too_large, run.elements) == (plain.too_large, plain.elements)
    assert run.too_large or (encode(reduced), run.dropped) == (encode(expected), plain.dropped)


@given(
    st.lists(TEXTS, max_size=6), st.sampled_from([frozenset[str](), frozenset({OTHER})]), st.sampled_from([0, 30_000])
)
@settings(max_examples=examples(300), deadline=None)
def test_texts_are_swept_together_as_one_by_one(texts: list[str], nirs: frozenset[str], effort: int) -> None:
    """One look at all of them changes nothing, nor does what one text ends with and another begins with."""
    assert sweep(texts, nirs, effort) == swept(texts, nirs, effort)


def test_where_there_is_a_compiler_the_walk_is_compiled_from_the_source_that_stands_beside_it() -> None:
    """`./dev` builds it anew when the source changes: what was built from another would be tested in its place."""
    if not compiles():
        pytest.skip("no C compiler, or no headers of this Python")
    from paravent.masking import compiled_walk

    source = Path(walkers.__file__).with_name("compiled_walk.pyx").read_bytes()
    assert hashlib.sha256(source).hexdigest() == compiled_walk.SOURCE
    assert walkers.walker is compiled_walk.Walker
