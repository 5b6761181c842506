"""One timer for everything that may wait equally long.

`asyncio.timeout` costs a timer of the event loop, made and cancelled, at each use. Here whoever waits stands in a
queue, first in, first due; one timer is set for the first of them, and most of the time finds nobody left from then.

Nobody stands in the queue before there is a timer, and a timer is only said to be set when it is: what fails in between
is the failure of whoever asked, and the next one finds an alarm that works.
"""

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine


class Bell:
    """What rings for one that waits too long."""

    __slots__ = ("due_s", "ring", "rung")

    def __init__(self, due_s: float, ring: Callable[[], object]) -> None:
        self.due_s = due_s
        self.ring = ring
        self.rung = False


class Alarm:
    """Rings after `seconds`. Belongs to the event loop that runs; a loop that comes later starts its own queue."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop: AbstractEventLoop | None = None
        self._queue: dict[Bell, None] = {}
        self._armed = False

    def set(self, ring: Callable[[], object]) -> Bell:
        """Call `ring` in `seconds`, unless it is cleared before."""
        return self._set(asyncio.get_running_loop(), ring)

    def clear(self, bell: Bell) -> None:
        """It waits no longer. A second call does nothing."""
        self._queue.pop(bell, None)

    async def within[Result](self, work: Coroutine[None, None, Result]) -> Result:
        """Await `work`; TimeoutError when it takes longer, told from a cancellation as `asyncio.timeout` tells them."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be kept from waiting too long")
        before = task.cancelling()
        bell = self._set(task.get_loop(), task.cancel)
        try:
            return await work
        except asyncio.CancelledError:
            if bell.rung and task.uncancel() <= before:
                raise TimeoutError from None
            raise
        finally:
            self._queue.pop(bell, None)

    def _set(self, loop: AbstractEventLoop, ring: Callable[[], object]) -> Bell:
        if loop is not self._loop:
            self._loop, self._queue, self._armed = loop, {}, False
        bell = Bell(loop.time() + self._seconds, ring)
        if not self._armed:
            # Whoever a failure left in the queue is due before this one.
            loop.call_at(next(iter(self._queue), bell).due_s, self._look, loop, self._queue)
            self._armed = True
        self._queue[bell] = None
        return bell

    def _look(self, loop: AbstractEventLoop, queue: dict[Bell, None]) -> None:
        """Ring for all who are due; come back when the next one is."""
        if queue is self._queue:
            self._armed = False
        try:
            now_s = loop.time()
            while (bell := next(iter(queue), None)) is not None and bell.due_s <= now_s:
                del queue[bell]
                bell.rung = True
                bell.ring()
        finally:
            # Also when one of them could not be rung for: the others still wait.
            left = next(iter(queue), None)
            ours = queue is self._queue
            if left is not None and not (ours and self._armed):
                loop.call_at(left.due_s, self._look, loop, queue)
                if ours:
                    self._armed = True
