"""The listener as mitmproxy knows servers: a proxy mode and its server instance, registered by subclassing."""

import asyncio
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, override

from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import Layer
from mitmproxy.proxy.mode_servers import AsyncioServerInstance
from mitmproxy.proxy.mode_specs import ProxyMode

from paravent_mitmproxy.listener.doorway import Doorway
from paravent_mitmproxy.listener.gate import Gate

BACKLOG: Final = 1024


@dataclass(frozen=True)
class ParaventMode(ProxyMode):
    """`paravent@HOST:PORT`. mitmproxy derives the name from the class's."""

    @override
    def __post_init__(self) -> None:
        if self.data:
            raise ValueError("the mode takes no data: the upstream is in the configuration")

    @property
    @override
    def description(self) -> str:
        return "strict HTTP/1.1 listener"

    @property
    @override
    def transport_protocol(self) -> Literal["tcp", "udp", "both"]:
        return "tcp"


class ParaventInstance(AsyncioServerInstance[ParaventMode]):
    """Accepts connections for `ClientConnection`. mitmproxy's own layers never see them."""

    doorway: ClassVar[Doorway | None] = None

    @override
    def make_top_layer(self, context: Context) -> Layer:
        raise NotImplementedError("no connection of this listener reaches mitmproxy's layers")

    @override
    async def listen(self, host: str, port: int) -> list[Gate | asyncio.Server]:  # type: ignore[override]
        doorway = ParaventInstance.doorway
        if doorway is None:
            raise RuntimeError("the listener was started before its doorway was set")
        return [await opened(doorway)]


async def opened(doorway: Doorway) -> Gate | asyncio.Server:
    """Listens until it is closed, and its socket with it."""
    if doorway.tls is not None:
        doorway.sock.listen(BACKLOG)
        return Gate(doorway)
    loop = asyncio.get_running_loop()
    return await loop.create_server(doorway.receive, sock=doorway.sock, backlog=BACKLOG)
