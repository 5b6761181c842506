"""Keyed bijections of [0, size), computed both ways: what makes every look-up of the population a calculation.

    p = Permutation(1000, key=7)
    p.invert(p.apply(123)) == 123
    p.apply(1000)                       # outside the domain: undefined, never asked

Each round multiplies by an odd number modulo 2^bits (carries upwards) and folds the upper half onto the lower
(carries downwards); both steps can be undone. Values that land between `size` and 2^bits walk on until they are back
inside ("cycle walking": Black and Rogaway, Ciphers with Arbitrary Finite Domains, 2002). It scatters; it hides
nothing from anybody who tries: the people it numbers are invented.
"""

import hashlib
from typing import Final

_ROUNDS: Final = 3
_MASK_64: Final = 2**64 - 1


def key_of(seed: int, label: str) -> int:
    """A 64-bit key for one use of a seed. Different labels give unrelated keys."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{label}".encode(), digest_size=8).digest())


def noise(key: int, x: int) -> int:
    """64 bits that look random and depend only on the arguments (the finaliser of SplitMix64, Steele et al. 2014)."""
    z = (key + x * 0x9E3779B97F4A7C15) & _MASK_64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK_64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK_64
    return z ^ (z >> 31)


class Permutation:
    """A bijection of [0, size) chosen by `key`. About one microsecond a call."""

    __slots__ = ("_add", "_fold", "_forward", "_inverse", "_mask", "size")

    def __init__(self, size: int, key: int) -> None:
        if size < 1:
            raise ValueError("a permutation needs at least one value")
        bits = max(2, (size - 1).bit_length())
        self.size = size
        self._mask = (1 << bits) - 1
        # A fold by at least half the bits is its own inverse: x ^ (x >> f) twice is x ^ (x >> 2f) = x.
        self._fold = (bits + 1) // 2
        self._add = noise(key, 0) & self._mask
        self._forward = tuple(noise(key, round_ + 1) & self._mask | 1 for round_ in range(_ROUNDS))
        self._inverse = tuple(pow(factor, -1, 1 << bits) for factor in reversed(self._forward))

    def apply(self, x: int) -> int:
        """Where `x`, 0 <= x < size, goes."""
        mask, fold, add, size = self._mask, self._fold, self._add, self.size
        a, b, c = self._forward
        while True:
            x = ((x + add) * a) & mask
            x = ((x ^ (x >> fold)) * b) & mask
            x = ((x ^ (x >> fold)) * c) & mask
            x ^= x >> fold
            if x < size:
                return x

    def invert(self, y: int) -> int:
        """What went to `y`, 0 <= y < size."""
        mask, fold, add, size = self._mask, self._fold, self._add, self.size
        c, b, a = self._inverse
        while True:
            y ^= y >> fold
            y = (y * c) & mask
            y ^= y >> fold
            y = (y * b) & mask
            y ^= y >> fold
            y = ((y * a) - add) & mask
            if y < size:
                return y
