"""The last look at the texts of an answer that leave as they came.

A tripwire: one identifier that no rule allowed withholds everything. To look costs time, and all of it at once, so an
answer that would take more than any real one does is withheld too.
"""

from collections.abc import Sequence
from typing import Final

from paravent.nir import contains_identifier, is_latin, mentions, seems_numeric
from paravent.reasons import Reason

MAX_EFFORT: Final = 32 * 1024
"""Characters that may be looked through, at 0.1 µs each."""
NUMERIC: Final = 8
"""How many times as much a text costs that holds a long number."""


def sweep(texts: Sequence[str], nirs: frozenset[str], effort: int = 0) -> Reason | None:
    """None when none of them holds an identifier. `nirs`: those by which the answer names others, in normal form.

    `effort`: what has been spent on other texts of the answer.
    """
    # Most answers hold no long number at all: one look at all texts says so. Whatever it finds may stand across two of
    # them, so they are then looked at one by one; so is what is not Latin, which costs more to look at.
    together = "|".join(texts)
    affordable = effort + len(together) <= MAX_EFFORT and is_latin(together)
    if affordable and not seems_numeric(together) and not mentions(together, nirs):
        return None
    for text in texts:
        effort += len(text)
        numeric = effort <= MAX_EFFORT and seems_numeric(text)
        if numeric:
            effort += NUMERIC * len(text)
        if effort > MAX_EFFORT:
            return Reason.ANSWER_TOO_LARGE
        if (numeric and contains_identifier(text)) or mentions(text, nirs):
            return Reason.ANSWER_IDENTIFIER_LEFT
    return None
