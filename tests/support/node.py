"""A whole node in this process: real listener, guard, engine, reference policy, SQLite and ledger, on loopback.

    async with running_node(tmp_path, upstream_port) as node:
        status, headers, body = await node.ask()
        reader, writer = await node.open()          # raw bytes

The upstream is a scripted one (`wire.raw_upstream`); the caller is a pharmacist with a good token unless told
otherwise. Whatever comes back on connections made here is kept, and when the node ends all that it ever said is swept
(`sweep`). Tests that need real processes use the stack instead.
"""

import asyncio
import io
import itertools
import json
import shutil
import ssl
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import generate_latest

import sweep
import tokens
from certificates import Authority
from paravent.settings import load_settings
from paravent.telemetry import management
from paravent.wiring import build
from paravent_mitmproxy.listener.limits import Limits
from paravent_mitmproxy.master import bind, manage
from paravent_mitmproxy.node import Node

management.POLL_S = 0.005  # hundreds of nodes are closed here, and each would wait a tenth of a second

REPOSITORY = Path(__file__).resolve().parents[2]
NIR = "284059999000159"
QUESTION: Mapping[str, object] = {"immatriculation": NIR, "dateNaissance": "19840517", "rangGemellaire": 1}
CONSULTATION = "/v1/droits/consultation"

CONFIG = """
[listen]
address = "{address}"
external_origin = "{origin}"
{listen}
[upstream]
{upstream}
timeout = "{timeout}"
[issuers.operateur]
profile = "rfc9068"
issuer = "{issuer}"
jwks = {jwks}
audience = ["{audience}"]
clients = ["{client}"]
[state]
url = "{state}"
[audit]
path = "audit"
key_file = "audit.key"
{audit}
[metrics]
address = "127.0.0.1:0"
[policy]
path = "policies"
{more}
"""
PLAINTEXT = 'plaintext_from = ["127.0.0.1/32"]'
TLS = 'certificate = "server.pem"\nkey = "server.key"'
MTLS = TLS + '\nclient_ca = "authority.pem"'


_serial = itertools.count(1)


