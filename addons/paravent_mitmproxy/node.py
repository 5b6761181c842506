"""One proxy node: a mitmproxy Master built in code, its listener, and the management listener beside it.

No default addons, no script loader, no configuration file: the chain is Frost, Proxyserver, Herald and, last, the
guard. It is asserted before the listener opens.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from typing import Final

from mitmproxy import connection, ctx
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.master import Master

from paravent.settings import Listen, Settings
from paravent.telemetry import logs
from paravent.telemetry.management import Management
from paravent.wiring import Runtime
from paravent_mitmproxy.canary import Canary, Proof
from paravent_mitmproxy.guard import Guard
from paravent_mitmproxy.listener.callers import CallerCertificates
from paravent_mitmproxy.listener.client import ClientConnection
from paravent_mitmproxy.listener.doorway import Doorway
from paravent_mitmproxy.listener.exchange import Exchange
from paravent_mitmproxy.listener.house import Front, House
from paravent_mitmproxy.listener.limits import Limits
from paravent_mitmproxy.listener.patrol import Patrol
from paravent_mitmproxy.listener.refusals import Refusals
from paravent_mitmproxy.listener.server import ParaventInstance
from paravent_mitmproxy.listener.tls import ClientTls, Renewed, ServerTls, thumbprints
from paravent_mitmproxy.listener.upstream import Origin, Upstream
from paravent_mitmproxy.options import Frost, frozen_options

log = logging.getLogger(logs.OURS)

DRAIN_POLL_S: Final = 0.02
LAST_WORDS_S: Final = 1.0
"""For the refusals of requests that outlived the drain to be recorded and written."""


class NotServing(Exception):
    """A node that never answered anybody. The text is a sentence for whoever started it."""


class Node:
    """Built inside a running event loop, run once."""

    def __init__(
        self,
        settings: Settings,
        runtime: Runtime,
        listening: socket.socket,
        management: Management,
        announce: Callable[["Node"], None],
        limits: Limits | None = None,
        *,
        shared: bool = False,
    ) -> None:
        """`listening`: bound, so that a taken port was reported before anything ran. `announce`: when it answers.

        `shared`: other workers listen on the same port.
        """
        self.runtime = runtime
        self.management = management
        self._listening = listening
        self.port = int(listening.getsockname()[1])
        """Where it really listens, also when port 0 was asked for."""
        self._stopping = asyncio.Event()
        self.proofs: list[Proof] = []
        """What the start-up canary tried."""
        self.failure: str | None = None
        """Why it never served."""
        mode = f"paravent@{settings.listen.address.host}:{self.port}"
        self.master = Master(frozen_options(mode))
        origin = _origin(settings)
        self._upstream = Upstream(origin)
        runtime.metrics.watch(
            "paravent_upstream_circuit_open",
            "1 while the upstream has failed so often that it is only probed.",
            lambda: float(self._upstream.breaker.is_open),
        )
        server = connection.Server(address=(origin.host, origin.port))
        server.tls = origin.tls is not None
        exchange = Exchange(self.master.addons, self._upstream, server, runtime.metrics)
        self.house = House(exchange, runtime.engine, runtime.metrics, limits or Limits())
        doorway = ParaventInstance.doorway = self._doorway(settings)
        self.shared = shared
        self._canary = Canary(doorway, settings.listen, self.master.addons, exchange, shared=shared)
        refusals = Refusals(settings.listen.refusals_per_minute)
        self.guard = Guard(runtime.engine, self.house, runtime.metrics, refusals)
        self._proxyserver = Proxyserver()
        frost = Frost(mode, self.master.options)
        self.master.addons.add(frost, self._proxyserver, Herald(self, announce), self.guard)
        frost.check()
        self._assert_chain()

    async def run(self) -> None:
        """Until `stop` has drained it. Whatever ends it, the listeners are closed afterwards.

        Raises NotServing when it never answered.
        """
        loop = asyncio.get_running_loop()
        patrol = Patrol(self.house, loop)
        self.runtime.lively = patrol.lively
        self.management.start()
        patrol.start()
        background = [loop.create_task(self.runtime.watch_policy()), loop.create_task(self._drain())]
        try:
            # Who shares a port is proven through a door of its own, and before the one on that port is there at all.
            if (not self.shared or await self.prove()) and not self._stopping.is_set():
                await self.master.run()
        finally:
            for task in background:
                task.cancel()
            patrol.stop()
            self._upstream.close()
            self.management.close()
        if self.failure is not None:
            raise NotServing(self.failure)

    async def prove(self) -> bool:
        """Let the canary sing. True when all that it tried failed, as it must, and the doors may open."""
        self.proofs = await self._canary.sing()
        self._assert_chain()
        broken = [proof for proof in self.proofs if not proof.holds]
        for proof in broken:
            log.error("canary_failed", extra={"cause": proof.name})
        if broken and not self._stopping.is_set():
            self.failure = f"the start-up canary could not show that {broken[0].sentence}"
            self.stop()
        return not broken

    def stop(self) -> None:
        """Drain and end. The second call ends at once."""
        if self._stopping.is_set():
            self.master.shutdown()
        self._stopping.set()

    async def _drain(self) -> None:
        """Not ready, no new connections, requests in flight finish or get a 503, then the end."""
        await self._stopping.wait()
        self.runtime.listening = False
        house = self.house
        house.draining = True
        for server in list(self._proxyserver.servers):
            with contextlib.suppress(Exception):
                await server.stop()
        log.info("draining", extra={"count": len(house.connections)})
        await self._until_empty(house.limits.drain_s)
        self._to_each(house.busy, ClientConnection.hurry)
        await self._until_empty(LAST_WORDS_S)
        self.master.shutdown()

    async def _until_empty(self, seconds: float) -> None:
        """Nobody is inside, and the books of those who have left are closed; or the time is over."""
        house = self.house
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while house.connections or house.busy:
                    self._to_each(house.connections, ClientConnection.close_if_idle)
                    await asyncio.sleep(DRAIN_POLL_S)

    def _to_each(self, guests: set[ClientConnection], what: Callable[[ClientConnection], None]) -> None:
        """Whoever fails at it holds up neither the others nor the end."""
        for each in list(guests):
            try:
                what(each)
            except Exception:
                self.house.metrics.hook_raised("listener")

    def _doorway(self, settings: Settings) -> Doorway:
        listen = settings.listen
        self.house.front = _front(listen)
        tls = None
        if listen.certificate is not None and listen.key is not None:
            tls = ServerTls(listen.certificate, listen.key, listen.client_ca, listen.front_certificates)
        return Doorway(self._listening, self.house, tls)

    def _assert_chain(self) -> None:
        """The guard is last, and nobody else is there: a later addon could edit, an earlier one could halt."""
        chain = self.master.addons.chain
        names = [type(addon).__name__ for addon in chain]
        if names != ["Frost", "Proxyserver", "Herald", "Guard"] or chain[-1] is not self.guard:
            raise RuntimeError("the chain of addons is not ours")


class Herald:
    """The addon that learns from mitmproxy that its servers have been started."""

    def __init__(self, node: Node, announce: Callable[[Node], None]) -> None:
        self._node = node
        self._announce = announce

    async def running(self) -> None:
        """Called once. mitmproxy would log what is raised here, and go on."""
        try:
            await self._running()
        except Exception:
            log.error("start_failed", exc_info=True)
            self._fail("the node could not be started")

    async def _running(self) -> None:
        if not ctx.master.addons.get("proxyserver").listen_addrs():
            log.error("listener_failed")
            self._fail("mitmproxy could not start the listener")
            return
        if not self._node.shared and not await self._node.prove():
            return
        self._node.runtime.proven = True
        self._node.runtime.listening = True
        log.info("listening", extra={"revision": self._node.runtime.revision})
        self._announce(self._node)

    def _fail(self, why: str) -> None:
        self._node.failure = why
        self._node.stop()


def _front(listen: Listen) -> Front:
    fronts = listen.front_certificates
    return Front(
        networks=listen.plaintext_from if listen.certificate is None else None,
        certificates=Renewed((fronts,), lambda: thumbprints(fronts)) if fronts is not None else None,
        introduces=listen.proxy_protocol,
        callers=CallerCertificates(listen.client_ca) if listen.client_cert_header and listen.client_ca else None,
    )


def _origin(settings: Settings) -> Origin:
    upstream = settings.upstream
    tls = None
    if upstream.tls:
        if upstream.ca is None:
            raise ValueError("settings let an https upstream through without its CA")
        tls = ClientTls(upstream.ca, upstream.client_certificate, upstream.client_key)
    return Origin(
        upstream.host,
        upstream.port,
        tls,
        upstream.timeout_s,
        upstream.connect_timeout_s,
        upstream.first_byte_timeout_s,
        upstream.connections,
    )
