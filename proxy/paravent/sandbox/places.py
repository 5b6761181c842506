"""Where people are born: real départements, communes that do not exist, and how many births each registers a month.

Communes 990-999 are used by no département, and 990-999 are no country of INSEE's list, so that no number built here
can belong to anybody:

    "75" + "990"     Paris, commune that does not exist
    "2A" + "991"     Corse-du-Sud
    "97" + "992"     overseas: département 979 does not exist either
    "99" + "993"     born abroad, in no country

A *slot* is one line of a month's register: (place, order number). `Places(20_000)` shares 20 000 slots a month and sex
out by rough weights: the largest commune of Paris registers some 300, the smallest of Lozère one or two.
"""

from bisect import bisect_right
from itertools import accumulate, product
from typing import Final

ABROAD: Final = "99"
COMMUNES: Final = tuple(str(code) for code in range(990, 1000))
MAX_ORDER: Final = 999

_ORDINARY_WEIGHT: Final = 50
_WEIGHTS: Final = {
    "06": 130, "13": 330, "2A": 15, "2B": 17, "29": 85, "30": 85, "31": 190, "33": 200, "34": 150, "35": 140, "38": 160,
    "42": 90, "44": 180, "48": 8, "49": 95, "56": 75, "57": 110, "59": 420, "60": 100, "62": 190, "67": 150, "68": 80,
    "69": 300, "74": 100, "75": 420, "76": 160, "77": 220, "78": 220, "83": 110, "84": 65, "91": 210, "92": 290,
    "93": 400, "94": 250, "95": 230, "97": 400, ABROAD: 1200,
}  # fmt: skip
"""Relative births, rounded from the order of magnitude of the départements."""
_COMMUNE_SHARES: Final = (30, 18, 12, 10, 8, 6, 5, 4, 4, 3)
_COUNTRY_SHARES: Final = (16, 14, 12, 11, 10, 9, 8, 8, 6, 6)

DEPARTEMENTS: Final = (
    *(f"{n:02d}" for n in range(1, 20)),
    "2A",
    "2B",
    *(f"{n:02d}" for n in range(21, 96)),
    "97",
    ABROAD,
)


def _weights() -> list[tuple[str, int]]:
    places = []
    for departement, (rank, commune) in product(DEPARTEMENTS, enumerate(COMMUNES)):
        shares = _COUNTRY_SHARES if departement == ABROAD else _COMMUNE_SHARES
        places.append((departement + commune, _WEIGHTS.get(departement, _ORDINARY_WEIGHT) * shares[rank]))
    return places


class Places:
    """How the slots of a month are shared between the places. Read only."""

    __slots__ = ("_index", "capacities", "codes", "slots", "starts")

    def __init__(self, slots: int) -> None:
        """`slots`: births a month of one sex, over all places. At least 1."""
        weights = _weights()
        total = sum(weight for _, weight in weights)
        # Rounding the running sum, not each share: the sum of the parts is then exactly `slots`.
        ends = [running * slots // total for running in accumulate(weight for _, weight in weights)]
        self.slots = slots
        self.codes: tuple[str, ...] = tuple(code for code, _ in weights)
        """Five characters: département and commune, or 99 and country."""
        self.starts: tuple[int, ...] = (0, *ends[:-1])
        """First slot of each place."""
        self.capacities: tuple[int, ...] = tuple(end - start for start, end in zip(self.starts, ends, strict=True))
        """How many slots each place has: order numbers 1 to this."""
        self._index = {code: index for index, code in enumerate(self.codes)}
        if max(self.capacities) > MAX_ORDER:
            raise ValueError("more births a month than order numbers")

    def entry(self, slot: int) -> tuple[int, int]:
        """The place (its index) and the order number, from 1, of a slot."""
        index = bisect_right(self.starts, slot) - 1
        return index, slot - self.starts[index] + 1

    def slot(self, code: str, order: int) -> int | None:
        """The slot of an order number in a place, or None when that month's register does not go so far."""
        index = self._index.get(code)
        if index is None or not 1 <= order <= self.capacities[index]:
            return None
        return self.starts[index] + order - 1

    def capacity(self, code: str) -> int:
        """How far the order numbers of one month and sex go in a place; 0 for a place that is not ours."""
        index = self._index.get(code)
        return 0 if index is None else self.capacities[index]
