"""Where connections come in: accepted, counted, led through TLS.

An `asyncio.Server` would call us after the handshake only, and hold as many unfinished handshakes as there are file
descriptors. Here the caps are applied to the bare TCP connection; one over them is closed unread.
"""

import asyncio
import contextlib
import socket
from typing import Final

from paravent_mitmproxy.listener.client import ClientConnection
from paravent_mitmproxy.listener.house import House, plain_address
from paravent_mitmproxy.listener.tls import ServerTls

BACKLOG: Final = 1024
BURST: Final = 32
"""Connections accepted in one turn of the loop; asyncio's own server takes up to its backlog."""
BREATH_S: Final = 0.1
"""After an accept that failed: no file descriptor is left, or the socket has gone."""
GOODBYE_S: Final = 3.0
"""For a TLS client to answer our close_notify. asyncio's default is 30 s."""


class Gate:
    """Accepts on a bound socket until `close`. Looks like an `asyncio.Server` as far as mitmproxy looks."""

    def __init__(self, sock: socket.socket, house: House, tls: ServerTls | None) -> None:
        sock.listen(BACKLOG)
        sock.setblocking(False)
        self.sockets: tuple[socket.socket, ...] = (sock,)
        self._house = house
        self._tls = tls
        self._entering: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.get_running_loop().create_task(self._accept(sock))

    def close(self) -> None:
        """Take no more. Connections that are inside, or at their handshake, go on."""
        self._accepting.cancel()
        for sock in self.sockets:
            sock.close()
        self.sockets = ()

    async def _accept(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        taken = 0
        while True:
            try:
                guest, peer = await loop.sock_accept(sock)
                self._admit(guest, peer)
            except ConnectionAbortedError:
                continue  # the client left before it was its turn
            except OSError:
                self._house.metrics.connection_refused("full")
                await asyncio.sleep(BREATH_S)
            except Exception:
                # Whatever one connection did, the next one is let in.
                self._house.metrics.hook_raised("listener")
            taken += 1
            if taken % BURST == 0:
                await asyncio.sleep(0)

    def _admit(self, sock: socket.socket, peer: tuple[str, int]) -> None:
        house = self._house
        address = plain_address(peer[0])
        cause = house.refusal(address)
        if cause is not None:
            house.metrics.connection_refused(cause)
            sock.close()
            return
        guest = ClientConnection(house, address, peer[1])
        house.enter(guest)
        entering = asyncio.get_running_loop().create_task(self._lead_in(sock, guest))
        self._entering.add(entering)
        entering.add_done_callback(self._entering.discard)

    async def _lead_in(self, sock: socket.socket, guest: ClientConnection) -> None:
        """TLS, where it ends here. From `connection_made` on the connection looks after itself."""
        limits = self._house.limits
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: guest,
                sock,
                ssl=self._tls.context() if self._tls else None,
                ssl_handshake_timeout=limits.handshake_s if self._tls else None,
                ssl_shutdown_timeout=GOODBYE_S if self._tls else None,
            )
        except BaseException as failure:
            # No handshake: plain HTTP, a certificate that is none of ours, silence. Nothing of it is worth a line.
            self._house.leave(guest)
            with contextlib.suppress(OSError):
                sock.close()
            if not isinstance(failure, OSError | asyncio.CancelledError):
                self._house.metrics.hook_raised("listener")
