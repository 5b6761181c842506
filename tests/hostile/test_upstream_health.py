"""An upstream that is down, slow, overrun, or has new certificates.

Whoever cannot be served is told soon, pays nothing, and does not make it worse. Threat notes: section 7 (R4), section 2
(certificates that are changed).
"""

import asyncio
import ssl
from contextlib import closing
from pathlib import Path

import pytest

from answers import ANSWER
from certificates import CLIENT, Authority
from node import QUESTION, RunningNode, running_node
from paravent.model import Answer, UpstreamRequest
from paravent.reasons import Reason
from paravent_mitmproxy.listener import breaker, tls, upstream
from paravent_mitmproxy.listener.tls import ClientTls
from paravent_mitmproxy.listener.upstream import Origin, Upstream
from wire import http_answer, raw_upstream

ASK = UpstreamRequest(b"POST", b"/v1/droits/consultation", ((b"accept", b"application/json"),), b"{}")
READ = UpstreamRequest(b"GET", b"/v1/compte", (), b"", repeatable=True)


async def fail(node: RunningNode, times: int) -> None:
    for _ in range(times):
        status, _, _ = await node.ask()
        assert status == 502


class TestCircuit:
    """After repeated failures the upstream is left alone."""

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(b"", id="it closes without a word"),
            pytest.param(b"nonsense\r\n\r\n", id="it does not speak HTTP"),
            pytest.param(http_answer(b"{}", status=503), id="what stands before it says that it is down"),
        ],
    )
    async def test_it_opens(self, tmp_path: Path, answer: bytes) -> None:
        """The next caller gets 503 and a time to come again, the upstream nothing, the ledger its reason."""
        async with raw_upstream(answer, close=True) as seen, running_node(tmp_path, seen.port) as node:
            await fail(node, breaker.ROW)
            status, headers, body = await node.ask()
            assert (status, headers[b"retry-after"]) == (503, b"5")
            assert b"urn:paravent:problem:unavailable" in body
            assert len(seen.requests) == breaker.ROW
            assert node.records()[-1]["reason"] == "upstream_circuit_open"
            assert node.metric("paravent_upstream_circuit_open") == 1
            assert node.metric("paravent_upstream_failures_total", reason="upstream_circuit_open") == 1

    async def test_one_persons_fault_does_not_open_it(self, tmp_path: Path) -> None:
        """A 500 can lie in one person's data: whoever found such a person would stop everybody."""
        fault = http_answer(b"{}", status=500)
        async with raw_upstream(fault) as seen, running_node(tmp_path, seen.port) as node:
            await fail(node, breaker.ROW + 2)
            assert len(seen.requests) == breaker.ROW + 2

    async def test_it_closes_with_the_first_answer(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """One question at a time is the probe, and the first that is answered is answered to its caller too."""
        monkeypatch.setattr(breaker, "OPEN_S", 0.3)
        down = True

        def script(_count: int, _request: bytes) -> bytes:
            return b"" if down else ANSWER

        async with raw_upstream(script, close=True) as seen, running_node(tmp_path, seen.port) as node:
            await fail(node, breaker.ROW)
            down = False
            await asyncio.sleep(0.3)
            assert (await node.ask())[0] == 200
            assert node.metric("paravent_upstream_circuit_open") == 0
            assert len(seen.requests) == breaker.ROW + 1

    async def test_nobody_pays_while_it_is_open(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Three persons asked for in vain are not among those that the budget has room for."""
        monkeypatch.setattr(breaker, "OPEN_S", 0.5)
        down = True

        def script(_count: int, _request: bytes) -> bytes:
            return b"" if down else ANSWER

        async with raw_upstream(script, close=True) as seen, running_node(tmp_path, seen.port) as node:
            await fail(node, breaker.ROW)
            for day in ("20010203", "20010204", "20010205"):
                assert (await node.ask({**QUESTION, "dateNaissance": day}))[0] == 503
            down = False
            await asyncio.sleep(0.5)
            status, headers, _ = await node.ask()
            assert status == 200
            left = int(headers[b"ratelimit"].partition(b";r=")[2])
            assert b";q=%d;" % (left + 1) in headers[b"ratelimit-policy"]


class TestTurns:
    """As many exchanges at once as `connections` says."""

    async def test_who_waits_is_served_and_who_waits_long_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The second waits its turn; the third gives up: 503, come again, nothing asked, nothing charged."""
        monkeypatch.setattr(upstream, "QUEUE_S", 0.3)
        free = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            await free.wait()
            writer.write(ANSWER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            await writer.drain()
            writer.close()

        asked: list[bytes] = []
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        section = f'url = "http://127.0.0.1:{port}"\nconnections = 1'
        async with server, running_node(tmp_path, section, timeout="5s") as node:
            first = asyncio.create_task(node.ask())
            async with asyncio.timeout(5):
                while not asked:
                    await asyncio.sleep(0.01)
            status, headers, _ = await node.ask(rpps="99700218896")
            assert (status, headers[b"retry-after"]) == (503, b"1")
            assert node.records()[-1]["reason"] == "upstream_busy"
            assert len(asked) == 1
            waiting = asyncio.create_task(node.ask(rpps="99700218896"))
            await asyncio.sleep(0.05)
            free.set()
            assert (await first)[0] == 200
            assert (await waiting)[0] == 200

    async def test_a_cancelled_question_gives_its_turn_back(self) -> None:
        """Whoever gives up, at work or in the queue, takes nobody's turn along."""
        async with raw_upstream(lambda count, _: None if count == 0 else http_answer(b"{}")) as seen:
            asker = Upstream(Origin("127.0.0.1", seen.port, None, 5.0, connections=1))
            working = asyncio.create_task(asker.ask(ASK))
            async with asyncio.timeout(5):
                while not seen.requests:
                    await asyncio.sleep(0.01)
            queued = asyncio.create_task(asker.ask(ASK))
            await asyncio.sleep(0.01)
            for task in (queued, working):
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert isinstance(await asker.ask(ASK), Answer)
            asker.close()


class TestDeadlines:
    """Each part of an exchange has its own."""

    async def test_a_handshake_that_does_not_come_ends(self, tmp_path: Path) -> None:
        """TCP is accepted and TLS is met with silence: connecting has its deadline, long before the whole has."""
        ca = Authority(tmp_path, "ca")
        async with raw_upstream(lambda _count, _request: None) as seen:
            asker = Upstream(Origin("127.0.0.1", seen.port, ClientTls(ca.certificate, None, None), 30.0, connect_s=0.2))
            async with asyncio.timeout(5):
                assert await asker.ask(ASK) is Reason.UPSTREAM_UNREACHABLE

    async def test_an_answer_that_does_not_begin_ends(self) -> None:
        """Silence costs the shorter deadline, on a fresh connection and on a kept one."""
        async with raw_upstream(lambda count, _: http_answer(b"{}") if count == 1 else None) as seen:
            asker = Upstream(Origin("127.0.0.1", seen.port, None, 30.0, first_byte_s=0.2))
            async with asyncio.timeout(10):
                assert await asker.ask(READ) is Reason.UPSTREAM_TIMEOUT
                assert isinstance(await asker.ask(READ), Answer)
                assert await asker.ask(READ) is Reason.UPSTREAM_TIMEOUT
            assert seen.connections == 2

    async def test_an_answer_that_has_begun_may_take_its_time(self) -> None:
        """The first byte lifts the shorter deadline; the whole one stays."""

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            answer = http_answer(b'{"a":1}')
            writer.write(answer[:10])
            await asyncio.sleep(0.5)
            writer.write(answer[10:])
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(slow, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            asker = Upstream(Origin("127.0.0.1", port, None, 30.0, first_byte_s=0.25))
            assert isinstance(await asker.ask(READ), Answer)
            asker.close()


class TestNewFiles:
    """Certificates are changed while we run."""

    async def test_authorities_that_are_replaced_are_not_believed_any_more(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also not for the connections that are kept; and the new ones are, without a restart."""
        monkeypatch.setattr(tls, "LOOK_S", -1.0)
        old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
        ca = tmp_path / "ca.pem"
        ca.write_bytes(old.certificate.read_bytes())
        serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        pair = old.issue("upstream")
        serving.load_cert_chain(pair.certificate, pair.key)
        async with raw_upstream(http_answer(b"{}"), tls=serving) as seen:
            asker = Upstream(Origin("localhost", seen.port, ClientTls(ca, None, None), 5.0))
            assert isinstance(await asker.ask(ASK), Answer)
            assert isinstance(await asker.ask(ASK), Answer)
            assert seen.connections == 1
            ca.write_bytes(new.certificate.read_bytes())
            assert await asker.ask(ASK) is Reason.UPSTREAM_UNREACHABLE
            assert len(seen.requests) == 2
            pair = new.issue("upstream")
            serving.load_cert_chain(pair.certificate, pair.key)
            assert isinstance(await asker.ask(ASK), Answer)
            asker.close()

    async def test_a_connection_at_work_while_they_are_replaced_is_not_kept(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It answers the question that it has, and no other."""
        monkeypatch.setattr(tls, "LOOK_S", -1.0)
        ca = tmp_path / "ca.pem"
        ours, new = Authority(tmp_path, "ours"), Authority(tmp_path, "new")
        ca.write_bytes(ours.certificate.read_bytes())
        serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        pair = ours.issue("upstream")
        serving.load_cert_chain(pair.certificate, pair.key)
        asked, answer = asyncio.Event(), asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while await reader.readuntil(b"{}"):
                    asked.set()
                    await answer.wait()
                    writer.write(http_answer(b"{}"))
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.transport.abort()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=serving)
        async with server:
            port = server.sockets[0].getsockname()[1]
            with closing(Upstream(Origin("localhost", port, ClientTls(ca, None, None), 5.0))) as asker:
                at_work = asyncio.create_task(asker.ask(ASK))
                await asyncio.wait_for(asked.wait(), 5)
                ca.write_bytes(new.certificate.read_bytes())
                assert await asker.ask(ASK) is Reason.UPSTREAM_UNREACHABLE
                answer.set()
                assert isinstance(await at_work, Answer)
                assert await asker.ask(ASK) is Reason.UPSTREAM_UNREACHABLE

    async def test_our_new_certificate_is_shown(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """On a connection made with it; a key that does not fit yet leaves the last good pair in use."""
        monkeypatch.setattr(tls, "LOOK_S", -1.0)
        ca = Authority(tmp_path, "ca")
        pair = ca.issue("upstream")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ca.certificate))
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(pair.certificate, pair.key)
        first = ca.issue("ours", use=CLIENT)
        shown: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            shown.append(writer.get_extra_info("ssl_object").getpeercert(True))
            try:
                while await reader.readuntil(b"{}"):
                    writer.write(http_answer(b"{}"))
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.transport.abort()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            asker = Upstream(Origin("localhost", port, ClientTls(ca.certificate, first.certificate, first.key), 5.0))
            assert isinstance(await asker.ask(ASK), Answer)
            old_key = first.key.read_bytes()
            ca.issue("ours", use=CLIENT)
            new_key = first.key.read_bytes()
            first.key.write_bytes(old_key)
            assert isinstance(await asker.ask(ASK), Answer)
            assert len(shown) == 1
            first.key.write_bytes(new_key)
            assert isinstance(await asker.ask(ASK), Answer)
            assert len(shown) == 2
            assert shown[0] != shown[1]
            asker.close()
