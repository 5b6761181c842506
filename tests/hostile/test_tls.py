"""TLS on both sides: who gets a connection, which certificate counts, and what an upstream must show."""

import asyncio
import contextlib
import socket
import ssl
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from answers import ANSWER, REDUCED
from certificates import CLIENT, Authority, Pair
from node import MTLS, TLS, RunningNode, parse, read_answer, running_node
from paravent_mitmproxy.listener import tls as listener_tls
from paravent_mitmproxy.listener.gate import BREATH_S
from paravent_mitmproxy.listener.limits import Limits
from wire import RawUpstream, raw_upstream


@pytest.fixture
async def upstream() -> AsyncIterator[RawUpstream]:
    async with raw_upstream(ANSWER) as seen:
        yield seen


@pytest.fixture
async def node(tmp_path: Path, upstream: RawUpstream) -> AsyncIterator[RunningNode]:
    """TLS ends here; client certificates are asked for, and need not be shown."""
    async with running_node(tmp_path, upstream.port, listen=MTLS) as running:
        yield running


def shown(node: RunningNode, pair: Pair) -> ssl.SSLContext:
    return node.sandbox.tls((pair.certificate, pair.key))


async def refused(node: RunningNode, data: bytes, context: ssl.SSLContext) -> bytes:
    """What comes back where no connection, or no answer, is expected."""
    try:
        return await node.send(data, tls=context)
    except (ssl.SSLError, ConnectionError):
        return b""


class _Failing:
    """A listening socket of which the first accepts fail."""

    def __init__(self, sock: socket.socket, failures: list[OSError]) -> None:
        self._sock = sock
        self.failures = failures
        self.asked_s: list[float] = []

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        self.asked_s.append(asyncio.get_running_loop().time())
        if self.failures:
            raise self.failures.pop(0)
        return self._sock.accept()

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        self._sock.close()


