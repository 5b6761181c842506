"""Several workers on one port: a parent that starts them, brings back the dead, and passes signals on.

    parent    binds everything, forks, waits; serves nothing, holds nothing of a request
    worker n  a node as it would run alone: its own listening socket (SO_REUSEPORT), writer n of the ledger, the one
              state file, and the management port of `metrics.address` plus n

The kernel spreads connections over the workers. On `metrics.address` itself whichever worker is free tells of all of
them; while there is none, it refuses. A worker lives in a process group of its own, so that a Ctrl-C reaches it through
the parent, once; when the parent is gone it drains as after SIGTERM.
"""

import asyncio
import logging
import mmap
import os
import signal
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from paravent.settings import Settings
from paravent.telemetry import logs
from paravent.telemetry.management import Management, is_ready, listening
from paravent.wiring import Runtime

BACK_OFF_S: Final = 0.1
"""Before a worker that ended is started again; systemd's RestartSec is the same. Doubled each time it ends soon."""
BACK_OFF_MAX_S: Final = 30.0
STEADY_S: Final = 60.0
"""A worker that lived as long did not end for how it was started."""

TELL_S: Final = 0.2
"""How often a worker says whether it is ready. The one that is asked knows of itself at once."""

SILENCE_S: Final = 2.0

_MOMENT: Final = struct.Struct("=d")
_SIGNALS: Final = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
_LOOK_S: Final = 0.05
"""How often, until all have been ready once."""
_REST_S: Final = 1.0
"""How often it looks whether anybody still takes calls: late by as much, whoever asks while all hang is told."""

log = logging.getLogger(logs.OURS)


class Board:
    """Which workers are ready, and which of them take calls on the shared address, in memory that all of them share.

    When each last said so, on the machine's own clock: who has not for a while does not any more, it hangs.
    """

    def __init__(self, workers: int) -> None:
        self._ready = mmap.mmap(-1, workers * _MOMENT.size)
        self._telling = mmap.mmap(-1, workers * _MOMENT.size)

    def tells(self, number: int, does: bool) -> None:
        _say(self._telling, number, does)

    def anybody_tells(self) -> bool:
        return any(_lately(self._telling))

    def set(self, number: int, ready: bool) -> None:
        _say(self._ready, number, ready)

    def ready(self) -> Mapping[str, bool]:
        """By name, as a readiness page shows them."""
        return {f"worker.{number}": ready for number, ready in enumerate(_lately(self._ready), 1)}


def _say(moments: mmap.mmap, number: int, it_is: bool) -> None:
    _MOMENT.pack_into(moments, (number - 1) * _MOMENT.size, time.monotonic() if it_is else 0.0)


def _lately(moments: mmap.mmap) -> list[bool]:
    since_s = time.monotonic() - SILENCE_S
    return [0.0 < moment > since_s for (moment,) in _MOMENT.iter_unpack(moments[:])]


@dataclass(frozen=True, slots=True)
class Place:
    """What one process serves with."""

    listening: socket.socket
    management: socket.socket
    worker: int | None = None
    """From 1; None: it is alone."""
    board: Board | None = None
    shared: socket.socket | None = None
    """Where whoever is free tells of all. The first worker that can tell listens on it, for everybody."""
    parent: int | None = None
    """A pipe that ends with the parent."""


@dataclass(frozen=True, slots=True)
class Sockets:
    """Bound by the parent, before anybody is started."""

    reserved: tuple[socket.socket, ...]
    """Hold the port, and those of the workers' metrics, and never listen: no connection comes to them."""
    listen: Callable[[], socket.socket]
    """One more on the same port, for a worker."""
    shared: socket.socket
    """Bound, and silent until a worker listens on it."""
    manage: Callable[[int], socket.socket]
    """One for the metrics of a worker, on the port that is held for it. Listens, and ends with the process that made
    it: were it the parent's, the port of a worker that died would still take calls, and answer none."""


@dataclass(slots=True)
class _Worker:
    number: int
    pid: int | None = None
    started_s: float = 0.0
    due_s: float = 0.0
    back_off_s: float = 0.0
    """What the last start had to wait for."""


def back_off_s(last_s: float, lived_s: float) -> float:
    """How long to wait before a worker that ended is started again. `last_s`: before it was started, 0 at first."""
    return BACK_OFF_S if lived_s >= STEADY_S else min(max(last_s * 2, BACK_OFF_S), BACK_OFF_MAX_S)


