"""Where TLS connections come in: accepted, counted, then led through their handshake.

An `asyncio.Server` calls us after the handshake only, and holds as many unfinished ones as there are file descriptors.
Here the caps are applied to the bare TCP connection; one over them is closed unread. Plaintext connections need none of
this: the loop's own server hands them over at once, for half the CPU.
"""

import asyncio
import contextlib
import socket
from typing import Final

from paravent_mitmproxy.listener.client import ClientConnection
from paravent_mitmproxy.listener.doorway import Doorway
from paravent_mitmproxy.listener.house import House
from paravent_mitmproxy.listener.tls import ServerTls

BURST: Final = 32
"""Connections accepted in one turn of the loop; asyncio's own server takes up to its backlog."""
BREATH_S: Final = 0.1
"""After an accept that failed, most likely for want of file descriptors. asyncio's own server waits 1 s."""
GOODBYE_S: Final = 3.0
"""For a TLS client to answer our close_notify. asyncio's default is 30 s."""
WAITING_BYTES: Final = 8 * 1024
"""May wait in the kernel to be read; Linux allows twice that, for what it keeps beside them. Whatever waits is taken in
one turn of the loop, and TLS 1.3 has messages that are nobody's request and cost 20 µs for 27 bytes (RFC 8446 section
4.6.3): eight megabytes of them, which may wait else, held everybody up for six seconds. A question has under 4 KB."""


class Gate:
    """Accepts on a listening socket until `close`. An `asyncio.Server` as far as mitmproxy looks."""

    def __init__(self, doorway: Doorway) -> None:
        sock = doorway.sock
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WAITING_BYTES)  # accepted ones have it from here
        self.sockets: tuple[socket.socket, ...] = (sock,)
        self._sock = sock
        self._doorway = doorway
        self._entering: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._resting: asyncio.TimerHandle | None = None
        self._watch()

    def close(self) -> None:
        """Take no more. Connections that are inside, or at their handshake, go on."""
        if not self.sockets:
            return
        self.sockets = ()
        self._rest_no_more()
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def _watch(self) -> None:
        self._rest()  # should what follows fail
        self._loop.add_reader(self._sock.fileno(), self._accept)
        self._rest_no_more()

    def _rest(self) -> None:
        """Look again in a moment."""
        self._resting = self._loop.call_later(BREATH_S, self._watch)

    def _rest_no_more(self) -> None:
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None

    def _accept(self) -> None:
        """Called when somebody waits."""
        for _ in range(BURST):
            try:
                guest, peer = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue  # the client left before it was its turn
            except OSError:
                # Somebody still waits, and the loop would call again at once. Never without a moment to come back at.
                self._rest()
                self._loop.remove_reader(self._sock.fileno())
                self._doorway.house.metrics.connection_refused("full")
                return
            self._admit(guest, peer)

    def _admit(self, sock: socket.socket, peer: tuple[str, int]) -> None:
        house, tls = self._doorway.house, self._doorway.tls
        guest = ClientConnection(house)
        try:
            if tls is None or not guest.knock(peer):
                sock.close()
                return
            entering = self._loop.create_task(self._lead_in(sock, guest, house, tls))
        except Exception:
            # Nobody leads it in, and nobody would lead it out.
            sock.close()
            house.leave(guest)
            house.metrics.hook_raised("listener")
            return
        if not entering.done():  # mitmproxy's tasks are eager
            guest.entering = entering
            entering.add_done_callback(self._entering.discard)
            self._entering.add(entering)

    async def _lead_in(self, sock: socket.socket, guest: ClientConnection, house: House, tls: ServerTls) -> None:
        """The handshake. From `connection_made` on the connection looks after itself."""
        try:
            await self._loop.connect_accepted_socket(
                lambda: guest,
                sock,
                ssl=tls.current(),
                ssl_handshake_timeout=house.limits.handshake_s,
                ssl_shutdown_timeout=GOODBYE_S,
            )
        except BaseException as failure:
            # No handshake: plain HTTP, a certificate that is none of ours, silence. Nothing of it is worth a line.
            house.leave(guest)
            with contextlib.suppress(OSError):
                sock.close()
            if not isinstance(failure, OSError | asyncio.CancelledError):
                house.metrics.hook_raised("listener")
