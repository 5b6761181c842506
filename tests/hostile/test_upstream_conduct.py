"""How an upstream may behave on its connections: silent, slow, early, late, gone.

What one caller is answered must never be what another one asked.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from msgspec.structs import replace

from answers import ANSWER, PERSON, REDUCED
from node import running_node
from paravent.model import Answer, UpstreamRequest
from paravent.reasons import Reason
from paravent_mitmproxy.listener.conversation import ANSWER_BYTES
from paravent_mitmproxy.listener.upstream import Origin, Upstream
from wire import http_answer, raw_upstream

BODY = b'{"nir":"2840575990003"}'
ASK = UpstreamRequest(b"POST", b"/v1/droits/consultation", ((b"accept", b"application/json"),), b"{}")
READ = UpstreamRequest(b"GET", b"/v1/compte", (), b"", repeatable=True)

type Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def asker(port: int, timeout_s: float = 2.0) -> Upstream:
    return Upstream(Origin("127.0.0.1", port, None, timeout_s))


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """A server of which every connection is `serve`'s to spoil; its port."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def question(reader: asyncio.StreamReader) -> bytes:
    """One whole request of `ASK`."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head + await reader.readexactly(length)


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


async def test_a_lookup_by_post_is_repeated_where_the_policy_says_that_it_may_be() -> None:
    """Once, with the same identity: a second close is told to the caller."""
    lookup = replace(ASK, repeatable=True)
    async with raw_upstream(lambda count, _: http_answer(b"{}") if count == 0 else b"") as seen:
        upstream = asker(seen.port)
        assert isinstance(await upstream.ask(lookup), Answer)
        assert await upstream.ask(lookup) is Reason.UPSTREAM_UNREACHABLE
        assert len(seen.requests) == 3
        assert seen.requests[1] == seen.requests[2]


async def test_a_question_that_may_have_been_acted_on_is_not_repeated() -> None:
    """A POST is not idempotent for a proxy that cannot know (RFC 9110 section 9.2.2)."""
    async with raw_upstream(lambda count, _: b"" if count == 1 else http_answer(b"{}")) as seen:
        upstream = asker(seen.port)
        assert isinstance(await upstream.ask(ASK), Answer)
        assert await upstream.ask(ASK) is Reason.UPSTREAM_UNREACHABLE
        assert len(seen.requests) == 2


async def test_an_upstream_that_never_reads_costs_the_deadline() -> None:
    """The question cannot even be sent."""

    async def deaf(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(5)

    async with serving(deaf) as port:
        big = UpstreamRequest(b"POST", b"/", (), b"x" * 8_000_000)
        assert await asker(port, timeout_s=0.3).ask(big) is Reason.UPSTREAM_TIMEOUT


class TestDesynchronisation:
    """An answer belongs to the question before it, or to nobody."""

    async def test_bytes_on_an_idle_connection_end_it(self) -> None:
        """A second answer that comes a moment later is not the answer to the next question."""

        async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await question(reader)
                writer.write(http_answer(b'"first"'))
                await writer.drain()
                await asyncio.sleep(0.05)
                writer.write(http_answer(b'"second"'))

        async with serving(twice) as port:
            upstream = asker(port)
            for _ in range(3):
                answer = await upstream.ask(ASK)
                assert isinstance(answer, Answer)
                assert answer.body == b'"first"'
                await asyncio.sleep(0.1)
            upstream.close()

    async def test_bytes_that_the_loop_has_not_seen_yet_end_it_too(self) -> None:
        """They lie in the kernel when the next question is asked: the connection is looked at, not only remembered."""
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            upstream = asker(listening.getsockname()[1], timeout_s=0.5)

            async def one_exchange(said: bytes) -> socket.socket:
                """Ask, and answer it on a fresh connection."""
                asking = asyncio.create_task(upstream.ask(ASK))
                wire, _ = await asyncio.wait_for(loop.sock_accept(listening), 5)
                await asyncio.wait_for(loop.sock_recv(wire, 65536), 5)
                await loop.sock_sendall(wire, http_answer(said))
                answer = await asking
                assert isinstance(answer, Answer)
                assert answer.body == said
                return wire

            with await one_exchange(b'"first"') as first:
                # From here to the next question the loop does not turn.
                first.send(http_answer(b'"second"'))
                with await one_exchange(b'"third"'):
                    upstream.close()

    async def test_a_close_that_the_loop_has_not_seen_yet_costs_no_answer(self) -> None:
        """A kept connection that its server has just closed is not used: a POST could not be repeated."""
        async with raw_upstream(http_answer(BODY), close=True) as seen:
            upstream = asker(seen.port)
            for _ in range(20):
                assert isinstance(await upstream.ask(ASK), Answer)

    async def test_an_early_answer_ends_its_connection(self) -> None:
        """The rest of a question that was answered before it was sent would be read as the next question."""
        seen: list[bytes] = []

        async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(http_answer(b"{}", status=413))
            await asyncio.sleep(2)

        async with serving(hasty) as port:
            upstream = asker(port)
            big = UpstreamRequest(b"POST", b"/", (), b"GET /smuggled HTTP/1.1\r\n\r\n" * 400_000)
            answer = await upstream.ask(big)
            assert isinstance(answer, Answer)
            assert answer.status == 413
            assert isinstance(await upstream.ask(ASK), Answer)
            assert len(seen) == 2
            assert seen[1].startswith(b"POST /v1/droits/consultation")

    async def test_a_timed_out_answer_is_not_the_next_ones(self) -> None:
        """It comes late, on a connection that nobody uses any more."""
        count = 0

        async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal count
            count += 1
            mine = count
            await question(reader)
            if mine == 1:
                await asyncio.sleep(0.3)
            writer.write(http_answer(b"%d" % mine))
            await asyncio.sleep(0.5)

        async with serving(late) as port:
            upstream = asker(port, timeout_s=0.15)
            assert await upstream.ask(ASK) is Reason.UPSTREAM_TIMEOUT
            for expected in (b"2", b"3"):
                upstream = asker(port, timeout_s=0.5) if expected == b"3" else upstream
                answer = await upstream.ask(ASK)
                assert isinstance(answer, Answer)
                assert answer.body == expected

    async def test_a_cancelled_question_leaves_no_connection(self) -> None:
        """Whoever gives up takes the connection along; the upstream sees it end."""
        asked, ended = asyncio.Event(), asyncio.Event()

        async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await question(reader)
            asked.set()
            try:
                await reader.read()
            finally:
                ended.set()

        async with serving(silent) as port:
            upstream = asker(port, timeout_s=30)
            asking = asyncio.create_task(upstream.ask(ASK))
            await asyncio.wait_for(asked.wait(), 5)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await asyncio.wait_for(ended.wait(), 2)
            assert not upstream._idle

    async def test_a_hundred_callers_get_their_own_answers(self) -> None:
        """All at once, over shared connections, in whatever order the upstream answers."""

        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                asked = await question(reader)
                number = asked.rpartition(b"\r\n\r\n")[2]
                await asyncio.sleep(int(number) % 7 / 500)
                writer.write(http_answer(number))

        async with serving(echo) as port:
            upstream = asker(port, timeout_s=10)
            for start in (0, 100):
                asked = [UpstreamRequest(b"POST", b"/", (), b"%d" % number) for number in range(start, start + 100)]
                answers = await asyncio.gather(*(upstream.ask(each) for each in asked))
                assert [answer.body for answer in answers if isinstance(answer, Answer)] == [a.body for a in asked]
            assert len(upstream._idle) <= 64
            upstream.close()

    async def test_an_answer_about_somebody_else_is_withheld(self, tmp_path: Path) -> None:
        """Should an upstream mix two questions up all the same: who was asked about is who is answered about."""
        other = {**PERSON, "prenom": "ANTOINE", "dateNaissance": "19821130", "noNIRCertifie": "1821199990014"}
        mixed = http_answer(orjson.dumps({"beneficiaireDeSoins": other}))
        async with raw_upstream(mixed) as seen, running_node(tmp_path, seen.port) as node:
            status, _, body = await node.ask()
            assert status in {404, 502}
            assert b"ANTOINE" not in body

    async def test_the_next_caller_is_served_after_a_desynchronised_one(self, tmp_path: Path) -> None:
        """Two answers to one question are no answer, and no harm to the next."""
        script = lambda count, _: ANSWER + ANSWER if count == 0 else ANSWER  # noqa: E731
        async with raw_upstream(script) as seen, running_node(tmp_path, seen.port) as node:
            assert (await node.ask())[0] == 502
            status, _, body = await node.ask()
            assert (status, orjson.loads(body)) == (200, REDUCED)
            assert seen.connections == 2


async def test_the_pool_keeps_a_bounded_number() -> None:
    """Sixty-four, whatever was open at once; and none once it is closed."""
    async with raw_upstream(http_answer(b"x" * 10)) as seen:
        upstream = asker(seen.port, timeout_s=10)
        await asyncio.gather(*(upstream.ask(ASK) for _ in range(100)))
        assert len(upstream._idle) == 64
        upstream.close()
        assert not upstream._idle


async def test_a_large_answer_at_the_cap_is_taken() -> None:
    """The cap itself is allowed."""
    async with raw_upstream(http_answer(b"x" * ANSWER_BYTES)) as seen:
        answer = await asker(seen.port).ask(ASK)
        assert isinstance(answer, Answer)
        assert len(answer.body) == ANSWER_BYTES
