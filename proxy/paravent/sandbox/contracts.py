"""What a card is worth: the contract behind it and its guarantees, computed from the seed."""

from dataclasses import dataclass
from typing import Final

from paravent.sandbox.cards import Card
from paravent.sandbox.permutation import key_of, noise
from paravent.sandbox.rights import YEAR, Period

_GUARANTEES: Final = (
    ("PHAR", "Pharmacie 65/30/15 %", (100,), (None,)),
    ("MED", "Honoraires", (100, 150, 200), (None,)),
    ("OPTI", "Monture et verres", (100,), (10_000, 25_000, 42_000)),
    ("AUDI", "Aides auditives", (100,), (80_000, 170_000)),
    ("DENT", "Prothèses", (125, 200, 300), (80_000, 150_000)),
    ("HOSP", "Chambre particulière", (100,), (5_000, 9_000)),
)
"""Domain, wording, and the rates in percent and ceilings in centimes to choose from."""


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What a contract pays for one domain of care."""

    domain: str
    label: str
    rate_percent: int
    ceiling_centimes: int | None


@dataclass(frozen=True, slots=True)
class Contract:
    """The contract behind a card."""

    number: str
    """Holds the member number, as real ones often do."""
    reference: str
    """The insurer's own key of it."""
    responsible: bool
    period: Period
    guarantees: tuple[Guarantee, ...]

    def guarantee(self, domain: str) -> Guarantee | None:
        """The one for a domain, if the contract has it."""
        return next((one for one in self.guarantees if one.domain == domain), None)


class Contracts:
    """The contracts of a population. Immutable."""

    def __init__(self, seed: int) -> None:
        self._key = key_of(seed, "contracts")

    def of(self, card: Card) -> Contract:
        """The contract behind a card."""
        n = noise(self._key, card.index)
        return Contract(
            number=f"CTR-{YEAR}-{card.member}-{2 if card.second else 1:02d}",
            reference=f"{'KLMNPQRS'[n & 7]}{n >> 3 & 15}-{n >> 8 & 127}-{YEAR}",
            responsible=bool(n >> 16 & 7),
            period=Period(f"{YEAR}-01-01", f"{YEAR}-12-31"),
            guarantees=tuple(
                Guarantee(domain, label, rates[(n >> 20) % len(rates)], ceilings[(n >> 28) % len(ceilings)])
                for domain, label, rates, ceilings in _GUARANTEES
            ),
        )
