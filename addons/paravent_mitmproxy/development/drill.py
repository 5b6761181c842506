"""Proof at load that mitmproxy's layers go through the latch: bytes in, bytes out, no socket.

mitmproxy's layers are generators of commands. The drill plays the world around one connection: it answers their
commands, does to the flow what a broken addon might, and looks at every byte that would have left.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from mitmproxy import connection, http
from mitmproxy.options import Options
from mitmproxy.proxy import commands, context, events
from mitmproxy.proxy.layers.http import HttpLayer, HTTPMode, HttpRequestHook
from mitmproxy.proxy.mode_specs import ProxyMode

from paravent.reasons import Problem
from paravent_mitmproxy import reply
from paravent_mitmproxy.development.latch import ClearedRequest
from paravent_mitmproxy.seal import wire_of

MARK = b"a byte that must not leave"
REQUEST = b"GET / HTTP/1.1\r\nHost: drill\r\n\r\n"
QUESTION = b"GET /asked HTTP/1.1\r\nHost: upstream\r\n\r\n"

type Deed = Callable[[http.HTTPFlow], None]


class LatchOpen(Exception):
    """Something left that we did not build, or nothing could be answered at all."""


def run(options: Options) -> None:
    """Raises LatchOpen with the drill that failed. Takes about a millisecond."""
    withheld, malformed = (
        wire_of(reply.poison(kind), close=True) for kind in (reply.WITHHELD, Problem.MALFORMED_REQUEST)
    )
    expected = [
        ("a response without a seal", REQUEST, _answers, b"", withheld, b""),
        ("bytes that are no request", MARK + b"\r\n\r\n", _nothing, b"", malformed, b""),
        ("a request that nobody cleared", REQUEST, _nothing, b"", withheld, b""),
        ("an upstream that speaks no HTTP", REQUEST, _clears, MARK + b"\r\n\r\n", withheld, QUESTION),
        ("an upstream that switches protocols", REQUEST, _clears, b"HTTP/1.1 101 X\r\n\r\n" + MARK, withheld, QUESTION),
    ]
    for name, sent, deed, answer, to_client, to_server in expected:
        world = _World(options, deed, answer)
        try:
            world.play(sent)
        except Exception as failure:
            raise LatchOpen(f"{name} ({type(failure).__name__})") from None
        if (bytes(world.to_client), bytes(world.to_server)) != (to_client, to_server):
            raise LatchOpen(name)


def _nothing(flow: http.HTTPFlow) -> None:
    pass


def _answers(flow: http.HTTPFlow) -> None:
    flow.response = http.Response.make(200, MARK)


def _clears(flow: http.HTTPFlow) -> None:
    flow.request = ClearedRequest(flow.request, QUESTION)


@dataclass
class _World:
    """One connection, as the layers see it."""

    options: Options
    deed: Deed
    answer: bytes
    to_client: bytearray = field(default_factory=bytearray)
    to_server: bytearray = field(default_factory=bytearray)

    def play(self, sent: bytes) -> None:
        client = connection.Client(peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), timestamp_start=0.0)
        client.proxy_mode = ProxyMode.parse("reverse:http://127.0.0.1:9")
        around = context.Context(client, self.options)
        around.server.address = ("127.0.0.1", 9)
        self._layer = HttpLayer(around, HTTPMode.transparent)
        waiting: list[events.Event] = [events.Start(), events.DataReceived(client, sent)]
        while waiting:
            for command in list(self._layer.handle_event(waiting.pop(0))):
                waiting += self._replies(command, client)

    def _replies(self, command: commands.Command, client: connection.Client) -> list[events.Event]:
        match command:
            case commands.SendData() if command.connection is client:
                self.to_client += command.data
            case commands.SendData():
                self.to_server += command.data
                return [events.DataReceived(command.connection, self.answer)]
            case commands.OpenConnection():
                command.connection.state = connection.ConnectionState.OPEN
                return [events.OpenConnectionCompleted(command, None)]
            case commands.CloseConnection():
                command.connection.state = connection.ConnectionState.CLOSED
            case commands.StartHook():
                if isinstance(command, HttpRequestHook):
                    self.deed(command.flow)
                return [events.HookCompleted(command)]
            case _:
                pass
        return []
