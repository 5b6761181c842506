"""The upstream side: a pool of keep-alive connections, shared by all clients.

One exchange at a time on a connection; which answers are taken, `conversation` says. Everything else is a `Reason`,
and its connection is closed. A kept connection is used again only while nothing has arrived on it.
"""

import asyncio
import re
import ssl
from collections import deque
from dataclasses import dataclass
from typing import Final

from paravent.alarm import Alarm
from paravent.model import Answer, UpstreamRequest
from paravent.reasons import Reason
from paravent_mitmproxy.listener.conversation import Conversation

IDLE_S: Final = 4.0
"""A pooled connection older than this is not reused: many servers close at 5 s, and a request that meets the close
is neither refused nor answered."""

CONNECT_S: Final = 2.0
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
        self._deadline = Alarm(origin.timeout_s)
        self._idle: deque[tuple[float, Conversation]] = deque()
        default = 443 if origin.tls else 80
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        self._host = (host if origin.port == default else f"{host}:{origin.port}").encode("idna")

    async def ask(self, request: UpstreamRequest) -> Answer | Reason:
        """One request, one answer, inside the deadline."""
        wire = self._wire(request)
        if wire is None:
            return Reason.INTERNAL_ERROR
        try:
            return await self._deadline.within(self._ask(wire, request.method == b"GET"))
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

    async def _exchange(self, connection: Conversation, wire: bytes) -> Answer | Reason:
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

    def _reusable(self) -> Conversation | None:
        """The most recently used one: the others may grow old and be dropped."""
        now = asyncio.get_running_loop().time()
        while self._idle and now - self._idle[0][0] > IDLE_S:
            self._idle.popleft()[1].abort()
        while self._idle:
            _, connection = self._idle.pop()
            if connection.reusable and connection.silent:
                return connection
            connection.abort()
        return None

    async def _connect(self) -> Conversation | Reason:
        loop = asyncio.get_running_loop()
        origin = self._origin
        try:
            async with asyncio.timeout(CONNECT_S):
                _, connection = await loop.create_connection(
                    Conversation,
                    origin.host,
                    origin.port,
                    ssl=origin.tls,
                    server_hostname=origin.host if origin.tls else None,
                )
        except (OSError, ssl.SSLError, TimeoutError):
            return Reason.UPSTREAM_UNREACHABLE
        return connection

    def _wire(self, request: UpstreamRequest) -> bytes | None:
        """The request's bytes; None when something in it could split it."""
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
