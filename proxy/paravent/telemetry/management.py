"""The management listener: metrics, health, readiness and our public key. Its own port, its own threads.

And where issuers report logouts (OpenID Connect Back-Channel Logout 1.0). Never a path of the proxied port, so that no
caller can reach it; and off the event loop, so that a slow scrape cannot delay a practitioner.
"""

import json
import logging
import re
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Final, override

from prometheus_client.exposition import CONTENT_TYPE_LATEST

from paravent.telemetry.logs import OURS
from paravent.telemetry.metrics import Metrics

type Readiness = Callable[[], Mapping[str, bool]]
"""What must be well for requests to be answered, by name: "policy", "keys.<issuer>", "audit", "state", "listener",
"canary"."""

type Logout = Callable[[bytes], int]
"""The body of a report of a logout → the status to answer it with: 200, 400 or 503."""

LOGOUT_PATH: Final = "/backchannel-logout"

MAX_FORM_BYTES: Final = 3 * 8192
"""A token of 8 KB, each of its characters escaped."""

ALWAYS: Final = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)
"""As with the answers of the proxied port: an operator's browser is one, too."""

_LENGTH: Final = re.compile("[0-9]{1,5}")
_REFUSED_LOGOUT: Final = b'{"error": "invalid_request"}\n'
"""Back-Channel Logout 1.0 section 2.8, with the one word that it names."""

TOLERATED: Final = frozenset({"policy"})
"""A broken edit of the policy leaves the last good one in force on every node at once. A load balancer that then took
them all out would turn a slip of the pen into an outage; the body, a metric and an alert say what is wrong."""

log = logging.getLogger(OURS)


class Management:
    """Serves on a socket address until `close`."""

    def __init__(
        self,
        sock: socket.socket,
        metrics: Metrics | None,
        readiness: Readiness,
        jwks: object,
        logout: Logout,
        ready: Callable[[Mapping[str, bool]], bool] | None = None,
        between: Callable[[], None] | None = None,
    ) -> None:
        """`sock`: from `listen`. `metrics`: None where none are shown. `ready`: how checks are summed up. `between`: is
        called again and again by whoever takes calls, for as long as they are taken."""
        summed_up = ready or is_ready
        public_key = json.dumps(jwks).encode()

        class Handler(_Answers):
            def do_GET(self) -> None:
                match self.path:
                    case "/metrics" if metrics is not None:
                        self._send(200, CONTENT_TYPE_LATEST, metrics.exposition())
                    case "/healthz":
                        self._send(200, "text/plain; charset=utf-8", b"ok\n")
                    case "/readyz":
                        checks = _asked(readiness)
                        body = json.dumps({"ready": summed_up(checks), "checks": dict(checks)}).encode()
                        self._send(200 if summed_up(checks) else 503, "application/json", body + b"\n")
                    case "/jwks.json":
                        self._send(200, "application/jwk-set+json", public_key)
                    case _:
                        self._send(404, "text/plain; charset=utf-8", b"not found\n")

            def do_POST(self) -> None:
                if self.path != LOGOUT_PATH:
                    self._send(404, "text/plain; charset=utf-8", b"not found\n")
                    return
                length = self.headers.get("Content-Length", "")
                typed = self.headers.get_content_type() == "application/x-www-form-urlencoded"
                if not typed or _LENGTH.fullmatch(length) is None or int(length) > MAX_FORM_BYTES:
                    self.close_connection = True
                    self._send(400, "application/json", _REFUSED_LOGOUT)
                    return
                status = _told(logout, self.rfile.read(int(length)))
                self._send(status, "application/json", _REFUSED_LOGOUT if status == 400 else b"{}\n")

        self._server = _Server(sock, Handler, between)
        self._thread = Thread(target=self._server.serve_forever, args=(POLL_S,), name="management", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Where it really listens, also when port 0 was asked for."""
        host, port = self._server.server_address[:2]
        return str(host), port

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


POLL_S = 0.1
"""How long `close` may have to wait. socketserver's default is half a second."""

CONNECTIONS: Final = 64
"""At a time, each with a thread. A Prometheus, its spare, two probes and a person need five."""

LONGEST_S: Final = 10.0
"""From a connection's beginning to its end. Prometheus gives up after 10 s; a client that drips bytes must not keep
its place for ever."""


class _Answers(BaseHTTPRequestHandler):
    timeout = 10  # a client that sends nothing holds one thread, for ten seconds
    server_version = "paravent"
    sys_version = ""
    # The standard page repeats what the client sent.
    error_message_format = "refused\n"
    error_content_type = "text/plain; charset=utf-8"

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """The standard message repeats it too, in the status line."""
        super().send_error(code)

    @override
    def end_headers(self) -> None:
        """Also of what the standard library refuses by itself."""
        for name, value in ALWAYS:
            self.send_header(name, value)
        super().end_headers()

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Scrapes are not news, and a path is not ours to log."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self, sock: socket.socket, handler: type[BaseHTTPRequestHandler], between: Callable[[], None] | None
    ) -> None:
        self._between = between
        self._since_s: dict[socket.socket, float] = {}
        self._lock = Lock()
        address = sock.getsockname()
        super().__init__(address, handler, bind_and_activate=False)
        self.socket.close()
        self.socket = sock
        self.server_address = address

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            full = len(self._since_s) >= CONNECTIONS
            if not full:
                self._since_s[request] = time.monotonic()
        if full:
            super().shutdown_request(request)
            return
        super().process_request(request, client_address)

    @override
    def shutdown_request(self, request: Any) -> None:
        """The end of every request, whatever became of it."""
        with self._lock:
            self._since_s.pop(request, None)
        super().shutdown_request(request)

    @override
    def service_actions(self) -> None:
        """Called between two polls: whose time is up reads an end and goes."""
        if self._between is not None:
            self._between()
        end_s = time.monotonic() - LONGEST_S
        with self._lock:
            late = [request for request, since_s in self._since_s.items() if since_s < end_s]
        for request in late:
            with suppress(OSError):  # it has just ended by itself
                request.shutdown(socket.SHUT_RDWR)

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """In place of a traceback on standard error, which would go past our log and its rules."""
        log.warning("management_request_failed", exc_info=True)


def listen(host: str, port: int) -> socket.socket:
    """A socket to serve on. Raises OSError when the address is taken."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        return listening(sock)
    except OSError:
        sock.close()
        raise


def listening(sock: socket.socket) -> socket.socket:
    """A bound socket, to serve on. It does not block: processes may share it."""
    sock.listen(CONNECTIONS)
    sock.setblocking(False)
    return sock


def is_ready(checks: Mapping[str, bool]) -> bool:
    """Are requests answered? A check in `TOLERATED` may fail meanwhile, and is shown to have failed."""
    return all(well for name, well in checks.items() if name not in TOLERATED)


def _told(logout: Logout, form: bytes) -> int:
    """A bug answers 503: the issuer tries again, and the log says why."""
    try:
        return logout(form)
    except Exception:
        log.exception("logout_failed")
        return 503


def _asked(readiness: Readiness) -> Mapping[str, bool]:
    """What cannot be asked is not ready."""
    try:
        return readiness()
    except Exception:
        log.exception("readiness_failed")
        return {"readiness": False}
