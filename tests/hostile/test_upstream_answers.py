"""Bytes that an upstream may say, and what we make of them: one answer whose end is certain, or a reason.

No row may raise, and no row may give an answer that a second reader could cut elsewhere.
"""

import asyncio
import gzip
from itertools import batched
from pathlib import Path

import orjson
import pytest

import loops
from node import running_node
from paravent.model import Answer, UpstreamRequest
from paravent.reasons import Reason
from paravent_mitmproxy.listener.breaker import ROW
from paravent_mitmproxy.listener.conversation import ANSWER_BYTES
from paravent_mitmproxy.listener.upstream import Origin, Upstream
from sweep import OTHER_NIR
from wire import http_answer, raw_upstream

BODY = b'{"nir":"%s"}' % OTHER_NIR.encode()
ASK = UpstreamRequest(b"POST", b"/v1/droits/consultation", ((b"accept", b"application/json"),), b"{}")
READ = UpstreamRequest(b"GET", b"/v1/compte", (), b"", repeatable=True)


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """One loop for the table of answers. What depends on the loop stands in `test_upstream_conduct`."""
    return loops.policy(loops.BOTH[-1])


def asker(port: int, timeout_s: float = 2.0) -> Upstream:
    return Upstream(Origin("127.0.0.1", port, None, timeout_s))


async def test_an_ordinary_answer_is_read_and_the_connection_kept() -> None:
    """Two questions, one connection; the request carries our headers and one explicit length."""
    async with raw_upstream(http_answer(BODY)) as seen:
        upstream = asker(seen.port)
        for _ in range(2):
            answer = await upstream.ask(ASK)
            assert isinstance(answer, Answer)
            assert (answer.status, answer.body, answer.values(b"content-type")) == (200, BODY, (b"application/json",))
        upstream.close()
    assert seen.connections == 1
    assert seen.requests[0] == (
        b"POST /v1/droits/consultation HTTP/1.1\r\nhost: 127.0.0.1:%d\r\naccept: application/json\r\n"
        b"content-length: 2\r\n\r\n{}" % seen.port
    )


async def test_a_chunked_answer_is_put_together() -> None:
    """The chunked coding is the one coding accepted."""
    wire = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"
        + BODY[:5]
        + b"\r\n12\r\n"
        + BODY[5:]
        + b"\r\n0\r\n\r\n"
    )
    async with raw_upstream(wire) as seen:
        answer = await asker(seen.port).ask(ASK)
    assert isinstance(answer, Answer)
    assert answer.body == BODY


