"""A node that may have few file descriptors: strangers take the callers' share of them, and nothing else."""

import asyncio
import contextlib
import re
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import loops
from answers import ANSWER
from node import PLAINTEXT, make_folder, parse, read_answer
from wire import raw_upstream

FEW = 700


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """Of the callers. The node has its own."""
    return loops.policy(loops.BOTH[0])


def with_few() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, FEW))


@pytest.mark.real
async def test_who_is_inside_is_served_though_strangers_come_by_the_hundred(tmp_path: Path) -> None:
    """They say nothing, for as long as they may. The upstream is asked all the same, and what is revoked is read."""
    async with raw_upstream(ANSWER) as upstream:
        sandbox = make_folder(tmp_path, upstream.port, listen=PLAINTEXT)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "paravent.cli", "serve", "--config", str(sandbox.config)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=with_few,
        )
        assert process.stdout is not None
        try:
            [port] = re.findall(rb"ready on http://127\.0\.0\.1:(\d+) ", await process.stdout.readline())
            reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
            with contextlib.ExitStack() as strangers:
                for _ in range(FEW):
                    last = strangers.enter_context(socket.create_connection(("127.0.0.1", int(port))))
                last.setblocking(False)
                assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(last, 1), 10) == b""
                writer.write(sandbox.request())
                status, _, _ = parse(await asyncio.wait_for(read_answer(reader), 10))
            assert status == 200
            writer.close()
            process.terminate()
            _, errors = await asyncio.wait_for(process.communicate(), 20)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert b'"fewer_connections", "count": 188' in errors
