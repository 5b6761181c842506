"""What the listening socket leads to. It can be led elsewhere: to the start-up canary's house first, then to ours."""

import asyncio
import socket
from dataclasses import dataclass

from paravent_mitmproxy.listener.client import ClientConnection
from paravent_mitmproxy.listener.house import House
from paravent_mitmproxy.listener.introduction import Introduction
from paravent_mitmproxy.listener.tls import ServerTls


@dataclass(slots=True)
class Doorway:
    """Looked at for every connection that comes in."""

    sock: socket.socket
    """Bound before mitmproxy starts, so that a taken port is reported before anything runs."""
    house: House
    tls: ServerTls | None
    """None: plaintext, from front proxies. Which of the two it is never changes."""

    def receive(self) -> asyncio.Protocol:
        """For one plaintext connection."""
        return Introduction(self.house) if self.house.front.introduces else ClientConnection(self.house)
