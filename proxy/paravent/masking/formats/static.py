"""Files that are the same for everybody: a style sheet, a logo. By digest, or as text without an identifier.

    /contenu: keep

The bytes that leave are those that came, and none other leave this way: known by their SHA-256 to whoever wrote the
policy, which are not looked into; or UTF-8 in which the sweep finds no identifier, as long as it has the time to look
through. Which of the two, the operation says.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Final

from paravent.masking.formats.base import Dress, as_it_is
from paravent.masking.json import Outgoing
from paravent.masking.person import Members
from paravent.media_types import media_type
from paravent.reasons import Reason
from paravent.rules import ResponseShape, StaticShape, ViewSpec

CONTENT: Final = "contenu"


def static_dress(shape: ResponseShape) -> Dress:
    """A file of one operation."""
    details = shape.details
    if not isinstance(details, StaticShape):
        raise TypeError("a file needs its type")
    media, known = details.media_type.encode("ascii"), details.sha256
    # A known one need not be text: a character for each byte.
    encoding = "latin-1" if known else "utf-8"

    def read(body: bytes, limit_bytes: int) -> Members | Reason:
        if len(body) > limit_bytes:
            return Reason.ANSWER_TOO_LARGE
        if known and hashlib.sha256(body).hexdigest() not in known:
            return Reason.ANSWER_SHAPE
        try:
            text = body.decode(encoding)
        except UnicodeDecodeError:
            return Reason.ANSWER_MALFORMED
        return {CONTENT: text}

    def write(reduced: dict[str, Outgoing]) -> bytes:
        content = reduced.get(CONTENT)
        return content.encode(encoding) if isinstance(content, str) else b""

    content_type = media + b"; charset=utf-8" if media.startswith(b"text/") else media
    return Dress(media, media_type(re.escape(media)), content_type, read, write, as_it_is, known=bool(known))


def static_problems(spec: ViewSpec, shape: ResponseShape) -> Iterator[str]:
    """A file is one content, and about nobody."""
    if not isinstance(shape.details, StaticShape):
        yield "the operation says format: static, but no type"
    if shape.persons:
        yield "a static file is about nobody"
    lines = [([step.name for step in rule.path], rule.operator, rule.parameter) for rule in spec.fields]
    if lines != [([CONTENT], "keep", None)] or spec.fields[0].path[0].array:
        yield f"the only line of a static file is /{CONTENT}: keep"
