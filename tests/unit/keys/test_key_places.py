"""Where key sets may come from: files, HTTPS under a pinned authority, plain HTTP on this machine only."""

import contextlib
import ipaddress
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from paravent.keys import places
from paravent.keys.places import KeyFile, KeyUrl, ReadError
from tokens import jwks, signing_key

BODY = jwks(signing_key("ES256", "k1"))


def authority(folder: Path, name: str, address: str = "127.0.0.1") -> Path:
    """A self-signed certificate with its key in one PEM file: its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    file = folder / f"{name}.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(certificate.public_bytes(Encoding.PEM) + secret)
    return file


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/drip":
            self._drip()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(BODY)

    def _drip(self) -> None:
        """A head that never ends, and never pauses long enough for a timeout between two bytes."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"x")
                time.sleep(0.02)

    def log_message(self, *_: object) -> None:
        """Silent."""


class _Server(HTTPServer):
    def handle_error(self, *_: object) -> None:
        """A refused handshake is what some of these tests are about."""


def serve(certificate: Path) -> Iterator[int]:
    server = _Server(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    return authority(tmp_path, "ours")


@pytest.fixture
def port(ours: Path) -> Iterator[int]:
    yield from serve(ours)


def test_a_set_over_https_under_its_authority(ours: Path, port: int) -> None:
    """The pinned authority is enough, and nothing else is consulted."""
    url = KeyUrl(f"https://127.0.0.1:{port}/jwks?v=1", ours)
    assert url.problem() is None
    assert url.read() == BODY


def test_an_answer_that_comes_byte_by_byte_is_given_up(ours: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole answer has a deadline, its head included: it does not hold the thread of its issuer for days."""
    monkeypatch.setattr(places, "TIMEOUT_S", 0.5)
    started_s = time.monotonic()
    with pytest.raises(ReadError):
        KeyUrl(f"https://127.0.0.1:{port}/drip", ours).read()
    assert time.monotonic() - started_s < 5


def test_another_authority_is_refused(tmp_path: Path, port: int) -> None:
    """Threat row 52: a certificate that any other authority signed is no certificate."""
    with pytest.raises(ReadError):
        KeyUrl(f"https://127.0.0.1:{port}/jwks", authority(tmp_path, "theirs")).read()


def test_a_certificate_of_another_host_is_refused(tmp_path: Path) -> None:
    """The name is checked, pinned authority or not."""
    elsewhere = authority(tmp_path, "elsewhere", "192.0.2.1")
    for port in serve(elsewhere):
        with pytest.raises(ReadError):
            KeyUrl(f"https://127.0.0.1:{port}/jwks", elsewhere).read()


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("http://127.0.0.1:9710/jwks", True),
        ("http://localhost/jwks", True),
        ("http://[::1]:9710/jwks", True),
        ("http://as.example/jwks", False),
        ("http://127.0.0.1.evil.example/jwks", False),
        ("http://127.0.0.1@evil.example/jwks", False),
        ("http://localhost:0x50/jwks", False),
        ("https://as.example/jwks", False),
        ("http://user:word@127.0.0.1/jwks", False),
        ("ftp://127.0.0.1/jwks", False),
        ("file:///etc/passwd", False),
        ("https:///jwks", False),
        ("http://[::1/jwks", False),
        ("http://127.0.0.1/jwks#k1", False),
    ],
)
def test_addresses(url: str, fine: bool) -> None:
    """HTTPS needs its authority; plain HTTP is for loopback; every other address is refused, and never fetched."""
    assert (KeyUrl(url).problem() is None) is fine
    if not fine:
        with pytest.raises(ReadError):
            KeyUrl(url).read()


@pytest.mark.parametrize("content", [b"", b"not a certificate", None])
def test_an_authority_file_that_is_none(tmp_path: Path, content: bytes | None) -> None:
    """An absent or foreign `ca` file is a sentence, not a fall back to the machine's own authorities."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    assert KeyUrl("https://as.example/jwks", file).problem() is not None


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    """A file that grew without end is not read without end; a folder is no file."""
    file = tmp_path / "jwks.json"
    file.write_bytes(b" " * 1_000_000)
    assert len(KeyFile(file).read()) == 256 * 1024 + 1
    with pytest.raises(ReadError):
        KeyFile(tmp_path).read()
