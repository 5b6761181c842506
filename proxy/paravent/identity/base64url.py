"""base64url without padding (RFC 7515 section 2), one spelling for each value.

Common decoders are lenient: they skip foreign characters, take padding, and ignore the unused low bits of the last
character. Each leniency gives the same token several spellings. Here there is one.
"""

import base64
import re

_ALPHABET = re.compile(rb"[A-Za-z0-9_-]*")


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: bytes) -> bytes | None:
    """The bytes, or None when the text is not how `encode` would write them."""
    if _ALPHABET.fullmatch(text) is None or len(text) % 4 == 1:
        return None
    data = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    return data if encode(data).encode("ascii") == text else None


def decode_text(text: object) -> bytes | None:
    """The same, for a value out of a JSON document."""
    return decode(text.encode("ascii")) if isinstance(text, str) and text.isascii() else None
