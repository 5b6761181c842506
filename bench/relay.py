"""The least that a proxy in Python does, with the libraries of ours: what is left of a request without a policy.

    python -m bench.relay UPSTREAM_PORT [--tls CERTIFICATE KEY CLIENT_CA] [--ledger FILE]

    request by llhttp → written anew, on a kept connection → answer by llhttp, whole → written with constant headers

TLS has the context of our listener, so that a client certificate is asked for and checked. There is no token, no
budget, no deadline and no bound. With `--ledger` each answer is read as JSON and written again, and a line is on disk
before it leaves: what parsing and durability cost where nothing is decided.

Callbacks alone: no task, no future, no dictionary of a request. Whatever is not plain ends the connection.
"""

import argparse
import asyncio
import os
import threading
from collections.abc import Coroutine
from pathlib import Path
from queue import SimpleQueue
from typing import Final, cast, override

import httptools
import orjson

from paravent_mitmproxy.listener.tls import server_context

QUESTION: Final = b"%b %b HTTP/1.1\r\nhost: %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
ANSWER: Final = (
    b"HTTP/1.1 %d OK\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
    b"Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b"
)
LINE: Final = b"." * 1700 + b"\n"
"""As long as a record of ours about the benchmark's answer."""


class Upstream:
    """Kept connections; the one that was used last is used next."""

    def __init__(self, port: int) -> None:
        self.idle: list[Link] = []
        self._port = port
        self._host = b"127.0.0.1:%d" % port
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[None]] = set()

    def ask(self, caller: "Caller", method: bytes, target: bytes, body: bytes) -> None:
        wire = QUESTION % (method, target, self._host, len(body), body)
        if self.idle:
            self.idle.pop().ask(caller, wire)
        else:
            task = self._loop.create_task(self._connect(caller, wire))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self, caller: "Caller", wire: bytes) -> None:
        _, link = await self._loop.create_connection(lambda: Link(self), "127.0.0.1", self._port)
        link.ask(caller, wire)


class Peer[Parser: (httptools.HttpRequestParser, httptools.HttpResponseParser)](asyncio.Protocol):
    """One connection, whose bytes go to llhttp."""

    __slots__ = ("_body", "_parser", "_transport")
    _parser: Parser
    _transport: asyncio.Transport
    _body: bytes

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._transport.abort()

    def on_body(self, body: bytes) -> None:
        self._body = self._body + body if self._body else body


class Link(Peer[httptools.HttpResponseParser]):
    """One connection to the upstream: one exchange at a time."""

    __slots__ = ("_caller", "_upstream")

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._parser = httptools.HttpResponseParser(self)
        self._caller: Caller | None = None
        self._body = b""

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._caller is not None:
            self._caller.close()
        elif self in self._upstream.idle:
            self._upstream.idle.remove(self)

    def ask(self, caller: "Caller", wire: bytes) -> None:
        self._caller = caller
        self._transport.write(wire)

    def on_message_complete(self) -> None:
        caller, body = self._caller, self._body
        self._caller, self._body = None, b""
        self._upstream.idle.append(self)
        if caller is not None:
            caller.answered(self._parser.get_status_code(), body)


class Caller(Peer[httptools.HttpRequestParser]):
    """One client connection: one request at a time."""

    __slots__ = ("_asking", "_keep_alive", "_ledger", "_target", "_upstream")

    def __init__(self, upstream: Upstream, ledger: "Ledger | None") -> None:
        self._upstream = upstream
        self._ledger = ledger
        self._parser = httptools.HttpRequestParser(self)
        self._asking = False
        self._target = self._body = b""

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Any policy asks for them: llhttp is to hand them over."""

    def on_message_complete(self) -> None:
        target, body = self._target, self._body
        self._target = self._body = b""
        if self._asking:
            self._transport.abort()
        else:
            self._asking = True
            self._keep_alive = self._parser.should_keep_alive()
            self._upstream.ask(self, self._parser.get_method(), target, body)

    def answered(self, status: int, body: bytes) -> None:
        if self._ledger is None:
            self.send(ANSWER % (status, len(body), body))
        else:
            body = orjson.dumps(orjson.loads(body))
            self._ledger.append(self, ANSWER % (status, len(body), body))

    def send(self, wire: bytes) -> None:
        self._asking = False
        self._transport.write(wire)
        if not self._keep_alive:
            self._transport.close()

    def close(self) -> None:
        self._transport.close()


class Ledger:
    """A line for each answer, on disk before it leaves. A thread takes all that is there: one write and one sync."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._loop = asyncio.get_running_loop()
        self._turn: list[tuple[Caller, bytes]] = []
        self._turns: SimpleQueue[list[tuple[Caller, bytes]]] = SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def append(self, caller: Caller, wire: bytes) -> None:
        if not self._turn:
            self._loop.call_soon(self._hand_over)
        self._turn.append((caller, wire))

    def _hand_over(self) -> None:
        """What one turn of the loop brought."""
        self._turns.put(self._turn)
        self._turn = []

    def _run(self) -> None:
        while True:
            group = self._turns.get()
            while not self._turns.empty():
                group += self._turns.get()
            os.write(self._file, LINE * len(group))
            os.fdatasync(self._file)
            self._loop.call_soon_threadsafe(_send, group)


def _send(group: list[tuple[Caller, bytes]]) -> None:
    for caller, wire in group:
        caller.send(wire)


async def main(upstream_port: int, tls: list[Path] | None, ledger: Path | None) -> None:
    upstream = Upstream(upstream_port)
    lines = Ledger(ledger) if ledger else None
    context = server_context(*tls) if tls else None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Caller(upstream, lines), "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _run(serving: Coroutine[None, None, None]) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(serving)
    else:
        uvloop.run(serving)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.relay")
    parser.add_argument("upstream_port", type=int)
    parser.add_argument("--tls", type=Path, nargs=3, metavar=("CERTIFICATE", "KEY", "CLIENT_CA"))
    parser.add_argument("--ledger", type=Path)
    arguments = parser.parse_args()
    _run(main(arguments.upstream_port, arguments.tls, arguments.ledger))
