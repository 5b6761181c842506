"""The last look at the bytes that leave, whatever their format: identifiers in any dress, also one that is put on late.

Values have been looked into one by one (`sweep`). What is left to find stands in the document and in no value: in a
name, in what a writer put around values, in an escape, in base64. A tripwire behind the allow-list, never the mask; a
hit that no rule allowed withholds the answer, and the alert on `answer_identifier_left` tells of it.

Headers are not looked into: every one of them is a constant of ours or a number that we counted.
"""

import base64
import html
import re
import string
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import unquote

from paravent.nir import SHORTEST, identifiers


def _table(classes: dict[str, str]) -> bytes:
    """For `bytes.translate`: every byte as the name of its class, and x for the others."""
    return bytes(
        ord(next((name for name, members in classes.items() if chr(code) in members), "x")) for code in range(256)
    )


# A look at every byte has to be cheap: translating and finding cost a nanosecond a byte, a regular expression with
# alternatives forty.
_OF_NUMBERS: Final = b"0123456789ABab \t\r\n\v\f._/-" + "\u00a0\u202f".encode()
"""The last five are the bytes of the two blanks that French writes inside amounts."""
_DIGITS: Final = _table({"0": _OF_NUMBERS.decode("latin-1")})
_SHORTEST: Final = b"0" * SHORTEST
_RUN: Final = re.compile(rb"0{13,}")
"""What a written number looks like: thirteen characters at least, of digits, 2A or 2B, and what separates them."""
_LETTERS: Final = string.ascii_letters + string.digits + "+/_-"
_SIXTETS: Final = _table({"A": "ILMNOQY", "0": "".join(sorted(set(_LETTERS) - set("ILMNOQY")))})
_QUADS: Final = re.compile(rb"A[0A]{3}A[0A]{3}A")
"""Base64 of digits, spaces, dots, hyphens and slashes: their first six bits are one of five letters (RFC 4648 section
4); those of A and B, large or small, are Q or Y, and stand in the middle of every number of Corsica."""
_QUAD: Final = re.compile(rb"(?:[ILMNOQY][CDSTijyzEUk0GWm2][AEIMQUYcgkosw048BFJNRVZdhlptx159][gt-z0-5BChi]){3}")
_LEADS: Final = _table({"0": "".join(map(chr, (0xC2, *range(0xCA, 0x100))))})
_FOREIGN: Final = re.compile(rb"\xc2(?![\xa0\xab\xb0\xbb])|[\xca-\xe1\xe3-\xff]|\xe2(?!\x80[\x99\xa6\xaf]|\x82\xac)")
"""In UTF-8: neither ASCII nor a Latin letter, nor what else French writes: both blanks, which stand among the digits
above, quotes, the degree, the apostrophe, the dots, the euro."""

_JSON_ESCAPE: Final = re.compile(r"\\+u([0-9a-fA-F]{4})")
"""A text that says an escape is written with one backslash more."""
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}")
_LINE_END: Final = re.compile(r"\r?\n")

_PLAIN_VALUE: Final = re.compile(rb"[0-9A-Za-z][0-9A-Za-z ./_:+-]{%d,}" % (SHORTEST - 1))
"""A number or a date as it stands in any document, up to the quote, the comma or the tag behind it."""
_FEW: Final = 16
"""Values that are looked for one after the other: a family's contracts."""

_BEFORE: Final = 8
_BEHIND: Final = 120
"""Bytes around a cause that are looked at: fifteen digits of three bytes each, with separators."""
_AROUND_ESCAPE: Final = 57
"""Bytes around an escape that may belong to one number with it: fifteen digits, three separators between any two."""
MAX_LOOKS: Final = 500
"""At a text, or behind one dress of it: each costs up to 30 µs. And so many escapes of one kind. A document that needs
more is like none that leaves."""


def leaks(body: bytes, vouched: Iterable[str], most: int = MAX_LOOKS) -> bool:
    """Whether a document that leaves holds an identifier that no rule allowed.

    `vouched`: what may stand in it and look like one: the number that the caller sent, and values that an operator has
    looked into. True, too, for a document that cannot be looked through in the time there is: with `most` looks, and
    never more than `MAX_LOOKS`.
    """
    body = _without(body, {each.encode(): None for each in vouched if each})
    looks, most = 0, min(most, MAX_LOOKS)
    for start, end in _causes(body):
        around = _piece(body, start - _BEFORE, end + _BEHIND).decode("utf-8", "replace")
        # Records of a table stand in lines: the end of one number and the beginning of the next are none.
        for each in undressed(_LINE_END.sub("|", around)):
            looks += 1
            if looks > most or next(identifiers(each), None) is not None:
                return True
    return _is_hidden_by_escapes(body)


