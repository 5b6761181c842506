"""One HTTPS request to an issuer, from the event loop: pinned authority, one deadline for all of it, a bounded answer.

Nothing of it blocks: names are looked up and certificates are read in threads, by `Trust`. Redirects are not followed,
the machine's store of authorities and the environment's proxies not used, nothing is decompressed.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httptools

from paravent.keys.places import trusting

MAX_ANSWER_BYTES: Final = 64 * 1024
"""An answer has 2 KB. Pro Santé Connect's userinfo, with every place where somebody practises, has ten."""
_CHUNK_BYTES: Final = 16 * 1024

RENEWED_S: Final = 60.0
"""How long certificate files are trusted to be the same."""

LOOKUPS: Final = 8
"""Names looked up at a time for one issuer, in threads of its own: nobody can end a lookup, and the loop's own threads,
six on two cores, look up the upstream's name."""


class AskError(Exception):
    """No answer that can be used. The text is ours: a constant sentence."""


@dataclass(slots=True)
class Trust:
    """The authority of one issuer and, for mutual TLS, the certificate that we show it."""

    ca: Path
    certificate: Path | None = None
    key: Path | None = None
    _context: ssl.SSLContext | None = field(default=None, repr=False)
    _read_s: float = 0.0
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(LOOKUPS), repr=False)

    async def addresses(self, host: str) -> list[str]:
        """Of one host, in the order in which to try them. Raises OSError when there are none."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, socket.getaddrinfo, host, None, 0, socket.SOCK_STREAM)
        return [str(address[0]) for *_, address in found]

    async def context(self) -> ssl.SSLContext:
        """Read again once a minute. Files that cannot be read leave the last good context in force."""
        if self._context is None or time.monotonic() - self._read_s > RENEWED_S:
            self._read_s = time.monotonic()
            self._context = await asyncio.to_thread(self._read) or self._context
        if self._context is None:
            raise AskError("the certificates for the issuer cannot be read")
        return self._context

    def _read(self) -> ssl.SSLContext | None:
        context = trusting(self.ca)
        if context is not None and self.certificate is not None:
            try:
                context.load_cert_chain(self.certificate, self.key)
            except (OSError, ssl.SSLError):
                return None
        return context


class _Answer:
    """What httptools tells of an answer."""

    def __init__(self) -> None:
        self.body = b""
        self.json = False
        self.whole = False

    def on_header(self, name: bytes, value: bytes) -> None:
        # RFC 7662 section 2.2 and OpenID Connect Core section 5.3.2. Signed answers are not asked for.
        if name.lower() == b"content-type":
            self.json = value.partition(b";")[0].strip().lower() == b"application/json"

    def on_body(self, body: bytes) -> None:
        self.body += body
        if len(self.body) > MAX_ANSWER_BYTES:
            raise AskError("the issuer's answer is too long")

    def on_message_complete(self) -> None:
        self.whole = True


async def ask(url: str, trust: Trust, headers: Mapping[str, str], form: bytes | None, deadline_s: float) -> bytes:
    """The body of a 200 in JSON; with `form` by POST, else by GET. Raises AskError."""
    try:
        async with asyncio.timeout(deadline_s):
            return await _ask(url, trust, headers, form)
    except (OSError, TimeoutError, httptools.HttpParserError, httptools.HttpParserUpgrade):
        # From within httptools, what a callback raised comes as its cause.
        raise AskError("the issuer did not answer, or not in HTTP") from None


async def _ask(url: str, trust: Trust, headers: Mapping[str, str], form: bytes | None) -> bytes:
    parts = urlsplit(url)
    reader, writer = await _connected(parts.hostname or "", parts.port or 443, trust)
    try:
        writer.write(_request(parts.netloc, parts.path + (f"?{parts.query}" if parts.query else ""), headers, form))
        answer = _Answer()
        parser = httptools.HttpResponseParser(answer)
        received = 0
        while not answer.whole:
            chunk = await reader.read(_CHUNK_BYTES)
            received += len(chunk)
            if not chunk or received > 2 * MAX_ANSWER_BYTES:
                raise AskError("the issuer's answer has no end, or a head without end")
            parser.feed_data(chunk)
    finally:
        writer.transport.abort()
    if parser.get_status_code() != 200 or not answer.json:
        raise AskError("the issuer did not answer 200 with JSON")
    return answer.body


async def _connected(host: str, port: int, trust: Trust) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = await trust.context()
    for address in await trust.addresses(host):
        with suppress(OSError):  # ssl.SSLError is one
            return await asyncio.open_connection(address, port, ssl=context, server_hostname=host)
    raise AskError("the issuer cannot be reached")


def _request(authority: str, target: str, headers: Mapping[str, str], form: bytes | None) -> bytes:
    fields = {"Host": authority, "Accept": "application/json", "Accept-Encoding": "identity", "Connection": "close"}
    if form is not None:
        fields |= {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(form))}
    lines = [f"{'GET' if form is None else 'POST'} {target or '/'} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in {**fields, **headers}.items()]
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + (form or b"")
