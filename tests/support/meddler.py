"""A mitmproxy script that does what a request's X-Deed header says: before, inside and behind the guard.

Loaded twice by the tests of development mode, as `-s early.py -s guard.py -s late.py`: a deed is done by the copy that
its name begins with.
"""

from pathlib import Path
from typing import Any

from mitmproxy import exceptions, http

from paravent_mitmproxy.guard import Guard
from sweep import OTHER_NIR

SECRET = OTHER_NIR.encode()


class Meddler:
    """Does the deeds of its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if "x-deed" in flow.request.headers:
            flow.metadata["deed"] = flow.request.headers["x-deed"]
        self._do(flow, "requestheaders")

    def request(self, flow: http.HTTPFlow) -> None:
        self._do(flow, "request")

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        self._do(flow, "responseheaders")

    def response(self, flow: http.HTTPFlow) -> None:
        self._do(flow, "response")

    def error(self, flow: http.HTTPFlow) -> None:
        self._do(flow, "error")

    def _do(self, flow: http.HTTPFlow, hook: str) -> None:
        who, _, deed = str(flow.metadata.get("deed", "")).partition(":")
        act, _, where = deed.partition("@")
        if (who, where) == (self.name, hook):
            getattr(self, act)(flow)

    def halt(self, _flow: http.HTTPFlow) -> None:
        raise exceptions.AddonHalt

    def lift(self, flow: http.HTTPFlow) -> None:
        flow.response = None

    def replace(self, flow: http.HTTPFlow) -> None:
        flow.response = http.Response.make(200, SECRET, {"X-Nir": OTHER_NIR})

    def edit(self, flow: http.HTTPFlow) -> None:
        assert flow.response is not None
        flow.response.content = SECRET
        flow.response.headers["X-Nir"] = OTHER_NIR

    def copy(self, flow: http.HTTPFlow) -> None:
        assert flow.response is not None
        flow.response = flow.response.copy()

    def stream(self, flow: http.HTTPFlow) -> None:
        assert flow.response is not None
        flow.response.stream = True

    def stream_up(self, flow: http.HTTPFlow) -> None:
        flow.request.stream = True

    def kill(self, flow: http.HTTPFlow) -> None:
        flow.kill()

    def redirect(self, flow: http.HTTPFlow) -> None:
        flow.request.host, flow.request.port, flow.request.path = "192.0.2.1", 9, "/admin"

    def requestion(self, flow: http.HTTPFlow) -> None:
        flow.request = flow.request.copy()


def _raising(name: str) -> None:
    """Let a body of the guard's hooks raise for a flow that asks for it."""
    real = getattr(Guard, name)

    async def body(self: Guard, flow: http.HTTPFlow, *more: Any) -> Any:
        if flow.metadata.get("deed") == f"guard:{name}":
            raise RuntimeError(OTHER_NIR)
        return await real(self, flow, *more)

    setattr(Guard, name, body)


me = Path(__file__).stem
addons = [Meddler(me)]
if me == "early":
    for each in ("_request", "_response", "_error"):
        _raising(each)
