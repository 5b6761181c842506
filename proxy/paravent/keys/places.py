"""Where an issuer's key set is, and how to get its bytes: a file, or HTTPS with a pinned authority.

Plain HTTP is taken only from this machine's loopback, for the demonstration's own issuer: nobody is in between there.
The machine's or Python's store of public authorities is never consulted: any of hundreds of them could otherwise vouch
for another key set.
"""

import http.client
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from paravent.identity.jwks import MAX_SET_BYTES

TIMEOUT_S: Final = 5.0
"""To connect, and then for the whole answer, however its bytes come."""

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_CHUNK_BYTES: Final = 65536


class ReadError(Exception):
    """The set could not be read this time. The text is ours: a constant sentence, safe to show and to log."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file, for instance one that a deployment tool rewrites."""

    path: Path

    def problem(self) -> str | None:
        """Always None: whether there is such a file is known by reading it."""
        return None

    def read(self) -> bytes:
        """At most one byte more than a set may have. Raises `ReadError`."""
        if not os.path.isfile(self.path):
            # A pipe, too, is no file: opening one waits for whoever writes to it.
            raise ReadError("there is no key set file")
        try:
            with self.path.open("rb") as file:
                return file.read(MAX_SET_BYTES + 1)
        except OSError:
            raise ReadError("the key set file cannot be read") from None


@dataclass(frozen=True, slots=True)
class KeyUrl:
    """An HTTPS address and the PEM file of the authority that its certificate must come from."""

    url: str
    ca: Path | None = None

    def problem(self) -> str | None:
        """Why this place can never work; None when it can. Looks at the address and at the file, asks nobody."""
        try:
            parts = urlsplit(self.url)
            port_is_fine = parts.port is None or parts.port > 0
        except ValueError:
            return "the key set address is not a URL"
        if not parts.hostname or not port_is_fine or parts.fragment or "@" in parts.netloc:
            return "the key set address needs a host, and neither user nor fragment"
        if parts.scheme == "http":
            return None if parts.hostname in _LOOPBACK else "the key set address must be https, or http on loopback"
        if parts.scheme != "https":
            return "the key set address must be https, or http on loopback"
        if self.ca is None:
            return "an https key set needs `ca`, the PEM file of the authority to trust for it"
        return None if trusting(self.ca) is not None else "the file named by `ca` holds no certificate in PEM"

    def read(self) -> bytes:
        """Fetch it. Redirects are not followed, proxies of the environment not used. Raises `ReadError`."""
        if self.problem() is not None:
            raise ReadError("the place of the key set is not usable")
        parts = urlsplit(self.url)
        connection = _connection(parts, self.ca)
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.connect()
            with _ending_after(TIMEOUT_S, connection.sock):
                connection.request("GET", path, headers={"Accept": "application/json", "Accept-Encoding": "identity"})
                return _body(connection.getresponse())
        except (OSError, http.client.HTTPException, ValueError):
            # ValueError: characters that http.client will not put into a request line.
            raise ReadError("the key set could not be fetched") from None
        finally:
            connection.close()


type Place = KeyFile | KeyUrl


def _connection(parts: SplitResult, ca: Path | None) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT_S)
    context = trusting(ca) if ca is not None else None
    if context is None:
        raise ReadError("the authority for the key set cannot be read")
    return http.client.HTTPSConnection(host, parts.port, timeout=TIMEOUT_S, context=context)


def trusting(ca: Path) -> ssl.SSLContext | None:
    """A context that trusts this authority and no other. Made anew each time: the file may have been replaced."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks names and certificates, loads no default authorities
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cafile=ca)
    except (OSError, ssl.SSLError):
        return None
    return context


@contextmanager
def _ending_after(seconds: float, connected: socket.socket) -> Iterator[None]:
    """Whoever reads from the socket longer than that reads an end, and `ReadError` is raised. A socket's own timeout is
    for each read: a server that sends a byte of its head now and then would hold this issuer's thread for days."""
    timer = threading.Timer(seconds, _end, (connected,))
    timer.daemon = True
    until_s = time.monotonic() + seconds
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if time.monotonic() >= until_s:
        raise ReadError("the key set came too slowly")


def _end(connected: socket.socket) -> None:
    with suppress(OSError):
        # Not SSLSocket's own, which forgets that there was TLS: what comes after would be read as plain text.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def _body(response: http.client.HTTPResponse) -> bytes:
    """Bounded in size; a redirect or an error page is no key set. (Nor is one that was cut off: it is no JSON.)"""
    if response.status != 200:
        raise ReadError("the key set address did not answer 200")
    body = b""
    while len(body) <= MAX_SET_BYTES and (chunk := response.read1(_CHUNK_BYTES)):
        body += chunk
    return body
