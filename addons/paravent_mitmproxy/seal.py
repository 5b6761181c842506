"""The mark of a response that we built.

A `SealedResponse` holds the exact bytes that will leave, fixed when it was made. The listener writes those bytes and
nothing else: an addon that edits the response afterwards edits a copy that nobody sends, and an addon that replaces
it produces something without the mark, which does not leave.
"""

from mitmproxy import http


class SealedResponse(http.Response):
    """A response with its bytes. Only `seal` makes one."""

    wire: bytes
    """Head and body as they will leave, but for the Connection header, which the listener decides."""
    head_end: int
    """Where in `wire` the head's last CRLF starts."""


def seal(status: int, reason: bytes, headers: tuple[tuple[bytes, bytes], ...], body: bytes) -> SealedResponse:
    """Build the response and its bytes.

    `headers` come from constants and numbers of ours; CR, LF and NUL in one would be a bug, and raise.
    """
    fields = (*headers, (b"Content-Length", str(len(body)).encode("ascii")))
    for name, value in fields:
        if not name or any(byte in name + value for byte in b"\r\n\0"):
            raise ValueError("a header of ours holds a control character")
    response = SealedResponse(
        http_version=b"HTTP/1.1",
        status_code=status,
        reason=reason,
        headers=http.Headers(fields),
        content=body,
        trailers=None,
        timestamp_start=0.0,
        timestamp_end=0.0,
    )
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
    head = b"HTTP/1.1 " + str(status).encode("ascii") + b" " + reason + b"\r\n" + lines
    response.head_end = len(head)
    response.wire = head + b"\r\n" + body
    return response


def wire_of(response: http.Response | None, *, close: bool) -> bytes | None:
    """The bytes to send, or None when the response does not carry our mark."""
    if type(response) is not SealedResponse:
        return None
    connection = b"Connection: close\r\n" if close else b""
    return response.wire[: response.head_end] + connection + response.wire[response.head_end :]
