"""The client of the benchmark: sends requests that were built beforehand, and times each answer.

The same bytes go to every target but for the DPoP proof, which the others ignore. A run is a row of requests shared by
N connections; a connection sends its next one when its answer is complete.
"""

import asyncio
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast, override


@dataclass(frozen=True, slots=True)
class Run:
    """What one run measured."""

    requests: int
    seconds: float
    latencies_ms: tuple[float, ...]
    """Sorted."""
    refused: int
    """Answers that were not 200."""

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    def percentile_ms(self, share: float) -> float:
        return self.latencies_ms[min(len(self.latencies_ms) - 1, int(share * len(self.latencies_ms)))]


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._waiter: asyncio.Future[bytes] | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._received[:end]).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(self._received) >= end + 4 + length and self._waiter is not None and not self._waiter.done():
            self._received.clear()
            self._waiter.set_result(head[9:12])

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionError("the target closed the connection"))

    async def ask(self, request: bytes) -> bytes:
        if self._transport is None:
            raise ConnectionError("not connected")
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiter

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def run(
    port: int,
    requests: Iterable[bytes],
    connections: int,
    *,
    reconnect: bool = False,
    tls: ssl.SSLContext | None = None,
) -> Run:
    """Send them all. `reconnect`: a new connection for each."""
    loop = asyncio.get_running_loop()
    queue = iter(requests)
    latencies: list[float] = []
    refused = 0

    async def worker() -> None:
        nonlocal refused
        connection: _Connection | None = None
        for request in queue:
            started = time.perf_counter()
            if connection is None:
                _, connection = await loop.create_connection(_Connection, "127.0.0.1", port, ssl=tls)
            status = await connection.ask(request)
            latencies.append((time.perf_counter() - started) * 1000)
            refused += status != b"200"
            if reconnect:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(connections)))
    return Run(len(latencies), time.perf_counter() - started, tuple(sorted(latencies)), refused)