def _without(body: bytes, forms: dict[bytes, None]) -> bytes:
    """The document with a mark in place of what is vouched for."""
    apart: Iterable[bytes] = forms
    if len(forms) > _FEW:
        # To look through the document once for each of two thousand numbers takes a tenth of a second.
        body = _PLAIN_VALUE.sub(lambda found: b"~" if found[0] in forms else found[0], body)
        apart = [form for form in forms if _PLAIN_VALUE.fullmatch(form) is None]
    if len(forms) > 1:
        apart = sorted(apart, key=len, reverse=True)  # One that stands in a longer one would cut it in two.
    for form in apart:
        body = body.replace(form, b"~")
    return body


def _causes(body: bytes) -> Iterator[tuple[int, int]]:
    """Where a closer look is worth its time."""
    digits = body.translate(_DIGITS)
    start = digits.find(_SHORTEST)  # To seek a run by the expression takes ten times as long.
    while start >= 0 and (run := _RUN.match(digits, start)) is not None:
        yield run.span()
        start = digits.find(_SHORTEST, run.end())
    if not body.isascii():
        yield from _foreign(body)
    if _QUADS.search(body.translate(_SIXTETS)) is not None:
        for found in _QUAD.finditer(body):
            yield found.span()


def _foreign(body: bytes) -> Iterator[tuple[int, int]]:
    leads = body.translate(_LEADS)
    if leads.count(b"0") > _FEW:
        yield from (found.span() for found in _FOREIGN.finditer(body))
        return
    start = leads.find(b"0")  # As above.
    while start >= 0:
        if (found := _FOREIGN.match(body, start)) is not None:
            yield found.span()
        start = leads.find(b"0", start + 1)


def _piece(body: bytes, start: int, end: int) -> bytes:
    """A part of a document, without the rest of a number that is cut at its ends: that could look like another."""
    piece = body[max(0, start) : end]
    if start > 0 and body[start - 1] in _OF_NUMBERS:
        piece = piece.lstrip(_OF_NUMBERS)
    return piece.rstrip(_OF_NUMBERS) if end < len(body) and body[end] in _OF_NUMBERS else piece


def undressed(text: str) -> Iterator[str]:
    """The text, and the text behind each dress: of URLs, of HTML, of JSON, of base64. One level of each."""
    yield text
    if "%" in text:
        yield _without_url_escapes(text)
    if "&" in text:
        yield html.unescape(text)
    if "\\u" in text:
        yield _without_json_escapes(text)
    for run in _BASE64.findall(text):
        # The run may have begun before what is looked at: four characters are three bytes, from one of four places.
        yield from (_decoded(run[place:]) for place in range(4))


def _decoded(run: str) -> str:
    """What base64 says, in either alphabet (RFC 4648 sections 4 and 5), as far as it goes."""
    whole = run.replace("-", "+").replace("_", "/")
    return base64.b64decode(whole + "A" * (-len(whole) % 4)).decode("latin-1")


# ---- escapes


def _without_url_escapes(text: str) -> str:
    return unquote(text, errors="replace")


def _without_html_escapes(text: str) -> str:
    """A text that says an escape has it escaped once more in markup."""
    return html.unescape(html.unescape(text))


def _without_json_escapes(text: str) -> str:
    return _JSON_ESCAPE.sub(lambda escape: chr(int(escape.group(1), 16)), text)


_ESCAPES: Final = (
    (ord("%"), re.compile(rb"%[0-9A-Fa-f]{2}"), _without_url_escapes),
    (ord("&"), re.compile(rb"&[#a-zA-Z]"), _without_html_escapes),
    (ord("\\"), re.compile(rb"\\u[0-9a-fA-F]{4}"), _without_json_escapes),
)
"""Marks of one byte each, as numbers: two bytes are sought a hundred times as slowly, one byte as bytes ten times."""


def _is_hidden_by_escapes(body: bytes) -> bool:
    for mark, form, without in _ESCAPES:
        if mark in body:
            escapes = [found.span() for found in form.finditer(body)]
            text = _around(body, escapes).decode("utf-8", "replace")
            if len(escapes) > MAX_LOOKS or next(identifiers(without(_LINE_END.sub("|", text))), None) is not None:
                return True
    return False


def _around(body: bytes, spans: list[tuple[int, int]]) -> bytes:
    """What stands around them: each byte once, and what does not adjoin apart."""
    parts: list[bytes] = []
    start = end = 0
    for first, last in spans:
        if first - _AROUND_ESCAPE > end:
            parts.append(_piece(body, start, end))
            start = first - _AROUND_ESCAPE
        end = last + _AROUND_ESCAPE
    return b"|".join([*parts, _piece(body, start, end)])
