"""How a client may behave on a connection, whatever it sends: slow, silent, greedy, in pieces, or gone."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from answers import ANSWER
from node import NIR, PLAINTEXT, TLS, RunningNode, parse, read_answer, running_node
from paravent_mitmproxy.listener.limits import Limits
from wire import RawUpstream, raw_upstream, reset

REFUSED = b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
async def upstream() -> AsyncIterator[RawUpstream]:
    async with raw_upstream(ANSWER) as seen:
        yield seen


@pytest.fixture
async def node(tmp_path: Path, upstream: RawUpstream) -> AsyncIterator[RunningNode]:
    async with running_node(tmp_path, upstream.port) as running:
        yield running


async def whole(reader: asyncio.StreamReader, wait_s: float = 5.0) -> bytes:
    """Until the connection ends, in order or not."""
    data = b""
    async with asyncio.timeout(wait_s):
        try:
            while chunk := await reader.read(65536):
                data += chunk
        except ConnectionError:
            pass
    return data


class TestPipelines:
    """Requests one behind the other in the same bytes."""

    async def test_requests_are_answered_in_order(self, node: RunningNode, upstream: RawUpstream) -> None:
        """Two requests in one segment: two answers, the first one's first."""
        second = b"GET /admin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        reader, writer = await node.open()
        writer.write(node.request() + second)
        answers = await whole(reader)
        writer.close()
        assert answers.startswith(b"HTTP/1.1 200 OK")
        assert answers.count(b"HTTP/1.1 ") == 2
        assert b"HTTP/1.1 403" in answers
        assert len(upstream.requests) == 1

    async def test_a_quick_answer_waits_for_a_slow_one(self, tmp_path: Path) -> None:
        """The second could be refused at once; it is not even read before the first is answered."""
        asked, answered = asyncio.Event(), asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            asked.set()
            await answered.wait()
            writer.write(ANSWER)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(slow, "127.0.0.1", 0)
        async with server, running_node(tmp_path, server.sockets[0].getsockname()[1]) as node:
            reader, writer = await node.open()
            writer.write(node.request() + REFUSED)
            await asyncio.wait_for(asked.wait(), 5)
            assert node.records() == []
            answered.set()
            assert (await asyncio.wait_for(read_answer(reader), 5)).startswith(b"HTTP/1.1 200")
            assert b"HTTP/1.1 403" in await asyncio.wait_for(reader.read(65536), 5)
            assert [record["decision"] for record in node.records()] == ["release", "deny"]
            writer.transport.abort()

    async def test_hundreds_of_requests_in_one_write(self, node: RunningNode) -> None:
        """Each is answered, none recursively, and others are served meanwhile."""
        reader, writer = await node.open()
        writer.write(REFUSED * 800)
        writer.write_eof()
        reading = asyncio.create_task(whole(reader, 30))
        status, _, _ = await node.ask()
        assert status == 200
        assert not reading.done()
        answers = await reading
        writer.close()
        assert answers.count(b"HTTP/1.1 403") == 800

    async def test_a_body_cannot_become_a_second_request(self, node: RunningNode, upstream: RawUpstream) -> None:
        """What stands behind the announced length is read as a request of its own, and refused as such."""
        smuggled = b"GET /v1/compte HTTP/1.1\r\nHost: a\r\nParavent-Assertion: forged\r\nConnection: close\r\n\r\n"
        reader, writer = await node.open()
        writer.write(node.request() + smuggled)
        answers = await whole(reader)
        writer.close()
        assert answers.startswith(b"HTTP/1.1 200")
        assert answers.count(b"HTTP/1.1 401") == 1
        assert len(upstream.requests) == 1
        assert b"forged" not in upstream.requests[0]

    async def test_nothing_behind_a_refused_head_is_read(self, node: RunningNode, upstream: RawUpstream) -> None:
        """Where one request's end is in doubt there is no second one."""
        chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        reader, writer = await node.open()
        writer.write(chunked + node.request())
        answers = await whole(reader)
        writer.close()
        assert answers.count(b"HTTP/1.1 ") == 1
        assert upstream.requests == []

    async def test_nothing_behind_a_request_that_closes_is_read(self, node: RunningNode, upstream: RawUpstream) -> None:
        """Connection: close is the client's last word, in whichever of its fields it stands (RFC 9112 section 9.6)."""
        closing = b"GET /admin HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, CLOSE\r\nConnection: x\r\n\r\n"
        reader, writer = await node.open()
        writer.write(closing + node.request())
        answers = await whole(reader)
        writer.close()
        assert answers.count(b"HTTP/1.1 ") == 1
        assert b"Connection: close\r\n" in answers
        assert upstream.requests == []

    async def test_a_token_that_contains_the_word_close_does_not_close(self, node: RunningNode) -> None:
        """Options are tokens, not substrings."""
        reader, writer = await node.open()
        writer.write(b"GET /admin HTTP/1.1\r\nHost: a\r\nConnection: not-closed\r\n\r\n")
        assert b"Connection: close" not in await asyncio.wait_for(read_answer(reader), 5)
        writer.write(REFUSED)
        assert (await asyncio.wait_for(read_answer(reader), 5)).startswith(b"HTTP/1.1 403")
        writer.close()


