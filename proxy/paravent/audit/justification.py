"""Why somebody breaks the glass, in their own words: a header of ours, of a strict grammar.

    Paravent-Justification: Campagne de vaccination au gymnase, liste de la mairie

10 to 200 letters, digits, blanks and plain signs, ASCII; at least one letter. Nothing that reads as a NIR or a token,
and no eight digits without a letter between them: no RPPS, no telephone, no birth date. It goes into the ledger and
nowhere else. What names a person in words cannot be told from other words; the page for callers says not to write it.
"""

import re
from typing import Final

from paravent.audit import grammar
from paravent.nir import contains_identifier

HEADER: Final = b"paravent-justification"

SHORTEST, LONGEST = 10, 200

_GRAMMAR: Final = re.compile(rb"[A-Za-z0-9 .,:;#/+()'!?-]{%d,%d}" % (SHORTEST, LONGEST))
_LETTER: Final = re.compile("[A-Za-z]")


def read_justification(value: bytes) -> str | None:
    """The words; None where they are none that may be kept. What the ledger would not keep as it is breaks nothing."""
    if _GRAMMAR.fullmatch(value) is None:
        return None
    text = value.decode("ascii")
    if _LETTER.search(text) is None or contains_identifier(text) or grammar.words(text) != text:
        return None
    return text
