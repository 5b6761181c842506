"""The latch: mitmproxy's HTTP/1 layers, able to write nothing but what we built.

mitmproxy's layers write to a client what a flow's response holds, a page of their own with whatever went wrong in it,
or, after a 101, the upstream's bytes as they come. Each of these is a `SendData` command of the layer. The classes here
let a command pass only when they made it themselves:

    to a client      the bytes of a sealed response, or a constant; then the connection closes
    to the upstream  the bytes of a request that the guard cleared

They take the place of six names in `mitmproxy.proxy.layers.http`, which is no interface of mitmproxy's: `install`
refuses when one has moved, and `drill` then proves that the layers really use ours.
"""

from typing import Final, cast, override

from mitmproxy import http
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layers import http as layers
from mitmproxy.proxy.layers.http import (
    ErrorCode,
    Http1Client,
    Http1Server,
    HttpEvent,
    ReceiveHttp,
    RequestEndOfMessage,
    RequestHeaders,
    RequestProtocolError,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
)

from paravent.reasons import Problem
from paravent_mitmproxy import reply
from paravent_mitmproxy.seal import wire_of

type Commands = layer.CommandGenerator[None]


class Moved(Exception):
    """This mitmproxy has no such name any more: the latch cannot be put in its place."""


class Cleared(commands.SendData):
    """Bytes that may be sent. Made in this file only."""


class ClearedRequest(http.Request):
    """The question that the guard let through, with its bytes.

    What mitmproxy's addons and layers read, the host to connect to among it, is made afresh at each look: an edit
    changes nothing of what is sent, nor where.
    """

    def __init__(self, shown: http.Request, wire: bytes) -> None:
        self._shown = shown.get_state()
        self.wire: Final = wire

    @property
    def data(self) -> http.RequestData:  # type: ignore[override]
        """A copy for whoever looks."""
        return self.from_state(self._shown).data

    @classmethod
    @override
    def from_state(cls, state: dict[str, object]) -> http.Request:  # type: ignore[override]
        """A copy is a request like any other: what was cleared is not copied."""
        return cast("http.Request", http.Request.from_state(state))


class LatchedServer(Http1Server):
    """Towards clients. One request a connection: nothing behind it is ever read as a second one."""

    _over = False

    @override
    def _handle_event(self, event: events.Event) -> Commands:
        try:
            for command in super()._handle_event(event):
                if isinstance(command, commands.SendData) and type(command) is not Cleared:
                    # The one place left where mitmproxy writes by itself: its page about a head that it cannot read.
                    yield from self._refuse(Problem.MALFORMED_REQUEST)
                else:
                    yield command
        except Exception:
            yield from self._refuse(Problem.MALFORMED_REQUEST)

    @override
    def send(self, event: HttpEvent) -> Commands:
        if isinstance(event, ResponseHeaders):
            yield from self._answer(event.response)
        elif isinstance(event, ResponseEndOfMessage):
            yield from self._end()
        elif isinstance(event, ResponseProtocolError):
            status = event.code.http_status_code()
            yield from self._refuse(
                Problem.MALFORMED_REQUEST if status is not None and status < 500 else reply.WITHHELD
            )
        # Anything else is a body, trailers or a tunnel: the sealed bytes hold the only body there is.

    def _answer(self, response: http.Response) -> Commands:
        head = self.request is not None and self.request.data.method == b"HEAD"
        wire = wire_of(response, close=True, body=not head)
        if wire is None:
            yield from self._refuse(reply.WITHHELD)
        elif not self._over:
            self.response = response
            yield Cleared(self.conn, wire)

    def _refuse(self, problem: Problem) -> Commands:
        """A constant, unless an answer has begun; and the end."""
        wire = wire_of(reply.poison(problem), close=True)
        if wire is not None and self.response is None and not self._over:
            yield Cleared(self.conn, wire)
        yield from self._end()

    def _end(self) -> Commands:
        if not self._over:
            self._over = True
            self.state = self.done
            yield commands.CloseConnection(self.conn)


class LatchedClient(Http1Client):
    """Towards the upstream."""

    _over = False

    @override
    def _handle_event(self, event: events.Event) -> Commands:
        try:
            for command in super()._handle_event(event):
                if isinstance(command, commands.SendData) and type(command) is not Cleared:
                    yield from self._give_up()
                else:
                    yield command
        except Exception:
            yield from self._give_up()

    @override
    def send(self, event: HttpEvent) -> Commands:
        if isinstance(event, RequestProtocolError):
            yield commands.CloseConnection(self.conn)
        elif isinstance(event, RequestHeaders):
            self.stream_id = event.stream_id
            self.request = event.request
            if type(event.request) is ClearedRequest:
                yield Cleared(self.conn, event.request.wire)
            else:
                yield from self._give_up()
        elif isinstance(event, RequestEndOfMessage) and not self._over:
            yield from self.mark_done(request=True)

    def _give_up(self) -> Commands:
        if self._over:
            return
        self._over = True
        self.state = self.done
        yield commands.CloseConnection(self.conn)
        if self.stream_id is not None:
            yield ReceiveHttp(ResponseProtocolError(self.stream_id, "refused", ErrorCode.GENERIC_SERVER_ERROR))


LATCHES: Final[dict[str, type[layer.Layer]]] = {
    "Http1Server": LatchedServer,
    "Http2Server": LatchedServer,
    "Http3Server": LatchedServer,
    "Http1Client": LatchedClient,
    "Http2Client": LatchedClient,
    "Http3Client": LatchedClient,
}
"""Name in `mitmproxy.proxy.layers.http` → ours. Whatever was negotiated, what is spoken is HTTP/1 behind the latch."""


def install() -> None:
    """Put the latch in. Raises Moved, and has changed nothing then. A second time does nothing."""
    for name, ours in LATCHES.items():
        theirs = getattr(layers, name, None)
        if theirs is not ours and not (isinstance(theirs, type) and issubclass(theirs, layer.Layer)):
            raise Moved(f"mitmproxy.proxy.layers.http has no {name}")
    for name, ours in LATCHES.items():
        setattr(layers, name, ours)


def installed() -> bool:
    """Is every name ours?"""
    return all(getattr(layers, name, None) is ours for name, ours in LATCHES.items())
