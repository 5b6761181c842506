"""The start-up canary: before a node is ready it tries, through its own listening socket, to get out what must not.

The socket, TLS, the protocol on it, the chain of addons and the guard are those of the node. A house of its own stands
behind the doorway meanwhile, whose books are thrown away: neither ledger nor metrics know of the canary, and no
connection of its is one that the guard would answer. What it tries, any addon could do; it needs no door of its own.
"""

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final

from mitmproxy import http
from mitmproxy.addonmanager import AddonManager

from paravent.model import Deny, Facts
from paravent.reasons import Problem, Reason
from paravent.settings import Listen
from paravent.telemetry.metrics import Metrics
from paravent_mitmproxy import reply
from paravent_mitmproxy.listener.doorway import Doorway
from paravent_mitmproxy.listener.exchange import Exchange
from paravent_mitmproxy.listener.house import Front, House
from paravent_mitmproxy.listener.limits import Limits
from paravent_mitmproxy.listener.server import opened
from paravent_mitmproxy.listener.tls import ServerTls
from paravent_mitmproxy.seal import wire_of

LONGEST_S: Final = 10.0
"""For all of it: some ten connections to ourselves. A machine that needs longer is not ready."""

MARK: Final = b"a byte that must not leave"
REQUEST: Final = b"GET / HTTP/1.1\r\nHost: canary\r\nConnection: close\r\n\r\n"
# RFC 9113 section 3.4.
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CONNECT: Final = b"CONNECT canary:443 HTTP/1.1\r\nHost: canary:443\r\n\r\n"
STRANGERS: Final = ip_network("192.0.2.0/24")
"""RFC 5737: nobody's. Whoever is not of this network is a stranger to it, and we are not."""

_REFERENCE: Final = re.compile(rb'(?<="reference":")[0-9a-f]{32}')

type Deed = Callable[[http.HTTPFlow], None]


@dataclass(frozen=True, slots=True)
class Proof:
    """One thing that was tried."""

    name: str
    sentence: str
    """What holds, if it does."""
    holds: bool


