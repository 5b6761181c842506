"""The upstream side: a pool of keep-alive connections, shared by all clients.

One exchange at a time on a connection; which answers are taken, `conversation` says. Everything else is a `Reason`,
and its connection is closed. A kept connection is used again only while nothing has arrived on it.

    a turn (`QUEUE_S`) → is it worth asking (`breaker`) → connect → first byte → last byte
                                                          └────── `timeout_s` ──────────┘
"""

import asyncio
import re
from collections import deque
from dataclasses import dataclass
from typing import Final

from paravent.alarm import Alarm
from paravent.model import Answer, UpstreamRequest
from paravent.reasons import Reason
from paravent_mitmproxy.listener.breaker import Breaker, Ticket
from paravent_mitmproxy.listener.conversation import Conversation
from paravent_mitmproxy.listener.tls import ClientTls

IDLE_S: Final = 4.0
"""A pooled connection older than this is not reused: many servers close at 5 s, and a request that meets the close
is neither refused nor answered."""

POOL: Final = 64
"""Idle connections kept."""

QUEUE_S: Final = 1.0
"""For a turn, when as many exchanges are under way as may be. Whoever has waited so long will not be helped by waiting
on: the upstream is slower than it is asked."""

TROUBLE: Final = frozenset({Reason.UPSTREAM_UNREACHABLE, Reason.UPSTREAM_PROTOCOL, Reason.UPSTREAM_TIMEOUT})
"""Ends of an exchange that tell of the upstream's health. An answer that is too large is one person's."""
GATEWAY: Final = frozenset({502, 503, 504})
"""What stands before the upstream says that it is down. A 500 can lie in one person's data, and whoever finds such a
person must not be able to stop everybody. Envoy tells the two apart likewise."""

