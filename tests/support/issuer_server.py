"""A real HTTPS server on loopback that stands for an issuer: its key set, its introspection endpoint.

    with issuer_server(folder, answer) as issuer:        # folder/issuer-ca.pem vouches for it
        issuer.port, issuer.seen                         # every request so far
        answer = lambda request: (200, b"{}")            # may block: each connection has a thread

With `client_ca`, it demands a client certificate from that authority.
"""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from certificates import Authority


@dataclass(frozen=True, slots=True)
class Seen:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    certificate: bytes | None
    """DER of the client's, when it showed one."""


type Answering = Callable[[Seen], tuple[int, bytes]]


@dataclass(slots=True)
class IssuerServer:
    """Where it is, and what it was asked."""

    port: int
    seen: list[Seen] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"https://localhost:{self.port}{path}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Refused handshakes and clients that leave are what some tests are about."""


@contextmanager
def issuer_server(folder: Path, answer: Answering, *, client_ca: Path | None = None) -> Iterator[IssuerServer]:
    pair = Authority(folder, "issuer-ca").issue("issuer")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)

    class Handler(BaseHTTPRequestHandler):
        def setup(self) -> None:
            # Here and not at the listening socket: one caller's handshake must not hold the next one's.
            self.request = context.wrap_socket(self.request, server_side=True)
            super().setup()

        def do_GET(self) -> None:
            self.reply()

        def do_POST(self) -> None:
            self.reply()

        def reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Seen(self.command, self.path, headers, body, self.request.getpeercert(binary_form=True))
            running.seen.append(request)
            status, said = answer(request)
            self.send_response(status)
            if status == 101:  # RFC 9110 section 15.2.2: which one
                self.send_header("Connection", "Upgrade")
                self.send_header("Upgrade", "websocket")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = _Server(("127.0.0.1", 0), Handler)
    running = IssuerServer(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
