"""The upstream side: a pool of keep-alive connections, shared by all clients.

One exchange at a time on a connection. An answer is accepted only when its framing leaves no doubt: a final status,
one length or the chunked coding, no trailers, nothing after the end. Everything else is a `Reason`, and the
connection is closed.
"""

import asyncio
import re
import ssl
from collections import deque
from dataclasses import dataclass
from typing import Final, cast, override

import httptools

from paravent.model import Answer, UpstreamRequest
from paravent.reasons import Reason

IDLE_S: Final = 4.0
"""A pooled connection older than this is not reused: many servers close at 5 s, and a request that meets the close
is neither refused nor answered."""

CONNECT_S: Final = 2.0
ANSWER_BYTES: Final = 1024 * 1024
"""The largest answer of the reference API, a family of nine with three contracts, is under 40 KB."""
HEAD_BYTES: Final = 16 * 1024
POOL: Final = 64
"""Idle connections kept. Concurrent exchanges are bounded by the client side."""

_FIELD: Final = re.compile(rb"[A-Za-z0-9-]{1,64}")
_VALUE: Final = re.compile(rb"[\t !-~]{0,12288}")
_METHOD: Final = re.compile(rb"[A-Z]{3,16}")
_TARGET: Final = re.compile(rb"/[!-~]{0,8191}")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the upstream is."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    timeout_s: float
    """For a whole exchange: connect, send, and the last byte of the answer."""


class Upstream:
    """Asks the upstream. `ask` never raises for anything the network does."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._idle: deque[tuple[float, _Connection]] = deque()
        default = 443 if origin.tls else 80
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        self._host = (host if origin.port == default else f"{host}:{origin.port}").encode("idna")

    async def ask(self, request: UpstreamRequest) -> Answer | Reason:
        """One request, one answer, inside the deadline."""
        wire = self._wire(request)
        if wire is None:
            return Reason.INTERNAL_ERROR
        try:
            async with asyncio.timeout(self._origin.timeout_s):
                return await self._ask(wire, request.method == b"GET")
        except TimeoutError:
            return Reason.UPSTREAM_TIMEOUT

    def close(self) -> None:
        """Close what is idle; what is in flight closes with its exchange."""
        while self._idle:
            self._idle.pop()[1].abort()

    async def _ask(self, wire: bytes, idempotent: bool) -> Answer | Reason:
        connection = self._reusable()
        if connection is not None:
            answer = await self._exchange(connection, wire)
            # RFC 9110 section 9.2.2: only an idempotent request may be repeated, here when the server closed a kept
            # connection before the first byte of an answer.
            if not (idempotent and connection.untouched):
                return answer
        fresh = await self._connect()
        return fresh if isinstance(fresh, Reason) else await self._exchange(fresh, wire)

    async def _exchange(self, connection: "_Connection", wire: bytes) -> Answer | Reason:
        try:
            answer = await connection.exchange(wire)
        except BaseException:
            connection.abort()
            raise
        if connection.reusable:
            self._idle.append((asyncio.get_running_loop().time(), connection))
            if len(self._idle) > POOL:
                self._idle.popleft()[1].abort()
        else:
            connection.abort()
        return answer

    def _reusable(self) -> "_Connection | None":
        """The most recently used one: the others may grow old and be dropped."""
        now = asyncio.get_running_loop().time()
        while self._idle and now - self._idle[0][0] > IDLE_S:
            self._idle.popleft()[1].abort()
        while self._idle:
            _, connection = self._idle.pop()
            if connection.reusable:
                return connection
            connection.abort()
        return None

    async def _connect(self) -> "_Connection | Reason":
        loop = asyncio.get_running_loop()
        origin = self._origin
        try:
            async with asyncio.timeout(CONNECT_S):
                _, connection = await loop.create_connection(
                    _Connection,
                    origin.host,
                    origin.port,
                    ssl=origin.tls,
                    server_hostname=origin.host if origin.tls else None,
                )
        except (OSError, ssl.SSLError, TimeoutError):
            return Reason.UPSTREAM_UNREACHABLE
        return connection

    def _wire(self, request: UpstreamRequest) -> bytes | None:
        """The request's bytes; None when another addon put something into it that could split it."""
        headers = (
            (b"host", self._host),
            *((name, value) for name, value in request.headers if name.lower() not in _FRAMING),
            (b"content-length", str(len(request.body)).encode("ascii")),
        )
        if _METHOD.fullmatch(request.method) is None or _TARGET.fullmatch(request.target) is None:
            return None
        if any(_FIELD.fullmatch(name) is None or _VALUE.fullmatch(value) is None for name, value in headers):
            return None
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        return request.method + b" " + request.target + b" HTTP/1.1\r\n" + lines + b"\r\n" + request.body


