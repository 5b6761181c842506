"""A real mitmdump with `addons/guard.py`, for the tests of development mode.

    with upstream_in_background() as upstream, mitmdump(tmp_path, upstream.port) as proxy:
        upstream.script = ANSWER                     # what it says from now on
        answer = proxy.send(proxy.request())         # bytes in, bytes out, one connection

What it printed, its ledger and all that came to clients are swept at the end, as with a node.
"""

import asyncio
import contextlib
import itertools
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import sweep
from node import NIR, REPOSITORY, Sandbox, make_folder
from wire import RawUpstream, Script, raw_upstream

MITMDUMP = (sys.executable, "-c", "from mitmproxy.tools.main import mitmdump; mitmdump()")


@dataclass(slots=True)
class Upstream:
    """A scripted upstream on a thread of its own."""

    seen: RawUpstream = field(default_factory=RawUpstream)
    script: Script = b""
    port: int = 0

    def say(self, number: int, request: bytes) -> bytes | None:
        return self.script(number, request) if callable(self.script) else self.script


@contextmanager
def upstream_in_background() -> Iterator[Upstream]:
    upstream = Upstream()
    loop = asyncio.new_event_loop()
    started = threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        async with raw_upstream(upstream.say, close=True) as upstream.seen:
            upstream.port = upstream.seen.port
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(10)
    try:
        yield upstream
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


class Printed:
    """What a process prints, as it comes: somebody may wait for a line of it."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._text = b""
        self._ended = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        for line in self._pipe:
            self._add(line)
        self._add(None)

    def _add(self, line: bytes | None) -> None:
        with self._news:
            self._text += line or b""
            self._ended = line is None
            self._news.notify_all()

    @property
    def length(self) -> int:
        """To wait for what comes from now on."""
        return len(self._text)

    def until(self, pattern: bytes, since: int = 0) -> re.Match[bytes]:
        """The first match from there on, as soon as there is one. Fails when there will be none."""
        wanted = re.compile(pattern)
        with self._news:
            self._news.wait_for(lambda: self._ended or wanted.search(self._text, since), 60)
            match = wanted.search(self._text, since)
        assert match is not None, self._text.decode()
        return match

    def whole(self) -> bytes:
        """When the process has ended."""
        self._thread.join(15)
        return self._text


_serial = itertools.count(1)


@dataclass(slots=True)
class Mitmdump:
    """A running one, and a caller."""

    sandbox: Sandbox
    process: subprocess.Popen[bytes]
    printed: Printed
    guard: Path
    """The script that it loaded: a copy, to be deleted or broken."""
    port: int
    received: bytearray = field(default_factory=bytearray)

    def send(self, data: bytes, *, wait_s: float = 10.0) -> bytes:
        """Everything that comes back on a new connection until it ends."""
        answer = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait_s) as wire, contextlib.suppress(OSError):
            wire.sendall(data)
            while chunk := wire.recv(65536):
                answer += chunk
        self.received += answer
        return answer

    def request(self, deed: str = "") -> bytes:
        extra = f"X-Deed: {deed}\r\n".encode() if deed else b""
        # Each of another practitioner: budgets are not what is tested here.
        return self.sandbox.request(extra=extra, rpps=f"99800{next(_serial):06d}")


@contextmanager
def mitmdump(folder: Path, upstream: int) -> Iterator[Mitmdump]:
    """Start it between two meddlers, wait until it answers; at the end stop it and sweep all that it said."""
    sandbox = make_folder(folder, upstream)
    for name in ("early", "late"):
        shutil.copy(REPOSITORY / "tests/support/meddler.py", folder / f"{name}.py")
    guard = Path(shutil.copy(REPOSITORY / "addons/guard.py", folder / "guard.py"))
    scripts = ["-s", "early.py", "-s", "guard.py", "-s", "late.py"]
    command = [*MITMDUMP, *scripts, *arguments(upstream)]
    with subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        printed = Printed(process.stdout)
        try:
            # From the notice that it prints when all is loaded.
            port = int(printed.until(rb"Listening on 127\.0\.0\.1:(\d+)")[1])
            one = Mitmdump(sandbox, process, printed, guard, port)
            yield one
        finally:
            process.terminate()
            process.wait(15)
            whole = printed.whole()
    kept = {"what it printed": whole, "the ledger": b"".join(_files(folder / "audit"))}
    signatures = [each.rpartition(".")[2] for each in sandbox.credentials]
    finds = sweep.found(kept, [*sweep.SECRETS, NIR, NIR[:13], *signatures])
    finds += sweep.found({"a byte to a client": bytes(one.received)}, sweep.SECRETS)
    assert not finds, "; ".join(finds)


def _files(folder: Path) -> Iterator[bytes]:
    yield from (each.read_bytes() for each in sorted(folder.glob("*")))


def arguments(upstream: int, options: Mapping[str, str] | None = None) -> Sequence[str]:
    """What the how-to says, on a port of the system's choice; with these options beside or in place of its own."""
    usual = {
        "mode": f"reverse:http://127.0.0.1:{upstream}@127.0.0.1:0",
        "paravent_config": "paravent.toml",
        "confdir": "confdir",
    }
    return [word for name, value in (usual | dict(options or {})).items() for word in ("--set", f"{name}={value}")]


def environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY / "tests/support"), "PYTHONUNBUFFERED": "1"}