class TestPortals:
    """Many practitioners over one connection, one behind the other."""

    async def test_who_asks_is_asked_at_every_request(self, node: RunningNode, upstream: RawUpstream) -> None:
        """A connection lends nobody its last caller's name: without a token behind one with, it is 401."""
        reader, writer = await node.open()
        callers = ["99700400001", "99700400002", "99700400001"]
        for rpps in callers:
            writer.write(node.request(rpps=rpps))
            assert parse(await asyncio.wait_for(read_answer(reader), 5))[0] == 200
            writer.write(b"GET /v1/compte HTTP/1.1\r\nHost: a\r\n\r\n")
            assert parse(await asyncio.wait_for(read_answer(reader), 5))[0] == 401
        writer.close()
        recorded = [record["practitioner"] for record in node.records()]
        assert recorded[::2] == callers
        assert recorded[1::2] == [None] * 3
        assert len(upstream.requests) == 3

    async def test_a_clients_own_proof_does_not_work_twice(self, node: RunningNode, upstream: RawUpstream) -> None:
        """The same bytes again, on the same connection and on another one."""
        data = node.request()
        reader, writer = await node.open()
        writer.write(data + data)
        assert parse(await asyncio.wait_for(read_answer(reader), 5))[0] == 200
        assert parse(await asyncio.wait_for(read_answer(reader), 5))[0] == 401
        writer.close()
        assert parse(await node.send(data))[0] == 401
        assert len(upstream.requests) == 1

    async def test_idle_clients_cost_the_upstream_nothing(self, node: RunningNode, upstream: RawUpstream) -> None:
        """No connection is opened for who has not asked, nor for who is refused."""
        held = [await node.open() for _ in range(30)]
        assert parse(await node.send(REFUSED))[0] == 403
        assert len(await inside(node)) >= 30
        assert upstream.connections == 0
        for _, writer in held:
            writer.close()