class Canary:
    """For one node, once. Until `sing` has come back with proofs that all hold, the doorway leads to its own house."""

    def __init__(
        self, doorway: Doorway, listen: Listen, addons: AddonManager, exchange: Exchange, *, shared: bool
    ) -> None:
        """`shared`: others listen on the port too, and may be given what is meant for us. Then it has its own door."""
        if shared:
            doorway = Doorway(_anywhere(), doorway.house, doorway.tls)
        self._shared = shared
        self._doorway = doorway
        self._addons = addons
        self._home, self._tls = doorway.house, doorway.tls
        self._host, self._port = doorway.sock.getsockname()[:2]
        if ip_address(self._host).is_unspecified:
            self._host = "127.0.0.1" if ip_address(self._host).version == 4 else "::1"
        self._own_tls = None
        if listen.certificate is not None and listen.key is not None:
            # Who else must show a certificate is the front proxies' business: see `_without_certificate`.
            self._own_tls = ServerTls(listen.certificate, listen.key, None)
        self._house = House(exchange, _NoBooks(), Metrics(), Limits())
        self._intruder = _Intruder(self._house)
        self._behind(self._own_front())

    async def sing(self) -> list[Proof]:
        """Everything that was tried. Never raises for what fails; what takes too long has not held."""
        door = await opened(self._doorway) if self._shared else None
        try:
            return await self._sing()
        finally:
            if door is not None:
                door.close()

    async def _sing(self) -> list[Proof]:
        proofs: list[Proof] = []
        self._addons.add(self._intruder)
        try:
            async with asyncio.timeout(LONGEST_S):
                for name, sentence, attempt in self._attempts():
                    proofs.append(Proof(name, sentence, holds=False))
                    proofs[-1] = Proof(name, sentence, holds=await attempt())
        except Exception:  # noqa: S110 (the last proof stands as one that does not hold)
            pass
        finally:
            self._addons.remove(self._intruder)
        if all(proof.holds for proof in proofs):
            self._doorway.house, self._doorway.tls = self._home, self._tls
        self._house.draining = True
        for guest in list(self._house.connections):
            guest.close_if_idle()
        return proofs

    def _attempts(self) -> Iterator[tuple[str, str, Callable[[], Awaitable[bool]]]]:
        yield "seal", "a response that we did not build does not leave", self._unsealed
        yield "question", "a refusal that is lifted asks nothing of the upstream", self._lifted
        yield "page", "bytes that are no request get the constant page", self._no_request
        yield "http2", "the preface of HTTP/2 gets the constant page", self._http2
        yield "connect", "CONNECT gets the constant page", self._connect
        if self._tls is not None:
            yield "plaintext", "plain HTTP on the TLS port gets no answer", self._plaintext
        else:
            yield "plaintext", "plain HTTP from a stranger gets no answer", self._plaintext
        if self._home.front.certificates is not None:
            yield "front", "nobody but the front proxies gets an answer", self._without_certificate

    # ---- what is tried

    async def _unsealed(self) -> bool:
        self._intruder.deed = _answer
        received = await self._send(REQUEST)
        return received == _constant(reply.WITHHELD)

    async def _lifted(self) -> bool:
        self._intruder.deed = _lift
        return await self._send(REQUEST) == _constant(reply.INTERNAL)

    async def _no_request(self) -> bool:
        return await self._is_refused(MARK + b"\r\n\r\n")

    async def _http2(self) -> bool:
        return await self._is_refused(PREFACE)

    async def _connect(self) -> bool:
        return await self._is_refused(CONNECT)

    async def _plaintext(self) -> bool:
        """On the TLS port, with the node's own contexts; or as a stranger to a node behind a front proxy."""
        if self._tls is not None:
            self._doorway.tls = self._tls
            try:
                return b"HTTP/" not in await self._send(REQUEST, tls=False)
            finally:
                self._doorway.tls = self._own_tls
        if self._home.front.networks is None:
            return False
        self._behind(Front(networks=(STRANGERS,)))
        try:
            return await self._send(REQUEST) == b""
        finally:
            self._behind(self._own_front())

    async def _without_certificate(self) -> bool:
        self._doorway.tls = self._tls
        self._behind(self._home.front)
        try:
            return await self._send(REQUEST) == b""
        except ssl.SSLError:
            return True
        finally:
            self._doorway.tls = self._own_tls
            self._behind(self._own_front())

    # ---- how

    async def _is_refused(self, data: bytes) -> bool:
        received = await self._send(data)
        named = _REFERENCE.sub(reply.NO_REFERENCE.encode("ascii"), received)
        return named == _constant(Reason.REQUEST_AMBIGUOUS.problem)

    async def _send(self, data: bytes, *, tls: bool | None = None) -> bytes:
        """Everything that comes back on a connection of its own, until it ends."""
        secure = self._tls is not None if tls is None else tls
        reader, writer = await asyncio.open_connection(self._host, self._port, ssl=_any_name() if secure else None)
        received = bytearray()
        try:
            writer.write(data)
            with contextlib.suppress(ConnectionError):
                while chunk := await reader.read(65536):
                    received += chunk
        finally:
            writer.transport.abort()
        return bytes(received)

    def _own_front(self) -> Front:
        return Front(networks=None if self._own_tls is not None else (ip_network(self._host),))

    def _behind(self, front: Front) -> None:
        self._house.front = front
        self._doorway.house, self._doorway.tls = self._house, self._own_tls


def _anywhere() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", 0))
    return sock


class _NoBooks:
    """The canary's refusals are no decisions about anybody: they are told, and kept nowhere."""

    def now_ms(self) -> int:
        return 0

    async def refuse(self, _facts: Facts, reason: Reason) -> Deny:
        return Deny(reason)


class _Intruder:
    """The last addon of the chain for a moment: does to the canary's flows what a broken one might."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.deed: Deed = _lift

    def request(self, flow: http.HTTPFlow) -> None:
        if self._house.connection_of(flow) is not None:
            self.deed(flow)


def _answer(flow: http.HTTPFlow) -> None:
    flow.response = http.Response.make(200, MARK, {"X-Canary": MARK})


def _lift(flow: http.HTTPFlow) -> None:
    flow.response = None


def _constant(problem: Problem) -> bytes | None:
    return wire_of(reply.poison(problem), close=True)


def _any_name() -> ssl.SSLContext:
    """We know whom we call: what is tried is what the other side lets through, not who it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context
