"""`./dev bench [--json] [--requests N]`: the proxy against stock mitmdump and the bare upstream, in one run.

Same client, same upstream, same requests, alternating rounds; the target under measurement alone on one core where
the machine has two. Ratios are what to read: absolute figures belong to the machine and its mood. The results of the
last run are kept in bench/results/.
"""

import argparse
import asyncio
import datetime
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from bench.client import Run, run
from bench.process import Measured, wait_for_port
from bench.requests import build
from paravent.sandbox.tokens import TokenMint

ROOT = Path(__file__).resolve().parent.parent
ORIGIN = "https://bench.example"
ISSUER = "https://issuer.example"
AUDIENCE = "urn:paravent:droits"


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians over the rounds of one target."""

    target: str
    per_second: float
    p50_ms: float
    p99_ms: float
    """With one connection: what a lone request takes."""
    cpu_us: float
    """CPU of the target a request, 16 connections kept alive."""
    cpu_new_connection_us: float
    """The same with a new connection for each request."""
    rss_mb: float
    refused: int


@dataclass(frozen=True, slots=True)
class Target:
    """Something that accepts the benchmark's requests."""

    name: str
    port: int
    process: Measured


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def paravent(folder: Path, upstream_port: int, mint: TokenMint) -> Iterator[Target]:
    """The proxy with the reference policy, plaintext from loopback, everything else as in production."""
    port = free_port()
    shutil.copytree(ROOT / "policies", folder / "policies")
    (folder / "audit.key").write_text(os.urandom(32).hex())
    (folder / "jwks.json").write_bytes(orjson.dumps(mint.jwks()))
    (folder / "paravent.toml").write_text(
        f"""
[listen]
address = "127.0.0.1:{port}"
external_origin = "{ORIGIN}"
plaintext_from = ["127.0.0.1/32"]
[upstream]
url = "http://127.0.0.1:{upstream_port}"
[issuers.bench]
profile = "rfc9068"
issuer = "{ISSUER}"
jwks = "jwks.json"
audience = ["{AUDIENCE}"]
clients = ["portail"]
[state]
url = "sqlite:state.db"
[audit]
path = "audit"
key_file = "audit.key"
[metrics]
address = "127.0.0.1:{free_port()}"
[policy]
path = "policies"
"""
    )
    process = Measured([sys.executable, "-m", "paravent.cli", "serve", "--config", "paravent.toml"], folder, folder)
    try:
        process.first_line()
        wait_for_port(port)
        yield Target("paravent", port, process)
    finally:
        process.stop()


@contextmanager
def mitmdump(folder: Path, upstream_port: int) -> Iterator[Target]:
    """Stock mitmdump in reverse mode, enforcing nothing."""
    port = free_port()
    command = [
        str(Path(sys.executable).with_name("mitmdump")),
        "-q",
        "--set",
        f"confdir={folder}",
        "--listen-host",
        "127.0.0.1",
        "--listen-port",
        str(port),
        "--mode",
        f"reverse:http://127.0.0.1:{upstream_port}",
    ]
    process = Measured(command, folder, folder)
    try:
        wait_for_port(port)
        yield Target("mitmdump", port, process)
    finally:
        process.stop()


@contextmanager
def upstream(folder: Path) -> Iterator[Target]:
    process = Measured([sys.executable, "-m", "bench.upstream", "0"], ROOT, folder)
    try:
        yield Target("upstream", int(process.first_line()), process)
    finally:
        process.stop()


