"""What is measured: the proxy, stock mitmdump, the least there can be, and the upstream; each a process of its own."""

import base64
import os
import shutil
import socket
import ssl
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

import orjson

from bench.process import Measured, wait_for_port
from paravent.sandbox.tokens import TokenMint
from paravent.simulate.certificates import Authority, KeyPair

ROOT: Final = Path(__file__).resolve().parent.parent
ORIGIN: Final = "https://bench.example"
ISSUER: Final = "https://issuer.example"
AUDIENCE: Final = "urn:paravent:droits"


class Door(Enum):
    """How the portal comes in, and what holds its tokens to it."""

    MTLS = "mtls"
    """Over TLS, with its certificate (RFC 8705)."""
    FRONT = "front"
    """The same through a front proxy that ends TLS: plaintext, and its certificate in Client-Cert (RFC 9440)."""
    DPOP = "dpop"
    """Plaintext, with a proof in each request (RFC 9449)."""


@dataclass(frozen=True, slots=True)
class Target:
    """Something that accepts the benchmark's requests."""

    name: str
    port: int
    process: Measured
    tls: ssl.SSLContext | None
    """How to speak to it; None: plaintext."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """Of both proxies, and of the portal that calls them."""

    authority: Path
    server: KeyPair
    portal: KeyPair

    @classmethod
    def make(cls, folder: Path) -> "Certificates":
        authority = Authority(folder)
        return cls(authority.certificate, authority.server(), authority.client("portal"))

    def client_cert(self) -> bytes:
        """The portal's certificate as a front proxy passes it on (RFC 9440 section 2.1)."""
        der = ssl.PEM_cert_to_DER_cert(self.portal.certificate.read_text())
        return b"Client-Cert: :%b:\r\n" % base64.b64encode(der)

    def caller(self) -> ssl.SSLContext:
        """The portal's side. HTTP/1.1 only: mitmproxy's HTTP/2 costs twice its HTTP/1.1."""
        context = ssl.create_default_context(cafile=self.authority)
        context.load_cert_chain(self.portal.certificate, self.portal.key)
        context.set_alpn_protocols(["http/1.1"])
        return context


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def paravent(
    folder: Path,
    upstream_port: int,
    mint: TokenMint,
    door: Door,
    certs: Certificates,
    program: Sequence[str] = ("-m", "paravent.cli"),
) -> Iterator[Target]:
    """The proxy with the reference policy and everything on, as in production. `program`: what Python runs."""
    port = free_port()
    shutil.copytree(ROOT / "policies", folder / "policies")
    (folder / "audit.key").write_text(os.urandom(32).hex())
    (folder / "jwks.json").write_bytes(orjson.dumps(mint.jwks()))
    listen = 'plaintext_from = ["127.0.0.1/32"]'
    if door is Door.MTLS:
        listen = f"certificate = '{certs.server.certificate}'\nkey = '{certs.server.key}'"
    if door is Door.FRONT:
        listen += "\nclient_cert_header = true"
    if door is not Door.DPOP:
        listen += f"\nclient_ca = '{certs.authority}'"
    (folder / "paravent.toml").write_text(
        f"""
[listen]
address = "127.0.0.1:{port}"
external_origin = "{ORIGIN}"
{listen}
[upstream]
url = "http://127.0.0.1:{upstream_port}"
[issuers.bench]
profile = "rfc9068"
issuer = "{ISSUER}"
jwks = "jwks.json"
audience = ["{AUDIENCE}"]
clients = ["portail"]
[state]
url = "sqlite:state.db"
[audit]
path = "audit"
key_file = "audit.key"
[metrics]
address = "127.0.0.1:{free_port()}"
[policy]
path = "policies"
"""
    )
    process = Measured([sys.executable, *program, "serve", "--config", "paravent.toml"], folder, folder)
    try:
        process.first_line()
        wait_for_port(port)
        yield Target("paravent", port, process, certs.caller() if door is Door.MTLS else None)
    finally:
        process.stop()


@contextmanager
def mitmdump(folder: Path, upstream_port: int, door: Door, certs: Certificates) -> Iterator[Target]:
    """Stock mitmdump in reverse mode, enforcing nothing; over TLS it asks callers for no certificate."""
    port = free_port()
    command = [
        str(Path(sys.executable).with_name("mitmdump")),
        "-q",
        "--set",
        f"confdir={folder}",
        "--listen-host",
        "127.0.0.1",
        "--listen-port",
        str(port),
        "--mode",
        f"reverse:http://127.0.0.1:{upstream_port}",
    ]
    if door is Door.MTLS:
        both = folder / "server.pem"
        both.write_bytes(certs.server.key.read_bytes() + certs.server.certificate.read_bytes())
        command += ["--certs", f"*={both}"]
    process = Measured(command, folder, folder)
    try:
        wait_for_port(port)
        yield Target("mitmdump", port, process, certs.caller() if door is Door.MTLS else None)
    finally:
        process.stop()


@contextmanager
def relay(folder: Path, upstream_port: int, certs: Certificates | None, *, ledger: bool) -> Iterator[Target]:
    """The least that a proxy in Python does with the libraries of ours (`bench.relay`). `certs`: None for plaintext."""
    command = [sys.executable, "-m", "bench.relay", str(upstream_port)]
    if certs is not None:
        command += ["--tls", str(certs.server.certificate), str(certs.server.key), str(certs.authority)]
    if ledger:
        command += ["--ledger", str(folder / "ledger")]
    process = Measured(command, ROOT, folder)
    try:
        port = int(process.first_line())
        yield Target("relay+ledger" if ledger else "relay", port, process, certs.caller() if certs else None)
    finally:
        process.stop()


@contextmanager
def upstream(folder: Path, *, close: bool = False) -> Iterator[Target]:
    """Answers every request alike, in plaintext. `close`: and ends the connection after it."""
    command = [sys.executable, "-m", "bench.upstream", "0", *(["close"] if close else [])]
    process = Measured(command, ROOT, folder)
    try:
        yield Target("upstream", int(process.first_line()), process, None)
    finally:
        process.stop()