LENGTH = b"Content-Length: %d\r\n" % len(BODY)
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
PROTOCOL = [
    ("a header-less body (HTTP/0.9)", BODY),
    ("a bad status line", b"HTTP/1.1 abc OK\r\n" + LENGTH + b"\r\n" + BODY),
    ("a bad version", b"HTTQ/1.1 200 OK\r\n" + LENGTH + b"\r\n" + BODY),
    ("HTTP/0.9 in letters", b"HTTP/0.9 200 OK\r\n" + LENGTH + b"\r\n" + BODY),
    ("HTTP/1.2", b"HTTP/1.2 200 OK\r\n" + LENGTH + b"\r\n" + BODY),
    ("HTTP/2.0 in letters", b"HTTP/2.0 200 OK\r\n" + LENGTH + b"\r\n" + BODY),
    ("ICY", b"ICY 200 OK\r\n" + LENGTH + b"\r\n" + BODY),
    ("a status of two digits", b"HTTP/1.1 20 OK\r\n" + LENGTH + b"\r\n" + BODY),
    ("a status of four digits", b"HTTP/1.1 2000 OK\r\n" + LENGTH + b"\r\n" + BODY),
    ("status 000", b"HTTP/1.1 000 OK\r\n" + LENGTH + b"\r\n" + BODY),
    ("status 099", b"HTTP/1.1 099 OK\r\n" + LENGTH + b"\r\n" + BODY),
    ("HTTP/2 frames", b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80" + BODY),
    ("a TLS alert", b"\x15\x03\x03\x00\x02\x02\x28" + BODY),
    ("a request in place of an answer", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("an HTTP/1.0 answer in chunks", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a header line without a colon", OK + BODY + b"\r\n" + LENGTH + b"\r\n" + BODY),
    ("an invalid header name", OK + b"X\x00Y: 1\r\n" + LENGTH + b"\r\n" + BODY),
    ("bare LF line ends", b"HTTP/1.1 200 OK\nContent-Length: 23\n\n" + BODY),
    ("obs-fold in a header", OK + b"X-A: 1\r\n 2\r\n" + b"Content-Length: 99\r\nContent-Length: 23\r\n\r\n" + BODY),
    ("100 Continue first", b"HTTP/1.1 100 Continue\r\n\r\n" + http_answer(BODY)),
    ("103 Early Hints first", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + http_answer(BODY)),
    ("101 Switching Protocols", b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n" + BODY),
    ("200 that offers an upgrade", OK + b"Connection: upgrade\r\nUpgrade: x\r\n" + LENGTH + b"\r\n" + BODY + BODY),
    ("204 without a length", b"HTTP/1.1 204 No Content\r\n\r\n"),
    ("304 without a length", b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n'),
    ("two equal lengths", OK + LENGTH + LENGTH + b"\r\n" + BODY),
    ("two different lengths", OK + LENGTH + b"Content-Length: 5\r\n\r\n" + BODY),
    ("length and coding", OK + LENGTH + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("three lengths, the last one right", OK + b"Content-Length: 1\r\n" * 2 + LENGTH + b"\r\n" + BODY),
    ("a list of lengths", OK + b"Content-Length: 23, 23\r\n\r\n" + BODY),
    ("an empty length", OK + b"Content-Length:\r\n\r\n" + BODY),
    ("a negative length", OK + b"Content-Length: -1\r\n\r\n" + BODY),
    ("a hexadecimal length", OK + b"Content-Length: 0x17\r\n\r\n" + BODY),
    ("a length with a leading zero", OK + b"Content-Length: 023\r\n\r\n" + BODY),
    ("a length that overflows", OK + b"Content-Length: 18446744073709551639\r\n\r\n" + BODY),
    ("a length behind a fold", OK + b"Content-Length:\r\n 23\r\n\r\n" + BODY),
    ("a blank before the length's colon", OK + b"Content-Length : 23\r\n\r\n" + BODY),
    ("a fold before the first header", OK + b" X-A: 1\r\n" + LENGTH + b"\r\n" + BODY),
    ("a bare CR in a value", OK + b"X-A: a\rSet-Cookie: b\r\n" + LENGTH + b"\r\n" + BODY),
    ("NUL in a value", OK + b"X-A: a\x00b\r\n" + LENGTH + b"\r\n" + BODY),
    ("no name", OK + b": a\r\n" + LENGTH + b"\r\n" + BODY),
    ("204 with a body", b"HTTP/1.1 204 No Content\r\n" + LENGTH + b"\r\n" + BODY),
    ("304 with a body", b"HTTP/1.1 304 Not Modified\r\n" + LENGTH + b"\r\n" + BODY),
    ("a body behind Connection: close", OK + b"Connection: close\r\n" + LENGTH + b"\r\n" + BODY + BODY),
    ("a signed length", OK + b"Content-Length: +23\r\n\r\n" + BODY),
    ("gzip as a transfer coding", OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("identity as a transfer coding", OK + b"Transfer-Encoding: identity\r\n\r\n" + BODY),
    ("chunked twice", OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    ("chunked in two fields", OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n"),
    ("xchunked", OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("a chunk size with a blank", CHUNKED + b"17 \r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("a chunk size with 0x", CHUNKED + b"0x17\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("a signed chunk size", CHUNKED + b"+17\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("a chunk size that overflows", CHUNKED + b"10000000000000017\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("a chunk line that ends in bare LF", CHUNKED + b"17\n" + BODY + b"\r\n0\r\n\r\n"),
    ("chunk data that ends in bare LF", CHUNKED + b"17\r\n" + BODY + b"\n0\r\n\r\n"),
    ("a bare LF in a chunk extension", CHUNKED + b"17;a\nb\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("an answer behind the last chunk", CHUNKED + b"17\r\n" + BODY + b"\r\n0\r\n\r\n" + http_answer(BODY)),
    ("a bad chunk size", OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("a chunk longer than announced", OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("trailers", OK + b"Transfer-Encoding: chunked\r\n\r\n17\r\n" + BODY + b"\r\n0\r\nX-Nir: 1821199990014\r\n\r\n"),
    ("a second answer behind the first", http_answer(BODY) + http_answer(BODY)),
    ("bytes behind the length", http_answer(BODY) + b"1821199990014"),
    ("a head of 20 KB that ends", OK + b"X-A: " + b"a" * 20_000 + b"\r\n" + LENGTH + b"\r\n" + BODY),
    ("two thousand headers", OK + b"X-A: 123\r\n" * 2000 + LENGTH + b"\r\n" + BODY),
    ("a reason phrase of 100 KB", b"HTTP/1.1 200 " + b"a" * 100_000 + b"\r\n" + LENGTH),
    ("a head of 20 KB", OK + b"X-A: " + b"a" * 20_000 + b"\r\n" + b"X-B: " + b"b" * 60_000),
]


@pytest.mark.parametrize("wire", [row[1] for row in PROTOCOL], ids=[row[0] for row in PROTOCOL])
async def test_an_answer_without_a_certain_end_is_refused(wire: bytes) -> None:
    """Refused, and the connection is not used again."""
    async with raw_upstream(wire) as seen:
        upstream = asker(seen.port)
        assert await upstream.ask(ASK) is Reason.UPSTREAM_PROTOCOL
        await upstream.ask(ASK)
        assert seen.connections == 2


CUT = [
    ("closed before a byte", b"", Reason.UPSTREAM_UNREACHABLE),
    ("closed in the status line", b"HTTP/1.1 20", Reason.UPSTREAM_PROTOCOL),
    ("closed in the headers", OK + b"X-Nir: 18211", Reason.UPSTREAM_PROTOCOL),
    ("closed in a body with a length", OK + LENGTH + b"\r\n" + BODY[:5], Reason.UPSTREAM_PROTOCOL),
    ("a body that ends with the connection", OK + b"\r\n" + BODY, Reason.UPSTREAM_PROTOCOL),
    ("closed before the last chunk", CHUNKED + b"17\r\n" + BODY + b"\r\n", Reason.UPSTREAM_PROTOCOL),
    ("closed in the last chunk", CHUNKED + b"17\r\n" + BODY + b"\r\n0\r\n", Reason.UPSTREAM_PROTOCOL),
    ("closed between the headers and the body", OK + LENGTH + b"\r\n", Reason.UPSTREAM_PROTOCOL),
    ("closed in an interim answer", b"HTTP/1.1 100 Continue\r\n", Reason.UPSTREAM_PROTOCOL),
    ("closed in a chunk", OK + b"Transfer-Encoding: chunked\r\n\r\n17\r\n" + BODY[:3], Reason.UPSTREAM_PROTOCOL),
]


@pytest.mark.parametrize(("wire", "reason"), [row[1:] for row in CUT], ids=[row[0] for row in CUT])
async def test_a_cut_answer_is_no_answer(wire: bytes, reason: Reason) -> None:
    """What arrived before the cut stays here."""
    async with raw_upstream(wire, close=True) as seen:
        assert await asker(seen.port).ask(ASK) is reason


@pytest.mark.parametrize(
    ("wires", "closing"),
    # A few rows a node: an upstream that only fails is soon left alone.
    [
        pytest.param([row[1] for row in rows], closing, id=f"{rows[0][0]} to {rows[-1][0]}")
        for table, closing in ((PROTOCOL, False), (CUT, True))
        for rows in batched(table, ROW - 1)
    ],
)
async def test_nothing_of_a_refused_answer_is_anywhere(tmp_path: Path, wires: list[bytes], closing: bool) -> None:
    """The same rows through a whole node: a constant, one question each, and the sweep at its end finds nothing."""
    async with (
        raw_upstream(lambda count, _: wires[count], close=closing) as seen,
        running_node(tmp_path, seen.port) as node,
    ):
        for number, wire in enumerate(wires):
            status, _, body = await node.ask(rpps=f"997004{number:05d}")
            assert (status, orjson.loads(body)["status"]) == (502, 502), wire[:60]
            assert len(seen.requests) == number + 1
        assert {record["decision"] for record in node.records()} == {"withhold"}
        assert len(node.records()) == len(wires)


async def test_an_answer_over_the_cap_is_refused_while_it_arrives() -> None:
    """The cap is on what has arrived, not on what was announced."""
    big = b"x" * (ANSWER_BYTES + 1)
    async with raw_upstream(http_answer(big)) as seen:
        assert await asker(seen.port).ask(ASK) is Reason.ANSWER_TOO_LARGE


async def test_a_compressed_answer_arrives_as_it_is() -> None:
    """Nothing is inflated here: the engine sees the label and refuses."""
    packed = gzip.compress(BODY) + gzip.compress(BODY)
    async with raw_upstream(http_answer(packed, extra=b"Content-Encoding: gzip\r\n")) as seen:
        answer = await asker(seen.port).ask(ASK)
    assert isinstance(answer, Answer)
    assert answer.body == packed
    assert answer.values(b"content-encoding") == (b"gzip",)


TAKEN = [
    ("no reason phrase", b"HTTP/1.1 200\r\n" + LENGTH + b"\r\n" + BODY, True),
    ("a length with a blank behind it", OK + b"Content-Length: 23 \r\n\r\n" + BODY, True),
    ("a value above 0x7f", OK + b"X-A: \xe9\r\n" + LENGTH + b"\r\n" + BODY, True),
    ("CHUNKED in capitals", OK + b"TRANSFER-ENCODING: CHUNKED\r\n\r\n17\r\n" + BODY + b"\r\n0\r\n\r\n", True),
    ("a chunk extension", CHUNKED + b"17;a=b\r\n" + BODY + b"\r\n0\r\n\r\n", True),
    ("chunks of one byte", CHUNKED + b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n", True),
    ("Connection: close", OK + b"Connection: close\r\n" + LENGTH + b"\r\n" + BODY, False),
    ("HTTP/1.0 with a length", b"HTTP/1.0 200 OK\r\n" + LENGTH + b"\r\n" + BODY, False),
    (
        "HTTP/1.0 that would be kept",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + LENGTH + b"\r\n" + BODY,
        False,
    ),
]


@pytest.mark.parametrize(("wire", "kept"), [row[1:] for row in TAKEN], ids=[row[0] for row in TAKEN])
async def test_an_odd_answer_with_a_certain_end_is_taken(wire: bytes, kept: bool) -> None:
    """Whole; and the connection is kept when both sides say so."""
    async with raw_upstream(wire) as seen:
        upstream = asker(seen.port)
        for _ in range(2):
            answer = await upstream.ask(ASK)
            assert isinstance(answer, Answer)
            assert answer.body == BODY
        assert seen.connections == (1 if kept else 2)


async def test_an_endless_chunk_extension_is_refused() -> None:
    """What is not body counts as well."""
    async with raw_upstream(CHUNKED + b"1;" + b"a" * 3_000_000) as seen:
        assert await asker(seen.port).ask(ASK) is Reason.ANSWER_TOO_LARGE


async def test_a_body_in_countless_pieces_is_refused() -> None:
    """A piece costs the same however small it is: they are counted, so that none of them holds the loop up."""
    async with raw_upstream(CHUNKED + b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n") as seen:
        assert await asker(seen.port).ask(ASK) is Reason.ANSWER_TOO_LARGE


HOSTILE_HEADERS = [
    ("a value that splits the request", (b"x-a", b"1\r\nX-Evil: 1")),
    ("a name that splits the request", (b"x-a\r\nx", b"1")),
    ("an empty name", (b"", b"1")),
    ("a bare CR", (b"x-a", b"1\rX-Evil: 1")),
    ("NUL", (b"x-a", b"1\x002")),
    ("a colon in the name", (b"x-a: 1\r\nx-b", b"1")),
    ("a byte above 0x7f", (b"x-a", b"\xff")),
]


@pytest.mark.parametrize("header", [row[1] for row in HOSTILE_HEADERS], ids=[row[0] for row in HOSTILE_HEADERS])
async def test_a_request_that_could_be_split_is_never_sent(header: tuple[bytes, bytes]) -> None:
    """Whatever a plan holds, one question is one request."""
    async with raw_upstream(http_answer(BODY)) as seen:
        request = UpstreamRequest(b"GET", b"/", (header,), b"")
        assert await asker(seen.port).ask(request) is Reason.INTERNAL_ERROR
    assert seen.requests == []


HOSTILE_LINES = [
    ("a target with a blank", b"GET", b"/ HTTP/1.1\r\nX-Evil: 1"),
    ("a target without a slash", b"GET", b"http://evil.example/"),
    ("an empty target", b"GET", b""),
    ("a method with a blank", b"GET /admin HTTP/1.1 X", b"/"),
    ("a method in lower case", b"get", b"/"),
]


@pytest.mark.parametrize(
    ("method", "target"), [row[1:] for row in HOSTILE_LINES], ids=[row[0] for row in HOSTILE_LINES]
)
async def test_a_request_line_that_could_be_split_is_never_sent(method: bytes, target: bytes) -> None:
    """The same for method and target (the downgrade of section 0.5)."""
    async with raw_upstream(http_answer(BODY)) as seen:
        assert await asker(seen.port).ask(UpstreamRequest(method, target, (), b"")) is Reason.INTERNAL_ERROR
    assert seen.requests == []


async def test_framing_is_ours_alone() -> None:
    """A length, a coding or a host that a plan names is left out: there is one of each, and it is right."""
    headers = (
        (b"Content-Length", b"999"),
        (b"transfer-encoding", b"chunked"),
        (b"HOST", b"evil.example"),
        (b"Connection", b"upgrade"),
        (b"Upgrade", b"h2c"),
        (b"TE", b"trailers"),
        (b"Expect", b"100-continue"),
    )
    async with raw_upstream(http_answer(BODY)) as seen:
        await asker(seen.port).ask(UpstreamRequest(b"POST", b"/", headers, b"{}"))
    assert seen.requests == [b"POST / HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-length: 2\r\n\r\n{}" % seen.port]
