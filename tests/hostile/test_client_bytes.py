"""Bytes that a client may send, and what they may cause: a constant refusal, no question upstream, one record."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from node import CONSULTATION, NIR, TLS, RunningNode, parse, read_answer, running_node
from paravent_mitmproxy.listener.limits import Limits
from wire import RawUpstream, http_answer, raw_upstream

PERSON = {"nomUsuel": "ESSAI", "prenom": "CLAIRE", "dateNaissance": "19840517", "rangGemellaire": 1}
ANSWER = {
    "infosGlobales": {"codeRegime": "01", "libelleCaisse": "CAISSE D'ESSAI"},
    "beneficiaireDeSoins": {**PERSON, "noNIRCertifie": NIR[:13], "cleNIR": NIR[13:], "commentaire": f"NSS {NIR}"},
    "famille": [{**PERSON, "prenom": "ANTOINE", "dateNaissance": "19821130", "noNIRCertifie": "1821199990014"}],
}


@pytest.fixture
async def upstream() -> AsyncIterator[RawUpstream]:
    async with raw_upstream(
        http_answer(orjson.dumps(ANSWER), extra=b"Set-Cookie: nir=1821199990014\r\nETag: x\r\n")
    ) as seen:
        yield seen


@pytest.fixture
async def node(tmp_path: Path, upstream: RawUpstream) -> AsyncIterator[RunningNode]:
    async with running_node(tmp_path, upstream.port) as running:
        yield running


async def test_a_good_question_is_answered_reduced(node: RunningNode, upstream: RawUpstream) -> None:
    """The answer holds what the view names; the upstream's headers, and everybody else, stay behind."""
    status, headers, body = await node.ask()
    assert status == 200
    assert orjson.loads(body) == {
        "infosGlobales": {"codeRegime": "01"},
        "beneficiaireDeSoins": {
            "nomUsuel": "ESSAI",
            "prenom": "CLAIRE",
            "dateNaissance": "19840517",
            "noNIRCertifie": NIR[:13],
        },
    }
    assert headers.keys() == {
        b"cache-control",
        b"x-content-type-options",
        b"content-type",
        b"content-length",
        b"ratelimit",
        b"ratelimit-policy",
    }
    assert headers[b"cache-control"] == b"no-store"
    assert len(upstream.requests) == 1
    head = upstream.requests[0].lower()
    assert b"authorization" not in head
    assert b"dpop" not in head
    assert b"accept-encoding: identity" in head


