"""The hostile suite runs on both event loops. Modules whose rows never reach the loop choose one."""

import asyncio

import pytest

import loops


@pytest.fixture(params=loops.BOTH)
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    """What pytest-asyncio makes the loop of a test with."""
    return loops.policy(request.param)
