"""Behind a front proxy that ends TLS: whom it speaks for is believed of it, and of nobody else.

Two things are told: the caller's address (PROXY protocol, version 2) and certificate (Client-Cert, RFC 9440).
Threat notes: section 2; section 3, row 34; D15 and D20.
"""

import asyncio
import base64
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from answers import ANSWER
from certificates import CLIENT, Authority, Pair
from node import MTLS, PLAINTEXT, TLS, RunningNode, parse, read_answer, running_node
from paravent_mitmproxy.listener import tls as listener_tls
from paravent_mitmproxy.listener.introduction import FIXED, LONGEST, SIGNATURE
from paravent_mitmproxy.listener.limits import Limits
from until import until
from wire import RawUpstream, raw_upstream

HEADER = PLAINTEXT + '\nclient_ca = "authority.pem"\nclient_cert_header = true'
PROXY = PLAINTEXT + "\nproxy_protocol = true"
BOTH = HEADER + "\nproxy_protocol = true"
PINNED = TLS + '\nclient_ca = "authority.pem"\nclient_cert_header = true\nfront_certificates = "front.pem"'


@pytest.fixture
async def upstream() -> AsyncIterator[RawUpstream]:
    async with raw_upstream(ANSWER) as seen:
        yield seen


def der(pair: Pair) -> bytes:
    return load_pem_x509_certificate(pair.certificate.read_bytes()).public_bytes(Encoding.DER)


def client_cert(pair: Pair) -> bytes:
    """The header as RFC 9440 section 2.2 writes it."""
    return b"Client-Cert: :" + base64.b64encode(der(pair)) + b":\r\n"


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


def proxy(command: int = 0x21, kind: int = 0x11, rest: bytes | None = None, *, length: int | None = None) -> bytes:
    """A PROXY header; by default for 192.0.2.1, port 54321."""
    if rest is None:
        rest = bytes([192, 0, 2, 1, 127, 0, 0, 1]) + struct.pack("!HH", 54321, 443)
    return FIXED.pack(SIGNATURE, command, kind, len(rest) if length is None else length) + rest


FOUR = bytes([192, 0, 2, 1, 127, 0, 0, 1]) + struct.pack("!HH", 54321, 443)
SIX = bytes.fromhex("20010db8000000000000000000000007") * 2 + struct.pack("!HH", 54321, 443)
MAPPED = bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 1]) + bytes(16) + struct.pack("!HH", 54321, 443)


