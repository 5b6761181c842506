"""Bijections: every value once, there and back."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effort import examples
from paravent.sandbox.permutation import Permutation, key_of, noise


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 1000, 4096])
def test_every_value_is_hit_once(size: int) -> None:
    """The image of [0, size) is [0, size), at and around powers of two."""
    permutation = Permutation(size, key_of(1, "test"))
    assert sorted(permutation.apply(x) for x in range(size)) == list(range(size))


@given(st.integers(1, 10**12), st.integers(0, 2**64 - 1), st.data())
@settings(max_examples=examples(200))
def test_invert_undoes_apply(size: int, key: int, data: st.DataObject) -> None:
    """For any size and key, there and back is where we were, in either order."""
    permutation = Permutation(size, key)
    x = data.draw(st.integers(0, size - 1))
    assert 0 <= permutation.apply(x) < size
    assert permutation.invert(permutation.apply(x)) == x
    assert permutation.apply(permutation.invert(x)) == x


def test_neighbours_part() -> None:
    """Consecutive values land far apart: the mean distance is near a third of the size, as for chance."""
    permutation = Permutation(1_000_000, key_of(2022, "test"))
    images = [permutation.apply(x) for x in range(2000)]
    mean = sum(abs(a - b) for a, b in pairwise(images)) / (len(images) - 1)
    assert 300_000 < mean < 366_000


def test_an_empty_domain_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Permutation(0, 1)


def test_noise_depends_on_key_and_value_only() -> None:
    """The same arguments give the same bits; another key or value gives others."""
    assert noise(1, 2) == noise(1, 2)
    assert len({noise(1, 2), noise(1, 3), noise(2, 2)}) == 3
