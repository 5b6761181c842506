"""TLS contexts from the files that the configuration names. Never the system's trust store.

Client certificates are checked by OpenSSL against the configured CA during the handshake: a caller without one goes
on (their token may be bound by DPoP), a caller with a bad one does not get a connection.
"""

import asyncio
import hashlib
import logging
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, override

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates

from paravent.telemetry import logs

ALPN: Final = ["http/1.1"]
"""Nothing else is offered, so nothing else can be negotiated."""

HANDSHAKES: Final = 1024
"""How many one context serves. OpenSSL keeps every TLS 1.2 session of a context, 20 480 of them, for two hours, and
`ssl` has no way to tell it not to: 110 MB, and certificates that were checked two hours ago. A new context begins
with none; whoever wants to resume a session of an earlier one shakes hands in full."""

LOOK_S: Final = 10.0
"""How often the files are looked at, when connections come in."""

log = logging.getLogger(logs.OURS)

type Stamp = tuple[tuple[int, int, int], ...]


class Renewed[Made]:
    """What is made of files, and made anew when they change."""

    def __init__(self, files: Sequence[Path | None], make: Callable[[], Made]) -> None:
        """Raises what `make` raises: OSError (ssl.SSLError is one) or ValueError for files that cannot be used."""
        self._files = files
        self._make = make
        self._stamp = self._look()
        self._made = make()
        self._looked_s = 0.0

    def current(self) -> Made:
        """The one in force. It is another object when it was made anew."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._looked_s > LOOK_S:
            self._looked_s = now_s
            if self._look() != self._stamp:
                self._renew()
        return self._made

    def _renew(self) -> None:
        """Files that cannot be used, a certificate without its new key for a second, leave the last good one."""
        stamp = self._look()
        try:
            self._made = self._make()
        except (OSError, ValueError):
            log.exception("certificate_unusable")
        else:
            self._stamp = stamp

    def _look(self) -> Stamp:
        stats = []
        for path in self._files:
            try:
                seen = path.stat() if path else None
            except OSError:
                seen = None
            stats.append((seen.st_mtime_ns, seen.st_size, seen.st_ino) if seen else (0, 0, 0))
        return tuple(stats)


class ServerTls(Renewed[ssl.SSLContext]):
    """The context for callers: made anew after some number of handshakes too."""

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None, fronts: Path | None = None) -> None:
        """`fronts`: the certificates of front proxies, instead of `client_ca`. Raises ssl.SSLError or OSError."""

        def make() -> ssl.SSLContext:
            if fronts is None:
                return server_context(certificate, key, client_ca)
            return front_context(certificate, key, fronts)

        super().__init__((certificate, key, client_ca, fronts), make)
        self._served = 0

    @override
    def current(self) -> ssl.SSLContext:
        """For one connection."""
        self._served += 1
        if self._served > HANDSHAKES:
            self._renew()
        return super().current()

    @override
    def _renew(self) -> None:
        self._served = 0
        super()._renew()


class ClientTls(Renewed[ssl.SSLContext]):
    """The context for the upstream."""

    def __init__(self, ca: Path, certificate: Path | None, key: Path | None) -> None:
        """Raises ssl.SSLError or OSError for files that cannot be used."""
        super().__init__((ca, certificate, key), lambda: client_context(ca, certificate, key))


def server_context(certificate: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
    """For callers. Raises ssl.SSLError or OSError for files that cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # TLS 1.2: forward secrecy and AEAD only (ANSSI, Recommandations de sécurité relatives à TLS, R9 to R11).
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.set_alpn_protocols(ALPN)
    # No tickets: TLS 1.3 sessions are not resumed; those of TLS 1.2 only from the context's own cache (`HANDSHAKES`).
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.num_tickets = 0
    context.load_cert_chain(certificate, key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def front_context(certificate: Path, key: Path, fronts: Path) -> ssl.SSLContext:
    """For front proxies: nobody comes in without one of these very certificates."""
    context = server_context(certificate, key, fronts)
    context.verify_mode = ssl.CERT_REQUIRED
    # Each certificate of the file is trusted for itself; who signed it does not matter.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def thumbprints(fronts: Path) -> frozenset[bytes]:
    """SHA-256 of the DER of each certificate of a PEM file. Raises OSError or ValueError."""
    certificates = load_pem_x509_certificates(fronts.read_bytes())
    return frozenset(hashlib.sha256(each.public_bytes(Encoding.DER)).digest() for each in certificates)


def client_context(ca: Path, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """For the upstream: its own CA, its name verified, our certificate when it wants one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(ALPN)
    context.load_verify_locations(ca)
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context
