"""What somebody probably meant to write."""

import difflib
from collections.abc import Iterable

_MANY = 12
"""A longer list helps nobody in an error message."""


def did_you_mean(written: str, known: Iterable[str]) -> str:
    """A hint for a word outside a closed list: the nearest word of the list, or the list itself when it is short."""
    words = {word.lower(): word for word in sorted(known)}
    near = difflib.get_close_matches(written.lower(), words, n=1, cutoff=0.6)
    if near:
        return f"did you mean {words[near[0]]}?"
    return f"known: {', '.join(words.values())}" if words and len(words) <= _MANY else ""