class TestThePort:
    """Nothing but TLS, and of TLS only what is good."""

    async def test_the_tls_port_speaks_nothing_but_tls(self, node: RunningNode, upstream: RawUpstream) -> None:
        """Plain HTTP gets no byte of HTTP back, and leaves nothing behind."""
        assert b"HTTP" not in await node.send(node.request())
        assert upstream.requests == []
        async with asyncio.timeout(5):
            while node.node.house.connections:
                await asyncio.sleep(0.01)
        assert node.records() == []

    async def test_only_http_1_is_negotiated(self, node: RunningNode) -> None:
        """A client that would rather speak HTTP/2 speaks HTTP/1.1."""
        trust = node.sandbox.tls()
        trust.set_alpn_protocols(["h2", "http/1.1"])
        reader, writer = await node.open(tls=trust)
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
        writer.write(node.request())
        assert (await asyncio.wait_for(read_answer(reader), 5)).startswith(b"HTTP/1.1 200")
        writer.transport.abort()

    async def test_a_client_that_speaks_only_http_2_gets_no_frame(self, node: RunningNode) -> None:
        """No protocol is agreed, and the preface is refused as the request that it is not."""
        trust = node.sandbox.tls()
        trust.set_alpn_protocols(["h2"])
        answer = await refused(node, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", trust)
        assert answer == b"" or parse(answer)[0] == 400

    @pytest.mark.parametrize(
        "cipher",
        ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-SHA"],
        ids=["CBC with SHA-256", "CBC with SHA-1"],
    )
    async def test_old_ciphers_are_refused(self, node: RunningNode, cipher: str) -> None:
        """TLS 1.2 with authenticated encryption only."""
        trust = node.sandbox.tls()
        trust.maximum_version = ssl.TLSVersion.TLSv1_2
        trust.set_ciphers(cipher)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await node.open(tls=trust)

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["TLS 1.0", "TLS 1.1"])
    async def test_old_versions_are_refused(self, node: RunningNode, version: ssl.TLSVersion) -> None:
        """RFC 8996 has put them to rest."""
        trust = node.sandbox.tls()
        trust.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            trust.minimum_version = trust.maximum_version = version
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await node.open(tls=trust)

    async def test_a_session_of_tls_1_3_is_not_offered(self, node: RunningNode) -> None:
        """No ticket, so every connection shows its certificate again."""
        _, writer = await node.open(tls=node.sandbox.tls())
        wire = writer.get_extra_info("ssl_object")
        assert (wire.version(), wire.session_reused, wire.session.has_ticket) == ("TLSv1.3", False, False)
        writer.transport.abort()

    async def test_a_name_that_is_not_ours_makes_no_certificate(self, node: RunningNode) -> None:
        """Whatever SNI says, there is one certificate, made by nobody here: a flood of names costs nothing."""
        trust = node.sandbox.tls()
        trust.check_hostname = False
        shown_for = set()
        for name in ("localhost", "evil.example", "mitm.it", "a" * 60 + ".example"):
            _, writer = await asyncio.open_connection("127.0.0.1", node.port, ssl=trust, server_hostname=name)
            shown_for.add(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
            writer.transport.abort()
        assert len(shown_for) == 1

    async def test_handshakes_that_never_end_are_counted_and_ended(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """A connection has its place in the count before it has shaken hands, and loses both."""
        limits = Limits(connections_per_address=3, handshake_s=0.4)
        async with running_node(tmp_path, upstream.port, listen=TLS, limits=limits) as node:
            silent = [await node.open() for _ in range(3)]
            reader, late = await node.open()
            assert await asyncio.wait_for(read_answer(reader), 5) == b""
            assert node.metric("paravent_connections_refused_total", cause="network_full") == 1
            async with asyncio.timeout(5):
                while node.node.house.connections:
                    await asyncio.sleep(0.02)
            assert (await node.send(node.request(), tls=node.sandbox.tls())).startswith(b"HTTP/1.1 200")
            for _, writer in [*silent, (reader, late)]:
                writer.close()

    async def test_no_descriptor_left_is_no_reason_to_stop(
        self, node: RunningNode, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An accept that fails is tried again after a breath; the gate neither spins nor dies of it."""
        gate = node.node._proxyserver.servers[node.node.master.options.mode[0]]._servers[0]  # type: ignore[attr-defined]
        failing = _Failing(gate._sock, [OSError(24, "too many"), ConnectionAbortedError(), OSError(23, "too many")])
        monkeypatch.setattr(gate, "_sock", failing)
        assert (await node.send(node.request(), tls=node.sandbox.tls())).startswith(b"HTTP/1.1 200")
        assert failing.failures == []
        assert failing.asked_s[1] - failing.asked_s[0] >= BREATH_S * 0.9
        assert node.metric("paravent_connections_refused_total", cause="full") == 2
        monkeypatch.undo()

    async def test_an_end_in_the_middle_of_tls_is_an_end(self, node: RunningNode) -> None:
        """A client that ends its TLS half is gone: the connection closes without a word in the log."""
        _, writer = await node.open(tls=node.sandbox.tls())
        writer.write(node.request())
        writer.close()
        async with asyncio.timeout(5):
            while node.node.house.connections or node.node.house.busy:
                await asyncio.sleep(0.01)
        assert "foreign_record" not in [
            orjson.loads(line).get("event")
            for line in node.logs.getvalue().splitlines()
            if orjson.loads(line)["level"] != "debug" and not orjson.loads(line)["logger"].startswith("mitmproxy")
        ]


class TestClientCertificates:
    """RFC 8705: the token names the certificate of this very connection."""

    async def test_a_token_bound_to_the_connections_certificate_is_answered(self, node: RunningNode) -> None:
        """The leaf that OpenSSL checked, hashed, is what the token says."""
        pair = node.sandbox.authority.issue("caller", use=CLIENT)
        answer = await node.send(node.request(x5t=pair.x5t), tls=shown(node, pair))
        status, _, body = parse(answer)
        assert (status, orjson.loads(body)) == (200, REDUCED)
        assert node.records()[-1]["binding"] == "mtls"

    async def test_another_certificate_of_the_same_authority_is_refused(
        self, node: RunningNode, upstream: RawUpstream
    ) -> None:
        """A stolen token is worth nothing with another key."""
        mine = node.sandbox.authority.issue("caller", use=CLIENT)
        theirs = node.sandbox.authority.issue("thief", use=CLIENT)
        answer = await node.send(node.request(x5t=mine.x5t), tls=shown(node, theirs))
        assert parse(answer)[0] == 401
        assert node.records()[-1]["reason"] == "binding_certificate"
        assert upstream.requests == []

    async def test_no_certificate_is_refused(self, node: RunningNode, upstream: RawUpstream) -> None:
        """The connection is made, for callers with DPoP; the bound token is not accepted on it."""
        pair = node.sandbox.authority.issue("caller", use=CLIENT)
        answer = await node.send(node.request(x5t=pair.x5t), tls=node.sandbox.tls())
        assert parse(answer)[0] == 401
        assert upstream.requests == []

    async def test_a_certificate_in_a_header_is_none(self, node: RunningNode, upstream: RawUpstream) -> None:
        """Whatever name for it is in use somewhere. Client-Cert itself is refused: see the front proxies."""
        pair = node.sandbox.authority.issue("caller", use=CLIENT)
        der = ssl.PEM_cert_to_DER_cert(pair.certificate.read_text())
        import base64

        extra = b"X-Client-Cert: :%s:\r\nX-SSL-Cert: %s\r\n" % ((base64.b64encode(der),) * 2)
        answer = await node.send(node.request(x5t=pair.x5t, extra=extra), tls=node.sandbox.tls())
        assert parse(answer)[0] == 401
        assert upstream.requests == []

    async def test_a_caller_with_dpop_needs_no_certificate(self, node: RunningNode) -> None:
        """Both bindings work on one port."""
        assert (await node.send(node.request(), tls=node.sandbox.tls())).startswith(b"HTTP/1.1 200")

    async def test_certificates_that_buy_no_connection(self, node: RunningNode, tmp_path: Path) -> None:
        """Expired, of another authority of the same name, for servers only, self-signed: the handshake fails."""
        folder = tmp_path / "other"
        folder.mkdir()
        ours, other = node.sandbox.authority, Authority(folder, "authority")
        itself = Authority(folder, "itself")
        bad = {
            "expired": ours.issue("late", use=CLIENT, until=-1),
            "another authority": other.issue("foreign", use=CLIENT),
            "for servers only": ours.issue("misused"),
            "another authority's self": itself.issue("selfmade", use=CLIENT),
        }
        for sentence, pair in bad.items():
            answer = await refused(node, node.request(x5t=pair.x5t), shown(node, pair))
            assert answer == b"", sentence
        assert node.records() == []

    async def test_the_identity_is_of_the_connection_not_of_the_address(self, node: RunningNode) -> None:
        """Two connections of one client at once, one with a certificate: only that one may use the bound token."""
        pair = node.sandbox.authority.issue("caller", use=CLIENT)
        with_one = await node.open(tls=shown(node, pair))
        without = await node.open(tls=node.sandbox.tls())
        without[1].write(node.request(x5t=pair.x5t))
        assert parse(await asyncio.wait_for(read_answer(without[0]), 5))[0] == 401
        with_one[1].write(node.request(x5t=pair.x5t))
        assert parse(await asyncio.wait_for(read_answer(with_one[0]), 5))[0] == 200
        for _, writer in (with_one, without):
            writer.transport.abort()

    async def test_a_connection_does_not_outlive_its_certificate(self, node: RunningNode) -> None:
        """A certificate with a second or two left: answered, and asked to come again."""
        pair = node.sandbox.authority.issue("brief", use=CLIENT, until=2.0 / 3600)
        try:
            reader, writer = await node.open(tls=shown(node, pair))
        except ssl.SSLError:
            pytest.skip("the machine was slower than the certificate")
        await asyncio.sleep(2.2)
        writer.write(node.request())
        answer = await asyncio.wait_for(read_answer(reader), 5)
        assert b"Connection: close\r\n" in answer
        writer.transport.abort()

    async def test_a_resumed_session_does_not_bring_an_expired_certificate_back(
        self, node: RunningNode, upstream: RawUpstream
    ) -> None:
        """TLS 1.2 sessions outlive what was checked when they began: the date is looked at again."""
        pair = node.sandbox.authority.issue("brief", use=CLIENT, until=2.5 / 3600)
        context = shown(node, pair)
        context.maximum_version = ssl.TLSVersion.TLSv1_2

        def talk(data: bytes, session: ssl.SSLSession | None) -> tuple[bytes, ssl.SSLSession | None, bool | None]:
            """On a blocking socket: asyncio's clients cannot resume."""
            with socket.create_connection(("127.0.0.1", node.port), timeout=5) as raw:
                wire = context.wrap_socket(raw, server_hostname="localhost", session=session)
                wire.sendall(data)
                answer = wire.recv(65536)
                kept, resumed = wire.session, wire.session_reused
                with contextlib.suppress(ssl.SSLError, OSError):
                    wire.unwrap().close()  # in order, or OpenSSL forgets the session
                return answer, kept, resumed

        bound = node.request(x5t=pair.x5t, extra=b"Connection: close\r\n")
        _, session, _ = await asyncio.to_thread(talk, bound, None)
        again = node.request(x5t=pair.x5t, extra=b"Connection: close\r\n")
        _, session, resumed = await asyncio.to_thread(talk, again, session)
        assert resumed
        asked = len(upstream.requests)
        await asyncio.sleep(2.6)
        late = node.request(x5t=pair.x5t, extra=b"Connection: close\r\n")
        answer, _, resumed = await asyncio.to_thread(talk, late, session)
        node.received += answer
        assert resumed
        assert parse(answer)[0] == 401
        assert len(upstream.requests) == asked


class TestContexts:
    """Made anew when their files change, and after some number of handshakes."""

    async def test_a_new_certificate_is_served_without_a_restart(
        self, node: RunningNode, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And a certificate without its key leaves the last good pair."""
        monkeypatch.setattr(listener_tls, "LOOK_S", 0.0)
        pair = node.sandbox.authority.issue("server")
        assert await served(node) == ssl.PEM_cert_to_DER_cert(pair.certificate.read_text())
        good = pair.certificate.read_text()
        node.sandbox.authority.issue("else")
        pair.certificate.write_text((node.sandbox.folder / "else.pem").read_text())
        assert await served(node) == ssl.PEM_cert_to_DER_cert(good)
        assert "certificate_unusable" in node.logs.getvalue()

    async def test_sessions_of_tls_1_2_do_not_pile_up(self, node: RunningNode, monkeypatch: pytest.MonkeyPatch) -> None:
        """OpenSSL keeps them with the context; a context is left after some number of handshakes."""
        monkeypatch.setattr(listener_tls, "HANDSHAKES", 3)
        from paravent_mitmproxy.listener.server import ParaventInstance

        doorway = ParaventInstance.doorway
        assert doorway is not None
        assert doorway.tls is not None
        contexts = set()
        trust = node.sandbox.tls()
        trust.maximum_version = ssl.TLSVersion.TLSv1_2
        for _ in range(9):
            await served(node, trust)
            contexts.add(doorway.tls._made)
        assert len(contexts) >= 3
        assert all(context.session_stats()["number"] <= 4 for context in contexts)


async def served(node: RunningNode, trust: ssl.SSLContext | None = None) -> bytes:
    """The DER of the certificate that the node shows."""
    _, writer = await node.open(tls=trust or node.sandbox.tls())
    der: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return der


class TestUpstream:
    """What the upstream shows: our authority, and the name that the configuration says."""

    @pytest.mark.parametrize(
        ("made_by", "names", "status"),
        [
            ("pinned", ["localhost"], 200),
            ("pinned", ["elsewhere.example"], 502),
            ("pinned", ["*.localhost"], 502),
            ("another", ["localhost"], 502),
        ],
        ids=["right authority, right name", "wrong name", "a wildcard that is none", "wrong authority"],
    )
    async def test_an_upstream_must_be_the_one_we_know(
        self, tmp_path: Path, made_by: str, names: list[str], status: int
    ) -> None:
        """Its own pinned authority, its name verified; otherwise a constant, and not a byte of the question."""
        pinned = Authority(tmp_path, "upstream-ca")
        (tmp_path / "other").mkdir()
        issuer = pinned if made_by == "pinned" else Authority(tmp_path / "other", "upstream-ca")
        pair = issuer.issue("upstream", names=names)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(pair.certificate, pair.key)
        async with raw_upstream(ANSWER, tls=server) as seen:
            lines = f'url = "https://localhost:{seen.port}"\nca = "upstream-ca.pem"'
            async with running_node(tmp_path, lines) as node:
                got, _, body = await node.ask()
                assert got == status
                if status == 200:
                    assert orjson.loads(body) == REDUCED
                else:
                    assert orjson.loads(body)["type"] == "urn:paravent:problem:answer_withheld"
                    assert seen.requests == []
                    assert node.records()[-1]["reason"] == "upstream_unreachable"

    async def test_an_expired_upstream_is_not_asked(self, tmp_path: Path) -> None:
        """Nor one that speaks plain HTTP on the https port."""
        pinned = Authority(tmp_path, "upstream-ca")
        pair = pinned.issue("upstream", until=-1)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(pair.certificate, pair.key)
        async with raw_upstream(ANSWER, tls=server) as expired, raw_upstream(ANSWER) as plain:
            for number, seen in enumerate((expired, plain)):
                folder = tmp_path / str(number)
                folder.mkdir()
                lines = f'url = "https://localhost:{seen.port}"\nca = "{tmp_path}/upstream-ca.pem"'
                async with running_node(folder, lines, timeout="0.5s") as node:
                    # The second one never answers our greeting.
                    assert (await node.ask())[0] == (502, 504)[number]
                assert seen.requests == []

    async def test_our_certificate_is_shown_to_an_upstream_that_asks(self, tmp_path: Path) -> None:
        """With it there is an answer; without it there is none."""
        pinned = Authority(tmp_path, "upstream-ca")
        pair = pinned.issue("upstream")
        pinned.issue("proxy", use=CLIENT)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(pair.certificate, pair.key)
        server.load_verify_locations(pinned.certificate)
        server.verify_mode = ssl.CERT_REQUIRED
        async with raw_upstream(ANSWER, tls=server) as seen:
            lines = f'url = "https://localhost:{seen.port}"\nca = "upstream-ca.pem"'
            async with running_node(tmp_path, lines) as node:
                assert (await node.ask())[0] == 502
            ours = '\nclient_certificate = "proxy.pem"\nclient_key = "proxy.key"'
            (tmp_path / "with").mkdir()
            for name in ("upstream-ca.pem", "proxy.pem", "proxy.key"):
                (tmp_path / "with" / name).write_bytes((tmp_path / name).read_bytes())
            async with running_node(tmp_path / "with", lines + ours) as node:
                assert (await node.ask())[0] == 200
