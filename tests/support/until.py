"""Waiting for what another thread or task brings about, and no longer."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object]) -> None:
    """Come back when it holds. TimeoutError after ten seconds: it never will."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)
