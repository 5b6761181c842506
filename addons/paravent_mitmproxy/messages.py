"""Flows, requests and answers as mitmproxy's addons know them, made when somebody looks.

mitmproxy checks the type of every member of every message. Where nobody but the guard stands in the chain nobody looks,
and the guard takes what the listener read. As soon as an addon has looked, or set a message of its own, what it sees
and edits is what the guard reads.
"""

import time
import uuid
from dataclasses import dataclass
from functools import cached_property

from mitmproxy import connection, http

from paravent.model import Answer, UpstreamRequest
from paravent.values import Value

type Headers = tuple[tuple[bytes, bytes], ...]


class Sent(Value, frozen=True):
    """The parts of a request that are somebody's choice, but for its body."""

    HIDDEN = frozenset({"target", "headers", "lowered"})

    method: bytes
    target: bytes
    headers: Headers
    lowered: Headers | None = None
    """The same with names in lower case and bare values, where whoever read them has made them already."""

    @property
    def bare(self) -> Headers:
        """Names as sent, values without the blanks around them where they are known."""
        if self.lowered is None:
            return self.headers
        return tuple([(name, value) for (name, _), (_, value) in zip(self.headers, self.lowered, strict=True)])


@dataclass(frozen=True, slots=True)
class Place:
    """Where every request of a listener goes."""

    host: str
    port: int
    scheme: bytes


class LiveFlow(http.HTTPFlow):
    """A flow of ours. mitmproxy's own takes ten times as long to make, for a name that nobody asks for."""

    def __init__(self, client: connection.Client, server: connection.Server) -> None:
        """mitmproxy's own, but for the name."""
        self.client_conn = client
        self.server_conn = server
        self.live = True
        self.timestamp_created = time.time()
        self.intercepted = False
        self.marked = ""
        self.is_replay = None
        self.metadata = {}
        self.comment = ""
        self._resume_event = None
        self._backup = None

    @cached_property
    def id(self) -> str:  # type: ignore[override]
        """Made at the first look."""
        return str(uuid.uuid4())


LiveFlow.type = http.HTTPFlow.type  # mitmproxy derives it from the name of the class


class Request(http.Request):
    """What a client sent; what the upstream is asked, once `show` has been called."""

    def __init__(self, place: Place, sent: Sent) -> None:
        self._place = place
        self._sent = sent
        self._body = b""
        self._seen: http.RequestData | None = None

    @property
    def unseen(self) -> tuple[Sent, bytes] | None:
        """As it was sent, and its body; None when an addon may have edited it."""
        return (self._sent, self._body) if self._seen is None else None

    def complete(self, body: bytes) -> None:
        """Its body has arrived, after the first hook."""
        self._body = body
        if self._seen is not None:
            self._seen.content = body

    def show(self, ours: UpstreamRequest) -> None:
        """The flow shows what goes upstream."""
        self._sent = Sent(ours.method, ours.target, ours.headers)
        self._body = ours.body
        self._seen = None

    @property
    def data(self) -> http.RequestData:  # type: ignore[override]
        """Made at the first look, the addons' own from then on."""
        if self._seen is None:
            now_s, place, sent = time.time(), self._place, self._sent
            self._seen = http.RequestData(
                host=place.host,
                port=place.port,
                method=sent.method,
                scheme=place.scheme,
                authority=b"",
                path=sent.target,
                http_version=b"HTTP/1.1",
                headers=http.Headers(sent.bare),
                content=self._body,
                trailers=http.Headers(),
                timestamp_start=now_s,
                timestamp_end=now_s,
            )
            self._seen.trailers = None  # see `Answered.data`
        return self._seen

    @classmethod
    def from_state(cls, state: dict[str, object]) -> http.Request:  # type: ignore[override]
        """A copy is a request like any other."""
        made: http.Request = http.Request.from_state(state)
        return made


class Answered(http.Response):
    """What the upstream said."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._seen: http.ResponseData | None = None

    @property
    def unseen(self) -> Answer | None:
        """As it came; None when an addon may have edited it."""
        return self._answer if self._seen is None else None

    @property
    def data(self) -> http.ResponseData:  # type: ignore[override]
        """Made at the first look, the addons' own from then on."""
        if self._seen is None:
            now_s, answer = time.time(), self._answer
            self._seen = http.ResponseData(
                http_version=b"HTTP/1.1",
                status_code=answer.status,
                reason=b"",
                headers=http.Headers(answer.headers),
                content=answer.body,
                trailers=http.Headers(),
                timestamp_start=now_s,
                timestamp_end=now_s,
            )
            # Not given to the constructor: mitmproxy checks its types, and a None among them leaves an exception in a
            # cycle with its own frame, and so with all that the message is made of, until the collector comes.
            self._seen.trailers = None
        return self._seen

    @classmethod
    def from_state(cls, state: dict[str, object]) -> http.Response:  # type: ignore[override]
        """A copy is a response like any other."""
        made: http.Response = http.Response.from_state(state)
        return made
