"""One client connection.

States: reading a head → reading a body → exchanging → writing → reading the next head. Requests are answered strictly
in order: while one is exchanged, nothing more is read. `_send` is the only place that writes to a client, and it
writes sealed bytes or closes.
"""

import asyncio
import hashlib
import ssl
import time
from collections import Counter
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import cast, override

from mitmproxy import connection, http
from mitmproxy.connection import ConnectionState

from paravent.drive import Engine
from paravent.model import Connection, Facts
from paravent.reasons import Reason
from paravent.telemetry.metrics import Metrics
from paravent_mitmproxy import reply
from paravent_mitmproxy.facts import new_request_id
from paravent_mitmproxy.listener.exchange import Exchange
from paravent_mitmproxy.listener.head import END, Head, read_head
from paravent_mitmproxy.listener.limits import Limits
from paravent_mitmproxy.seal import wire_of

type Networks = Sequence[IPv4Network | IPv6Network]


class House:
    """What all connections of a listener share: counts, limits, and whether the doors are open."""

    def __init__(self, exchange: Exchange, engine: Engine, metrics: Metrics, limits: Limits) -> None:
        self.exchange = exchange
        self.engine = engine
        self.metrics = metrics
        self.limits = limits
        self.plaintext_from: Networks | None = None
        """None: TLS ends here. Otherwise the front proxies that may speak plaintext."""
        self.draining = False
        self.connections: set[ClientConnection] = set()
        self.per_address: Counter[str] = Counter()
        self.known: dict[str, Connection] = {}
        """mitmproxy's id of a client connection → what we know of it."""

    def refusal(self, peer_ip: str, secure: bool) -> str | None:
        """Why this connection may not carry requests; a value of the metric label `cause`."""
        if self.draining:
            return "draining"
        if not secure and not self._trusted(peer_ip):
            return "plaintext"
        if len(self.connections) >= self.limits.connections:
            return "full"
        if self.per_address[peer_ip] >= self.limits.connections_per_address:
            return "network_full"
        return None

    def connection_of(self, flow: http.HTTPFlow) -> Connection | None:
        return self.known.get(flow.client_conn.id)

    def _trusted(self, peer_ip: str) -> bool:
        if self.plaintext_from is None:
            return False
        address = ip_address(peer_ip)
        return any(address in network for network in self.plaintext_from)


