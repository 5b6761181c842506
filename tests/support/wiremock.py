"""WireMock, a server that misbehaves on request: the Java process of the npm package that tests/interop pins.

with wiremock(folder) as server:
    server.answers({"fault": "RANDOM_DATA_THEN_CLOSE"})     # every request from now on
    server.answers({…}, {…})                                # the first one, then the next, which stays
    server.asked()                                          # how many requests since then

An answer is WireMock's own JSON (`response` of a stub mapping).
"""

import json
import re
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

JARS: Final = Path(__file__).resolve().parents[1] / "interop" / "node_modules" / "wiremock" / "build"

START_S: Final = 60.0
"""It takes two seconds on a machine that does nothing else."""

OPTIONS: Final = "--port 0 --bind-address 127.0.0.1 --disable-banner --jetty-header-response-size 262144"
"""Jetty refuses to write a head of more than 8 KB unless it is told to."""

type Stub = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WireMock:
    """A running one."""

    port: int

    def answers(self, *stubs: Stub) -> None:
        """What it says from now on, in this order; the last one stays."""
        self._tell("POST", "reset")
        for number, stub in enumerate(stubs):
            after = {} if number == len(stubs) - 1 else {"newScenarioState": str(number + 1)}
            before = {"scenarioName": "turns", "requiredScenarioState": str(number) if number else "Started"}
            mapping = {"request": {"method": "ANY"}, "response": stub, **before, **after}
            self._tell("POST", "mappings", mapping)

    def asked(self) -> int:
        """The requests that it was sent since `answers`."""
        return int(self._tell("POST", "requests/count", {"method": "ANY"})["count"])

    def _tell(self, method: str, path: str, document: object = None) -> Any:
        data = b"" if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/__admin/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read() or b"null")


def java() -> tuple[str, str]:
    """The paths of Java and of WireMock. Fails the test when one of them is absent."""
    found = shutil.which("java")
    if found is None:
        pytest.fail("Java is not installed: sudo apt install default-jre-headless (or any Java from version 11 on)")
    jars = sorted(JARS.glob("wiremock-standalone-*.jar"))
    if not jars:
        pytest.fail("WireMock is not installed: ./dev test does it, or npm ci in tests/interop")
    return found, str(jars[-1])


@contextmanager
def wiremock(folder: Path) -> Iterator[WireMock]:
    """Start it, wait until it says on which port; end it. `folder`: for its files and its output."""
    found, jar = java()
    log = folder / "wiremock.log"
    # Small, and started fast: it serves one request at a time.
    command = [found, "-Xmx128m", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-jar", jar, *OPTIONS.split()]
    process = subprocess.Popen(
        [*command, "--root-dir", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    timer = threading.Timer(START_S, process.kill)
    timer.start()
    try:
        said = ""
        while not (port := re.search(r"^port: +(\d+)$", said, re.MULTILINE)):
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                pytest.fail(f"WireMock does not start\n{said[-2000:]}")
            said += line
        timer.cancel()
        log.write_text(said)
        threading.Thread(target=_drain, args=(process, log), daemon=True).start()
        yield WireMock(int(port[1]))
    finally:
        timer.cancel()
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _drain(process: "subprocess.Popen[str]", log: Path) -> None:
    """A full pipe would hold it up."""
    with log.open("a") as file:
        for line in process.stdout or ():
            file.write(line)
