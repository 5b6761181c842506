"""base64url without padding (RFC 7515 section 2), one spelling for each value.

Common decoders are lenient: they skip foreign characters, take padding, and ignore the unused low bits of the last
character. Each leniency gives the same token several spellings. Here there is one.
"""

import base64
import binascii
from typing import Final

_TO_BASE64: Final = bytes.maketrans(b"-_+/=", b"+/\0\0\0")
"""The two letters that differ; and what only the other alphabet has becomes something that neither has."""

_LAST: Final = {
    2: frozenset(b"AQgw"),  # one byte is 6 + 2 bits: four bits of the last character are unused, and zero
    3: frozenset(b"AEIMQUYcgkosw048"),  # two bytes are 6 + 6 + 4 bits: two are unused
}
"""Characters over a multiple of four → what the last one may be (RFC 4648 section 3.5, canonical encoding)."""


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: bytes) -> bytes | None:
    """The bytes, or None when the text is not how `encode` would write them."""
    over = len(text) % 4
    if over == 1 or (over and text[-1] not in _LAST[over]):
        return None
    try:
        return binascii.a2b_base64(text.translate(_TO_BASE64) + b"=" * (-len(text) % 4), strict_mode=True)
    except binascii.Error:
        return None


def decode_text(text: object) -> bytes | None:
    """The same, for a value out of a JSON document."""
    return decode(text.encode("ascii")) if isinstance(text, str) and text.isascii() else None
