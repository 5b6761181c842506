"""One client connection.

States: reading a head → reading a body → exchanging → writing → reading the next head, or parting. Requests are
answered strictly in order: while one is exchanged, nothing more is read. `_send` is the only place that writes to a
client, and it writes sealed bytes or closes.

It has a deadline from its first moment to its last, in every state. A timer of its own looks at it, and the house looks
at everybody's (`patrol`): a timer that could not be made, or was lost to a failure, keeps nobody here.

mitmproxy runs tasks eagerly: `_start` may come back with its work done. What follows an answer is therefore left to
the task's callback, which the loop calls: a thousand requests in one segment are a thousand turns of the loop.
"""

import asyncio
import hashlib
import os
import ssl
import time
from collections.abc import Coroutine
from functools import lru_cache
from ipaddress import IPv4Address
from typing import Final, cast, override

from mitmproxy import connection, http
from mitmproxy.connection import ConnectionState

from paravent.model import Connection, Facts
from paravent.reasons import Reason
from paravent_mitmproxy import reply
from paravent_mitmproxy.facts import new_request_id
from paravent_mitmproxy.listener.callers import CallerCertificates
from paravent_mitmproxy.listener.head import END, Head, read_head
from paravent_mitmproxy.listener.house import House, IpAddress, Share, plain_address
from paravent_mitmproxy.seal import wire_of

NOBODY: Final = IPv4Address(0)
"""The address of a connection that ended before we could ask for it."""

LAST_WORDS_S: Final = 1.0
"""For an answer that has taken too long to become a refusal, and for a connection that was cut off to end."""


