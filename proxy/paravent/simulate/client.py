"""How it is asked: one keep-alive connection, one question after the other, with or without proof of who asks."""

import io
import socket
import ssl
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import orjson

from paravent.model import Json, Secret
from paravent.sandbox.proofs import DpopKey
from paravent.simulate.answers import Question

PATH: Final = "/v1/droits/consultation"
TIMEOUT_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    retry_after_s: int | None
    body: bytes = field(repr=False)

    def document(self) -> Json:
        """The body as JSON; None when it is not."""
        try:
            document: Json = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None
        return document


@dataclass(frozen=True, slots=True)
class Login:
    """A token and the key it is bound to: all that a session is, and all that a thief of one has."""

    token: Secret[str]
    key: DpopKey

    def headers(self, url: str, now_s: int) -> dict[str, str]:
        """RFC 9449 section 7.1, with a fresh proof."""
        token = self.token.reveal()
        return {"Authorization": f"DPoP {token}", "DPoP": self.key.proof("POST", url, token, now_s)}


class Caller:
    """One client connection to one origin. For one thread.

    HTTP/1.1 with Content-Length on a plain socket: a bot that spends its time in a client library is a slow bot, and
    would make the API look safer than it is.
    """

    def __init__(self, origin: str, tls: ssl.SSLContext | None = None) -> None:
        """`origin`: scheme, host and port. `tls` is required for https."""
        parts = urlsplit(origin)
        self._origin = origin
        self._address = parts.hostname or "localhost", parts.port or 443
        self._tls = tls if parts.scheme == "https" else None
        self._start = f"POST {PATH} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        self._socket: socket.socket | None = None
        self._reader: io.BufferedReader | None = None

    def ask(self, question: Question, care_date: str, login: Login | None, now_s: int) -> Reply:
        """One consultation. Raises OSError when the server cannot be talked to, or speaks another language."""
        body = orjson.dumps(
            {
                "immatriculation": question.nir,
                "dateNaissance": question.birth_date,
                "rangGemellaire": question.birth_rank,
                "dateSoins": care_date,
                "domaine": "PHAR",
            }
        )
        reused = self._socket is not None
        try:
            return self._exchange(body, login, now_s)
        except ConnectionError:
            self.close()
            if not reused:
                raise
            # A server may close an idle connection between two questions (RFC 9112 section 9.3.1): once more, anew.
            return self._exchange(body, login, now_s)

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        for each in (self._reader, self._socket):
            if each is not None:
                each.close()
        self._reader = self._socket = None

    def _exchange(self, body: bytes, login: Login | None, now_s: int) -> Reply:
        sock, reader = self._open()
        head = f"{self._start}Content-Length: {len(body)}\r\n"
        for name, value in (login.headers(self._origin + PATH, now_s) if login is not None else {}).items():
            head += f"{name}: {value}\r\n"
        sock.sendall(f"{head}\r\n".encode("ascii") + body)
        return _read(reader)

    def _open(self) -> tuple[socket.socket, io.BufferedReader]:
        if self._socket is None or self._reader is None:
            sock = socket.create_connection(self._address, timeout=TIMEOUT_S)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = sock if self._tls is None else self._tls.wrap_socket(sock, server_hostname=self._address[0])
            self._reader = self._socket.makefile("rb")
        return self._socket, self._reader

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _read(reader: io.BufferedReader) -> Reply:
    status_line = reader.readline()
    if not status_line.startswith(b"HTTP/1.1 ") or not status_line.endswith(b"\r\n"):
        raise ConnectionResetError("the connection was closed before an answer")
    headers: dict[bytes, bytes] = {}
    while (line := reader.readline().rstrip(b"\r\n")) != b"":
        name, _, value = line.partition(b":")
        headers[name.lower()] = value.strip()
    length = int(headers.get(b"content-length", b"-1"))
    body = reader.read(length) if length >= 0 else b""
    if len(body) != length:
        raise ConnectionResetError("the answer was cut off")
    after = headers.get(b"retry-after", b"")
    return Reply(int(status_line[9:12]), int(after) if after.isdigit() else None, body)
