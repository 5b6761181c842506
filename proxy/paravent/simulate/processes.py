"""The parts of the demo as processes: started, waited for with a deadline, and always stopped again."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

START_S: Final = 20.0
"""For a part to answer. mitmproxy takes a second or two to import on a slow machine."""
STOP_S: Final = 5.0
"""For a part to end after SIGTERM, before it is killed."""
TAIL_LINES: Final = 12
_POLL_S: Final = 0.05


class PartFailed(Exception):
    """A part did not start, or ended while it was needed. Its text names the part and shows its last lines."""


@dataclass(frozen=True, slots=True)
class Part:
    """One running process."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    """What it writes."""

    def check(self) -> None:
        """Raises PartFailed when it has ended."""
        if self.process.poll() is not None:
            raise PartFailed(f"the {self.name} ended with exit code {self.process.returncode}\n{self.tail()}")

    def tail(self) -> str:
        """The last lines that it wrote."""
        lines = self.log.read_text("utf-8", errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-TAIL_LINES:])


class Parts:
    """All of them. As a context manager: at its end, however it comes, none is left."""

    def __init__(self, folder: Path) -> None:
        """`folder`: where their output goes."""
        self._folder = folder
        self._parts: list[Part] = []

    def start(self, name: str, *arguments: str) -> Part:
        """Start `python ARGUMENTS`."""
        log = self._folder / f"{name.replace(' ', '-')}.log"
        # Settings of the shell must not reach the demo's proxy, nor what it refuses to start with (SSLKEYLOGFILE and
        # its like); a Ctrl-C is ours to hand on (start_new_session).
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("PARAVENT_") and not name.endswith("SSLKEYLOGFILE")
        }
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 (our own interpreter)
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )
        part = Part(name, process, log)
        self._parts.append(part)
        return part

    def wait(self, part: Part, ready: Callable[[], bool], deadline_s: float = START_S) -> None:
        """Until `ready`. Raises PartFailed when the part ends first, or the time is over."""
        until_s = time.monotonic() + deadline_s
        while not ready():
            part.check()
            if time.monotonic() > until_s:
                raise PartFailed(f"the {part.name} was not ready after {deadline_s:g} s\n{part.tail()}")
            time.sleep(_POLL_S)

    def check(self) -> None:
        """Raises PartFailed when one has ended."""
        for part in self._parts:
            part.check()

    def stop(self, *parts: Part) -> None:
        """SIGTERM to all at once; SIGKILL to those that do not heed it, and to all if we are interrupted meanwhile."""
        for part in parts:
            part.process.terminate()
        until_s = time.monotonic() + STOP_S
        try:
            for part in parts:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    part.process.wait(max(0.0, until_s - time.monotonic()))
        finally:
            for part in parts:
                part.process.kill()
                part.process.wait()
                self._parts.remove(part)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(*self._parts)


def answers(url: str) -> Callable[[], bool]:
    """Whether an HTTP server on this machine answers 200 at `url`."""

    def ready() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=1.0) as response:  # noqa: S310 (our own http URL)
                return bool(response.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    return ready


def listens(port: int) -> Callable[[], bool]:
    """Whether anything accepts connections on this port of 127.0.0.1."""

    def ready() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return True
        return False

    return ready


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that are free now. All held at once while they are found, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
