"""What a format is to a view: bytes in, a tree of members out; what may leave of the tree, and bytes again.

Between the two every format is the same: persons are scoped, the view is walked, operators release. So a format never
decides what may leave. It reads only what it can read in one way, and writes only what it is given.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from paravent.masking.json import Outgoing
from paravent.masking.person import Members
from paravent.reasons import Reason

MAX_MARKUP_BYTES = 256 * 1024
"""Of XML, pages and tables. A family with five contracts has 60 KB of XML, the longest of the three."""
_MAX_TAGS = 6_000
"""Each costs 2 µs to read. That family has two thousand."""


def too_long(body: bytes, limit_bytes: int) -> bool:
    """Whether a document in markup would hold everybody up while it is read: over 20 ms."""
    if len(body) > min(limit_bytes, MAX_MARKUP_BYTES):
        return True
    return len(body) > _MAX_TAGS and body.count(b"<") > _MAX_TAGS  # One of them takes a byte.


def as_it_is(text: str) -> tuple[str, ...]:
    """Of a format that changes nothing in a text."""
    return (text,)


@dataclass(frozen=True, slots=True)
class Dress:
    """One format, made ready for one view."""

    accept: bytes
    """What the upstream is asked for."""
    types: re.Pattern[bytes]
    """Values of the answer's Content-Type that are this format."""
    content_type: bytes
    """Of what leaves."""
    read: Callable[[bytes, int], Members | Reason] = field(repr=False)
    """One document of at most so many bytes, as a tree; or why it is none. Never raises for what the bytes hold."""
    write: Callable[[dict[str, Outgoing]], bytes] = field(repr=False)
    """The document that leaves."""
    said: Callable[[str], tuple[str, ...]] = field(repr=False)
    """How a text can stand in that document: what an operator vouches for is known by it in the last look."""
    whole: Callable[[bytes], Members | None] | None = field(default=None, repr=False)
    """All names of a document, for who looks for new ones. None: a file, which has none."""
    fault: Callable[[bytes], bool] | None = field(default=None, repr=False)
    """Whether a body that came with status 500 says that the question has no answer."""
    known: bool = False
    """Whether the bytes that leave are those whose digest the policy gives: nothing is looked for in them."""
