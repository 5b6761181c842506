"""Why somebody breaks the glass, in their own words: a header of ours, of a strict grammar.

    Paravent-Justification: Campagne de vaccination au gymnase, liste de la mairie

10 to 200 letters, digits, blanks and plain signs, ASCII; at least one letter. Nothing that reads as a NIR, and no run
of eight digits or more, however they are cut: no RPPS, no telephone, no birth date. It goes into the ledger and nowhere
else. What names a person in words cannot be told from other words; the page for callers says not to write it.
"""

import re
from typing import Final

from paravent.nir import contains_identifier

HEADER: Final = b"paravent-justification"

SHORTEST, LONGEST = 10, 200

_GRAMMAR: Final = re.compile(rb"[A-Za-z0-9 .,:;#/+()'!?-]{%d,%d}" % (SHORTEST, LONGEST))
_LETTER: Final = re.compile("[A-Za-z]")
_NUMBER: Final = re.compile(r"[0-9](?:[ ./#-]*[0-9]){7}")
_RUN: Final = re.compile("[A-Za-z0-9]{25}")
"""RFC 6749 section 10.10: what is as long and unbroken is a token, not a word (the longest French one has 25 letters,
and nobody justifies anything with it)."""


def read_justification(value: bytes) -> str | None:
    """The words; None where they are none that may be kept."""
    if _GRAMMAR.fullmatch(value) is None:
        return None
    text = value.decode("ascii")
    if _LETTER.search(text) is None or _NUMBER.search(text) or _RUN.search(text) or contains_identifier(text):
        return None
    return text