_HEAD: Final = re.compile(
    rb"[A-Z]{3,16} /[!-~]{0,8191} HTTP/1\.1\r\n(?:[A-Za-z0-9-]{1,64}: [\t !-~]{0,12288}\r\n)+\r\n"
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the upstream is."""

    host: str
    port: int
    tls: ClientTls | None
    timeout_s: float
    """For a whole exchange: connect, send, and the last byte of the answer."""
    connect_s: float = 2.0
    """TCP and TLS."""
    first_byte_s: float | None = None
    """From the question to the first byte of its answer; None: `timeout_s`."""
    connections: int = 256
    """Exchanges at the same time."""


class Upstream:
    """Asks the upstream. `ask` never raises for anything the network does."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._deadline = Alarm(origin.timeout_s)
        self._idle: deque[tuple[float, Conversation]] = deque()
        self._context = origin.tls.current() if origin.tls else None
        self._turns = asyncio.Semaphore(origin.connections)
        self.breaker = Breaker()
        self.longest_s = QUEUE_S + origin.timeout_s
        """From a question to its answer or a reason."""
        self._host = host_header(origin.host, origin.port, tls=origin.tls is not None)

    async def ask(self, request: UpstreamRequest) -> Answer | Reason:
        """One request, one answer, inside the deadlines."""
        wire = self._wire(request)
        if wire is None:
            return Reason.INTERNAL_ERROR
        if self.breaker.is_open and self._turns.locked():
            return Reason.UPSTREAM_CIRCUIT_OPEN
        if not await self._turn():
            return Reason.UPSTREAM_BUSY
        try:
            ticket = self.breaker.admit(self._now_s())
            if ticket is None:
                return Reason.UPSTREAM_CIRCUIT_OPEN
            return await self._judged(wire, request.repeatable, ticket)
        finally:
            self._turns.release()

    def close(self) -> None:
        """Close what is idle; what is in flight closes with its exchange."""
        while self._idle:
            self._idle.pop()[1].abort()

    async def _turn(self) -> bool:
        if not self._turns.locked():
            return await self._turns.acquire()
        try:
            async with asyncio.timeout(QUEUE_S):
                return await self._turns.acquire()
        except TimeoutError:
            return False

    async def _judged(self, wire: bytes, repeatable: bool, ticket: Ticket) -> Answer | Reason:
        """One exchange, whose end the breaker is told."""
        try:
            answer = await self._deadline.within(self._ask(wire, repeatable))
        except TimeoutError:
            answer = Reason.UPSTREAM_TIMEOUT
        except BaseException:
            self.breaker.give_back(ticket)
            raise
        well = answer.status not in GATEWAY if isinstance(answer, Answer) else answer not in TROUBLE
        self.breaker.tell(ticket, well, self._now_s())
        return answer

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()

    async def _ask(self, wire: bytes, repeatable: bool) -> Answer | Reason:
        connection = self._reusable()
        if connection is not None:
            answer = await self._exchange(connection, wire)
            # RFC 9110 section 9.2.2: not without "some means to know that the request semantics are actually
            # idempotent, regardless of the method". The policy has said it; no byte of an answer has come.
            if not (repeatable and connection.untouched):
                return answer
        fresh = await self._connect()
        return fresh if isinstance(fresh, Reason) else await self._exchange(fresh, wire)

    async def _exchange(self, connection: Conversation, wire: bytes) -> Answer | Reason:
        try:
            answer = await connection.exchange(wire)
        except BaseException:
            connection.abort()
            raise
        if connection.reusable and connection.context is self._context:
            self._idle.append((self._now_s(), connection))
            if len(self._idle) > POOL:
                self._idle.popleft()[1].abort()
        else:
            connection.abort()
        return answer

    def _reusable(self) -> Conversation | None:
        """The most recently used one: the others may grow old and be dropped."""
        now = self._now_s()
        self._renew()
        while self._idle and now - self._idle[0][0] > IDLE_S:
            self._idle.popleft()[1].abort()
        while self._idle:
            _, connection = self._idle.pop()
            if connection.reusable and connection.silent:
                return connection
            connection.abort()
        return None

    def _renew(self) -> None:
        """With new authorities or a new certificate of ours, what was connected with the old ones is given up."""
        tls = self._origin.tls
        if tls is not None and tls.current() is not self._context:
            self._context = tls.current()
            self.close()

    async def _connect(self) -> Conversation | Reason:
        loop = asyncio.get_running_loop()
        origin = self._origin
        first_byte_s = origin.first_byte_s
        try:
            async with asyncio.timeout(origin.connect_s):
                _, connection = await loop.create_connection(
                    lambda: Conversation(first_byte_s),
                    origin.host,
                    origin.port,
                    ssl=self._context,
                    server_hostname=origin.host if origin.tls else None,
                )
        except (OSError, TimeoutError):  # ssl.SSLError is an OSError
            return Reason.UPSTREAM_UNREACHABLE
        return connection

    def _wire(self, request: UpstreamRequest) -> bytes | None:
        return written(request, self._host)


def host_header(host: str, port: int, *, tls: bool) -> bytes:
    """RFC 9110 section 7.2: without the port when it is the scheme's own."""
    name = f"[{host}]" if ":" in host else host
    return (name if port == (443 if tls else 80) else f"{name}:{port}").encode("idna")


def written(request: UpstreamRequest, host: bytes) -> bytes | None:
    """The request's bytes; None when something in it could split it."""
    lines = [b"%b: %b\r\n" % field for field in request.headers if field[0].lower() not in _FRAMING]
    head = b"%b %b HTTP/1.1\r\nhost: %b\r\n%bcontent-length: %d\r\n\r\n" % (
        request.method,
        request.target,
        host,
        b"".join(lines),
        len(request.body),
    )
    # As many lines as we wrote, and each of them a line: whatever a value held, it holds no line of its own.
    if _HEAD.fullmatch(head) is None or head.count(b"\r\n") != len(lines) + 4:
        return None
    return head + request.body


_FRAMING: Final = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"te", b"trailer", b"expect"}
)
