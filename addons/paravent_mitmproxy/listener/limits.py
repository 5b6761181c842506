"""How much one client may take, before we know who it is. Each figure with its precedent."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the client side."""

    head_bytes: int = 16 * 1024
    """Request line and headers. Two tokens of 8 KB would fill it; nginx allows 32 KB in four buffers, h11 16 KB."""
    headers: int = 64
    """Apache's default is 100; browsers send about 20."""
    body_bytes: int = 64 * 1024
    """The largest question of the reference API is under 1 KB."""
    head_s: float = 10.0
    """From a request's first byte to the end of its head. Apache mod_reqtimeout: 20 to 40 s; nginx: 60 s."""
    body_s: float = 10.0
    """From the head to the last byte of the body."""
    idle_s: float = 60.0
    """Between two requests. nginx: 75 s."""
    write_s: float = 20.0
    """For a client to take an answer, and to see the connection closed."""
    linger_s: float = 2.0
    """How long a refused client that is still sending is heard out, so that it can read why. nginx: 5 s."""
    life_s: float = 3600.0
    """Of a connection, however busy: its certificate was checked at its beginning. nginx's keepalive_time: 1 h."""
    handshake_s: float = 10.0
    """TLS. asyncio's default is 60 s."""
    connections: int = 4096
    """In one process, handshakes included. Far above what a region's pharmacies hold open through a portal."""
    connections_per_address: int = 1024
    """Of one IPv4 address or IPv6 /64. A portal multiplexes thousands of practitioners over one address: a share, not
    a person's worth. Named front proxies have no such bound."""
    drain_s: float = 10.0
    """After SIGTERM, for requests in flight. Kubernetes gives 30 s by default."""
