"""A real redis-server on loopback, in a folder of its own; or what PARAVENT_REDIS names, as valkey-server.

with running_redis(folder) as redis:
    ledger = RedisLedger(redis.server)
    redis.process.send_signal(signal.SIGSTOP)
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from paravent.simulate.processes import free_ports
from paravent.stores.redis_link import Server

START_S = 20.0


@dataclass(slots=True)
class RedisServer:
    """One server; `process` is another one after `start`."""

    folder: Path
    port: int
    options: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None

    @property
    def server(self) -> Server:
        return Server("127.0.0.1", self.port)

    def client(self) -> Any:
        """The usual client, to look at what is there."""
        return Redis("127.0.0.1", self.port, retry=Retry(NoBackoff(), 0), socket_timeout=10)

    def start(self) -> None:
        """Wait until it answers."""
        program = shutil.which(os.environ.get("PARAVENT_REDIS", "redis-server")) or shutil.which("valkey-server")
        assert program is not None, "install redis-server"
        options = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "")
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([program, *options, *self.options], stdout=log, stderr=log)
        until_s = time.monotonic() + START_S
        while time.monotonic() < until_s and self.process.poll() is None:
            try:
                self.client().ping()
            except RedisError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)


@contextmanager
def running_redis(folder: Path, *options: str) -> Iterator[RedisServer]:
    (port,) = free_ports(1)
    folder.mkdir(parents=True, exist_ok=True)
    redis = RedisServer(folder, port, options)
    redis.start()
    try:
        yield redis
    finally:
        redis.kill()