class Supervisor:
    """The parent."""

    def __init__(self, settings: Settings, sockets: Sockets, announce: Callable[[], None]) -> None:
        """`announce`: when all workers have been ready for the first time."""
        count = settings.listen.workers
        self._sockets = sockets
        self._announce = announce
        self._announced = False
        self._stopping = False
        self._exit = 0
        self._board = Board(count)
        self._workers = [_Worker(number) for number in range(1, count + 1)]
        self._alive_r, self._alive_w = os.pipe()

    def run(self) -> Place:
        """In a worker: its place. In the parent: SystemExit, when all have ended."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        while True:
            for worker in self._due():
                place = self._fork(worker)
                if place is not None:
                    signal.pthread_sigmask(signal.SIG_SETMASK, before)
                    return place
            if not self._announced and all(self._board.ready().values()):
                self._announced = True
                self._announce()
            self._wait()
            self._tell_callers()
            if self._stopping and all(worker.pid is None for worker in self._workers):
                raise SystemExit(self._exit)

    def _due(self) -> list[_Worker]:
        """Who is to be started now. The first alone at first: what is wrong is wrong for all, and said once."""
        if self._stopping:
            return []
        begun = self._announced or self._board.ready()["worker.1"]
        now_s = time.monotonic()
        return [
            worker for worker in self._workers[: None if begun else 1] if worker.pid is None and worker.due_s <= now_s
        ]

    def _fork(self, worker: _Worker) -> Place | None:
        worker.started_s = time.monotonic()
        try:
            pid = os.fork()
        except OSError:
            # No memory for it, or too many processes: maybe what ended the one before. The others must not end with us.
            self._ended(worker, 1)
            return None
        if pid:
            worker.pid = pid
            return None
        os.setpgid(0, 0)
        os.close(self._alive_w)
        sockets = self._sockets
        place = Place(
            listening=sockets.listen(),
            management=sockets.manage(worker.number),
            worker=worker.number,
            board=self._board,
            shared=sockets.shared,
            parent=self._alive_r,
        )
        for each in sockets.reserved:
            each.close()
        return place

    def _wait(self) -> None:
        """Until a signal, or until somebody is due."""
        info = signal.sigtimedwait(_SIGNALS, self._rest_s())
        if info is not None and info.si_signo != signal.SIGCHLD:
            self._stop()
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for worker in self._workers:
                if worker.pid == pid:
                    self._ended(worker, os.waitstatus_to_exitcode(status))

    def _rest_s(self) -> float:
        if not self._announced:
            return _LOOK_S
        now_s = time.monotonic()
        due = [worker.due_s - now_s for worker in self._workers if worker.pid is None and not self._stopping]
        return max(0.0, min([_REST_S, *due]))

    def _ended(self, worker: _Worker, code: int) -> None:
        worker.pid = None
        self._board.set(worker.number, False)
        self._board.tells(worker.number, False)
        if self._stopping:
            return
        log.warning("worker_ended", extra={"worker": worker.number, "count": code})
        if not self._announced:
            # It never began. Whatever it was, it has said so, and will not be better the next time.
            self._exit = code if code > 0 else 1
            self._stop()
            return
        now_s = time.monotonic()
        worker.back_off_s = back_off_s(worker.back_off_s, now_s - worker.started_s)
        worker.due_s = now_s + worker.back_off_s

    def _tell_callers(self) -> None:
        """While all have ended, or hang, the shared address refuses: still listening in our hands, it would take calls
        that nobody answers. Those who wait are told as well.

        Not before it listens: shut down then, every connection that it takes later would be at its end already.
        """
        shared = self._sockets.shared
        if not self._board.anybody_tells() and shared.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            shared.shutdown(socket.SHUT_RDWR)

    def _stop(self) -> None:
        """Pass it on: the first signal drains, the second ends at once."""
        self._stopping = True
        for worker in self._workers:
            if worker.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGTERM)


@asynccontextmanager
async def among_others(runtime: Runtime, place: Place, stop: Callable[[], None]) -> AsyncIterator[None]:
    """What a worker does besides: say how it is, answer for all, and not outlive its parent."""
    number, board, shared, parent = place.worker, place.board, place.shared, place.parent
    if number is None or board is None or shared is None or parent is None:
        yield
        return

    def checks() -> Mapping[str, bool]:
        board.set(number, is_ready(runtime.readiness()))
        return board.ready()

    async def tell() -> None:
        while True:
            checks()
            listening(shared)  # again: the parent may have looked a moment before we were there
            await asyncio.sleep(TELL_S)

    def orphaned() -> None:
        loop.remove_reader(parent)
        stop()

    loop = asyncio.get_running_loop()
    loop.add_reader(parent, orphaned)
    tells = partial(board.tells, number, True)
    tells()
    everybody = Management(listening(shared), None, checks, runtime.jwks(), runtime.logout, _any_ready, tells)
    everybody.start()
    telling = loop.create_task(tell())
    try:
        yield
    finally:
        telling.cancel()
        everybody.close()
        board.set(number, False)
        board.tells(number, False)


def _any_ready(workers: Mapping[str, bool]) -> bool:
    """One that serves is enough for a load balancer; the page and the metrics show who does not."""
    return any(workers.values())