class TestTraces:
    """What a client says is written nowhere, whatever becomes of the request; the sweep at a node's end looks."""

    async def test_a_person_in_the_wrong_place_leaves_no_trace(self, node: RunningNode, upstream: RawUpstream) -> None:
        """In the target, the query, a header, a cookie, a body without a token: refused, recorded without it."""
        person = NIR.encode()
        heads = (
            b"GET /v1/personnes/%b HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /v1/compte?nir=%b HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /v1/compte HTTP/1.1\r\nHost: a\r\nX-Nir: %b\r\n\r\n",
            b"GET /v1/compte HTTP/1.1\r\nHost: %b\r\n\r\n",
            b"GET /v1/compte HTTP/1.1\r\nHost: a\r\nCookie: nir=%b\r\n\r\n",
            b"GET /v1/compte HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %b\r\n\r\n",
            b"N%b /v1/compte HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /v1/compte HTTP/1.1\r\nHost: a\r\nX-A: \xff%b\r\n\r\n",
            b"POST /v1/droits/consultation HTTP/1.1\r\nHost: a\r\nContent-Length: 15\r\n\r\n%b",
        )
        for head in heads:
            assert parse(await node.send(head % person))[0] in {400, 401, 403}, head
        assert upstream.requests == []
        assert len(node.records()) == len(heads)

    async def test_half_a_request_leaves_no_trace(self, node: RunningNode, upstream: RawUpstream) -> None:
        """Cut at every tenth byte, reset or closed in order: no line in any log, no record, no question."""
        whole_request = node.request()
        for cut in range(1, len(whole_request), 10):
            _, writer = await node.open()
            writer.write(whole_request[:cut])
            await asyncio.sleep(0)
            if cut % 20 == 1:
                reset(writer)
            else:
                writer.close()
        async with asyncio.timeout(5):
            while node.node.house.connections:
                await asyncio.sleep(0.01)
        assert (node.records(), upstream.requests) == ([], [])

    async def test_a_ledger_line_is_one_line(self, node: RunningNode) -> None:
        """Whatever would end a line, a string or a terminal's colour in a viewer, sent in every place there is."""
        for odd in (b'","decision":"release', b"\\n{}", b"\x1b[31m", b"\xe2\x80\xa8", b"%0d%0a", b"${jndi:x}"):
            for head in (
                b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n",
                b"GET /v1/compte HTTP/1.1\r\nHost: a\r\nParavent-Purpose: %b\r\n\r\n",
                b"GET /v1/compte HTTP/1.1\r\nHost: a\r\nAuthorization: DPoP %b\r\n\r\n",
            ):
                await node.send(head % odd)
        assert len(node.records()) == 18
        assert {record["decision"] for record in node.records()} == {"deny"}
        assert not any(odd in node.ledger() for odd in (b"jndi", b"\x1b", b"0d%0a"))