@dataclass(slots=True)
class Sandbox:
    """What a configuration folder was made with."""

    folder: Path
    issuer_key: tokens.SigningKey
    caller_key: tokens.SigningKey
    authority: Authority
    """Of server.pem, and of the client certificates that MTLS asks for."""
    credentials: list[str] = field(default_factory=list)
    """Every token and proof that was made here."""

    @property
    def config(self) -> Path:
        return self.folder / "paravent.toml"

    def tls(self, certificate: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        """A caller's context: trusts the node, shows a certificate or none."""
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        if certificate is not None:
            context.load_cert_chain(*certificate)
        return context

    def request(
        self,
        question: Mapping[str, object] | None = None,
        *,
        method: str = "POST",
        path: str = CONSULTATION,
        extra: bytes = b"",
        rpps: str = tokens.RPPS,
        x5t: str | None = None,
        nonce: str | None = None,
        **claims: object,
    ) -> bytes:
        """The bytes of a good request with a fresh token: bound by DPoP with a proof, or to a certificate."""
        now_s = int(time.time())
        key = self.caller_key
        given = {"jti": str(uuid.uuid4()), "sub": "8" + rpps, **claims}
        token = tokens.mint(self.issuer_key, now_s, **({"x5t": x5t} if x5t else {"jkt": key.jkt}), **given)
        self.credentials.append(token)
        if x5t:
            credentials = b"Authorization: Bearer %s\r\n" % token.encode()
        else:
            more = {} if nonce is None else {"nonce": nonce}
            proof = tokens.prove(
                key, token, method, tokens.ORIGIN + path, now_s, jti=f"{uuid.uuid4()}-{next(_serial)}", **more
            )
            self.credentials.append(proof)
            credentials = b"Authorization: DPoP %s\r\nDPoP: %s\r\n" % (token.encode(), proof.encode())
        body = json.dumps(question or QUESTION).encode() if method == "POST" else b""
        kind = b"Content-Type: application/json\r\n" if body else b""
        line = b"%s %s HTTP/1.1\r\nHost: droits.example\r\n" % (method.encode(), path.encode())
        return line + credentials + kind + extra + b"Content-Length: %d\r\n\r\n" % len(body) + body


def make_folder(
    folder: Path,
    upstream: int | str,
    *,
    listen: str = PLAINTEXT,
    timeout: str = "2s",
    address: str = "127.0.0.1:0",
    jwks: str = '"jwks.json"',
    state: str = "sqlite:state.db",
    audit: str = "",
    more: str = "",
    policies: Mapping[str, bytes] | None = None,
) -> Sandbox:
    """A complete configuration with the reference policy, keys made here, ports chosen by the system.

    `upstream`: a port of 127.0.0.1, or lines of the section [upstream]. `jwks`: its value, and what else the issuer
    has. `audit`: further lines of [audit]. `more`: further sections. `policies`: files of the policy to write, by name.
    """
    authority = Authority(folder, "authority")
    sandbox = Sandbox(folder, tokens.signing_key(), tokens.signing_key("ES256", "caller"), authority)
    shutil.copytree(REPOSITORY / "policies", folder / "policies", dirs_exist_ok=True)
    for name, content in (policies or {}).items():
        (folder / "policies" / name).write_bytes(content)
    (folder / "audit.key").write_text("5a" * 32)
    (folder / "jwks.json").write_bytes(tokens.jwks(sandbox.issuer_key))
    if listen.startswith("certificate"):
        authority.issue("server")
    sandbox.config.write_text(
        CONFIG.format(
            address=address,
            origin=tokens.ORIGIN,
            listen=listen,
            upstream=f'url = "http://127.0.0.1:{upstream}"' if isinstance(upstream, int) else upstream,
            timeout=timeout,
            issuer=tokens.ISSUER,
            audience=tokens.AUDIENCE,
            client=tokens.CLIENT,
            jwks=jwks,
            state=state,
            audit=audit,
            more=more,
        )
    )
    return sandbox


@dataclass(slots=True)
class RunningNode:
    """A node and a caller."""

    node: Node
    sandbox: Sandbox
    logs: io.StringIO
    received: bytearray = field(default_factory=bytearray)
    """Every byte that came to a client."""

    @property
    def port(self) -> int:
        return self.node.port

    @property
    def credentials(self) -> list[str]:
        return self.sandbox.credentials

    def request(self, question: Mapping[str, object] | None = None, **how: Any) -> bytes:
        return self.sandbox.request(question, **how)

    async def open(
        self, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection whose incoming bytes are kept for the sweep."""
        loop = asyncio.get_running_loop()
        reader = _Kept(self.received)
        protocol = asyncio.StreamReaderProtocol(reader)
        name = "localhost" if tls else None
        transport, _ = await loop.create_connection(lambda: protocol, host, self.port, ssl=tls, server_hostname=name)
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    async def send(self, data: bytes, *, tls: ssl.SSLContext | None = None, wait_s: float = 5.0) -> bytes:
        """Send raw bytes on a new connection; everything that comes back until one answer is whole, or the end."""
        reader, writer = await self.open(tls=tls)
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

    def ledger(self) -> bytes:
        """Every byte of the ledger's folder."""
        return b"".join(file.read_bytes() for file in sorted((self.sandbox.folder / "audit").glob("*")))

    def records(self) -> list[dict[str, object]]:
        """The ledger so far."""
        files = sorted((self.sandbox.folder / "audit").glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def metric(self, name: str, **labels: str) -> float:
        return self.node.runtime.metrics.registry.get_sample_value(name, labels) or 0.0

    def finds(self) -> list[str]:
        """What the sweep finds: nothing, in a good node."""
        kept = {
            "a log": self.logs.getvalue().encode(),
            "a metric": generate_latest(self.node.runtime.metrics.registry),
            "the ledger": self.ledger(),
        }
        sent = {"a byte to a client": bytes(self.received)}
        signatures = [each.rpartition(".")[2] for each in self.credentials]
        return sweep.found(kept | sent, [*sweep.SECRETS, *signatures]) + sweep.found(kept, [NIR, NIR[:13]])


class _Kept(asyncio.StreamReader):
    """Remembers what it was fed."""

    def __init__(self, kept: bytearray) -> None:
        super().__init__()
        self._kept = kept

    def feed_data(self, data: bytes) -> None:
        self._kept += data
        super().feed_data(data)


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    """One whole HTTP answer, or what came before the connection ended."""
    data = b""
    while True:
        head, ended, rest = data.partition(b"\r\n\r\n")
        if ended:
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
    folder: Path,
    upstream: int | str,
    *,
    listen: str = PLAINTEXT,
    timeout: str = "2s",
    address: str = "127.0.0.1:0",
    limits: Limits | None = None,
    jwks: str = '"jwks.json"',
    state: str = "sqlite:state.db",
    audit: str = "",
    more: str = "",
    policies: Mapping[str, bytes] | None = None,
) -> AsyncIterator[RunningNode]:
    """Start a node, wait until it answers; at the end drain it and sweep all that it said."""
    sandbox = make_folder(
        folder,
        upstream,
        listen=listen,
        timeout=timeout,
        address=address,
        jwks=jwks,
        state=state,
        audit=audit,
        more=more,
        policies=policies,
    )
    settings = load_settings(sandbox.config, {})
    with sweep.recorded_logs() as logs:
        runtime = build(settings)
        listening = bind(settings.listen.address, "listen.address")
        ready = asyncio.Event()
        managed = manage(management.listen("127.0.0.1", 0), runtime)
        node = Node(settings, runtime, listening, managed, lambda _node: ready.set(), limits)
        running = asyncio.create_task(node.run())
        one = RunningNode(node, sandbox, logs)
        try:
            async with asyncio.timeout(10):
                await ready.wait()
            yield one
        finally:
            node.stop()
            await running
            runtime.close()
            listening.close()
        finds = one.finds()
        assert not finds, "; ".join(finds)
