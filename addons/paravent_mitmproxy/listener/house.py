"""What all connections of a listener share: who may come in, how many are here, and whether the doors are open.

A connection counts from the moment the kernel hands it over, before TLS: a client that opens connections and never
shakes hands takes its own share and nobody else's.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Protocol

from mitmproxy import http

from paravent.model import Connection, Deny, Facts
from paravent.reasons import Reason
from paravent.telemetry.metrics import Metrics
from paravent_mitmproxy.listener.callers import CallerCertificates
from paravent_mitmproxy.listener.exchange import Exchange
from paravent_mitmproxy.listener.limits import Limits
from paravent_mitmproxy.listener.tls import Renewed

if TYPE_CHECKING:
    from paravent_mitmproxy.listener.client import ClientConnection

type Networks = Sequence[IPv4Network | IPv6Network]
type IpAddress = IPv4Address | IPv6Address
type Share = tuple[int, int]
"""IP version and the bits that stand for one network."""


@lru_cache(maxsize=4096)
def plain_address(text: str) -> IpAddress:
    """An address as people write it: a socket that serves both families shows 192.0.2.1 as ::ffff:192.0.2.1.

    Remembered: whoever connects comes again, a front proxy for everybody.
    """
    address = ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def share_of(address: IpAddress) -> Share:
    """Who has one share of the connections: an IPv4 address, or an IPv6 /64, which is one subscriber's."""
    return (4, int(address)) if address.version == 4 else (6, int(address) >> 64)


@dataclass(frozen=True, slots=True)
class Front:
    """The front proxies that the configuration names, and what they are believed. None of it by default."""

    networks: Networks | None = None
    """From where they may speak plaintext. None: TLS ends here."""
    certificates: Renewed[frozenset[bytes]] | None = None
    """SHA-256 of theirs, where they come over TLS. Then nobody else does."""
    introduces: bool = False
    """Each of their connections begins with a PROXY header."""
    callers: CallerCertificates | None = None
    """They tell of the caller's certificate in Client-Cert."""


class Books(Protocol):
    """Where bytes that never became a question are put on record. `Engine` is one."""

    def now_ms(self) -> int: ...

    async def refuse(self, facts: Facts, reason: Reason) -> Deny: ...


class House:
    """Counts, limits, and what is known of each client connection."""

    def __init__(self, exchange: Exchange, engine: Books, metrics: Metrics, limits: Limits) -> None:
        self.exchange = exchange
        self.answer_s = exchange.longest_s
        """For one answer, from the whole request to its first byte."""
        self.engine = engine
        self.metrics = metrics
        self.limits = limits
        self.front = Front()
        self.draining = False
        self.connections: set[ClientConnection] = set()
        """Everybody inside, also those still at the TLS handshake."""
        self.busy: set[ClientConnection] = set()
        """Those whose request is being answered; also callers who have left, until their books are closed."""
        self.shares: Counter[Share] = Counter()
        self.known: dict[str, Connection] = {}
        """mitmproxy's id of a client connection → what we know of it."""

    def refusal(self, address: IpAddress) -> str | None:
        """Why a connection from there may not come in; a value of the metric label `cause`."""
        if self.draining:
            return "draining"
        networks = self.front.networks
        if networks is not None and not any(address in network for network in networks):
            return "plaintext"
        if len(self.connections) >= self.limits.connections:
            return "full"
        # A front proxy that the configuration names brings everybody's connections: it has no share, only the whole.
        return "network_full" if networks is None and self._is_full(share_of(address)) else None

    def enter(self, guest: "ClientConnection") -> None:
        """Counted from here on. Whoever calls this sees to it that `leave` is called."""
        self.connections.add(guest)
        if self.front.networks is None:
            self._take(guest, share_of(guest.address))
        self.metrics.connection_opened()

    def is_front(self, guest: "ClientConnection") -> None:
        """It has shown that it is a front proxy, and speaks for itself so far: no share."""
        self._give_back(guest)

    def stands_for(self, guest: "ClientConnection", address: IpAddress) -> bool:
        """A front proxy says whom the connection is for: that is whose share it takes, if there is room."""
        self._give_back(guest)
        share = share_of(address)
        if self._is_full(share):
            return False
        self._take(guest, share)
        return True

    def _is_full(self, share: Share) -> bool:
        return self.shares[share] >= self.limits.connections_per_address

    def _take(self, guest: "ClientConnection", share: Share) -> None:
        guest.share = share
        self.shares[share] += 1

    def _give_back(self, guest: "ClientConnection") -> None:
        share = guest.share
        if share is None:
            return
        guest.share = None
        self.shares[share] -= 1
        if self.shares[share] <= 0:
            del self.shares[share]

    def leave(self, guest: "ClientConnection") -> None:
        """Forget a connection. A second call does nothing, unless the first one failed."""
        if guest not in self.connections:
            return
        self._give_back(guest)
        if guest.client is not None:
            self.known.pop(guest.client.id, None)
        self.metrics.connection_closed()
        self.connections -= {guest}

    def look_round(self, now_s: float) -> None:
        """See to it that nobody stays longer than they may, whatever became of their own timers, and of their end.

        `now_s`: on the loop's clock.
        """
        over: set[ClientConnection] = set()
        try:
            for guest in self.connections | self.busy:
                try:
                    if guest.is_over(now_s):
                        over |= {guest}
                        self.leave(guest)
                except Exception:
                    self.metrics.hook_raised("listener")
        finally:
            if over:
                self.busy -= over
                if self.connections & over:
                    self._put_out(over)

    def _put_out(self, over: "set[ClientConnection]") -> None:
        """They could not even leave: what is known of those who stay is taken from themselves."""
        self.connections -= over
        self.shares = Counter(guest.share for guest in self.connections if guest.share is not None)
        inside = {guest.client.id for guest in self.connections if guest.client is not None}
        self.known = {each: known for each, known in self.known.items() if each in inside}

    def connection_of(self, flow: http.HTTPFlow) -> Connection | None:
        return self.known.get(flow.client_conn.id)
