"""One connection to the upstream: one exchange at a time, one llhttp parser an exchange.

An answer is taken when its framing leaves no doubt:

    HTTP/1.1 200 OK ¶ Content-Length: 2 ¶¶ {}            taken, the connection kept
    HTTP/1.0 200 OK ¶ Content-Length: 2 ¶¶ {}            taken, the connection closed
    HTTP/1.1 200 OK ¶ Transfer-Encoding: chunked ¶¶ …    taken when it ends without trailers
    HTTP/1.1 103 …    HTTP/1.1 101 …    HTTP/2.0 200 …   refused
    two lengths, a length and a coding, neither of them  refused
    anything behind the end, or before the question      refused, or the connection dropped
"""

import asyncio
import re
import select
import ssl
from typing import Final, cast, override

import httptools

from paravent.model import Answer
from paravent.reasons import Reason

ANSWER_BYTES: Final = 1024 * 1024
"""The largest answer of the reference API, a family of nine with three contracts, is under 40 KB."""
HEAD_BYTES: Final = 16 * 1024
WIRE_BYTES: Final = 2 * ANSWER_BYTES
"""Head, body and the chunks' own lines. A chunk of one byte costs six, one with an extension has no bound."""

PIECES: Final = 16 * 1024
"""Of one body. A piece costs us about 2 µs, however small: a megabyte in chunks of one byte would hold the loop up. An
upstream that writes 40 KB without a buffer, token by token, makes some 4 000."""

_LENGTH: Final = re.compile(rb"(?:0|[1-9][0-9]{0,9})[ \t]*")
"""RFC 9110 section 8.6, without the leading zeros that some readers take for octal."""


class Enough(Exception):
    """Raised in a callback of llhttp: it parses no further."""


class Conversation(asyncio.Protocol):
    """Made by the pool for one origin."""

    def __init__(self, first_byte_s: float | None = None) -> None:
        """`first_byte_s`: how long an answer may take to begin. None: as long as it may take altogether."""
        self._first_byte_s = first_byte_s
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Answer | Reason] | None = None
        self._poll = select.poll()
        self._open = False
        self.context: ssl.SSLContext | None = None
        """What it was connected with; None: without TLS."""
        self._finished_cleanly = True
        self.untouched = False
        """The last exchange failed before a single byte came back."""
        self._reset()

    def _reset(self) -> None:
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._pieces = 0
        self._head_bytes = 0
        self._wire_bytes = 0
        self._heard = False
        self._in_body = False
        self._failure: Reason | None = None
        self._complete = False
        self._keep_alive = False

    @property
    def reusable(self) -> bool:
        """Open, idle, and the last answer ended where its framing said."""
        return self._open and self._waiter is None and self._finished_cleanly

    @property
    def silent(self) -> bool:
        """Nothing has arrived since the last answer: no close that we have not noticed yet, and no bytes that would
        be taken for the answer to the next question."""
        return not self._poll.poll(0)

    async def exchange(self, wire: bytes) -> Answer | Reason:
        """Send, and wait for the end of the answer. Cancelling it leaves the connection unusable."""
        transport = self._transport
        if transport is None or not self._open:
            self.untouched = True
            return Reason.UPSTREAM_UNREACHABLE
        self._reset()
        self.untouched = False
        self._finished_cleanly = False
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer: asyncio.TimerHandle | None = None
        try:
            # The deadline first: without one, nothing is asked.
            if self._first_byte_s is not None:
                timer = loop.call_later(self._first_byte_s, self._too_late)
            transport.write(wire)
            return await self._waiter
        finally:
            self._waiter = None
            self._parser = None  # it holds us, and we held it
            if timer is not None:
                timer.cancel()

    def abort(self) -> None:
        self._open = False
        if self._transport is not None:
            self._transport.abort()

    # ---- asyncio

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.context = transport.get_extra_info("sslcontext")
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        self._open = True

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._open = False
        self._transport = None
        if not self._heard:
            self.untouched = True
        # Without a length an answer ends with its connection, and a cut one looks whole: refused.
        self._end(Reason.UPSTREAM_PROTOCOL if self._heard else Reason.UPSTREAM_UNREACHABLE)

    @override
    def eof_received(self) -> bool:
        return False

    @override
    def data_received(self, data: bytes) -> None:
        self._heard = True  # First: whatever fails below, the question was taken, and is not asked once more.
        parser = self._parser
        if parser is None or self._waiter is None or self._waiter.done():
            # Bytes that nobody asked for: the start of somebody else's answer, if we were to go on.
            self._finished_cleanly = False
            self.abort()
            return
        self._wire_bytes += len(data)
        if not self._in_body:
            self._head_bytes += len(data)
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(Reason.UPSTREAM_PROTOCOL)
        if not self._in_body and self._head_bytes > HEAD_BYTES:
            self._fail(Reason.UPSTREAM_PROTOCOL)
        if self._wire_bytes > WIRE_BYTES:
            self._fail(Reason.ANSWER_TOO_LARGE)
        if self._failure is not None:
            self._end(self._failure)
        elif self._complete:
            self._finish(parser.get_status_code())

    # ---- llhttp

    def on_message_begin(self) -> None:
        if self._complete:
            self._fail(Reason.UPSTREAM_PROTOCOL)  # a second answer to one question

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_body:
            self._fail(Reason.UPSTREAM_PROTOCOL)  # a trailer
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        parser = cast("httptools.HttpResponseParser", self._parser)
        self._in_body = True
        lengths, codings, size = [], [], 0
        for name, value in self._headers:
            size += len(name) + len(value) + 4
            if name == b"content-length":
                lengths.append(value)
            elif name == b"transfer-encoding":
                codings.append(value.lower())
        version = parser.get_http_version()
        by_length = len(lengths) == 1 and not codings and _LENGTH.fullmatch(lengths[0]) is not None
        by_chunks = not lengths and codings == [b"chunked"] and version == "1.1"
        # RFC 9110 section 15.2: we send no Expect and no Upgrade, so an interim response answers nothing of ours.
        final = parser.get_status_code() >= 200 and not parser.should_upgrade()
        if version not in {"1.0", "1.1"} or not final or not (by_length or by_chunks) or size > HEAD_BYTES:
            self._fail(Reason.UPSTREAM_PROTOCOL)

    def on_body(self, body: bytes) -> None:
        self._body += body
        self._pieces += 1
        if len(self._body) > ANSWER_BYTES or self._pieces > PIECES:
            self._fail(Reason.ANSWER_TOO_LARGE)
        if self._failure is not None:
            raise Enough

    def on_message_complete(self) -> None:
        parser = cast("httptools.HttpResponseParser", self._parser)
        self._complete = True
        self._keep_alive = parser.should_keep_alive() and parser.get_http_version() == "1.1"

    # ---- the end

    def _fail(self, reason: Reason) -> None:
        """The first reason is the one that counts; what has arrived so far is let go."""
        self._failure = self._failure or reason
        self._body.clear()

    def _too_late(self) -> None:
        if not self._heard:
            self._end(Reason.UPSTREAM_TIMEOUT)

    def _finish(self, status: int) -> None:
        # An answer that came before its question was sent to the end: the rest would be read as the next question.
        sent = self._transport is not None and self._transport.get_write_buffer_size() == 0
        self._finished_cleanly = self._keep_alive and sent
        self._end(Answer(status, tuple(self._headers), bytes(self._body)))

    def _end(self, result: Answer | Reason) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(result)