class ClientConnection(asyncio.Protocol):
    """Reads requests, one at a time, and writes their answers."""

    def __init__(self, house: House) -> None:
        self.address: IpAddress = NOBODY
        self._written = ""
        """The same as text, once it is registered."""
        self.share: Share | None = None
        """Of the connections that one network may have; None: of a front proxy."""
        self._port = 0
        self._front: bytes | None = None
        """SHA-256 of the certificate of a front proxy that has shown one."""
        self.door: asyncio.Transport | None = None
        """Where it still has to be introduced."""
        self.entering: asyncio.Task[None] | None = None
        """Its handshake."""
        self._house = house
        self._limits = house.limits
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._scanned = 0
        self._head: Head | None = None
        self._task: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = self._loop.time() + house.limits.handshake_s + house.limits.head_s
        """When what it is at has taken too long."""
        self._warnings = 0
        """What has been done about that so far."""
        self._lost = False
        self._drained = asyncio.Event()
        self._drained.set()
        self._secure = False
        self._eof = False
        self._parting = False
        self._until_s = 0.0
        self.client: connection.Client | None = None

    def gone(self) -> bool:
        return self._transport is None or self._parting or self._transport.is_closing()

    def overdue(self) -> bool:
        return self._warnings > 0

    def knock(self, peer: tuple[str, int]) -> bool:
        """May it come in? If so it is counted, until `House.leave`. `peer`: host and port, and what else there is."""
        self.address, self._port = plain_address(peer[0]), peer[1]
        cause = self._house.refusal(self.address)
        if cause is not None:
            self._house.metrics.connection_refused(cause)
            return False
        self._house.enter(self)
        return True

    def stands_for(self, source: tuple[IpAddress, int]) -> bool:
        """A front proxy says whom the connection is for. False when they have too many already."""
        self.address, self._port = source
        if self._house.stands_for(self, self.address):
            return True
        self._house.metrics.connection_refused("network_full")
        return False

    def close_if_idle(self) -> None:
        """While draining: whoever is neither being answered nor in the middle of asking is asked to go."""
        if self.door is not None and self._transport is None:
            self.door.abort()
        if self._task is None and not self._buffer and self._head is None and not self.gone():
            self._part(linger=False)

    def hurry(self) -> None:
        """The drain is over: what is still being asked of the upstream is given up, and answered with a 503."""
        if self._task is not None:
            self._task.cancel()

    # ---- asyncio

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        try:
            self._transport = cast("asyncio.Transport", transport)
            if not self._may_stay(self._transport) or not self._register(self._transport):
                self._transport.abort()
        except Exception:
            # First of all: without a deadline it would stay for ever, and no other call would end it.
            cast("asyncio.Transport", transport).abort()
            self._house.metrics.hook_raised("listener")

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._lost = True
        try:
            self._house.leave(self)
        finally:
            self._drained.set()
            self._buffer.clear()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self.client is not None:
                self.client.state = ConnectionState.CLOSED

    @override
    def data_received(self, data: bytes) -> None:
        if self.client is None or self.gone():
            return
        begins = not self._buffer and self._head is None
        self._buffer += data
        if self._task is None:
            self._read_on()
            if begins and self._head is None and self._task is None:
                self._deadline(self._limits.head_s)
        elif self._transport is not None and self._has_enough():
            self._transport.pause_reading()

    @override
    def eof_received(self) -> bool:
        # A client that has sent its whole request may close its half and still wait for the answer. Not over TLS:
        # asyncio answers a close_notify with its own.
        self._eof = True
        return self._task is not None and not self._secure and not self._parting

    @override
    def pause_writing(self) -> None:
        self._drained.clear()

    @override
    def resume_writing(self) -> None:
        self._drained.set()

    # ---- reading

    def _has_enough(self) -> bool:
        """More has arrived than one request of the largest kind: the rest can wait in the kernel, and its sender."""
        return len(self._buffer) > self._limits.head_bytes + self._limits.body_bytes

    def _read_on(self) -> None:
        """A bug of ours in reading ends the connection; asyncio would leave it open, or end the process."""
        try:
            self._read()
        except BaseException:
            self._abort()
            self._house.metrics.hook_raised("listener")

    def _read(self) -> None:
        begins = self._head is None
        if begins and not self._read_head():
            return
        head = self._head
        if head is None:
            return
        if len(self._buffer) < head.body_bytes:
            if begins:
                self._deadline(self._limits.body_s)
            return
        body = bytes(self._buffer[: head.body_bytes])
        del self._buffer[: head.body_bytes]
        self._head = None
        self._scanned = 0
        self._start(self._answer(head, body))

    def _read_head(self) -> bool:
        """True when a head is complete and good."""
        end = self._buffer.find(END, max(0, self._scanned - len(END)))
        if end < 0:
            self._scanned = len(self._buffer)
            if self._scanned > self._limits.head_bytes:
                self._start(self._refuse(Reason.HEADERS_TOO_LARGE))
            return False
        if end + len(END) > self._limits.head_bytes:
            self._start(self._refuse(Reason.HEADERS_TOO_LARGE))
            return False
        callers = self._house.front.callers
        head = read_head(bytes(self._buffer[: end + len(END)]), self._limits, vouched=callers is not None)
        if callers is not None and isinstance(head, Head):
            head = self._of_caller(head, callers)
        if not isinstance(head, Head):
            self._start(self._refuse(head))
            return False
        del self._buffer[: end + len(END)]
        self._head = head
        return True

    def _of_caller(self, head: Head, callers: CallerCertificates) -> Head | Reason:
        """The next request of a front proxy may be another caller's: it has the certificate that came with it."""
        digest = callers.judge(head.certificate) if head.certificate is not None else None
        if digest is not None and not isinstance(digest, bytes):
            return digest
        if self.client is not None:
            known = self._house.known.get(self.client.id)
            if known is None or known.certificate_sha256 != digest:
                self._house.known[self.client.id] = self._known(digest)
        return head

    def _start(self, work: Coroutine[None, None, None]) -> None:
        self._deadline(self._house.answer_s)
        self._task = self._loop.create_task(self._close_on_failure(work))
        self._house.busy.add(self)  # now that `_done` will take it out
        self._task.add_done_callback(self._done)

    async def _close_on_failure(self, work: Coroutine[None, None, None]) -> None:
        """A bug of ours. The client learns nothing but that the connection ended."""
        try:
            await work
        except asyncio.CancelledError:
            self._abort()
        except BaseException:
            self._abort()
            self._house.metrics.hook_raised("listener")

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._task = None
        self._house.busy.discard(self)
        if task.cancelled() or task.exception() is not None:
            self._abort()
        if self._transport is None or self.gone():
            return
        if not self._has_enough():
            self._transport.resume_reading()
        self._deadline(self._limits.head_s if self._buffer else self._limits.idle_s)
        if self._buffer:
            self._read_on()
        if self._eof and self._task is None:
            self._part(linger=False)  # what is left will never be a whole request

    # ---- answering

    async def _answer(self, head: Head, body: bytes) -> None:
        client = self.client
        if client is None:
            return
        response = await self._house.exchange.run(client, self, head, body)
        last = self._eof and not self._buffer
        old = self._loop.time() >= self._until_s
        close = head.close or last or old or self._house.draining
        await self._send(response, close=close, body=head.method != b"HEAD")

    async def _refuse(self, reason: Reason) -> None:
        """Bytes that are not a request as we speak it: recorded, answered with a constant, closed."""
        engine = self._house.engine
        known = self._house.known.get(self.client.id) if self.client else None
        facts = Facts(
            now_ms=engine.now_ms(),
            request_id=new_request_id(),
            method=b"",
            target=b"",
            headers=(),
            body=b"",
            connection=known or Connection(str(self.address), secure=False),
        )
        self._buffer.clear()
        denial = await engine.refuse(facts, reason)
        await self._send(reply.deny(denial, facts.request_id, "fr"), close=True, linger=True)

    async def _send(
        self, response: http.Response | None, *, close: bool, body: bool = True, linger: bool = False
    ) -> None:
        """The only place that writes to a client."""
        wire = wire_of(response, close=close, body=body)
        if wire is None:
            self._house.metrics.unmarked_response()
            wire = wire_of(reply.poison(reply.WITHHELD), close=True, body=body)
            close = True
        transport = self._transport
        if transport is None or self.gone() or wire is None:
            return
        self._deadline(self._limits.write_s)
        transport.write(wire)
        if not self._drained.is_set():
            await self._drained.wait()
        if close:
            self._part(linger=linger)

    # ---- the end, and time

    def _part(self, *, linger: bool) -> None:
        """Close when the last answer is out; a client that does not take it is not waited for.

        `linger`: the client may still be sending. Closing over unread bytes makes the kernel reset the connection and
        throw the answer away, so they are read, and dropped, for a moment (RFC 9112 section 9.6).
        """
        transport = self._transport
        if transport is None:
            return
        self._parting = True
        self._buffer.clear()
        self._deadline(self._limits.linger_s if linger else self._limits.write_s)
        if linger and transport.can_write_eof() and not self._eof:
            transport.resume_reading()
            transport.write_eof()
        else:
            transport.close()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        elif self.door is not None:
            self.door.abort()
        elif self.entering is not None:
            self.entering.cancel()

    def _deadline(self, seconds: float) -> None:
        """Too slow, or idle: the connection ends. A request that never became whole has no answer."""
        due_s = self._due_s = self._loop.time() + seconds
        self._warnings = 0
        if self._timer is not None:
            if self._timer.when() <= due_s:
                return  # it will see that there is more time
            self._timer.cancel()
        self._timer = self._loop.call_at(due_s, self._look_at_clock)

    def _look_at_clock(self) -> None:
        """A timer is set for the earliest moment that may be too late, and most of the time it is not."""
        self._timer = None
        if not self._lost:
            self.is_over(self._loop.time())
            self._timer = self._loop.call_at(self._due_s, self._look_at_clock)

    def is_over(self, now_s: float) -> bool:
        """End what has taken too long: first an answer, as a drain ends it, with a refusal; then the connection.

        Called at the deadline, and again and again by the house. True when nothing more comes of it: to be forgotten.
        """
        if self._lost and (self._task is None or self._task.done()):
            return True
        if now_s < self._due_s:
            return False
        self._due_s = now_s + LAST_WORDS_S
        self._warnings += 1
        if self._warnings == 1 and self._task is not None:
            self.hurry()
        else:
            self._abort()
        return self._warnings > 3

    # ---- who

    def _may_stay(self, transport: asyncio.Transport) -> bool:
        if self not in self._house.connections:
            return self.knock(transport.get_extra_info("peername") or (str(NOBODY), 0))
        if self._house.draining:  # since it came in to shake hands
            self._house.metrics.connection_refused("draining")
            return False
        return True

    def _register(self, transport: asyncio.Transport) -> bool:
        """False: over TLS where front proxies do, and none of them."""
        now_s = time.time()
        sockname = transport.get_extra_info("sockname") or ("", 0)
        self._written = str(self.address)
        client = connection.Client(
            id=os.urandom(16).hex(),  # mitmproxy would make a UUID, for half the time that all of this takes
            peername=(self._written, self._port),
            sockname=(sockname[0], sockname[1]),
            timestamp_start=now_s,
            state=ConnectionState.OPEN,
        )
        life_s = self._limits.life_s
        certificate: bytes | None = None
        tls = cast("ssl.SSLObject | None", transport.get_extra_info("ssl_object"))
        if tls is not None:
            self._secure = True
            client.tls = True
            client.timestamp_tls_setup = now_s
            certificate, valid_s = _leaf(tls, now_s)
            life_s = min(life_s, valid_s)
            fronts = self._house.front.certificates
            if fronts is not None:
                if certificate not in fronts.current():
                    self._house.metrics.connection_refused("stranger")
                    return False
                self._house.is_front(self)
                self._front, certificate = certificate, None  # its own is nobody's who asks
        self.client = client
        self._until_s = self._loop.time() + life_s
        self._house.known[client.id] = self._known(certificate)
        self._deadline(self._limits.idle_s)
        return True

    def _known(self, certificate: bytes | None) -> Connection:
        """Who has no share is a front proxy that speaks for somebody whose address is not told."""
        source = None if self.share is None else self._written
        return Connection(self._written, True, certificate, source_ip=source, front_sha256=self._front)


def _leaf(tls: ssl.SSLObject, now_s: float) -> tuple[bytes | None, float]:
    """SHA-256 of the client's certificate and the seconds it is still valid; None and for ever when there is none.

    OpenSSL checked the chain at the handshake. On a resumed TLS 1.2 session that was some time ago: the date is looked
    at again, and an expired certificate is none.
    """
    der, text = tls.getpeercert(binary_form=True), tls.getpeercert()
    if not der or not text:
        return None, float("inf")
    valid_s = _moment_s(str(text["notAfter"])) - now_s
    return (hashlib.sha256(der).digest(), valid_s) if valid_s > 0 else (None, float("inf"))


@lru_cache(maxsize=1024)
def _moment_s(text: str) -> int:
    """Remembered: reading a date costs a thirtieth of a new connection, and portals have few certificates."""
    return ssl.cert_time_to_seconds(text)