BAD = [
    ("HTTP/1.0", b"GET /v1/compte HTTP/1.0\r\nHost: a\r\n\r\n", 400),
    ("the HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ("CONNECT", b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("absolute form", b"GET http://evil.example/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a TLS handshake on the plaintext port", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n", 400),
    ("chunked", b"POST /v1/compte HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (
        "length and coding",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("a WebSocket upgrade", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400),
    (
        "two Authorizations",
        b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
        400,
    ),
    ("a token with a byte above 0x7f", b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer abc\xff\r\n\r\n", 400),
    ("a head without end", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000, 431),
    ("seventy headers", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-A: 1\r\n" * 70 + b"\r\n", 431),
    ("a body of a gigabyte announced", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n", 400),
    ("a body over the limit announced", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n", 413),
    ("an unknown path", b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n", 403),
    ("a path with dots", b"GET /v1/../v1/compte HTTP/1.1\r\nHost: a\r\n\r\n", 403),
    ("an encoded path", b"GET /v1/%63ompte HTTP/1.1\r\nHost: a\r\n\r\n", 403),
    ("a query that nobody asked for", b"GET /v1/compte?a=1#&nir=2 HTTP/1.1\r\nHost: a\r\n\r\n", 403),
    ("mitmproxy's own pages", b"GET / HTTP/1.1\r\nHost: mitm.it\r\n\r\n", 403),
    ("HEAD", b"HEAD /v1/compte HTTP/1.1\r\nHost: a\r\n\r\n", 403),
    ("no token", b"GET /v1/compte HTTP/1.1\r\nHost: a\r\n\r\n", 401),
    ("a token in the query", b"GET /v1/compte?access_token=a.b.c HTTP/1.1\r\nHost: a\r\n\r\n", 403),
    ("Basic", b"GET /v1/compte HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YTpi\r\n\r\n", 401),
    (
        "an unsigned token",
        b"GET /v1/compte HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer eyJhbGciOiJub25lIn0.e30.x\r\n\r\n",
        401,
    ),
]


@pytest.mark.parametrize(("data", "status"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
async def test_bad_bytes_get_a_constant_refusal(
    node: RunningNode, upstream: RawUpstream, data: bytes, status: int
) -> None:
    """A problem document, the upstream untouched, and one record of the decision."""
    got, headers, body = parse(await node.send(data))
    problem = orjson.loads(body)
    assert got == status == problem["status"]
    assert headers[b"content-type"] == b"application/problem+json"
    assert problem.keys() == {"type", "title", "status", "detail", "reference"}
    assert upstream.requests == []
    (record,) = node.records()
    assert (record["decision"], record["status"], record["id"]) == ("deny", status, problem["reference"])


async def test_pipelined_requests_are_answered_in_order(node: RunningNode, upstream: RawUpstream) -> None:
    """Two requests in one segment: two answers, the first one's first."""
    first = node.request()
    second = b"GET /admin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    writer.write(first + second)
    answers = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert answers.startswith(b"HTTP/1.1 200 OK")
    assert answers.count(b"HTTP/1.1 ") == 2
    assert b"HTTP/1.1 403" in answers
    assert len(upstream.requests) == 1


async def test_a_body_cannot_become_a_second_request(node: RunningNode, upstream: RawUpstream) -> None:
    """What stands behind the announced length is read as a request of its own, and refused as such."""
    smuggled = b"GET /v1/compte HTTP/1.1\r\nHost: a\r\nParavent-Assertion: forged\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    writer.write(node.request() + smuggled)
    first = await asyncio.wait_for(read_answer(reader), 5)
    assert first.startswith(b"HTTP/1.1 200")
    writer.close()
    assert len(upstream.requests) == 1
    assert b"forged" not in upstream.requests[0]


async def test_a_request_in_single_bytes_is_read(node: RunningNode) -> None:
    """Where the segments end means nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    for byte in node.request():
        writer.write(bytes([byte]))
        await writer.drain()
    answer = await asyncio.wait_for(read_answer(reader), 5)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200")


async def test_a_client_that_closes_its_half_still_gets_its_answer(node: RunningNode) -> None:
    """Old clients send their request, close their half, and wait."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    writer.write(node.request())
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200")


async def test_a_slow_head_ends_at_its_deadline(tmp_path: Path, upstream: RawUpstream) -> None:
    """A byte now and then does not keep a connection: the deadline is for the whole head."""
    async with running_node(tmp_path, upstream.port, limits=Limits(head_s=0.3)) as node:
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        started = asyncio.get_running_loop().time()

        async def dribble() -> None:
            for byte in b"GET /v1/compte HTTP/1.1\r\n" * 100:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.02)

        dribbling = asyncio.create_task(dribble())
        assert await asyncio.wait_for(read_answer(reader), 5) == b""
        assert asyncio.get_running_loop().time() - started < 2
        dribbling.cancel()
        writer.close()


async def test_an_idle_connection_ends(tmp_path: Path, upstream: RawUpstream) -> None:
    """Silence costs a connection, not memory for ever."""
    async with running_node(tmp_path, upstream.port, limits=Limits(idle_s=0.2)) as node:
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        assert await asyncio.wait_for(read_answer(reader), 5) == b""
        writer.close()


async def test_connections_are_capped(tmp_path: Path, upstream: RawUpstream) -> None:
    """Over the cap a connection is closed at once; those inside go on."""
    async with running_node(tmp_path, upstream.port, limits=Limits(connections=2)) as node:
        held = [await asyncio.open_connection("127.0.0.1", node.port) for _ in range(2)]
        await asyncio.sleep(0)  # the server's side of the accept
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await asyncio.wait_for(read_answer(reader), 5) == b""
        assert node.metric("paravent_connections_refused_total", cause="full") == 1
        held[0][1].write(node.request())
        assert (await asyncio.wait_for(read_answer(held[0][0]), 5)).startswith(b"HTTP/1.1 200")
        for _, each in [*held, (reader, writer)]:
            each.close()


async def test_plaintext_from_a_stranger_is_closed(tmp_path: Path, upstream: RawUpstream) -> None:
    """Without TLS only the named front proxy is heard."""
    listen = 'plaintext_from = ["192.0.2.1/32"]'
    async with running_node(tmp_path, upstream.port, listen=listen) as node:
        assert await node.send(node.request()) == b""
        assert upstream.requests == []
        assert node.metric("paravent_connections_refused_total", cause="plaintext") == 1


async def test_the_tls_port_speaks_nothing_but_tls(tmp_path: Path, upstream: RawUpstream) -> None:
    """Plain HTTP on the TLS port gets no byte of HTTP back; TLS gets its answer, over http/1.1 only."""
    async with running_node(tmp_path, upstream.port, listen=TLS) as node:
        assert b"HTTP" not in await node.send(node.request())
        assert upstream.requests == []
        trust = ssl.create_default_context(cafile=str(tmp_path / "server.pem"))
        trust.set_alpn_protocols(["h2", "http/1.1"])
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port, ssl=trust, server_hostname="localhost")
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
        writer.write(node.request())
        assert (await asyncio.wait_for(read_answer(reader), 5)).startswith(b"HTTP/1.1 200")
        writer.transport.abort()


async def test_a_caller_who_hangs_up_is_recorded_and_keeps_paying(tmp_path: Path) -> None:
    """Hanging up is not a way to ask for free: the person asked about stays charged."""
    asked = asyncio.Event()

    def never(_count: int, _request: bytes) -> None:
        asked.set()

    async with raw_upstream(never) as seen, running_node(tmp_path, seen.port, timeout="0.3s") as node:
        _, writer = await asyncio.open_connection("127.0.0.1", node.port)
        writer.write(node.request())
        await asyncio.wait_for(asked.wait(), 5)
        # A reset, not an orderly end: that could be a client that closed its half and waits.
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
        async with asyncio.timeout(5):
            while not node.records():
                await asyncio.sleep(0.02)
        (record,) = node.records()
        assert (record["decision"], record["reason"], record["persons"]) == ("withhold", "client_left", [])
        assert record["asked"] is not None


async def test_the_path_of_the_question_is_all_that_reaches_the_upstream(
    node: RunningNode, upstream: RawUpstream
) -> None:
    """Headers of the caller's own stay here, also those that name an identity."""
    extra = b"X-Forwarded-For: 1.2.3.4\r\nParavent-Assertion: forged\r\nX-User: root\r\nCookie: a=b\r\n"
    status, _, _ = await node.ask(extra=extra)
    assert status == 200
    head = upstream.requests[0].lower()
    assert head.startswith(b"post " + CONSULTATION.encode())
    for name in (b"x-forwarded-for", b"forged", b"x-user", b"cookie"):
        assert name not in head