class ClientConnection(asyncio.Protocol):
    """Reads requests, one at a time, and writes their answers."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._limits = house.limits
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._scanned = 0
        self._head: Head | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._drained = asyncio.Event()
        self._drained.set()
        self._eof = False
        self.client: connection.Client | None = None

    @property
    def gone(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    @property
    def busy(self) -> bool:
        return self._task is not None

    def close_if_idle(self) -> None:
        """While draining: whoever is not being answered is asked to go."""
        if self._task is None and self._transport is not None:
            self._transport.close()

    # ---- asyncio

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername") or ("0.0.0.0", 0)  # noqa: S104 (no address: a stranger's)
        tls = cast("ssl.SSLObject | None", transport.get_extra_info("ssl_object"))
        cause = self._house.refusal(peer[0], tls is not None)
        if cause is not None:
            self._house.metrics.connection_refused(cause)
            self._transport.abort()
            self._transport = None
            return
        self._register(peer, transport.get_extra_info("sockname"), tls)
        self._deadline(self._limits.idle_s)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._drained.set()
        if self._timer is not None:
            self._timer.cancel()
        if self.client is not None:
            self.client.state = ConnectionState.CLOSED
            house = self._house
            house.connections.discard(self)
            house.known.pop(self.client.id, None)
            address = self.client.peername[0]
            house.per_address[address] -= 1
            if house.per_address[address] <= 0:
                del house.per_address[address]
            house.metrics.connection_closed()

    @override
    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        if not self._buffer and self._head is None and self._task is None:
            self._deadline(self._limits.head_s)
        self._buffer += data
        if self._task is None:
            self._read()
        elif len(self._buffer) > self._limits.head_bytes + self._limits.body_bytes:
            self._transport.pause_reading()

    @override
    def eof_received(self) -> bool:
        # A client that has sent its whole request may close its half and still wait for the answer.
        self._eof = True
        return self._task is not None

    @override
    def pause_writing(self) -> None:
        self._drained.clear()

    @override
    def resume_writing(self) -> None:
        self._drained.set()

    # ---- reading

    def _read(self) -> None:
        if self._head is None and not self._read_head():
            return
        head = self._head
        if head is None or len(self._buffer) < head.body_bytes:
            return
        body = bytes(self._buffer[: head.body_bytes])
        del self._buffer[: head.body_bytes]
        self._head = None
        self._scanned = 0
        self._cancel_deadline()
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
        head = read_head(bytes(self._buffer[: end + len(END)]), self._limits)
        if isinstance(head, Reason):
            self._start(self._refuse(head))
            return False
        del self._buffer[: end + len(END)]
        self._head = head
        self._deadline(self._limits.body_s)
        return True

    def _start(self, work: "asyncio._CoroutineLike[None]") -> None:
        self._task = asyncio.get_running_loop().create_task(work)
        self._task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._task = None
        if task.cancelled() or task.exception() is not None:
            # A bug of ours. The client learns nothing but that the connection ended.
            self._house.metrics.hook_raised("listener")
            if self._transport is not None:
                self._transport.abort()
            return
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._eof and not self._buffer:
            transport.close()
            return
        transport.resume_reading()
        self._deadline(self._limits.head_s if self._buffer else self._limits.idle_s)
        if self._buffer:
            self._read()

    # ---- answering

    async def _answer(self, head: Head, body: bytes) -> None:
        client = self.client
        if client is None:
            return
        response = await self._house.exchange.run(client, self, head, body)
        await self._send(response, close=head.close or self._house.draining or self._eof)

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
            connection=known or Connection("0.0.0.0", secure=False),  # noqa: S104 (nobody)
        )
        self._buffer.clear()
        denial = await engine.refuse(facts, reason)
        await self._send(reply.deny(denial, facts.request_id, "fr"), close=True)

    async def _send(self, response: http.Response | None, *, close: bool) -> None:
        """The only place that writes to a client."""
        transport = self._transport
        wire = wire_of(response, close=close)
        if wire is None:
            self._house.metrics.unmarked_response()
            wire = wire_of(reply.poison(reply.WITHHELD), close=True)
            close = True
        if transport is None or transport.is_closing() or wire is None:
            return
        transport.write(wire)
        try:
            async with asyncio.timeout(self._limits.write_s):
                await self._drained.wait()
        except TimeoutError:
            transport.abort()
            return
        if close:
            transport.close()

    # ---- time

    def _deadline(self, seconds: float) -> None:
        self._cancel_deadline()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._late)

    def _cancel_deadline(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        """Too slow, or idle: the connection ends. A request that never became whole has no answer."""
        if self._transport is not None:
            self._transport.abort()

    # ---- who

    def _register(self, peer: tuple[str, int], sockname: tuple[str, int], tls: ssl.SSLObject | None) -> None:
        now_s = time.time()
        client = connection.Client(
            peername=(peer[0], peer[1]),
            sockname=(sockname[0], sockname[1]),
            timestamp_start=now_s,
            state=ConnectionState.OPEN,
        )
        certificate: bytes | None = None
        if tls is not None:
            client.tls = True
            client.timestamp_tls_setup = now_s
            leaf = tls.getpeercert(binary_form=True)
            certificate = hashlib.sha256(leaf).digest() if leaf else None
        self.client = client
        house = self._house
        house.connections.add(self)
        house.per_address[peer[0]] += 1
        house.known[client.id] = Connection(peer[0], secure=True, certificate_sha256=certificate)
        house.metrics.connection_opened()
