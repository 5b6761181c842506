"""What two walks over an answer could do otherwise and hardly any drawn document shows: the edges of what goes the
short way. That they do the same in general is a property (`tests/property/test_walk_is_plain.py`)."""

from collections.abc import Callable
from typing import Final

import pytest

from masking_views import view
from paravent.masking.json import Tree
from paravent.masking.operators import Parameter
from paravent.masking.scope import UNSCOPED
from paravent.masking.trie import Branch
from paravent.masking.walk import Run
from paravent.masking.walkers import Walker, compiled_walker, plain_walker
from paravent.model import Asked
from paravent.nir import SHORTEST

type Walking = Callable[[Branch], Walker]
LEAST_OF_THIRTEEN_DIGITS: Final = 10 ** (SHORTEST - 1)


@pytest.fixture(
    params=[
        pytest.param(plain_walker, id="in Python"),
        pytest.param(
            compiled_walker,
            id="compiled",
            marks=pytest.mark.skipif(compiled_walker is None, reason="Paravent was built where there is no compiler"),
        ),
    ]
)
def walker(request: pytest.FixtureRequest) -> Walking:
    walking: Walking = request.param
    return walking


def walked(walker: Walking, line: str | dict[str, Parameter], value: Tree, *, too_large: bool = False) -> Run:
    run = Run(Asked(), UNSCOPED, [0], too_large=too_large)
    walker(view({"/a": line}).tree)({"a": value}, run)
    return run


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        pytest.param(LEAST_OF_THIRTEEN_DIGITS - 1, [], id="twelve digits hold no NIR"),
        pytest.param(LEAST_OF_THIRTEEN_DIGITS, ["1000000000000"], id="thirteen may"),
        pytest.param(-LEAST_OF_THIRTEEN_DIGITS, ["1000000000000"], id="so may thirteen behind a minus"),
        pytest.param(1 - LEAST_OF_THIRTEEN_DIGITS, [], id="twelve behind it hold none"),
        pytest.param("a" * (SHORTEST - 1), [], id="twelve characters hold none"),
        pytest.param("a" * SHORTEST, ["a" * SHORTEST], id="thirteen may hold one"),
        pytest.param(True, [], id="true is no number"),
    ],
)
def test_what_is_long_enough_to_hold_a_nir_is_looked_into(walker: Walking, value: Tree, texts: list[str]) -> None:
    assert walked(walker, "keep", value).texts == texts


@pytest.mark.parametrize(("too_large", "left"), [(False, [1]), (True, [0])])
def test_no_number_is_looked_through_any_more_in_an_answer_that_is_too_large(
    walker: Walking, too_large: bool, left: list[int]
) -> None:
    assert walked(walker, {"keep": "member-number"}, "0012357976", too_large=too_large).counts == left
