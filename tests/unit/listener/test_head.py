"""A head is read in one way only, or refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effort import examples
from paravent.reasons import Reason
from paravent_mitmproxy.listener.head import Head, read_head
from paravent_mitmproxy.listener.limits import Limits
from paravent_mitmproxy.messages import Sent

LIMITS = Limits()
GOOD = (
    b"POST /v1/droits/consultation HTTP/1.1\r\nHost: droits.example\r\nContent-Length: 12\r\n"
    b"Authorization: DPoP a.b.c\r\n\r\n"
)


def with_line(line: bytes) -> bytes:
    return b"GET /v1/compte HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n"


def test_a_plain_head_is_read() -> None:
    """Method, target, headers and length come out as they were sent."""
    head = read_head(GOOD, LIMITS)
    assert isinstance(head, Head)
    assert (head.method, head.target, head.body_bytes, head.close) == (b"POST", b"/v1/droits/consultation", 12, False)
    assert (b"Authorization", b"DPoP a.b.c") in head.headers


ACCEPTED = [
    ("blanks around a value are not part of it", with_line(b"X-A: \t 1 \t")),
    ("an empty value is a value", with_line(b"X-A:")),
    ("Connection: close is understood", with_line(b"Connection: close")),
    ("a length of zero on a GET", with_line(b"Content-Length: 0")),
]


@pytest.mark.parametrize("data", [row[1] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_ordinary_heads_pass(data: bytes) -> None:
    """What ordinary clients send is accepted."""
    assert isinstance(read_head(data, LIMITS), Head)


REFUSED = [
    # the request line
    ("HTTP/1.0", b"GET / HTTP/1.0\r\nHost: a\r\n\r\n"),
    ("textual HTTP/2.0", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    ("HTTP/3.7", b"GET / HTTP/3.7\r\nHost: a\r\n\r\n"),
    ("HTTP/0.9", b"GET /\r\n\r\n"),
    ("the HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\n"),
    ("lower-case method", b"get / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("NUL in the method", b"GE\x00T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a method that nobody knows", b"FROBNICATE / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("absolute form", b"GET http://evil.example/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("authority form (CONNECT)", b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("asterisk form", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("two spaces in the request line", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a tab in the request line", b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a byte above 0x7f in the target", b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("an empty line before the request line", b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    # line ends
    ("bare LF ends the request line", b"GET / HTTP/1.1\nHost: a\r\n\r\n"),
    ("bare LF ends a header", b"GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n"),
    ("bare CR in a value", with_line(b"X-A: 1\rAuthorization: Bearer evil")),
    ("NUL in a value", with_line(b"X-A: 1\x002")),
    ("obs-fold", with_line(b"X-A: 1\r\n 2")),
    # names
    ("a space before the colon", with_line(b"X-A : 1")),
    ("an underscore in a name", with_line(b"X_A: 1")),
    ("an empty name", with_line(b": 1")),
    ("a name with a byte above 0x7f", with_line(b"X-\xc3\xa9: 1")),
    ("a value with a byte above 0x7f", with_line(b"Authorization: Bearer abc\xff")),
    # one, and only one
    ("no Host", b"GET / HTTP/1.1\r\nX-A: 1\r\n\r\n"),
    ("two Hosts", with_line(b"Host: b")),
    ("two Authorizations", with_line(b"Authorization: Bearer a\r\nauthorization: Bearer b")),
    ("two DPoP proofs", with_line(b"DPoP: a\r\nDPoP: b")),
    ("two Content-Types", with_line(b"Content-Type: application/json\r\nContent-Type: text/plain")),
    # framing
    ("chunked", with_line(b"Transfer-Encoding: chunked")),
    ("gzip, chunked", with_line(b"Transfer-Encoding: gzip, chunked")),
    ("xchunked", with_line(b"Transfer-Encoding: xchunked")),
    ("length and coding", with_line(b"Content-Length: 3\r\nTransfer-Encoding: chunked")),
    ("two equal lengths", with_line(b"Content-Length: 3\r\nContent-Length: 3")),
    ("two different lengths", with_line(b"Content-Length: 3\r\nContent-Length: 4")),
    ("a list of lengths", with_line(b"Content-Length: 3, 3")),
    ("a signed length", with_line(b"Content-Length: +3")),
    ("a negative length", with_line(b"Content-Length: -1")),
    ("a hexadecimal length", with_line(b"Content-Length: 0x3")),
    ("a length with a leading zero", with_line(b"Content-Length: 03")),
    ("an empty length", with_line(b"Content-Length:")),
    ("trailers announced", with_line(b"Trailer: Digest")),
    # other protocols and other targets
    ("Upgrade to WebSocket", with_line(b"Connection: Upgrade\r\nUpgrade: websocket")),
    ("Upgrade to h2c", with_line(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk")),
    ("Expect: 100-continue", with_line(b"Expect: 100-continue")),
    ("a compressed request", with_line(b"Content-Encoding: gzip")),
    ("method override", with_line(b"X-HTTP-Method-Override: DELETE")),
    ("original URL", with_line(b"X-Original-URL: /admin")),
    ("rewrite URL", with_line(b"X-Rewrite-URL: /admin")),
    ("a range", with_line(b"Range: bytes=0-1")),
]


@pytest.mark.parametrize("data", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_ambiguous_heads_are_refused(data: bytes) -> None:
    """Whatever two readers could read differently is refused, never repaired."""
    assert read_head(data, LIMITS) is Reason.REQUEST_AMBIGUOUS


def test_more_than_64_headers_are_too_many() -> None:
    """The count is bounded apart from the bytes."""
    data = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: 1\r\n" % i for i in range(64)) + b"\r\n"
    assert read_head(data, LIMITS) is Reason.HEADERS_TOO_LARGE


def test_a_length_over_the_limit_is_refused_before_the_body_is_read() -> None:
    """The announced length decides."""
    data = with_line(b"Content-Length: %d" % (LIMITS.body_bytes + 1))
    assert read_head(data, LIMITS) is Reason.REQUEST_TOO_LARGE


@settings(max_examples=examples(300), deadline=None)
@given(position=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255))
def test_a_changed_byte_never_adds_a_header_or_changes_the_framing_unseen(position: int, byte: int) -> None:
    """Any single changed byte gives a refusal or a head whose lines are exactly the lines that were sent."""
    data = GOOD[:position] + bytes([byte]) + GOOD[position + 1 :]
    head = read_head(data, LIMITS)
    if isinstance(head, Head):
        lines = data[:-4].split(b"\r\n")
        assert lines[0] == head.method + b" " + head.target + b" HTTP/1.1"
        rebuilt = [(name, value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in lines[1:])]
        assert rebuilt == list(Sent(head.method, head.target, head.headers, head.lowered).bare)
        assert [(name.lower(), value) for name, value in rebuilt] == list(head.lowered)
