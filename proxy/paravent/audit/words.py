"""A few words of an operator's, as commands and lists take them: kept for years, so they hold nobody's number."""

import re
from typing import Final

from paravent.audit.grammar import said
from paravent.nir import contains_identifier

_WORDS: Final = re.compile(r"[\w .,:#/+()'-]{1,100}")


def explained(name: str, text: str) -> str:
    """The words. Raises ValueError with a sentence: what the ledger would not keep is said, not lost."""
    if _WORDS.fullmatch(text) is None:
        raise ValueError(f"{name} must be at most 100 letters, digits, blanks and . , : # / + ( ) ' -")
    if contains_identifier(text) or said(text) != text:
        what = "the number of a person, or what could be one: eight digits or more, a date among them; nor a token"
        raise ValueError(f"{name} must not hold {what}")
    return text
