"""Bytes that an upstream may say, and what we make of them: one answer whose end is certain, or a reason.

No row may raise, and no row may give an answer that a second reader could cut elsewhere.
"""

import asyncio
import gzip

import pytest

from paravent.model import Answer, UpstreamRequest
from paravent.reasons import Reason
from paravent_mitmproxy.listener.upstream import ANSWER_BYTES, Origin, Upstream
from wire import http_answer, raw_upstream

BODY = b'{"nir":"2840575990003"}'
ASK = UpstreamRequest(b"POST", b"/v1/droits/consultation", ((b"accept", b"application/json"),), b"{}")
READ = UpstreamRequest(b"GET", b"/v1/compte", (), b"")


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
PROTOCOL = [
    ("a header-less body (HTTP/0.9)", BODY),
    ("a bad status line", b"HTTP/1.1 abc OK\r\n" + LENGTH + b"\r\n" + BODY),
    ("a bad version", b"HTTQ/1.1 200 OK\r\n" + LENGTH + b"\r\n" + BODY),
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
    ("a signed length", OK + b"Content-Length: +23\r\n\r\n" + BODY),
    ("gzip as a transfer coding", OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("identity as a transfer coding", OK + b"Transfer-Encoding: identity\r\n\r\n" + BODY),
    ("a bad chunk size", OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("a chunk longer than announced", OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("trailers", OK + b"Transfer-Encoding: chunked\r\n\r\n17\r\n" + BODY + b"\r\n0\r\nX-Nir: 2840575990003\r\n\r\n"),
    ("a second answer behind the first", http_answer(BODY) + http_answer(BODY)),
    ("bytes behind the length", http_answer(BODY) + b"2840575990003"),
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
    ("closed in the headers", OK + b"X-Nir: 28405", Reason.UPSTREAM_PROTOCOL),
    ("closed in a body with a length", OK + LENGTH + b"\r\n" + BODY[:5], Reason.UPSTREAM_PROTOCOL),
    ("a body that ends with the connection", OK + b"\r\n" + BODY, Reason.UPSTREAM_PROTOCOL),
    ("closed in a chunk", OK + b"Transfer-Encoding: chunked\r\n\r\n17\r\n" + BODY[:3], Reason.UPSTREAM_PROTOCOL),
]


@pytest.mark.parametrize(("wire", "reason"), [row[1:] for row in CUT], ids=[row[0] for row in CUT])
async def test_a_cut_answer_is_no_answer(wire: bytes, reason: Reason) -> None:
    """What arrived before the cut stays here."""
    async with raw_upstream(wire, close=True) as seen:
        assert await asker(seen.port).ask(ASK) is reason


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


async def test_silence_ends_at_the_deadline() -> None:
    """An upstream that takes the question and says nothing costs the deadline, not more."""
    async with raw_upstream(lambda _count, _request: None) as seen:
        started = asyncio.get_running_loop().time()
        assert await asker(seen.port, timeout_s=0.2).ask(ASK) is Reason.UPSTREAM_TIMEOUT
        assert asyncio.get_running_loop().time() - started < 1.0


async def test_a_dribbled_answer_ends_at_the_deadline() -> None:
    """The deadline is for the whole answer: a byte now and then does not extend it."""

    async def dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for byte in http_answer(BODY) * 50:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(dribble, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await asker(port, timeout_s=0.2).ask(ASK) is Reason.UPSTREAM_TIMEOUT


async def test_nobody_listening_is_unreachable() -> None:
    """A refused connection is a reason, not an exception."""
    async with raw_upstream(b"") as seen:
        port = seen.port
    assert await asker(port).ask(ASK) is Reason.UPSTREAM_UNREACHABLE


async def test_a_read_is_repeated_when_a_kept_connection_turns_out_closed() -> None:
    """A GET that met the server's close is asked again on a fresh connection, once."""
    # The second request, on the kept connection, meets a close; the third is its repetition.
    async with raw_upstream(lambda count, _: b"" if count == 1 else http_answer(b"{}")) as seen:
        upstream = asker(seen.port)
        assert isinstance(await upstream.ask(READ), Answer)
        assert isinstance(await upstream.ask(READ), Answer)
        assert (seen.connections, len(seen.requests)) == (2, 3)


async def test_a_question_that_may_have_been_acted_on_is_not_repeated() -> None:
    """A POST is not idempotent for a proxy that cannot know (RFC 9110 section 9.2.2)."""
    async with raw_upstream(lambda count, _: b"" if count == 1 else http_answer(b"{}")) as seen:
        upstream = asker(seen.port)
        assert isinstance(await upstream.ask(ASK), Answer)
        assert await upstream.ask(ASK) is Reason.UPSTREAM_UNREACHABLE
        assert len(seen.requests) == 2


HOSTILE_HEADERS = [
    ("a value that splits the request", (b"x-a", b"1\r\nX-Evil: 1")),
    ("a name that splits the request", (b"x-a\r\nx", b"1")),
    ("an empty name", (b"", b"1")),
]


@pytest.mark.parametrize("header", [row[1] for row in HOSTILE_HEADERS], ids=[row[0] for row in HOSTILE_HEADERS])
async def test_a_request_that_could_be_split_is_never_sent(header: tuple[bytes, bytes]) -> None:
    """Another addon may edit the request on its way; it may not smuggle one."""
    async with raw_upstream(http_answer(BODY)) as seen:
        request = UpstreamRequest(b"GET", b"/", (header,), b"")
        assert await asker(seen.port).ask(request) is Reason.INTERNAL_ERROR
    assert seen.requests == []