class TestHead:
    """HEAD has an answer without a body, or the next answer begins inside it."""

    async def test_a_refused_head_request_has_no_body(self, node: RunningNode) -> None:
        """Two HEADs and a GET on one connection: three heads and one body (RFC 9110 section 9.3.2)."""
        head = b"HEAD /v1/compte HTTP/1.1\r\nHost: a\r\n\r\n"
        reader, writer = await node.open()
        writer.write(head + head + b"GET /admin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answers = await whole(reader)
        writer.close()
        assert answers.count(b"\r\n\r\nHTTP/1.1 403") == 2
        assert answers.count(b'{"type":') == 1
        assert answers.endswith(b"}")


class TestPieces:
    """Where segments end means nothing."""

    async def test_a_request_in_single_bytes_is_read(self, node: RunningNode) -> None:
        """One byte a segment."""
        reader, writer = await node.open()
        for byte in node.request():
            writer.write(bytes([byte]))
            await writer.drain()
        answer = await asyncio.wait_for(read_answer(reader), 5)
        writer.close()
        assert answer.startswith(b"HTTP/1.1 200")

    async def test_every_cut_of_a_bad_head_is_refused_alike(self, node: RunningNode) -> None:
        """A bare CR is a bare CR, also when the segment ends behind it."""
        bad = b"GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\rX-B: 2\r\n\r\n"
        for cut in range(1, len(bad)):
            reader, writer = await node.open()
            writer.write(bad[:cut])
            await asyncio.sleep(0)
            writer.write(bad[cut:])
            assert parse(await asyncio.wait_for(read_answer(reader), 5))[0] == 400
            writer.transport.abort()


class TestFloods:
    """Whoever sends more than is read."""

    @pytest.mark.parametrize("listen", [PLAINTEXT, TLS], ids=["plaintext", "TLS"])
    async def test_a_client_is_not_read_while_it_is_being_answered(self, tmp_path: Path, listen: str) -> None:
        """Nor between two answers, while it has sent more than one request: the bytes stay in the kernel."""
        asked = asyncio.Event()

        def never(_count: int, _request: bytes) -> None:
            asked.set()

        most = Limits().head_bytes + Limits().body_bytes
        async with raw_upstream(never) as seen, running_node(tmp_path, seen.port, listen=listen) as node:
            _, writer = await node.open(tls=node.sandbox.tls() if listen is TLS else None)
            writer.write(node.request())
            await asyncio.wait_for(asked.wait(), 5)
            writer.write(REFUSED * 500_000)  # 17 MB
            (guest,) = await inside(node)
            held = 0
            while len(node.records()) < 200:
                held = max(held, len(guest._buffer))  # type: ignore[attr-defined]
                await asyncio.sleep(0.01)
            writer.transport.abort()
            # What one read brings comes on top: 256 KB, and over TLS what was on its way through it.
            assert most < held <= most + 2 * 256 * 1024

    async def test_slow_clients_do_not_hold_up_others(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """Three hundred connections with half a head each, and the next caller is served; then their time is up."""
        async with running_node(tmp_path, upstream.port, limits=Limits(head_s=1.0)) as node:
            slow = [await node.open() for _ in range(300)]
            for _, writer in slow:
                writer.write(b"POST /v1/droits/consultation HTTP/1.1\r\nHost: droits.exa")
            assert (await node.ask())[0] == 200
            assert {await whole(reader) for reader, _ in slow} == {b""}
            for _, writer in slow:
                writer.close()
            assert len(upstream.requests) == 1


class TestEnds:
    """Who closes, and when."""

    async def test_a_client_that_closes_its_half_still_gets_its_answer(self, node: RunningNode) -> None:
        """Old clients send their request, close their half, and wait."""
        reader, writer = await node.open()
        writer.write(node.request())
        writer.write_eof()
        answer = await whole(reader)
        writer.close()
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"Connection: close\r\n" in answer

    async def test_a_pipeline_that_ends_in_half_a_request_ends(self, node: RunningNode) -> None:
        """What can never become whole is not waited for."""
        reader, writer = await node.open()
        writer.write(node.request() + b"GET /v1/com")
        writer.write_eof()
        answer = await whole(reader, 3)
        writer.close()
        assert answer.count(b"HTTP/1.1 ") == 1

    async def test_a_close_before_anything_leaves_nothing(self, node: RunningNode) -> None:
        """A port scan makes no record."""
        for data in (b"", b"GET", b"GET / HTTP/1.1\r\nHost: a\r\n"):
            reader, writer = await node.open()
            writer.write(data)
            writer.write_eof()
            assert await whole(reader) == b""
            writer.close()
        assert node.records() == []
        assert not node.node.house.connections

    async def test_a_caller_who_hangs_up_is_recorded_and_keeps_paying(self, tmp_path: Path) -> None:
        """Hanging up is not a way to ask for free: the person asked about stays charged."""
        asked = asyncio.Event()

        def never(_count: int, _request: bytes) -> None:
            asked.set()

        async with raw_upstream(never) as seen, running_node(tmp_path, seen.port, timeout="0.3s") as node:
            _, writer = await node.open()
            writer.write(node.request())
            await asyncio.wait_for(asked.wait(), 5)
            reset(writer)
            async with asyncio.timeout(5):
                while not node.records():
                    await asyncio.sleep(0.02)
            (record,) = node.records()
            assert (record["decision"], record["reason"], record["persons"]) == ("withhold", "client_left", [])
            assert record["asked"] is not None

    async def test_a_refused_client_that_goes_on_sending_can_read_why(self, node: RunningNode) -> None:
        """Closing over unread bytes would reset the connection, and on many systems take the answer with it."""
        reader, writer = await node.open()
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n" + b"x" * 1_000_000)
        assert parse(await asyncio.wait_for(read_answer(reader), 5))[0] == 413
        for _ in range(5):
            writer.write(b"x" * 200_000)
            await asyncio.wait_for(writer.drain(), 5)
            await asyncio.sleep(0.02)
        assert reader.exception() is None
        writer.transport.abort()

    async def test_a_refused_client_is_not_heard_out_for_ever(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """Two seconds, here less: then the connection ends, whatever is still coming."""
        async with running_node(tmp_path, upstream.port, limits=Limits(linger_s=0.2)) as node:
            reader, writer = await node.open()
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n")
            assert parse(await asyncio.wait_for(read_answer(reader), 5))[0] == 413
            async with asyncio.timeout(3):
                while node.node.house.connections:
                    await asyncio.sleep(0.01)
            writer.transport.abort()

    async def test_an_old_connection_is_asked_to_come_again(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """However busy: what was checked when it began is checked again on the next one."""
        async with running_node(tmp_path, upstream.port, limits=Limits(life_s=0.0)) as node:
            reader, writer = await node.open()
            writer.write(node.request())
            answer = await whole(reader)
            writer.close()
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"Connection: close\r\n" in answer


class TestTime:
    """A byte now and then buys nothing."""

    async def dribble(self, node: RunningNode, start: bytes, drip: bytes) -> bytes:
        """Send `start`, then `drip` byte by byte; what came until the connection ended, within two seconds."""
        reader, writer = await node.open()
        writer.write(start)

        async def go_on() -> None:
            for byte in drip * 100:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.02)

        dribbling = asyncio.create_task(go_on())
        got = await whole(reader, 2)
        dribbling.cancel()
        writer.close()
        return got

    async def test_a_slow_head_ends_at_its_deadline(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """The deadline is for the whole head."""
        async with running_node(tmp_path, upstream.port, limits=Limits(head_s=0.3)) as node:
            assert await self.dribble(node, b"", b"GET /v1/compte HTTP/1.1\r\n") == b""

    async def test_a_slow_head_behind_a_request_ends_too(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """Also of the second request of a connection, that began with the first."""
        async with running_node(tmp_path, upstream.port, limits=Limits(head_s=0.3)) as node:
            got = await self.dribble(node, REFUSED + b"GET ", b"a")
            assert got.count(b"HTTP/1.1 ") == 1

    async def test_a_slow_body_ends_at_its_deadline(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """The deadline is for the whole body."""
        async with running_node(tmp_path, upstream.port, limits=Limits(body_s=0.3)) as node:
            start = b"POST /v1/droits/consultation HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n"
            assert await self.dribble(node, start, b"x") == b""

    async def test_a_body_that_does_not_come_ends(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """Silence after the head."""
        async with running_node(tmp_path, upstream.port, limits=Limits(body_s=0.2)) as node:
            start = b"POST /v1/droits/consultation HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
            assert await self.dribble(node, start, b"") == b""

    async def test_an_idle_connection_ends(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """Before the first request, and after one."""
        async with running_node(tmp_path, upstream.port, limits=Limits(idle_s=0.2)) as node:
            assert await self.dribble(node, b"", b"") == b""
            assert (await self.dribble(node, REFUSED, b"")).count(b"HTTP/1.1 ") == 1

    async def test_a_client_that_never_reads_is_left(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """Answers that nobody takes are held up to a bound, for a time, then the connection ends."""
        async with running_node(tmp_path, upstream.port, limits=Limits(write_s=0.3)) as node:
            deaf = socket.socket()
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(deaf, ("127.0.0.1", node.port))
            for guest in await inside(node):
                small_buffer(guest)
            sending = asyncio.create_task(loop.sock_sendall(deaf, REFUSED * 4000))
            async with asyncio.timeout(20):
                while node.node.house.connections:
                    await asyncio.sleep(0.05)
            sending.cancel()
            deaf.close()
            assert node.metric("paravent_guard_exceptions_total", hook="listener") == 0

    async def test_a_client_that_never_reads_its_last_answer_is_left(
        self, tmp_path: Path, upstream: RawUpstream
    ) -> None:
        """Closing waits for what is still to be written, but not for ever."""
        async with running_node(tmp_path, upstream.port, limits=Limits(write_s=0.3)) as node:
            deaf = socket.socket()
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(deaf, ("127.0.0.1", node.port))
            for guest in await inside(node):
                small_buffer(guest)
            last = b"GET /admin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            await loop.sock_sendall(deaf, REFUSED * 60 + last)
            async with asyncio.timeout(5):
                while node.node.house.connections:
                    await asyncio.sleep(0.05)
            deaf.close()


async def inside(node: RunningNode) -> list[object]:
    """The connections of a node, once there is one."""
    async with asyncio.timeout(5):
        while not node.node.house.known:
            await asyncio.sleep(0.01)
    return list(node.node.house.connections)


def small_buffer(guest: object) -> None:
    """Make the kernel keep as little as it can for a connection's client."""
    wire = guest._transport.get_extra_info("socket")  # type: ignore[attr-defined]
    with socket.socket(fileno=socket.dup(wire.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)


class TestRoom:
    """How many come in."""

    async def test_connections_are_capped(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """Over the cap a connection is closed at once; those inside go on; who leaves makes room."""
        async with running_node(tmp_path, upstream.port, limits=Limits(connections=2)) as node:
            held = [await node.open() for _ in range(2)]
            reader, writer = await node.open()
            assert await whole(reader) == b""
            assert node.metric("paravent_connections_refused_total", cause="full") == 1
            held[0][1].write(node.request())
            assert (await asyncio.wait_for(read_answer(held[0][0]), 5)).startswith(b"HTTP/1.1 200")
            for _, each in [*held, (reader, writer)]:
                each.close()
            async with asyncio.timeout(5):
                while node.node.house.connections:
                    await asyncio.sleep(0.01)
            assert node.metric("paravent_connections") == 0
            assert not node.node.house.shares
            assert (await node.ask(rpps="99700218896"))[0] == 200

    async def test_a_front_proxy_has_the_whole_house(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """Everybody comes from its address: the share of one network is not for it."""
        limits = Limits(connections=4, connections_per_address=1)
        async with running_node(tmp_path, upstream.port, limits=limits) as node:
            held = [await node.open() for _ in range(4)]
            assert len(await inside(node)) == 4
            for _, writer in held:
                writer.close()

    async def test_plaintext_from_a_stranger_is_closed(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """Without TLS only the named front proxy is heard."""
        listen = 'plaintext_from = ["192.0.2.1/32"]'
        async with running_node(tmp_path, upstream.port, listen=listen) as node:
            assert await node.send(node.request()) == b""
            assert upstream.requests == []
            assert node.metric("paravent_connections_refused_total", cause="plaintext") == 1


class TestAddresses:
    """IPv6, and IPv4 seen through it."""

    async def test_an_ipv6_address_is_listened_on(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """Brackets in the configuration, a plain address in the record."""
        listen = 'plaintext_from = ["::1/128"]'
        async with running_node(tmp_path, upstream.port, listen=listen, address="[::1]:0") as node:
            reader, writer = await node.open(host="::1")
            writer.write(node.request())
            assert (await asyncio.wait_for(read_answer(reader), 5)).startswith(b"HTTP/1.1 200")
            writer.close()

    async def test_an_ipv4_front_proxy_is_known_on_a_socket_of_both_families(
        self, tmp_path: Path, upstream: RawUpstream
    ) -> None:
        """The kernel shows 127.0.0.1 as ::ffff:127.0.0.1 there."""
        async with running_node(tmp_path, upstream.port, address="[::]:0") as node:
            assert (await node.ask())[0] == 200
            assert [str(known.peer_ip) for known in node.node.house.known.values()] in ([], ["127.0.0.1"])

    async def test_a_stranger_does_not_come_in_by_a_mapped_address(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """And the other way round: an IPv6 network does not admit IPv4 clients."""
        listen = 'plaintext_from = ["::/8"]'
        async with running_node(tmp_path, upstream.port, listen=listen, address="[::]:0") as node:
            assert await node.send(node.request()) == b""
            assert node.metric("paravent_connections_refused_total", cause="plaintext") == 1
