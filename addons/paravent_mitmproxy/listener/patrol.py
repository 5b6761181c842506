"""Who looks at all connections once a second, so that none outstays its deadline.

Each connection has a timer of its own, made in the same turn of the event loop as what it guards. Whatever fails there
may take the timer with it, and nothing of the connection would be called again. The patrol shares nothing with that: a
thread, which no failure on the event loop ends, asks the loop to look at the deadlines themselves.
"""

import time
from asyncio import AbstractEventLoop
from contextlib import suppress
from threading import Event, Thread
from typing import Final

from paravent_mitmproxy.listener.house import House

EVERY_S: Final = 1.0
"""A deadline that only the patrol keeps is late by as much. 4096 connections take it about a millisecond."""


SILENT_S: Final = 5.0
"""Without a turn of the loop: by then no hook has kept its deadline (`guard.HOOK_DEADLINE_S`)."""


class Patrol:
    """Of one house, from `start` to `stop`."""

    def __init__(self, house: House, loop: AbstractEventLoop) -> None:
        self._house = house
        self._loop = loop
        self._seen_s = time.monotonic()
        self._over = Event()
        self._thread = Thread(target=self._walk, name="patrol", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def lively(self) -> bool:
        """The loop goes round. May be asked on any thread: where it does not, nobody is answered."""
        return time.monotonic() - self._seen_s < SILENT_S

    def _walk(self) -> None:
        while not self._over.wait(EVERY_S):
            with suppress(Exception):  # no memory for it now; or the loop is closed, and we are about to be stopped
                self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        self._seen_s = time.monotonic()
        self._house.look_round(self._loop.time())
