"""The mark of a response that we built.

A `SealedResponse` holds the exact bytes that will leave, fixed when it was made. The listener writes those bytes and
nothing else: an addon that edits the response afterwards edits a copy that nobody sends and nobody else sees, and an
addon that replaces it produces something without the mark, which does not leave.
"""

from typing import Final, cast, override

from mitmproxy import http

type Headers = tuple[tuple[bytes, bytes], ...]

_CLOSE: Final = b"Connection: close\r\n"


class SealedResponse(http.Response):
    """A response with its bytes. Only `seal` makes one.

    What mitmproxy's addons read and write is made afresh at each look, so that a refusal which many flows share
    stays what it was.
    """

    def __init__(self, status: int, reason: bytes, headers: Headers, body: bytes) -> None:
        lines = b"".join([b"%b: %b\r\n" % field for field in headers])
        self._status = status
        self._reason = reason
        self._headers = headers
        self._body = body
        self._head = b"HTTP/1.1 %d %b\r\n%b" % (status, reason, lines)

    @property
    def sound(self) -> bool:
        """No line of the head holds another one, and none is without its name."""
        head, lines = self._head, len(self._headers) + 1
        whole = head.count(b"\r") == head.count(b"\n") == lines and b"\0" not in head
        return whole and b"" not in [name for name, _ in self._headers]

    @property
    def data(self) -> http.ResponseData:  # type: ignore[override]
        """A copy for whoever looks."""
        data = http.ResponseData(
            http_version=b"HTTP/1.1",
            headers=http.Headers(self._headers),
            content=self._body,
            trailers=http.Headers(),
            timestamp_start=0.0,
            timestamp_end=0.0,
            status_code=self._status,
            reason=self._reason,
        )
        data.trailers = None
        return data

    @classmethod
    @override
    def from_state(cls, state: dict[str, object]) -> http.Response:  # type: ignore[override]
        """A copy of a sealed response is a response like any other: the seal is not copied."""
        return cast("http.Response", http.Response.from_state(state))

    def wire(self, *, close: bool, body: bool) -> bytes:
        """Head and body as they leave. The Connection header is the listener's to decide.

        RFC 9110 section 9.3.2: an answer to HEAD has no body, and whoever sends one puts it where the next answer
        is expected.
        """
        return self._head + (_CLOSE if close else b"") + b"\r\n" + (self._body if body else b"")


def seal(status: int, reason: bytes, headers: Headers, body: bytes) -> SealedResponse:
    """Build the response and its bytes.

    `headers` come from constants and numbers of ours; CR, LF and NUL in one would be a bug, and raise.
    """
    response = SealedResponse(status, reason, (*headers, (b"Content-Length", b"%d" % len(body))), body)
    if not response.sound:
        raise ValueError("a header of ours holds a control character")
    return response


def wire_of(response: http.Response | None, *, close: bool, body: bool = True) -> bytes | None:
    """The bytes to send, or None when the response does not carry our mark."""
    if type(response) is not SealedResponse:
        return None
    return response.wire(close=close, body=body)
