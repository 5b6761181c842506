"""Which elements of R4 are no texts, so that a text that an operator makes up has no place in them.

By name alone, which is enough for the resource types that can leave: `start` is a date wherever it stands. But `value`,
which is a text in an identifier and an amount in a Money.
"""

from collections.abc import Sequence
from typing import Final

_DATES: Final = frozenset(
    {
        *("birthDate", "created", "creation", "date", "deceasedDateTime", "end", "servicedDate", "start", "timestamp"),
        "timingDate",
    }
)
_NUMBERS: Final = frozenset(
    {
        *("allowedUnsignedInt", "careTeamSequence", "detailSequence", "diagnosisSequence", "factor"),
        *("informationSequence", "itemSequence", "multipleBirthInteger", "noteNumber", "number", "order", "precedence"),
        *("procedureSequence", "rank", "sequence", "size", "subDetailSequence", "usedUnsignedInt"),
    }
)
_FLAGS: Final = frozenset(
    {
        *("active", "authorizationRequired", "deceasedBoolean", "excluded", "focal", "inforce", "multipleBirthBoolean"),
        *("preferred", "responsible", "subrogation", "userSelected", "valueBoolean"),
    }
)
VALUES: Final = _DATES | _NUMBERS | _FLAGS
CODES: Final = frozenset(
    {
        *("authorizationUrl", "comparator", "contentType", "currency", "gender", "language", "outcome", "purpose"),
        *("status", "system", "type", "url", "use"),
    }
)
"""One of a list that R4 gives, or a URI. `code` is one of any system's, and so as good as a text."""
_OF_TEXT: Final = frozenset({"identifier", "telecom", "class", "reference"})
"""In which `value` is a text. `reference`: of a related claim, where R4 has an Identifier under that name."""

MADE_UP: Final = frozenset({"mask", "pseudonym", "initial"})
"""Operators that write a text of their own."""
CHOSEN: Final = "code-map"
"""The one whose texts are codes that the policy gives."""


def holds_text(names: Sequence[str]) -> bool:
    """Whether the last of these names, from the resource type down, is an element of free text."""
    leaf = names[-1]
    if leaf == "value":
        return names[-2] in _OF_TEXT
    return leaf not in VALUES and leaf not in CODES


def has_place_for(operator: str, names: Sequence[str]) -> bool:
    """Whether what an operator writes can stand there."""
    if operator == CHOSEN:
        return holds_text(names) or names[-1] in CODES
    return operator not in MADE_UP or holds_text(names)
