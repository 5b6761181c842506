"""The process around a node: sockets first, then the engine, then the event loop, until a signal."""

import asyncio
import errno
import gc
import os
import signal
import socket
from collections.abc import Coroutine

import click

from paravent.ports import Clock
from paravent.settings import Address, Settings
from paravent.telemetry import logs
from paravent.telemetry.management import Management
from paravent.wiring import Runtime, build
from paravent_mitmproxy.node import Node
from paravent_mitmproxy.options import KEY_LOGGING


class AddressTaken(Exception):
    """A port that we were told to listen on is in use, or is not ours to use."""


def run(settings: Settings, clock: Clock | None = None) -> None:
    """Serve until SIGTERM or SIGINT. Raises AddressTaken and InvalidFiles before anything has started."""
    for name in KEY_LOGGING:
        os.environ.pop(name, None)
    logs.install()
    listening = bind(settings.listen.address, "listen.address")
    try:
        runtime = build(settings, clock)
        try:
            management = manage(settings, runtime)
            _run_loop(_serve(settings, runtime, listening, management))
        finally:
            runtime.close()
    finally:
        listening.close()


async def _serve(settings: Settings, runtime: Runtime, listening: socket.socket, management: Management) -> None:
    def announce(node: Node) -> None:
        scheme = "https" if settings.listen.certificate else "http"
        host, port = node.management.address
        where = Address(settings.listen.address.host, node.port)
        click.echo(
            f"paravent: ready on {scheme}://{where} for {settings.listen.external_origin}, "
            f"policy {runtime.revision}, metrics on http://{Address(host, port)}/metrics"
        )

    node = Node(settings, runtime, listening, management, announce)
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, node.stop)
    gc.collect()
    gc.freeze()  # what lives as long as the process need not be walked again
    await node.run()


def _run_loop(work: Coroutine[None, None, None]) -> None:
    """uvloop where it is installed: a fifth less CPU a request on TLS connections."""
    try:
        import uvloop  # noqa: PLC0415 (optional)
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


def manage(settings: Settings, runtime: Runtime) -> Management:
    """The management listener, bound. Raises AddressTaken."""
    address = settings.metrics.address
    try:
        return Management(
            address.host, address.port, runtime.metrics, runtime.readiness, runtime.jwks(), runtime.logout
        )
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


def _taken(name: str, address: Address, failure: OSError) -> AddressTaken:
    why = {errno.EADDRINUSE: "is in use", errno.EACCES: "may not be used by this user"}
    reason = why.get(failure.errno or 0, "cannot be listened on")
    return AddressTaken(f"{name}: port {address.port} on {address.host} {reason}")
