"""A real Prometheus on loopback that scrapes one target every second, and promtool.

with running_prometheus(folder, stack.management, rules) as prometheus:
    prometheus.query("paravent_ready")      # [({"instance": …}, 1.0)]
"""

import json
import math
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from paravent.simulate.processes import free_ports

START_S: Final = 20.0
POLL_S: Final = 0.1

type Sample = tuple[dict[str, str], float]


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One running server."""

    url: str

    def query(self, expr: str) -> list[Sample]:
        """An instant query: labels and value of each sample. AssertionError with Prometheus' words when it refuses."""
        try:
            result = self._get("/api/v1/query?" + urllib.parse.urlencode({"query": expr}))["result"]
        except urllib.error.HTTPError as refused:
            raise AssertionError(json.load(refused)["error"]) from None
        return [(sample["metric"], float(sample["value"][1])) for sample in result]

    def has_data(self, expr: str) -> bool:
        """At least one sample that is a number."""
        return any(not math.isnan(value) for _, value in self.query(expr))

    def rule_problems(self) -> dict[str, str]:
        """Rule → what went wrong when it was evaluated, or that it was not evaluated yet."""
        groups = self._get("/api/v1/rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return {rule["name"]: rule.get("lastError") or rule["health"] for rule in rules if rule["health"] != "ok"}

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=10) as response:
            return json.load(response)["data"]


def tool(name: str) -> str:
    """The path of a program of Debian's package `prometheus`. Fails the test when it is absent."""
    found = shutil.which(name)
    if found is None:
        raise AssertionError(f"{name} is not installed: apt-get install prometheus, or run ./dev test as root")
    return found


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run promtool; the caller looks at the outcome."""
    command = [tool("promtool"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def until(true: Callable[[], bool], what: str, deadline_s: float = START_S) -> None:
    """Poll. Fails with `what` when the deadline has passed."""
    end_s = time.monotonic() + deadline_s
    while not true():
        if time.monotonic() > end_s:
            raise AssertionError(f"after {deadline_s:g} s still not: {what}")
        time.sleep(POLL_S)


@contextmanager
def running_prometheus(folder: Path, target: str, rules: Sequence[Path]) -> Iterator[Prometheus]:
    """Scrape `target` (http://host:port) as job "paravent", evaluating `rules` every second."""
    config = folder / "prometheus.yml"
    document = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rule) for rule in rules],
        "scrape_configs": [{"job_name": "paravent", "static_configs": [{"targets": [target.removeprefix("http://")]}]}],
    }
    config.write_text(json.dumps(document))  # JSON is YAML
    (port,) = free_ports(1)
    command = [
        tool("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    log = folder / "prometheus.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, "GOMAXPROCS": "1"}
        )
    served = Prometheus(f"http://127.0.0.1:{port}")
    try:
        until(lambda: process.poll() is not None or _ready(served.url), f"Prometheus ready\n{log.read_text()}")
        assert process.poll() is None, log.read_text()
        yield served
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=1) as response:
            return bool(response.status == 200)
    except OSError:
        return False
