"""JSON: the tree is the document."""

from typing import Final

from paravent.masking import json
from paravent.masking.formats.base import Dress
from paravent.masking.person import Members
from paravent.media_types import media_type
from paravent.reasons import Reason


def read(body: bytes, limit_bytes: int) -> Members | Reason:
    """An object, or why it is none."""
    root = json.decode(body, limit_bytes=limit_bytes)
    if isinstance(root, json.Undecodable):
        return Reason.ANSWER_TOO_LARGE if root is json.Undecodable.TOO_LARGE else Reason.ANSWER_MALFORMED
    return root if isinstance(root, dict) else Reason.ANSWER_SHAPE


def said(text: str) -> tuple[str, ...]:
    """As the writer escapes it."""
    return (text if text.isalnum() else json.encode(text)[1:-1].decode(),)


def whole(body: bytes) -> Members | None:
    """The document as it is."""
    root = json.decode(body, limit_bytes=MAX_WHOLE_BYTES)
    return root if isinstance(root, dict) else None


MAX_WHOLE_BYTES: Final = 256 * 1024
"""A longer answer is not looked through for new fields."""

JSON: Final = Dress(
    accept=b"application/json",
    types=media_type(rb"application/json"),
    content_type=b"application/json",
    read=read,
    write=json.encode,
    said=said,
    whole=whole,
)
