"""TLS contexts, built once at start from files the configuration names. Never the system's trust store.

Client certificates are checked by OpenSSL against the configured CA during the handshake: a caller without one goes
on (their token may be bound by DPoP), a caller with a bad one does not get a connection.
"""

import ssl
from pathlib import Path

ALPN = ["http/1.1"]
"""Nothing else is offered, so nothing else can be negotiated."""


def server_context(certificate: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
    """For callers. Raises ssl.SSLError or OSError for files that cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # TLS 1.2: forward secrecy and AEAD only (ANSSI, Recommandations de sécurité relatives à TLS, R9 to R11).
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.set_alpn_protocols(ALPN)
    # A resumed session would carry a certificate that was checked some other day.
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.num_tickets = 0
    context.load_cert_chain(certificate, key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def client_context(ca: Path, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """For the upstream: its own CA, its name verified, our certificate when it wants one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(ALPN)
    context.load_verify_locations(ca)
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context
