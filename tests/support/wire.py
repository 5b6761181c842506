"""Raw sockets for tests: an upstream that says exactly the bytes it is told, and a client that sends such bytes."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class RawUpstream:
    """What a scripted upstream saw."""

    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0


type Script = bytes | Callable[[int, bytes], bytes | None]
"""The answer to every request, or a function of (how many requests before, the request). None: say nothing.
Empty: close without a word."""


@asynccontextmanager
async def raw_upstream(
    script: Script, *, close: bool = False, tls: ssl.SSLContext | None = None
) -> AsyncIterator[RawUpstream]:
    """A TCP server on loopback that reads whole requests and writes what the script says.

    `close`: end the connection after each answer.
    """
    seen = RawUpstream()
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (
                        int(v)
                        for n, _, v in (x.partition(b":") for x in head.split(b"\r\n"))
                        if n.lower() == b"content-length"
                    ),
                    0,
                )
                request = head + (await reader.readexactly(length) if length else b"")
                answer = script(len(seen.requests), request) if callable(script) else script
                seen.requests.append(request)
                if answer is not None:
                    writer.write(answer)
                    await writer.drain()
                if close or answer == b"":
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            writers.discard(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for writer in list(writers):
            writer.transport.abort()


def http_answer(
    body: bytes, *, status: int = 200, content_type: bytes = b"application/json", extra: bytes = b""
) -> bytes:
    """A well-formed answer with a length."""
    head = b"HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %d\r\n" % (status, content_type, len(body))
    return head + extra + b"\r\n" + body


def reset(writer: asyncio.StreamWriter | asyncio.Transport) -> None:
    """Hang up with a reset. An orderly end could be a client that has closed its half, and waits."""
    wire: socket.socket = writer.get_extra_info("socket")
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    (writer.transport if isinstance(writer, asyncio.StreamWriter) else writer).abort()
