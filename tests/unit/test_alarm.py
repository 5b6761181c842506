"""One timer for everything that may wait equally long."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from paravent.alarm import Alarm


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def test_what_takes_too_long_ends_in_a_timeout() -> None:
    alarm = Alarm(0.01)
    with pytest.raises(TimeoutError):
        await alarm.within(forever())


async def test_a_timeout_leaves_the_task_as_it_was() -> None:
    """The next cancellation is somebody else's, and is not taken for a timeout."""
    alarm = Alarm(0.01)
    with pytest.raises(TimeoutError):
        await alarm.within(forever())
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_a_cancellation_is_no_timeout() -> None:
    task = asyncio.create_task(Alarm(60).within(forever()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_is_in_time_is_left_alone() -> None:
    """Also by a timer that was set for it and rings later, while others wait."""
    alarm = Alarm(0.02)

    async def soon() -> int:
        await asyncio.sleep(0)
        return 7

    assert await alarm.within(soon()) == 7
    late = asyncio.gather(*(alarm.within(forever()) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in await late] == [TimeoutError] * 3


async def test_each_one_has_its_whole_time() -> None:
    """Whoever comes while the timer is set for another is not rung for at that other's moment."""
    loop = asyncio.get_running_loop()
    alarm = Alarm(0.1)
    rang: list[float] = []
    alarm.set(lambda: rang.append(loop.time()))
    await asyncio.sleep(0.05)
    started_s = loop.time()
    done = loop.create_future()
    alarm.set(lambda: done.set_result(loop.time()))
    assert await done - started_s >= 0.099
    assert len(rang) == 1


async def test_what_was_cleared_does_not_ring() -> None:
    alarm = Alarm(0.01)
    rang: list[str] = []
    bell = alarm.set(lambda: rang.append("cleared"))
    alarm.clear(bell)
    alarm.clear(bell)
    done = asyncio.get_running_loop().create_future()
    alarm.set(lambda: done.set_result(None))
    await done
    assert rang == []


class NoMemory:
    """The loop's `call_at` fails, so many times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
        loop = asyncio.get_running_loop()
        self._real = loop.call_at
        self._left = times
        monkeypatch.setattr(loop, "call_at", self._call_at)

    def _call_at(self, when_s: float, callback: Callable[..., object], *arguments: Any, **more: Any) -> Any:
        if self._left and callback.__qualname__.startswith(Alarm.__name__):
            self._left -= 1
            raise MemoryError
        return self._real(when_s, callback, *arguments, **more)


async def test_an_alarm_that_could_not_be_set_once_rings_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asked for it is told; nobody after them waits for ever."""
    alarm = Alarm(0.01)
    NoMemory(monkeypatch, 1)
    with pytest.raises(MemoryError):
        alarm.set(lambda: None)
    async with asyncio.timeout(5):
        with pytest.raises(TimeoutError):
            await alarm.within(forever())


async def test_who_could_not_set_an_alarm_is_not_rung_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have gone on to something else, which would be broken off."""
    alarm, rang = Alarm(0.01), list[str]()
    NoMemory(monkeypatch, 1)
    with pytest.raises(MemoryError):
        alarm.set(lambda: rang.append("who failed"))
    done = asyncio.get_running_loop().create_future()
    alarm.set(lambda: done.set_result(None))
    async with asyncio.timeout(5):
        await done
    assert rang == []


async def test_a_bell_that_breaks_keeps_nobody_waiting() -> None:
    """The others are rung for all the same, in their order, and so are those who come later."""
    told: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: told.append(type(context["exception"]).__name__))
    alarm, rang = Alarm(0.01), list[str]()

    def broken() -> None:
        raise RuntimeError

    alarm.set(broken)
    alarm.set(lambda: rang.append("second"))
    async with asyncio.timeout(5):
        with pytest.raises(TimeoutError):
            await alarm.within(forever())
        with pytest.raises(TimeoutError):
            await alarm.within(forever())
    assert (rang, told) == (["second"], ["RuntimeError"])


async def test_who_was_left_waiting_by_a_failure_is_rung_for_with_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """The alarm could not be set anew when it rang: whoever comes sets it for those who are due before."""
    alarm, loop = Alarm(0.3), asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)
    first, left = loop.create_future(), loop.create_future()
    alarm.set(lambda: first.set_result(None))
    bell = alarm.set(lambda: left.set_result(loop.time()))
    bell.due_s += 3600  # not yet, however late the first one is rung for
    NoMemory(monkeypatch, 1)
    async with asyncio.timeout(5):
        await first
        bell.due_s = loop.time()
        last = alarm.set(lambda: None)
        assert await left < last.due_s


def test_a_second_loop_starts_its_own_queue() -> None:
    alarm = Alarm(0.01)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            asyncio.run(alarm.within(forever()))