_FRAMING: Final = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"te", b"trailer", b"expect"}
)


class _Connection(asyncio.Protocol):
    """One connection, one exchange at a time, one llhttp parser an exchange."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Answer | Reason] | None = None
        self._reset()
        self._open = False
        self._finished_cleanly = True
        self.untouched = False
        """The last exchange failed before a single byte came back."""

    def _reset(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._head_bytes = 0
        self._received = False
        self._in_body = False
        self._failure: Reason | None = None
        self._complete = False
        self._keep_alive = False

    @property
    def reusable(self) -> bool:
        """Open, idle, and the last answer ended where its framing said."""
        return self._open and self._waiter is None and self._finished_cleanly

    async def exchange(self, wire: bytes) -> Answer | Reason:
        """Send, and wait for the end of the answer. Cancelling it leaves the connection unusable."""
        transport = self._transport
        if transport is None or not self._open:
            self.untouched = True
            return Reason.UPSTREAM_UNREACHABLE
        self._reset()
        self.untouched = False
        self._finished_cleanly = False
        self._waiter = asyncio.get_running_loop().create_future()
        transport.write(wire)
        try:
            return await self._waiter
        finally:
            self._waiter = None

    def abort(self) -> None:
        self._open = False
        if self._transport is not None:
            self._transport.abort()

    # ---- asyncio

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._open = True

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._open = False
        self._transport = None
        if not self._received:
            self.untouched = True
        # Without a length an answer ends with its connection, and a cut one looks whole: refused.
        self._end(Reason.UPSTREAM_PROTOCOL if self._received else Reason.UPSTREAM_UNREACHABLE)

    @override
    def eof_received(self) -> bool:
        return False

    @override
    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():
            # Bytes that nobody asked for: the start of somebody else's answer, if we were to go on.
            self._finished_cleanly = False
            self.abort()
            return
        self._received = True
        if not self._in_body:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._failure = self._failure or Reason.UPSTREAM_PROTOCOL
        if self._failure is None and not self._in_body and self._head_bytes > HEAD_BYTES:
            self._failure = Reason.UPSTREAM_PROTOCOL
        if self._failure is not None:
            self._end(self._failure)
        elif self._complete:
            self._finish()

    # ---- llhttp

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_body:
            self._failure = Reason.UPSTREAM_PROTOCOL  # a trailer
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._in_body = True
        status = self._parser.get_status_code()
        lengths = [value for name, value in self._headers if name == b"content-length"]
        codings = [value.lower() for name, value in self._headers if name == b"transfer-encoding"]
        framed_once = (len(lengths), len(codings)) in {(1, 0), (0, 1)} and codings in ([], [b"chunked"])
        # RFC 9110 section 15.2: we send no Expect and no Upgrade, so an interim response answers nothing of ours.
        if status < 200 or not framed_once or self._parser.should_upgrade():
            self._failure = Reason.UPSTREAM_PROTOCOL

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > ANSWER_BYTES:
            self._failure = Reason.ANSWER_TOO_LARGE
            self._body.clear()
        elif self._failure is None:
            self._body.append(body)

    def on_message_begin(self) -> None:
        if self._complete:
            self._failure = Reason.UPSTREAM_PROTOCOL  # a second answer to one question

    def on_message_complete(self) -> None:
        self._complete = True
        self._keep_alive = self._parser.should_keep_alive()

    # ---- the end

    def _finish(self) -> None:
        self._finished_cleanly = self._keep_alive
        status = self._parser.get_status_code()
        self._end(Answer(status, tuple(self._headers), b"".join(self._body)))

    def _end(self, result: Answer | Reason) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(result)
