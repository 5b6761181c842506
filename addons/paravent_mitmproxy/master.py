"""The process around a node: sockets first, then the engine, then the event loop, until a signal."""

import asyncio
import contextlib
import errno
import gc
import logging
import os
import signal
import socket
from collections.abc import Coroutine, Sequence
from dataclasses import replace

import click

from paravent.ports import Clock
from paravent.settings import Address, Settings
from paravent.telemetry import logs
from paravent.telemetry.management import Management, listen, listening
from paravent.wiring import Runtime, build, load_rulebook
from paravent_mitmproxy.canary import Proof
from paravent_mitmproxy.descriptors import for_callers
from paravent_mitmproxy.heap import make_fewer_holes
from paravent_mitmproxy.listener.limits import Limits
from paravent_mitmproxy.node import Node, NotServing
from paravent_mitmproxy.options import refuse_key_logging
from paravent_mitmproxy.workers import Place, Sockets, Supervisor, among_others

log = logging.getLogger(logs.OURS)


class AddressTaken(Exception):
    """A port that we were told to listen on is in use, or is not ours to use."""


def run(settings: Settings, clock: Clock | None = None) -> None:
    """Serve until SIGTERM or SIGINT. Raises AddressTaken and InvalidFiles before anything has started."""
    refuse_key_logging(os.environ)
    make_fewer_holes(os.environ)
    logs.install()
    # With several workers, what follows runs in each of them; the parent stays inside, and leaves by SystemExit.
    place = _alone(settings) if settings.listen.workers == 1 else _supervised(settings)
    try:
        runtime = build(settings, clock, place.worker)
        try:
            _run_loop(_serve(settings, runtime, place))
        finally:
            runtime.close()
    finally:
        place.listening.close()


def _alone(settings: Settings) -> Place:
    listening = bind(settings.listen.address, "listen.address")
    try:
        return Place(listening, _management(settings.metrics.address))
    except AddressTaken:
        listening.close()
        raise


def _supervised(settings: Settings) -> Place:
    """The place of a worker. Raises SystemExit in the parent, AddressTaken before anybody is started."""
    revision = load_rulebook(settings).policy.revision
    host, count = settings.listen.address.host, settings.listen.workers
    # The first look is without SO_REUSEPORT, which would share the port with whoever else of this user has it.
    with bind(settings.listen.address, "listen.address") as first:
        address = Address(host, int(first.getsockname()[1]))
    metrics = settings.metrics.address
    shared = _silent(metrics)
    held = [_held(Address(metrics.host, metrics.port and metrics.port + n)) for n in range(1, count + 1)]
    ports = [int(sock.getsockname()[1]) for sock in held]
    sockets = Sockets(
        reserved=(_reusable(address), *held),
        listen=lambda: _reusable(address),
        shared=shared,
        manage=lambda number: listening(_reusable(Address(metrics.host, ports[number - 1]))),
    )
    everybody = Address(metrics.host, int(shared.getsockname()[1]))

    def announce() -> None:
        told = f"policy {revision}, {count} workers, health on http://{everybody}/readyz"
        _say_ready(settings, address.port, told, ports)

    return Supervisor(settings, sockets, announce).run()


async def _serve(settings: Settings, runtime: Runtime, place: Place) -> None:
    def announce(node: Node) -> None:
        if place.worker is None:
            _say_ready(settings, node.port, f"policy {runtime.revision}", [management.address[1]])

    management = manage(place.management, runtime)
    limits = Limits()
    fit = for_callers(limits.connections, settings.upstream.connections)
    if fit < limits.connections:
        log.warning("fewer_connections", extra={"count": fit})
        limits = replace(limits, connections=fit)
    node = Node(settings, runtime, place.listening, management, announce, limits, shared=place.worker is not None)
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, node.stop)
    gc.collect()
    gc.freeze()  # what lives as long as the process need not be walked again
    async with among_others(runtime, place, node.stop):
        await node.run()


def _say_ready(settings: Settings, port: int, what: str, metrics: Sequence[int]) -> None:
    scheme = "https" if settings.listen.certificate else "http"
    where = Address(settings.listen.address.host, port)
    host = settings.metrics.address.host
    scraped = " ".join(f"http://{Address(host, each)}/metrics" for each in metrics)
    click.echo(
        f"paravent: ready on {scheme}://{where} for {settings.listen.external_origin}, {what}, metrics on {scraped}"
    )


def prove(settings: Settings) -> list[Proof]:
    """What the start-up canary shows of a node with these settings, which is stopped when it has sung.

    The node is a whole one: give it a state and a ledger that nobody else uses. Raises AddressTaken and InvalidFiles.
    """
    refuse_key_logging(os.environ)
    place = _alone(settings)
    nodes: list[Node] = []

    async def sing(runtime: Runtime) -> None:
        node = Node(settings, runtime, place.listening, manage(place.management, runtime), Node.stop)
        nodes.append(node)
        with contextlib.suppress(NotServing):
            await node.run()

    try:
        runtime = build(settings)
        try:
            _run_loop(sing(runtime))
        finally:
            runtime.close()
    finally:
        place.listening.close()
    return nodes[0].proofs


def _run_loop(work: Coroutine[None, None, None]) -> None:
    """uvloop where it is installed: a fifth less CPU a request on TLS connections."""
    try:
        import uvloop  # noqa: PLC0415 (optional)
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


def manage(sock: socket.socket, runtime: Runtime) -> Management:
    """The management listener of one process."""
    return Management(sock, runtime.metrics, runtime.readiness, runtime.jwks(), runtime.logout)


def _management(address: Address) -> socket.socket:
    try:
        return listen(address.host, address.port)
    except OSError as failure:
        raise _taken("metrics.address", address, failure) from None


def bind(address: Address, name: str) -> socket.socket:
    """A socket on an address of the configuration. Raises AddressTaken."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((address.host, address.port))
        sock.listen(1)
    except OSError as failure:
        sock.close()
        raise _taken(name, address, failure) from None
    return sock


def _reusable(address: Address) -> socket.socket:
    """Bound where others are too: the kernel deals connections out to those that listen."""
    sock = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((address.host, address.port))
    return sock


def _silent(address: Address) -> socket.socket:
    """Bound where nobody listens, and not listening yet: it refuses connections."""
    sock = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address.host, address.port))
    except OSError as failure:
        sock.close()
        raise _taken("metrics.address", address, failure) from None
    if address.port:
        return sock
    with sock:  # once more by its number: a port that the system chose is given back when listening ends
        chosen = int(sock.getsockname()[1])
    return _silent(Address(address.host, chosen))


def _held(address: Address) -> socket.socket:
    """Of the metrics of a worker: nobody else's, as far as can be seen, and kept for whoever listens there later."""
    with _management(address) as first:
        port = int(first.getsockname()[1])
    try:
        return _reusable(Address(address.host, port))
    except OSError as failure:
        raise _taken("metrics.address", address, failure) from None


def _taken(name: str, address: Address, failure: OSError) -> AddressTaken:
    why = {errno.EADDRINUSE: "is in use", errno.EACCES: "may not be used by this user"}
    reason = why.get(failure.errno or 0, "cannot be listened on")
    return AddressTaken(f"{name}: port {address.port} on {address.host} {reason}")
