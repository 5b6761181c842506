"""Third-party-payer cards: insurers that do not exist, member numbers that lead back to one family by calculation.

Card *c* of the population is family *c*'s first, or, past the last family, the second card of every tenth one. A keyed
bijection scatters the cards over a third more numbers than there are cards; its value is the insurer and the member
number. Consecutive member numbers of one AMC therefore hit about two times in three, as anyone can walk them.
"""

from dataclasses import dataclass
from typing import Final

from paravent.sandbox.families import BLOCK_FAMILIES, FAMILIES, PROVISIONAL
from paravent.sandbox.permutation import Permutation, key_of, noise

_USED_PERCENT: Final = 70
_FIRST_MEMBER: Final = 12_000_000
_SECOND_CARD_EVERY: Final = 10
_SECOND_CARD_REST: Final = 3


@dataclass(frozen=True, slots=True)
class Amc:
    """A complementary insurer."""

    number: str
    """8 digits, or 10 where it manages its own share (gestion séparée)."""
    name: str
    convention: str
    """Two letters; RO is gestion unique."""
    routing: str
    """`csr`, the secondary routing criterion."""


def _amcs() -> tuple[Amc, ...]:
    kinds = ("MUTUELLE", "ASSURANCES", "PRÉVOYANCE", "MUTUELLE DES AGENTS")
    towns = ("D'ESSAI", "DE TESTVILLE", "DU BOURG-TEST", "DES TILLEULS", "DE L'ÎLE-D'ESSAI")
    found = []
    for k in range(40):
        number = f"9999{k + 1:04d}" if k % 3 else f"9999{k + 1:04d}{k % 10 + 1:02d}"
        name = f"{kinds[k % 4]} {towns[k % 5]} {'I' * (k // 20 + 1)}"
        found.append(Amc(number, name, ("SP", "MU", "RO", "VM", "AL")[k % 5], f"{k * 21 % 10000:04d}"))
    return tuple(found)


AMCS: Final = _amcs()
_AMC_INDEX: Final = {amc.number: index for index, amc in enumerate(AMCS)}

_PROVISIONAL_FAMILIES: Final = frozenset(
    number for number, family in enumerate(FAMILIES) if any(slot.cohort[0] == PROVISIONAL for slot in family)
)

COVERED, C2S, AME, UNCOVERED = "amc", "c2s", "ame", "none"
"""How a family's complementary share is covered: an AMC, the C2S (some through an AMC), state medical aid, nothing."""


@dataclass(frozen=True, slots=True)
class Card:
    """One contract and the number printed on its card."""

    index: int
    """0 to `Cards.count` - 1."""
    family: int
    """Number of the family on it."""
    amc: Amc
    member: str
    """`numeroAdherent`, 10 digits; only unique with the AMC's number."""
    second: bool
    """Whether it tops up another card of the same family."""


class Cards:
    """Every card, computed."""

    def __init__(self, seed: int, families: int) -> None:
        self._families = families
        seconds = -(-(families - _SECOND_CARD_REST) // _SECOND_CARD_EVERY)
        self.count = families + max(0, seconds)
        """How many card numbers belong to a family; those of families without an AMC are unused."""
        numbers = self.count * 100 // _USED_PERCENT
        self._scatter = Permutation(-(-numbers // len(AMCS)) * len(AMCS), key_of(seed, "cards"))
        self._coverage = key_of(seed, "coverage")

    def coverage(self, family: int) -> str:
        """_PROVISIONAL_FAMILIES: Final = frozenset(
            number for number, family in enumerate(FAMILIES) if any(slot.cohort[0] == PROVISIONAL for slot in family)
        )

        COVERED, C2S, AME or UNCOVERED."""
        if family % BLOCK_FAMILIES in _PROVISIONAL_FAMILIES:
            return AME
        percent = noise(self._coverage, family) % 100
        return COVERED if percent < 87 else C2S if percent < 96 else UNCOVERED

    def of(self, family: int) -> tuple[Card, ...]:
        """The cards of a family: none, one, or two."""
        coverage = self.coverage(family)
        managed_c2s = coverage == C2S and noise(self._coverage, family) >> 32 & 1
        if coverage != COVERED and not managed_c2s:
            return ()
        indexes = [family]
        if coverage == COVERED and family % _SECOND_CARD_EVERY == _SECOND_CARD_REST:
            indexes.append(self._families + family // _SECOND_CARD_EVERY)
        return tuple(self._card(index, family) for index in indexes)

    def _card(self, index: int, family: int) -> Card:
        serial, amc = divmod(self._scatter.apply(index), len(AMCS))
        return Card(index, family, AMCS[amc], f"{_FIRST_MEMBER + serial:010d}", index >= self._families)

    def at(self, index: int) -> Card | None:
        """Card `index`, 0 to count - 1, or None when that family has no such card."""
        beyond = index - self._families
        family = index if beyond < 0 else beyond * _SECOND_CARD_EVERY + _SECOND_CARD_REST
        return next((card for card in self.of(family) if card.index == index), None)

    def find(self, amc: str, member: str) -> Card | None:
        """The card with this AMC number and member number."""
        position = _AMC_INDEX.get(amc)
        if position is None or len(member) != 10 or not (member.isascii() and member.isdecimal()):
            return None
        place = (int(member) - _FIRST_MEMBER) * len(AMCS) + position
        if not 0 <= place < self._scatter.size:
            return None
        index = self._scatter.invert(place)
        return self.at(index) if index < self.count else None

    def with_member(self, member: str) -> list[Card]:
        """The cards with this member number, whatever the AMC: at most one an AMC."""
        found = (self.find(amc.number, member) for amc in AMCS)
        return [card for card in found if card is not None]