class TestIntroductions:
    """The PROXY header, once it is asked for."""

    @pytest.mark.parametrize(
        ("header", "address"),
        [
            pytest.param(proxy(), "192.0.2.1", id="TCP over IPv4"),
            pytest.param(proxy(kind=0x21, rest=SIX), "2001:db8::7", id="TCP over IPv6"),
            pytest.param(proxy(kind=0x21, rest=MAPPED), "192.0.2.1", id="IPv4 in IPv6's spelling is IPv4"),
            pytest.param(proxy(rest=FOUR + tlv(5, b"x" * 100) + tlv(4, b"")), "192.0.2.1", id="TLVs are skipped"),
            pytest.param(proxy(rest=FOUR + tlv(0x20, b"x" * (LONGEST - 15))), "192.0.2.1", id="as long as it may be"),
            pytest.param(proxy(0x20, 0, b""), "127.0.0.1", id="LOCAL: the front proxy itself"),
            pytest.param(proxy(0x20, 0x11, FOUR), "127.0.0.1", id="LOCAL with addresses, which are not read"),
            pytest.param(proxy(0x20, 0xFF, b"\xff" * 9), "127.0.0.1", id="LOCAL with anything, which is not read"),
        ],
    )
    async def test_whom_it_is_for_is_believed(
        self, tmp_path: Path, upstream: RawUpstream, header: bytes, address: str
    ) -> None:
        """Requests on the connection come from there, whatever segments the header comes in."""
        async with running_node(tmp_path, upstream.port, listen=PROXY) as node:
            for cut in (len(header), 1, 14, len(header) - 1):
                reader, writer = await node.open()
                writer.write(header[:cut])
                await writer.drain()
                await asyncio.sleep(0.01)
                writer.write(header[cut:] + node.request())
                assert parse(await asyncio.wait_for(read_answer(reader), 5))[0] == 200
                assert [known.peer_ip for known in node.node.house.known.values()] == [address]
                writer.transport.abort()
                await nobody_inside(node)

    @pytest.mark.parametrize(
        "header",
        [
            pytest.param(b"", id="none: a request comes first"),
            pytest.param(b"PROXY TCP4 192.0.2.1 127.0.0.1 54321 443\r\n", id="version 1"),
            pytest.param(SIGNATURE[:-1] + b"\r" + proxy()[12:], id="another signature"),
            pytest.param(proxy(0x11), id="version 1 in version 2's form"),
            pytest.param(proxy(0x31), id="version 3"),
            pytest.param(proxy(0x22), id="a command that does not exist"),
            pytest.param(proxy(kind=0x00, rest=b""), id="an address of no family"),
            pytest.param(proxy(kind=0x12), id="UDP"),
            pytest.param(proxy(kind=0x31, rest=bytes(216)), id="a Unix socket"),
            pytest.param(proxy(kind=0x21), id="IPv6 with IPv4's length"),
            pytest.param(proxy(rest=FOUR[:-1]), id="an address cut short"),
            pytest.param(proxy(rest=FOUR + b"\x05"), id="a TLV without a length"),
            pytest.param(proxy(rest=FOUR + b"\x05\x00\x05abcd"), id="a TLV longer than the header"),
            pytest.param(proxy(rest=FOUR + tlv(5, b"abc") + b"\x00\x00"), id="bytes behind the last TLV"),
            pytest.param(proxy(rest=FOUR, length=LONGEST + 1), id="longer than it may be, which is not waited for"),
            pytest.param(proxy(0x20, 0, b"", length=0xFFFF), id="LOCAL, and 64 KB to skip"),
            pytest.param(proxy() + proxy(), id="twice"),
        ],
    )
    async def test_anything_else_is_closed(self, tmp_path: Path, upstream: RawUpstream, header: bytes) -> None:
        """Without a byte in return, and counted; two headers are one, and a request that is none."""
        async with running_node(tmp_path, upstream.port, listen=PROXY) as node:
            answer = await node.send(header + node.request())
            if header == proxy() + proxy():
                assert parse(answer)[0] == 400
            else:
                assert answer == b""
                assert node.metric("paravent_connections_refused_total", cause="introduction") == 1
            assert upstream.requests == []
            await nobody_inside(node)

    async def test_a_header_that_does_not_come_is_not_waited_for(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """It has the time of a head."""
        async with running_node(tmp_path, upstream.port, listen=PROXY, limits=Limits(head_s=0.2)) as node:
            for begun in (b"", proxy()[:20]):
                assert await node.send(begun, wait_s=3) == b""
            await nobody_inside(node)

    async def test_whoever_says_nothing_takes_a_place_and_holds_up_no_drain(
        self, tmp_path: Path, upstream: RawUpstream
    ) -> None:
        """Connections count before their header; when the node stops they are the first to go."""
        async with running_node(tmp_path, upstream.port, listen=PROXY, limits=Limits(connections=2)) as node:
            held = [await node.open() for _ in range(2)]
            held[1][1].write(proxy()[:20])
            assert await node.send(proxy() + node.request()) == b""
            assert node.metric("paravent_connections_refused_total", cause="full") == 1
            started = asyncio.get_running_loop().time()
            node.node.stop()
            for reader, _ in held:
                with contextlib.suppress(ConnectionError):
                    assert await asyncio.wait_for(reader.read(), 5) == b""
            assert asyncio.get_running_loop().time() - started < 5
            for _, writer in held:
                writer.transport.abort()

    async def test_a_stranger_cannot_introduce_anybody(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """The header is read from the networks that are named, and nothing is from others."""
        listen = 'plaintext_from = ["192.0.2.0/24"]\nproxy_protocol = true'
        async with running_node(tmp_path, upstream.port, listen=listen) as node:
            assert await node.send(proxy() + node.request()) == b""
            assert node.metric("paravent_connections_refused_total", cause="plaintext") == 1

    async def test_where_it_is_not_asked_for_it_is_no_request(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """Without proxy_protocol the bytes are refused as the request that they are not."""
        async with running_node(tmp_path, upstream.port) as node:
            assert parse(await node.send(proxy() + node.request()))[0] == 400

    async def test_each_network_has_its_share(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """Connections are counted by whom they are for: one caller cannot take all of the front proxy's."""
        limits = Limits(connections_per_address=2)
        other = proxy(rest=bytes([198, 51, 100, 9]) + FOUR[4:])
        async with running_node(tmp_path, upstream.port, listen=PROXY, limits=limits) as node:
            held = []
            for header in (proxy(), proxy(), other):
                reader, writer = await node.open()
                writer.write(header + node.request())
                assert parse(await asyncio.wait_for(read_answer(reader), 5))[0] == 200
                held.append(writer)
            assert await node.send(proxy() + node.request()) == b""
            assert node.metric("paravent_connections_refused_total", cause="network_full") == 1
            for writer in held:
                writer.transport.abort()
            await nobody_inside(node)
            assert not node.node.house.shares


class TestCertificates:
    """The header Client-Cert."""

    async def test_a_bound_token_is_accepted(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """The certificate that the front proxy tells of is the one that the token names."""
        async with running_node(tmp_path, upstream.port, listen=BOTH) as node:
            caller = node.sandbox.authority.issue("caller", use=CLIENT)
            answer = await node.send(proxy() + node.request(x5t=caller.x5t, extra=client_cert(caller)))
            assert parse(answer)[0] == 200
            assert b"client-cert" not in upstream.requests[0].lower()

    async def test_it_counts_for_one_request(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """The next one on the connection is another caller's: without a header it has no certificate."""
        async with running_node(tmp_path, upstream.port, listen=HEADER) as node:
            caller = node.sandbox.authority.issue("caller", use=CLIENT)
            reader, writer = await node.open()
            for extra, status in ((client_cert(caller), 200), (b"", 401), (client_cert(caller), 200)):
                writer.write(node.request(x5t=caller.x5t, extra=extra))
                assert parse(await asyncio.wait_for(read_answer(reader), 5))[0] == status
            writer.transport.abort()
            assert [record["reason"] for record in node.records()] == [None, "binding_certificate", None]

    @pytest.mark.parametrize("bad", ["expired", "other authority", "for servers", "other caller", "not yet"])
    async def test_a_certificate_that_is_not_good_is_none(
        self, tmp_path: Path, upstream: RawUpstream, bad: str
    ) -> None:
        """Whatever the front proxy thinks of it: the chain, the dates and the purpose are judged here."""
        async with running_node(tmp_path, upstream.port, listen=HEADER) as node:
            ours = node.sandbox.authority
            shown = {
                "expired": lambda: ours.issue("caller", use=CLIENT, until=-1),
                "other authority": lambda: Authority(tmp_path, "other").issue("caller", use=CLIENT),
                "for servers": lambda: ours.issue("caller"),
                "other caller": lambda: ours.issue("caller", use=CLIENT),
                "not yet": lambda: ours.issue("caller", use=CLIENT, since=1),
            }[bad]()
            bound = ours.issue("bound", use=CLIENT) if bad == "other caller" else shown
            answer = await node.send(node.request(x5t=bound.x5t, extra=client_cert(shown)))
            assert parse(answer)[0] == 401
            assert node.records()[-1]["reason"] == "binding_certificate"
            assert upstream.requests == []

    @pytest.mark.parametrize(
        "spoil",
        [
            pytest.param(lambda good: good + good, id="twice"),
            pytest.param(lambda good: good.replace(b": :", b": "), id="no colon before"),
            pytest.param(lambda good: good.replace(b":\r\n", b"\r\n"), id="no colon behind"),
            pytest.param(lambda good: good.replace(b":\r\n", b":;a=1\r\n"), id="a parameter"),
            pytest.param(lambda good: good.replace(b":\r\n", b":, :AAAA:\r\n"), id="a list"),
            pytest.param(lambda good: good.replace(b"M", b" M", 1), id="a blank inside"),
            pytest.param(lambda good: good.replace(b": :", b": :AAAA"), id="bytes before the certificate"),
            pytest.param(lambda good: _with_der(good, lambda it: it + b"\x00"), id="a byte behind the certificate"),
            pytest.param(lambda good: _with_der(good, lambda it: it + it), id="two certificates"),
            pytest.param(lambda good: _with_der(good, lambda it: it[:-1]), id="a certificate cut short"),
            pytest.param(lambda _: b"Client-Cert: ::\r\n", id="nothing"),
            pytest.param(lambda _: b"Client-Cert: \r\n", id="an empty header"),
            pytest.param(lambda _: b"Client-Cert: :" + b"A" * 9000 + b":\r\n", id="longer than any certificate"),
            pytest.param(
                lambda good: good + good.replace(b"Client-Cert", b"Client-Cert-Chain"), id="a chain beside it"
            ),
            pytest.param(lambda good: good.replace(b"Client-Cert", b"client_cert"), id="an underscore"),
        ],
    )
    async def test_what_is_no_certificate_is_no_request(
        self, tmp_path: Path, upstream: RawUpstream, spoil: object
    ) -> None:
        """A Byte Sequence that holds exactly one certificate, or the request is refused."""
        async with running_node(tmp_path, upstream.port, listen=HEADER) as node:
            caller = node.sandbox.authority.issue("caller", use=CLIENT)
            header = spoil(client_cert(caller))  # type: ignore[operator]
            answer = await node.send(node.request(x5t=caller.x5t, extra=header))
            assert parse(answer)[0] == 400
            assert upstream.requests == []

    @pytest.mark.parametrize("listen", [PLAINTEXT, TLS, MTLS], ids=["plaintext", "TLS", "mutual TLS"])
    async def test_elsewhere_the_header_is_forged(self, tmp_path: Path, upstream: RawUpstream, listen: str) -> None:
        """Without client_cert_header it is refused with its request, also beside a good certificate of TLS."""
        async with running_node(tmp_path, upstream.port, listen=listen) as node:
            caller = node.sandbox.authority.issue("caller", use=CLIENT)
            context = None
            if listen is not PLAINTEXT:
                pair = (caller.certificate, caller.key) if listen is MTLS else None
                context = node.sandbox.tls(pair)
            for extra in (client_cert(caller), b"Client-Cert-Chain: :AAAA:\r\n"):
                answer = await node.send(node.request(x5t=caller.x5t, extra=extra), tls=context)
                assert parse(answer)[0] == 400
            assert upstream.requests == []

    async def test_authorities_are_renewed(
        self, tmp_path: Path, upstream: RawUpstream, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A certificate that was good is none once its authority is not named any more, remembered or not."""
        monkeypatch.setattr(listener_tls, "LOOK_S", -1.0)
        async with running_node(tmp_path, upstream.port, listen=HEADER) as node:
            caller = node.sandbox.authority.issue("caller", use=CLIENT)
            for _ in range(2):
                assert parse(await node.send(node.request(x5t=caller.x5t, extra=client_cert(caller))))[0] == 200
            Authority(tmp_path, "authority")
            assert parse(await node.send(node.request(x5t=caller.x5t, extra=client_cert(caller))))[0] == 401


class TestFrontProxiesOverTls:
    """Named by their certificates: nobody else comes in."""

    async def test_the_front_proxy_speaks_for_callers(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """Its own certificate lets it in, and the caller's is in the header."""
        front = Authority(tmp_path, "internal").issue("front", use=CLIENT)
        async with running_node(tmp_path, upstream.port, listen=PINNED) as node:
            caller = node.sandbox.authority.issue("caller", use=CLIENT)
            context = node.sandbox.tls((front.certificate, front.key))
            answer = await node.send(node.request(x5t=caller.x5t, extra=client_cert(caller)), tls=context)
            assert parse(answer)[0] == 200

    @pytest.mark.parametrize(
        "listen",
        [PINNED, TLS + '\nfront_certificates = "front.pem"'],
        ids=["with Client-Cert", "without"],
    )
    async def test_its_own_certificate_is_nobodys_who_asks(
        self, tmp_path: Path, upstream: RawUpstream, listen: str
    ) -> None:
        """A token bound to the front proxy's certificate is refused: the front proxy has no patients."""
        front = Authority(tmp_path, "internal").issue("front", use=CLIENT)
        async with running_node(tmp_path, upstream.port, listen=listen) as node:
            context = node.sandbox.tls((front.certificate, front.key))
            assert parse(await node.send(node.request(x5t=front.x5t), tls=context))[0] == 401

    async def test_one_whose_key_was_stolen_is_revoked_as_anybody(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """By command or by file: nobody comes in through it from then on."""
        front = Authority(tmp_path, "internal").issue("front", use=CLIENT)
        revoked = tmp_path / "revoked.yaml"
        revoked.write_text("")
        more = '[revocation]\nfile = "revoked.yaml"\n'
        async with running_node(tmp_path, upstream.port, listen=PINNED, more=more) as node:
            caller = node.sandbox.authority.issue("caller", use=CLIENT)
            context = node.sandbox.tls((front.certificate, front.key))

            async def status() -> int:
                return parse(await node.send(node.request(x5t=caller.x5t, extra=client_cert(caller)), tls=context))[0]

            assert await status() == 200
            revoked.write_text(f"- certificate: {front.sha256.hex()}\n")
            await until(lambda: node.node.runtime._revocations.entries()["file"] == 1)
            assert await status() == 401
            assert node.records()[-1]["reason"] == "certificate_revoked"

    @pytest.mark.parametrize("who", ["nobody", "a caller", "another of the same authority", "the front, expired"])
    async def test_nobody_else_comes_in(self, tmp_path: Path, upstream: RawUpstream, who: str) -> None:
        """A direct connection around the front proxy gets no answer, whatever certificate it shows."""
        internal = Authority(tmp_path, "internal")
        internal.issue("front", use=CLIENT, until=-1 if "expired" in who else 24)
        expired = Pair(tmp_path / "front.pem", tmp_path / "front.key", b"")
        async with running_node(tmp_path, upstream.port, listen=PINNED) as node:
            pair = {
                "nobody": lambda: None,
                "a caller": lambda: node.sandbox.authority.issue("caller", use=CLIENT),
                "another of the same authority": lambda: internal.issue("sibling", use=CLIENT),
                "the front, expired": lambda: expired,
            }[who]()
            context = node.sandbox.tls((pair.certificate, pair.key) if pair else None)
            try:
                answer = await node.send(node.request(), tls=context)
            except (ssl.SSLError, ConnectionError):
                answer = b""
            assert answer == b""
            assert upstream.requests == []

    async def test_an_authority_in_the_file_names_nobody(
        self, tmp_path: Path, upstream: RawUpstream, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Put there while we run, it lets OpenSSL accept what it signed; the thumbprint is still nobody's."""
        monkeypatch.setattr(listener_tls, "LOOK_S", -1.0)
        internal = Authority(tmp_path, "internal")
        internal.issue("front", use=CLIENT)
        async with running_node(tmp_path, upstream.port, listen=PINNED) as node:
            (tmp_path / "front.pem").write_bytes(internal.certificate.read_bytes())
            sibling = internal.issue("sibling", use=CLIENT)
            try:
                answer = await node.send(node.request(), tls=node.sandbox.tls((sibling.certificate, sibling.key)))
            except (ssl.SSLError, ConnectionError):
                answer = b""
            assert answer == b""
            assert node.metric("paravent_connections_refused_total", cause="stranger") == 1

    async def test_a_new_front_proxy_comes_in_without_a_restart(
        self, tmp_path: Path, upstream: RawUpstream, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its certificate is added to the file; the one that is taken out stays outside."""
        monkeypatch.setattr(listener_tls, "LOOK_S", -1.0)
        internal = Authority(tmp_path, "internal")
        old, new = internal.issue("front", use=CLIENT), internal.issue("new", use=CLIENT)
        async with running_node(tmp_path, upstream.port, listen=PINNED) as node:
            shown = {each: node.sandbox.tls((each.certificate, each.key)) for each in (old, new)}
            (tmp_path / "front.pem").write_bytes(new.certificate.read_bytes())
            assert parse(await node.send(node.request(), tls=shown[new]))[0] == 200
            try:
                answer = await node.send(node.request(), tls=shown[old])
            except (ssl.SSLError, ConnectionError):
                answer = b""
            assert answer == b""

    async def test_a_front_proxy_has_the_whole_house(self, tmp_path: Path, upstream: RawUpstream) -> None:
        """Once it has shown who it is; until then its network has its share of handshakes and no more."""
        front = Authority(tmp_path, "internal").issue("front", use=CLIENT)
        limits = Limits(connections_per_address=2)
        async with running_node(tmp_path, upstream.port, listen=PINNED, limits=limits) as node:
            context = node.sandbox.tls((front.certificate, front.key))
            held = []
            for _ in range(4):
                reader, writer = await node.open(tls=context)
                writer.write(node.request())
                assert parse(await asyncio.wait_for(read_answer(reader), 5))[0] == 200
                held.append(writer)
            assert not node.node.house.shares
            for writer in held:
                writer.transport.abort()


def _with_der(header: bytes, change) -> bytes:  # type: ignore[no-untyped-def]
    raw = base64.b64decode(header.split(b":")[2])
    return b"Client-Cert: :" + base64.b64encode(change(raw)) + b":\r\n"


async def nobody_inside(node: RunningNode) -> None:
    async with asyncio.timeout(5):
        while node.node.house.connections:
            await asyncio.sleep(0.01)
