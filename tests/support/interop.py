"""What nobody here wrote, as processes: an authorization server, a client, and readers of documents (`tests/interop`).

with AuthorizationServer(folder, accounts) as server, Client(folder, server.url, ORIGIN, stack.url) as client:
    client.do("login", name="a", client="portail", person="8…", acr="eidas3")
    server.restart()                                    # and signs with a new key
with Readers() as readers:
    readers.read("json", b"[1]")
"""

import base64
import contextlib
import json
import shutil
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import pytest

from paravent.simulate.processes import free_ports

HERE: Final = Path(__file__).resolve().parents[1] / "interop"


START_S: Final = 10.0
"""For one attempt to start. It takes one second."""
ATTEMPTS: Final = 3
"""Node.js 20 was seen to hang while it loads modules, very rarely."""
ANSWER_S: Final = 30.0


def node() -> str:
    """The path of Node.js, with the packages beside the scripts. Fails the test when one of them is absent."""
    found = shutil.which("node")
    if found is None:
        pytest.fail("Node.js is not installed: sudo apt install nodejs npm (or any Node.js from version 20 on)")
    if not (HERE / "node_modules" / "oidc-provider").is_dir() or not (HERE / "node_modules" / "saxes").is_dir():
        pytest.fail("the packages of tests/interop are not installed: ./dev test does it, or npm ci in tests/interop")
    return found


class AuthorizationServer:
    """oidc-provider over HTTPS. `accounts`: sub → claims that its tokens carry."""

    def __init__(self, folder: Path, accounts: Mapping[str, Mapping[str, str]]) -> None:
        """`folder` holds server.pem, server.key and ca.pem."""
        self._folder = folder
        self._port = free_ports(1)[0]
        self._process: subprocess.Popen[str] | None = None
        self.url = f"https://localhost:{self._port}"
        (folder / "accounts.json").write_text(json.dumps(accounts))

    def start(self) -> None:
        command = [node(), str(HERE / "server.mjs"), str(self._folder), str(self._port)]
        log = self._folder / "authorization-server.log"
        for _ in range(ATTEMPTS):
            with log.open("ab") as output:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=output, text=True
                )
            if _line(self._process, START_S) == "ready\n":
                return
            self.stop()
        pytest.fail(f"the authorization server does not start\n{log.read_text()[-2000:]}")

    def stop(self) -> None:
        if self._process is not None:
            _end(self._process)

    def restart(self) -> None:
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Client:
    """oauth4webapi. `do` is one verb of client.mjs, and its answer."""

    def __init__(self, folder: Path, issuer: str, origin: str, proxy: str) -> None:
        command = [node(), str(HERE / "client.mjs"), str(folder), issuer, origin, proxy]
        self._log = (folder / "client.log").open("ab")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True
        )

    def do(self, verb: str, **members: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"verb": verb, **members}) + "\n")
        self._process.stdin.flush()
        line = _line(self._process, ANSWER_S)
        assert line, "the client has ended, or did not answer in time: see client.log"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._process)
        self._log.close()


class Readers:
    """V8, saxes, parse5, csv-parse and Papa Parse: `tests/interop/readers.mjs`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [node(), str(HERE / "readers.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def read(self, format_: str, body: bytes) -> Any:
        """What the document says to one of them; `Refused` when it is none."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"format": format_, "body": base64.b64encode(body).decode()}) + "\n")
        self._process.stdin.flush()
        line = _line(self._process, ANSWER_S)
        assert line, "the readers have ended, or did not answer in time"
        answer = json.loads(line)
        return answer["read"] if "read" in answer else Refused(answer["refused"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._process)


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a reader takes a document for none."""

    why: str


def _line(process: subprocess.Popen[str], seconds: float) -> str:
    """What it says next; empty when it has ended, or has to be ended for saying nothing in time."""
    assert process.stdout is not None
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        return process.stdout.readline()
    finally:
        timer.cancel()


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
