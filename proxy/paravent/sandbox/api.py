"""The reference API as a server: it over-discloses, trusts whoever connects, and counts what it was asked."""

from collections.abc import Callable
from datetime import UTC, datetime

import orjson
from tornado.httputil import HTTPHeaders

from paravent.sandbox import hits, server
from paravent.sandbox.documents_json import Desk
from paravent.sandbox.hits import Hits
from paravent.sandbox.operations import Operations
from paravent.sandbox.population import Population
from paravent.sandbox.replies import JSON, Reply
from paravent.sandbox.routes import answer, caller_of
from paravent.sandbox.server import Handler, Listening

ASSERTION: str = "Paravent-Assertion"
"""Header that says, in a JWT, which practitioner asks. Believed without a check."""


def _local_now() -> datetime:
    return datetime.now(UTC).astimezone()


def handler(people: Population, counted: Hits, now: Callable[[], datetime] = _local_now) -> Handler:
    """The function from a request to its reply. `now` dates the answers."""
    operations = Operations(Desk.of(people), now)

    def handle(method: str, target: str, headers: HTTPHeaders, body: bytes) -> Reply:
        if target == hits.PATH:
            return Reply(200, JSON, orjson.dumps(counted.reading()))
        name, reply = answer(operations, method, target, body, caller_of(headers.get(ASSERTION)))
        counted.count(name, reply.persons)
        return reply

    return handle


def serve(people: Population, listening: Listening, on_ready: Callable[[int], None]) -> None:
    """Serve until SIGTERM or SIGINT; `on_ready` is told the port. Raises `server.PortTaken`."""
    counted = Hits(listening.processes)
    server.run(listening, handler(people, counted), on_ready, counted.settle_in)
