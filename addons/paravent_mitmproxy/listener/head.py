r"""The head of a request, as bytes that can be read in one way only.

    POST /v1/droits/consultation HTTP/1.1\r\n          accepted
    Host: droits.example\r\n                           accepted
    X-A: 1\n                                           refused: a bare LF ends a line for some readers
    X-A : 1\r\n                                        refused: a name ends at its colon
    GET http://other/ HTTP/1.1\r\n                     refused: absolute form
    GET / HTTP/1.0\r\n                                 refused: exactly HTTP/1.1

The grammar below admits a subset of RFC 9112; llhttp then parses what passed, and must agree. Whatever is outside is
refused, never repaired.
"""

import re
from typing import Final

import httptools

from paravent.reasons import Reason
from paravent.values import Value
from paravent_mitmproxy.facts import REFUSED, SINGLE
from paravent_mitmproxy.listener.limits import Limits

END: Final = b"\r\n\r\n"

_HEAD: Final = re.compile(
    # RFC 9112 section 3: method SP request-target SP HTTP-version CRLF. Origin form only, visible ASCII only.
    rb"[A-Z]{3,16} /[!-~]{0,8191} HTTP/1\.1\r\n"
    # RFC 9110 section 5.6.2 token, less the characters that a gateway behind may fold (underscore, dot).
    # RFC 9110 section 5.5: field values here are visible ASCII, space and tab; obs-text and obs-fold are refused.
    rb"(?:[A-Za-z0-9-]{1,64}:[\t !-~]{0,12288}\r\n)*"
    rb"\r\n"
)
_LENGTH: Final = re.compile(rb"0|[1-9][0-9]{0,8}")
"""RFC 9110 section 8.6: 1*DIGIT. No sign, no list, no leading zero: each has two readings somewhere."""
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
"""RFC 9112 section 3.2: an invalid Host is answered 400. We route by nothing in it; something before us may."""

CLIENT_CERT: Final = b"client-cert"
_OF_FRONT: Final = REFUSED - {CLIENT_CERT}


class Head(Value, frozen=True):
    """A head that passed."""

    HIDDEN = frozenset({"target", "headers", "lowered", "certificate"})

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    """As sent, blanks around values included."""
    lowered: tuple[tuple[bytes, bytes], ...]
    """The same with names in lower case; values without surrounding blanks."""
    body_bytes: int
    close: bool
    """The client asked to close after this answer."""
    certificate: bytes | None = None
    """The value of Client-Cert, where a front proxy may send it. It is not among `headers`."""


class _Parsed:
    """What llhttp makes of the same bytes."""

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.complete = True


def read_head(data: bytes, limits: Limits, *, vouched: bool = False) -> Head | Reason:
    """`data` is everything up to and with the empty line. `vouched`: its sender may say Client-Cert."""
    if _HEAD.fullmatch(data) is None:
        return Reason.REQUEST_AMBIGUOUS
    parsed = _Parsed()
    parser = httptools.HttpRequestParser(parsed)
    try:
        parser.feed_data(data)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return Reason.REQUEST_AMBIGUOUS
    if not parsed.complete or parser.get_http_version() != "1.1" or parser.should_upgrade():
        return Reason.REQUEST_AMBIGUOUS
    return _judge(parser.get_method(), parsed, data, limits, vouched)


def _judge(method: bytes, parsed: _Parsed, data: bytes, limits: Limits, vouched: bool) -> Head | Reason:
    if len(parsed.headers) > limits.headers:
        return Reason.HEADERS_TOO_LARGE
    if not data.startswith(b"%b %b HTTP/1.1\r\n" % (method, parsed.target)):
        return Reason.REQUEST_AMBIGUOUS
    headers = parsed.headers
    lowered = [(name.lower(), value.strip(b" \t")) for name, value in headers]
    by_name = dict(lowered)
    # RFC 9112 section 3.2: a request without exactly one Host is answered 400.
    if b"host" not in by_name or not by_name.keys().isdisjoint(_OF_FRONT if vouched else REFUSED):
        return Reason.REQUEST_AMBIGUOUS
    if len(by_name) < len(lowered) and _twice([name for name, _ in lowered]):
        return Reason.REQUEST_AMBIGUOUS
    length = by_name.get(b"content-length", b"0")
    if _LENGTH.fullmatch(length) is None or _HOST.fullmatch(by_name[b"host"]) is None:
        return Reason.REQUEST_AMBIGUOUS
    if int(length) > limits.body_bytes:
        return Reason.REQUEST_TOO_LARGE
    certificate = by_name.get(CLIENT_CERT)
    if certificate is not None:  # it comes once: it is one of `SINGLE`
        at = lowered.index((CLIENT_CERT, certificate))
        del headers[at], lowered[at]
    close = b"connection" in by_name and _asks_to_close(lowered)
    return Head(method, parsed.target, tuple(headers), tuple(lowered), int(length), close, certificate)


def _twice(names: list[bytes]) -> bool:
    return any(names.count(name) > 1 for name in SINGLE)


def _asks_to_close(lowered: list[tuple[bytes, bytes]]) -> bool:
    """RFC 9110 section 7.6.1: a list of tokens, over as many fields as there are."""
    options = b",".join(value for name, value in lowered if name == b"connection").lower().split(b",")
    return any(option.strip(b" \t") == b"close" for option in options)