class Bench:
    """Rounds over the targets."""

    def __init__(self, targets: list[Target], make: Callable[[int], list[bytes]], requests: int, rounds: int) -> None:
        self._targets = targets
        self._make = make
        self._requests = requests
        self._rounds = rounds

    def measure(self, say: Callable[[str], None]) -> list[Figures]:
        samples: dict[str, list[dict[str, float]]] = {target.name: [] for target in self._targets}
        for target in self._targets:
            asyncio.run(run(target.port, self._make(200), 4))  # warm
        for number in range(self._rounds):
            for target in self._targets:
                say(f"round {number + 1} of {self._rounds}: {target.name}")
                samples[target.name].append(self._round(target))
        return [self._figures(target, samples[target.name]) for target in self._targets]

    def _round(self, target: Target) -> dict[str, float]:
        slow = target.name == "mitmdump"
        many = self._requests // (3 if slow else 1)
        lone = self._timed(target, many // 5, 1)
        busy = self._timed(target, many, 16)
        fresh = self._timed(target, many // 4, 8, reconnect=True)
        return {
            "per_second": busy[0].per_second,
            "p50_ms": lone[0].percentile_ms(0.5),
            "p99_ms": lone[0].percentile_ms(0.99),
            "cpu_us": busy[1],
            "cpu_new_connection_us": fresh[1],
            "refused": lone[0].refused + busy[0].refused + fresh[0].refused,
        }

    def _timed(self, target: Target, count: int, connections: int, *, reconnect: bool = False) -> tuple[Run, float]:
        requests = self._make(count)
        before_s = target.process.cpu_s()
        measured = asyncio.run(run(target.port, requests, connections, reconnect=reconnect))
        return measured, (target.process.cpu_s() - before_s) * 1e6 / count

    def _figures(self, target: Target, rounds: list[dict[str, float]]) -> Figures:
        def median(name: str) -> float:
            return statistics.median(each[name] for each in rounds)

        return Figures(
            target.name,
            median("per_second"),
            median("p50_ms"),
            median("p99_ms"),
            median("cpu_us"),
            median("cpu_new_connection_us"),
            target.process.rss_mb(),
            int(sum(each["refused"] for each in rounds)),
        )


def report(figures: list[Figures]) -> str:
    """The table and the ratios, for people."""
    lines = [
        "                requests/s   p50 ms   p99 ms   CPU µs/request   CPU µs, new connection   RSS MB",
        *(
            f"{each.target:14} {each.per_second:11.0f} {each.p50_ms:8.2f} {each.p99_ms:8.2f} {each.cpu_us:16.0f} "
            f"{each.cpu_new_connection_us:24.0f} {each.rss_mb:8.0f}"
            for each in figures
        ),
    ]
    for name, value in ratios(figures).items():
        lines.append(f"{name:58} {value:7.3f}")
    refused = sum(each.refused for each in figures)
    lines.append(f"{'answers that were not 200':58} {refused:7d}")
    return "\n".join(lines)


def ratios(figures: list[Figures]) -> dict[str, float]:
    """What may be compared between machines."""
    by_name = {each.target: each for each in figures}
    ours, stock, bare = by_name["paravent"], by_name["mitmdump"], by_name["upstream"]
    return {
        "CPU a request, paravent / mitmdump": ours.cpu_us / stock.cpu_us,
        "CPU a request on a new connection, paravent / mitmdump": ours.cpu_new_connection_us
        / stock.cpu_new_connection_us,
        "requests a second, paravent / mitmdump": ours.per_second / stock.per_second,
        "added p50 of a lone request, paravent, ms": ours.p50_ms - bare.p50_ms,
        "added p99 of a lone request, paravent, ms": ours.p99_ms - bare.p99_ms,
        "added p50 of a lone request, mitmdump, ms": stock.p50_ms - bare.p50_ms,
        "added p99 of a lone request, mitmdump, ms": stock.p99_ms - bare.p99_ms,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="the figures as JSON on standard output")
    parser.add_argument("--requests", type=int, default=3000, help="a round and target, 16 connections (default 3000)")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    mint = TokenMint(ISSUER, AUDIENCE)
    serial = 0

    def make(count: int) -> list[bytes]:
        nonlocal serial
        serial += 1
        return build(count, mint, ORIGIN, serial)

    with ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="paravent-bench-"))) for _ in range(3)]
        bare = stack.enter_context(upstream(folders[2]))
        ours = stack.enter_context(paravent(folders[0], bare.port, mint))
        stock = stack.enter_context(mitmdump(folders[1], bare.port))
        if (os.cpu_count() or 1) > 1:
            ours.process.pin(1)
            stock.process.pin(1)
            bare.process.pin(0)
            os.sched_setaffinity(0, {0})
        bench = Bench([bare, stock, ours], make, arguments.requests, arguments.rounds)
        figures = bench.measure(lambda text: print(text, file=sys.stderr))
    result = {
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "revision": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout.strip(),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()},
        "figures": [asdict(each) for each in figures],
        "ratios": ratios(figures),
    }
    (ROOT / "bench" / "results").mkdir(exist_ok=True)
    (ROOT / "bench" / "results" / "proxy.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2) if arguments.json else report(figures))


if __name__ == "__main__":
    main()
