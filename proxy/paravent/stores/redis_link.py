"""One connection to Redis that many callers share: what one round of the event loop asks goes out in one write.

Replies come in the order of the questions (RESP). A reply that is late means that nothing can be believed of the
connection any more: it is closed, whoever waits is told so, and the next caller finds another one or none.
"""

import asyncio
import ssl
from asyncio import Future
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

import hiredis

from paravent.model import Secret

CONNECT_TIMEOUT_S: Final = 1.0

type Answer = bytes | int | list[bytes | int] | None


class LinkDown(Exception):
    """There is no connection, or it was lost before the answer came. Whether the question was carried out is open."""


class CommandError(Exception):
    """Redis answered with an error; its first word."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where Redis is, and who we are there."""

    host: str
    port: int
    database: int = 0
    user: str | None = None
    password: Secret[str] | None = field(default=None, repr=False)
    ca: Path | None = None
    """The authorities of its certificate. None: no TLS."""
    certificate: tuple[Path, Path] | None = None
    """What we show to it over TLS: certificate and key."""
    cluster: bool = False
    """It is one node of a Redis Cluster."""

    def tls(self) -> ssl.SSLContext | None:
        """Made anew for each connection: the files may have been replaced. Raises OSError."""
        if self.ca is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks names and certificates, loads no default authorities
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(cafile=self.ca)
        if self.certificate is not None:
            context.load_cert_chain(*self.certificate)
        return context


class Link(asyncio.Protocol):
    """A connection that is open. On the loop's thread."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader(replyError=CommandError)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[Future[Answer]] = deque()
        self._buffer: list[bytes] = []

    @property
    def up(self) -> bool:
        return self._transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while self._waiting and (reply := self._reader.gets()) is not False:
                future = self._waiting.popleft()
                if not future.done():
                    if isinstance(reply, CommandError):
                        future.set_exception(reply)
                    else:
                        future.set_result(reply)
        except hiredis.HiredisError:
            self.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        self.drop()

    def drop(self) -> None:
        """Close at once; everybody who waits is told."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        waiting, self._waiting = self._waiting, deque()
        for future in waiting:
            if not future.done():
                future.set_exception(LinkDown())

    def close(self) -> None:
        """Once what was asked has gone out."""
        if self._transport is not None:
            self._flush()
            self._transport.close()

    def send(self, *words: bytes | int) -> Future[Answer]:
        """Ask. Raises LinkDown without a connection. The future ends with an answer, CommandError or LinkDown."""
        if self._transport is None:
            raise LinkDown
        loop = asyncio.get_running_loop()
        future: Future[Answer] = loop.create_future()
        self._waiting.append(future)
        if not self._buffer:
            loop.call_soon(self._flush)
        self._buffer.append(hiredis.pack_command(cast("tuple[bytes]", words)))
        return future

    def _flush(self) -> None:
        data, self._buffer = b"".join(self._buffer), []
        if self._transport is not None:
            self._transport.write(data)


async def connect(server: Server, *first: tuple[bytes | int, ...]) -> Link:
    """Open, log in, choose the database, ask what is to be answered `first`. Raises LinkDown when one of it fails,
    within `CONNECT_TIMEOUT_S`."""
    loop = asyncio.get_running_loop()
    link: Link | None = None
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            _, link = await loop.create_connection(Link, server.host, server.port, ssl=server.tls())
            if server.password is not None:
                user = () if server.user is None else (server.user.encode(),)
                await link.send(b"AUTH", *user, server.password.reveal().encode("ascii"))
            if server.database:
                await link.send(b"SELECT", server.database)
            role = await link.send(b"ROLE")
            if not isinstance(role, list) or role[0] != b"master":
                raise LinkDown  # a replica would take no charge, and after a failover the old primary is one
            for words in first:
                await link.send(*words)
    except (OSError, TimeoutError, LinkDown, CommandError):
        if link is not None:
            link.drop()
        raise LinkDown from None
    except BaseException:
        if link is not None:
            link.drop()
        raise
    return link
