"""The front configurations of deploy/, in the real HAProxy and the real nginx, asked by curl over HTTP/2.

The files are taken as they are, but for addresses and paths.
"""

import asyncio
import contextlib
import re
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from answers import ANSWER, REDUCED
from certificates import CLIENT, Authority, Pair
from node import PLAINTEXT, TLS, RunningNode, running_node
from paravent.simulate.processes import free_ports
from wire import RawUpstream, raw_upstream

pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parents[2]
HAPROXY = PLAINTEXT + '\nclient_ca = "clients.pem"\nclient_cert_header = true\nproxy_protocol = true'
NGINX = TLS + '\nfront_certificates = "front.pem"\nclient_ca = "clients.pem"\nclient_cert_header = true'


@dataclass(slots=True)
class Front:
    """A front server before a node, and a caller's curl."""

    name: str
    port: int
    node: RunningNode
    upstream: RawUpstream
    clients: Authority
    folder: Path

    async def curl(self, request: bytes, *more: str, pair: Pair | None = None) -> tuple[int, str, bytes]:
        """Status, HTTP version and body. `request`: bytes of `node.request`, of which headers and body are sent."""
        head, _, body = request.partition(b"\r\n\r\n")
        line, *headers = head.decode().split("\r\n")
        method, path, _ = line.split()
        arguments = ["curl", "--silent", "--show-error", "--http2", "--max-time", "10", "--request", method]
        arguments += ["--cacert", str(self.folder / "authority.pem"), "--output", str(self.folder / "answer")]
        arguments += ["--write-out", "%{http_code} %{http_version}", "--data-binary", body.decode()]
        if pair is not None:
            arguments += ["--cert", str(pair.certificate), "--key", str(pair.key)]
        for header in headers:
            if not header.lower().startswith(("content-length", "host:")):
                arguments += ["--header", header]
        asking = await asyncio.create_subprocess_exec(
            *arguments, *more, f"https://localhost:{self.port}{path}", stdout=-1, stderr=-1
        )
        out, error = await asking.communicate()
        assert asking.returncode == 0, error
        status, version = out.decode().split()
        return int(status), version, (self.folder / "answer").read_bytes()


