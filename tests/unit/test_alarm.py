"""One timer for everything that may wait equally long."""

import asyncio

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


def test_a_second_loop_starts_its_own_queue() -> None:
    alarm = Alarm(0.01)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            asyncio.run(alarm.within(forever()))
