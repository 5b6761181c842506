"""A bare HTTP/1.1 server on tornado: one function from request to reply, several processes on one port, no log.

Tornado's connection objects are used without its web framework: routing, templates and cookies would cost more than
the answers do.
"""

import asyncio
import errno
import gc
import os
import signal
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from http.client import responses
from typing import Final

from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
    format_timestamp,
)
from tornado.netutil import bind_sockets

from paravent.sandbox.replies import Reply

MAX_BODY_BYTES: Final = 1_000_000

type Handler = Callable[[str, str, HTTPHeaders, bytes], Reply]
"""(method, target, headers, body) → reply."""


class PortTaken(Exception):
    """Nobody listens there for us: somebody else does, this user may not, or it is no address of this machine."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where to listen, and with how many processes."""

    host: str = "127.0.0.1"
    port: int = 0
    """0: any free one."""
    processes: int = 1
    tls: ssl.SSLContext | None = None


class _Exchange(HTTPMessageDelegate):
    """One request on a connection: collected, answered in one write."""

    def __init__(self, handler: Handler, connection: HTTPConnection) -> None:
        self._handler = handler
        self._connection = connection
        self._chunks: list[bytes] = []

    def headers_received(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> None:
        assert isinstance(start_line, RequestStartLine)
        self._start_line, self._headers = start_line, headers

    def data_received(self, chunk: bytes) -> None:
        self._chunks.append(chunk)

    def finish(self) -> None:
        method = self._start_line.method
        reply = self._handler(method, self._start_line.path, self._headers, b"".join(self._chunks))
        headers = HTTPHeaders()
        headers["Content-Type"] = reply.content_type
        headers["Content-Length"] = str(len(reply.body))
        # RFC 9110 section 6.6.1: an origin server with a clock must say when.
        headers["Date"] = _date(int(time.time()))
        start_line = ResponseStartLine("HTTP/1.1", reply.status, responses.get(reply.status, ""))
        body = b"" if method == "HEAD" else reply.body
        # The Future is of the write; a client that left has nobody to tell.
        self._connection.write_headers(start_line, headers, body).add_done_callback(_read_outcome)
        self._connection.finish()

    def on_connection_close(self) -> None:
        self._chunks.clear()


@lru_cache(maxsize=1)
def _date(now_s: int) -> str:
    return format_timestamp(now_s)


def _read_outcome(written: "asyncio.Future[None]") -> None:
    if not written.cancelled():
        written.exception()


class _Exchanges(HTTPServerConnectionDelegate):
    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        return _Exchange(self._handler, request_conn)


def _silent(_: int) -> None:
    return None


def run(
    listening: Listening,
    handler: Handler,
    on_ready: Callable[[int], None],
    on_process: Callable[[int], None] = _silent,
) -> None:
    """Serve until SIGTERM or SIGINT. Raises PortTaken.

    `on_ready` is told the port once, when it is open; `on_process` is told the number of each process, inside it.
    """
    sockets = _bind(listening)
    # Children hold the reading end of a pipe that only the first process can write to: however that one ends, they
    # read its end and stop.
    alive, parent_end = os.pipe()
    # Answers are trees, freed when they are sent: looking for cycles in them only costs time.
    gc.freeze()
    gc.set_threshold(100_000)
    children = []
    for process in range(1, listening.processes):
        child = os.fork()
        if child == 0:
            os.close(parent_end)
            on_process(process)
            asyncio.run(_serve(listening, sockets, handler, _silent, parent=alive))
            os._exit(0)
        children.append(child)
    os.close(alive)
    on_process(0)
    try:
        asyncio.run(_serve(listening, sockets, handler, on_ready, parent=None))
    finally:
        os.close(parent_end)
        for child in children:
            os.waitpid(child, 0)


def _bind(listening: Listening) -> list[socket.socket]:
    try:
        return bind_sockets(listening.port, listening.host)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "is already in use" if taken else f"of {listening.host} cannot be listened on ({error.strerror})"
        raise PortTaken(f"port {listening.port} {why}") from None


async def _serve(
    listening: Listening,
    sockets: list[socket.socket],
    handler: Handler,
    on_ready: Callable[[int], None],
    parent: int | None,
) -> None:
    server = HTTPServer(_Exchanges(handler), ssl_options=listening.tls, max_body_size=MAX_BODY_BYTES)
    server.add_sockets(sockets)
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    if parent is not None:
        loop.add_reader(parent, stopped.set)
    on_ready(sockets[0].getsockname()[1])
    await stopped.wait()
    server.stop()
    await server.close_all_connections()