def installed(name: str) -> str:
    """The path of a server. Fails the test when it is absent."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    assert found, f"{name} is not installed: apt install {name}"
    return found


def filled(text: str, places: dict[str, str]) -> str:
    """A configuration with its places replaced; each must be there."""
    for place, here in places.items():
        assert place in text, place
        text = text.replace(place, here)
    return text


def haproxy(folder: Path, port: int, node: RunningNode) -> list[str]:
    both = (folder / "server.pem").read_bytes() + (folder / "server.key").read_bytes()
    (folder / "droits.pem").write_bytes(both)
    text = filled(
        (ROOT / "deploy/haproxy/haproxy.cfg").read_text(),
        {
            "bind :443": f"bind 127.0.0.1:{port}",
            "/etc/haproxy/": f"{folder}/",
            "127.0.0.1:8443 send": f"127.0.0.1:{node.port} send",
            "port 9464": f"port {node.node.management.address[1]}",
        },
    )
    (folder / "haproxy.cfg").write_text(text)
    return [installed("haproxy"), "-db", "-f", str(folder / "haproxy.cfg")]


def nginx(folder: Path, port: int, node: RunningNode) -> list[str]:
    text = filled(
        (ROOT / "deploy/nginx/paravent.conf").read_text(),
        {
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "/etc/nginx/droits": f"{folder}/server",
            "/etc/nginx/paravent-ca.pem": f"{folder}/authority.pem",
            "/etc/nginx/": f"{folder}/",
            "    server 10.0.0.7:8443;": f"    server 127.0.0.1:{node.port};",
            "paravent.internal": "localhost",
        },
    )
    (folder / "paravent.conf").write_text(text)
    paths = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("proxy", "client_body", "fastcgi", "uwsgi", "scgi")
    )
    around = f"pid {folder}/nginx.pid; error_log {folder}/nginx.log; events {{}} daemon off; worker_processes 1;"
    (folder / "nginx.conf").write_text(f"{around} http {{ {paths} include {folder}/paravent.conf; }}")
    return [installed("nginx"), "-p", str(folder), "-e", f"{folder}/nginx.log", "-c", str(folder / "nginx.conf")]


FRONTS: dict[str, tuple[str, Callable[[Path, int, RunningNode], list[str]]]] = {
    "haproxy": (HAPROXY, haproxy),
    "nginx": (NGINX, nginx),
}


@pytest.fixture(params=FRONTS)
async def front(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Front]:
    listen, configured = FRONTS[request.param]
    clients = Authority(tmp_path, "clients")
    Authority(tmp_path, "internal").issue("front", use=CLIENT)
    async with raw_upstream(ANSWER) as upstream, running_node(tmp_path, upstream.port, listen=listen) as node:
        if listen is HAPROXY:
            node.sandbox.authority.issue("server")
        (port,) = free_ports(1)
        async with serving(configured(tmp_path, port, node), port, tmp_path / "front.log"):
            yield Front(request.param, port, node, upstream, clients, tmp_path)


@asynccontextmanager
async def serving(command: list[str], port: int, log: Path) -> AsyncIterator[None]:
    with log.open("wb") as out:
        server = await asyncio.create_subprocess_exec(*command, stdout=out, stderr=out)
    try:
        async with asyncio.timeout(20):
            while not listens(port):
                assert server.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
        yield
    finally:
        if server.returncode is None:
            server.terminate()
        await server.wait()


def listens(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


async def test_a_bound_token_gets_its_reduced_answer(front: Front) -> None:
    """HTTP/2 and mutual TLS at the front, the certificate passed on, the answer reduced."""
    caller = front.clients.issue("caller", use=CLIENT)
    status, version, body = await front.curl(front.node.request(x5t=caller.x5t), pair=caller)
    assert (status, version, orjson.loads(body)) == (200, "2", REDUCED)
    assert b"client-cert" not in front.upstream.requests[0].lower()


async def test_a_caller_with_dpop_needs_no_certificate(front: Front) -> None:
    """The path and the proof pass the front unchanged."""
    status, version, body = await front.curl(front.node.request())
    assert (status, version, orjson.loads(body)) == (200, "2", REDUCED)


async def test_a_long_certificate_is_passed_on_whole(front: Front) -> None:
    """With many names in it: more lines of PEM than usual."""
    names = [f"poste-{number}.pharmacie-de-la-gare.example" for number in range(20)]
    caller = front.clients.issue("caller", use=CLIENT, names=names)
    assert len(caller.certificate.read_text().splitlines()) > 22
    assert (await front.curl(front.node.request(x5t=caller.x5t), pair=caller))[0] == 200


async def test_a_forged_certificate_is_stripped(front: Front) -> None:
    """A caller who writes the header themselves has the certificate that they showed, or none."""
    victim, thief = (front.clients.issue(name, use=CLIENT) for name in ("victim", "thief"))
    pem = re.sub(r"-----[A-Z ]+-----|\s", "", victim.certificate.read_text())
    forged = ["--header", f"Client-Cert: :{pem}:", "--header", f"client-cert: :{pem}:"]
    forged += ["--header", "Client-Cert-Chain: :AAAA:"]
    for pair in (None, thief):
        status, _, _ = await front.curl(front.node.request(x5t=victim.x5t), *forged, pair=pair)
        assert status == 401
    assert {record["reason"] for record in front.node.records()} == {"binding_certificate"}
    assert front.upstream.requests == []


async def test_a_certificate_of_somebody_else_does_not_pass(front: Front) -> None:
    """Another authority's is refused at the front; nothing reaches Paravent."""
    stranger = Authority(front.folder, "strangers").issue("stranger", use=CLIENT)
    try:
        status = (await front.curl(front.node.request(x5t=stranger.x5t), pair=stranger))[0]
    except AssertionError:
        status = 0  # the handshake failed
    assert status in {0, 400}
    assert front.node.records() == []


async def test_nobody_connects_around_the_front(front: Front) -> None:
    """The node answers the front alone: a request that comes directly gets no byte of an answer."""
    caller = front.clients.issue("caller", use=CLIENT)
    plain = await front.node.send(front.node.request())
    assert b"HTTP/" not in plain
    if front.name == "nginx":
        context = front.node.sandbox.tls((caller.certificate, caller.key))
        with contextlib.suppress(OSError):
            assert await front.node.send(front.node.request(), tls=context) == b""
    assert front.upstream.requests == []


async def test_callers_addresses_are_passed_on_where_the_front_can(front: Front) -> None:
    """HAProxy tells from where a caller comes, by the PROXY protocol; nginx cannot."""
    seen: list[str] = []
    enter = front.node.node.house.stands_for
    front.node.node.house.stands_for = lambda guest, address: (seen.append(str(address)), enter(guest, address))[1]  # type: ignore[method-assign]
    status, _, _ = await front.curl(front.node.request(), "--interface", "127.0.0.2")
    assert status == 200
    assert seen == (["127.0.0.2"] if front.name == "haproxy" else [])
