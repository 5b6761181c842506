"""Event loops to run tests on: asyncio's own, and uvloop, which production uses where it is installed."""

import asyncio
import importlib.util

BOTH = ("asyncio", "uvloop") if importlib.util.find_spec("uvloop") else ("asyncio",)


def policy(name: str) -> asyncio.AbstractEventLoopPolicy:
    """One of `BOTH`."""
    if name == "asyncio":
        return asyncio.DefaultEventLoopPolicy()
    import uvloop

    chosen: asyncio.AbstractEventLoopPolicy = uvloop.EventLoopPolicy()
    return chosen
