"""A whole node in this process: real listener, guard, engine, reference policy, SQLite and ledger, on loopback.

    async with running_node(tmp_path, upstream_port) as node:
        status, headers, body = await node.ask()

The upstream is a scripted one (`wire.raw_upstream`); the caller is a pharmacist with a good token unless told
otherwise. Tests that need real processes use the stack instead.
"""

import asyncio
import datetime
import itertools
import json
import shutil
import ssl
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import tokens
from paravent.settings import load_settings
from paravent.wiring import build
from paravent_mitmproxy.listener.limits import Limits
from paravent_mitmproxy.master import bind, manage
from paravent_mitmproxy.node import Node

REPOSITORY = Path(__file__).resolve().parents[2]
NIR = "284059999000159"
QUESTION: Mapping[str, object] = {"immatriculation": NIR, "dateNaissance": "19840517", "rangGemellaire": 1}
CONSULTATION = "/v1/droits/consultation"

CONFIG = """
[listen]
address = "127.0.0.1:0"
external_origin = "{origin}"
{listen}
[upstream]
url = "http://127.0.0.1:{upstream}"
timeout = "{timeout}"
[issuers.operateur]
profile = "rfc9068"
issuer = "{issuer}"
jwks = "jwks.json"
audience = ["{audience}"]
clients = ["{client}"]
[state]
url = "sqlite:state.db"
[audit]
path = "audit"
key_file = "audit.key"
[metrics]
address = "127.0.0.1:0"
[policy]
path = "policies"
"""
PLAINTEXT = 'plaintext_from = ["127.0.0.1/32"]'
TLS = 'certificate = "server.pem"\nkey = "server.key"'


@dataclass(slots=True)
class Sandbox:
    """What a configuration folder was made with."""

    folder: Path
    issuer_key: tokens.SigningKey
    caller_key: tokens.SigningKey

    @property
    def config(self) -> Path:
        return self.folder / "paravent.toml"


def make_folder(folder: Path, upstream_port: int, *, listen: str = PLAINTEXT, timeout: str = "2s") -> Sandbox:
    """A complete configuration with the reference policy, keys made here, ports chosen by the system."""
    sandbox = Sandbox(folder, tokens.signing_key(), tokens.signing_key("ES256", "caller"))
    shutil.copytree(REPOSITORY / "policies", folder / "policies", dirs_exist_ok=True)
    (folder / "audit.key").write_text("5a" * 32)
    (folder / "jwks.json").write_bytes(tokens.jwks(sandbox.issuer_key))
    if listen.startswith("certificate"):
        make_certificate(folder)
    sandbox.config.write_text(
        CONFIG.format(
            origin=tokens.ORIGIN,
            listen=listen,
            upstream=upstream_port,
            timeout=timeout,
            issuer=tokens.ISSUER,
            audience=tokens.AUDIENCE,
            client=tokens.CLIENT,
        )
    )
    return sandbox


def make_certificate(folder: Path) -> None:
    """server.pem and server.key: self-signed, for localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "server.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


_serial = itertools.count(1)


@dataclass(slots=True)
class RunningNode:
    """A node and a caller."""

    node: Node
    sandbox: Sandbox

    @property
    def port(self) -> int:
        return self.node.port

    def request(
        self,
        question: Mapping[str, object] | None = None,
        *,
        method: str = "POST",
        path: str = CONSULTATION,
        extra: bytes = b"",
        rpps: str = tokens.RPPS,
        **claims: object,
    ) -> bytes:
        """The bytes of a good request with a fresh token and proof."""
        now_s = int(time.time())
        key = self.sandbox.caller_key
        given = {"jti": str(uuid.uuid4()), "sub": "8" + rpps, **claims}
        token = tokens.mint(self.sandbox.issuer_key, now_s, jkt=key.jkt, **given)
        url = tokens.ORIGIN + path
        proof = tokens.prove(key, token, method, url, now_s, jti=f"{uuid.uuid4()}-{next(_serial)}")
        body = json.dumps(question or QUESTION).encode() if method == "POST" else b""
        kind = b"Content-Type: application/json\r\n" if body else b""
        credentials = b"Authorization: DPoP %s\r\nDPoP: %s\r\n" % (token.encode(), proof.encode())
        line = b"%s %s HTTP/1.1\r\nHost: droits.example\r\n" % (method.encode(), path.encode())
        return line + credentials + kind + extra + b"Content-Length: %d\r\n\r\n" % len(body) + body

    async def send(self, data: bytes, *, tls: ssl.SSLContext | None = None, wait_s: float = 5.0) -> bytes:
        """Send raw bytes on a new connection; everything that comes back until one answer is whole, or the end."""
        name = "localhost" if tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=tls, server_hostname=name)
        try:
            writer.write(data)
            async with asyncio.timeout(wait_s):
                return await read_answer(reader)
        finally:
            writer.transport.abort()

    async def ask(
        self, question: Mapping[str, object] | None = None, **how: object
    ) -> tuple[int, dict[bytes, bytes], bytes]:
        """One request, its status, headers (names in lower case) and body."""
        return parse(await self.send(self.request(question, **how)))  # type: ignore[arg-type]

    def records(self) -> list[dict[str, object]]:
        """The ledger so far."""
        files = sorted((self.sandbox.folder / "audit").glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def metric(self, name: str, **labels: str) -> float:
        return self.node.runtime.metrics.registry.get_sample_value(name, labels) or 0.0


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    """One whole HTTP answer, or what came before the connection ended."""
    data = b""
    while True:
        head, found, rest = data.partition(b"\r\n\r\n")
        if found:
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(rest) >= length:
                return data
        try:
            chunk = await reader.read(65536)
        except ConnectionError:
            return data
        if not chunk:
            return data
        data += chunk


def parse(answer: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, headers and body of an answer's bytes."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
    return int(lines[0].split()[1]), headers, body


@asynccontextmanager
async def running_node(
    folder: Path, upstream_port: int, *, listen: str = PLAINTEXT, timeout: str = "2s", limits: Limits | None = None
) -> AsyncIterator[RunningNode]:
    """Start a node, wait until it answers, drain it at the end."""
    sandbox = make_folder(folder, upstream_port, listen=listen, timeout=timeout)
    settings = load_settings(sandbox.config, {})
    runtime = build(settings)
    listening = bind(settings.listen.address, "listen.address")
    ready = asyncio.Event()
    node = Node(settings, runtime, listening, manage(settings, runtime), lambda _node: ready.set(), limits)
    running = asyncio.create_task(node.run())
    try:
        async with asyncio.timeout(10):
            await ready.wait()
        yield RunningNode(node, sandbox)
    finally:
        node.stop()
        await running
        runtime.close()
        listening.close()
