"""What an operator is: how one listed leaf is turned into what leaves.

An operator never sees an object, an array or null: null leaves as null, for it says only what the absence of the member
would say, or does not leave at all. It never raises; what it cannot handle it drops.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final

from paravent.masking.json import Scalar
from paravent.model import Asked


class Drop(Enum):
    """The value does not leave, and neither does its name."""

    DROP = "drop"


DROP: Final = Drop.DROP


class Identifies(StrEnum):
    """Which part of a person's identity stands at a leaf."""

    NIR = "nir"
    BIRTH_DATE = "birth_date"
    BIRTH_RANK = "birth_rank"


type Parameter = str | int | bool | tuple[tuple[str, str], ...] | None
type Release = Callable[[Scalar, Asked], Scalar | Drop]


@dataclass(frozen=True, slots=True)
class Operator:
    """One word of the policy language."""

    name: str
    summary: str
    """One sentence for the generated reference."""
    problem: Callable[[Parameter, Identifies | None], str | None]
    """What is wrong with a parameter at such a leaf, or None."""
    bind: Callable[[Parameter, Identifies | None], Release]
    """The function for one leaf, once `problem` found nothing."""
    for_nir: bool = False
    """Whether it may stand at the NIR of a person: only what never shows part of it."""
    as_is: bool = False
    """Whether values leave as they came, so that the last sweep must look into them; not those of a line with a
    parameter, which the operator has looked into."""
    searched: bool = False
    """Whether it looks through texts as long as people type them: what that costs is bounded for a whole answer, and
    what leaves is no exception to the last look at the bytes."""
    looks: bool = False
    """Whether it looks for a NIR in numbers of contracts and members: how many of them is bounded. A line whose values
    leave as they came does not."""
    price: int = 10
    """What a value costs, in tenths of a microsecond. Characters that it looks through come on top: `masking.walk`."""
    keeps_null: bool = True
    """Whether null leaves as null."""


def no_parameter(name: str) -> Callable[[Parameter, Identifies | None], str | None]:
    """The check of an operator that takes nothing."""

    def problem(parameter: Parameter, _: Identifies | None) -> str | None:
        return None if parameter is None else f"{name} takes no parameter"

    return problem
