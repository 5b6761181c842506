"""`./dev bench [--json] [--requests N]`: the proxy, stock mitmdump, the least possible, and the upstream, in one run.

Three ways in which portals call:

    mtls   over TLS, with a client certificate that their tokens are bound to (RFC 8705, the ANS model)
    front  the same through a front proxy that ends TLS: plaintext, the certificate in Client-Cert (RFC 9440)
    dpop   in plaintext, with a DPoP proof in each request (RFC 9449): one more signature to verify

The least is a bare relay with the same libraries and no policy (`bench.relay`); with `+ledger` it reads and writes the
answer's JSON, and has a line on disk before it leaves. Same client, same upstream, same requests for all, alternating
rounds; the target under measurement alone on one core where the machine has two. Ratios are what to read: absolute
figures belong to the machine and its mood. The results of the last run are kept in bench/results/.
"""

import argparse
import asyncio
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import holds, identity
from bench.client import Run, run
from bench.requests import Requests
from bench.targets import AUDIENCE, ISSUER, ROOT, Certificates, Door, Target, mitmdump, paravent, relay, upstream
from paravent.sandbox.tokens import TokenMint

SLOW = 4
"""mitmdump is sent one request where the others are sent so many: it would take most of the time."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians over the rounds of one target."""

    series: str
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
class Series:
    """One way to call, and who is called so."""

    name: str
    requests: Requests
    targets: tuple[Target, ...]


class Bench:
    """Rounds over the targets."""

    def __init__(self, series: list[Series], requests: int, rounds: int) -> None:
        self._series = series
        self._requests = requests
        self._rounds = rounds

    def measure(self, say: Callable[[str], None]) -> list[Figures]:
        return [each for one in self._series for each in self._measure(one, say)]

    def _measure(self, series: Series, say: Callable[[str], None]) -> list[Figures]:
        samples: dict[str, list[dict[str, float]]] = {target.name: [] for target in series.targets}
        for target in series.targets:
            asyncio.run(run(target.port, series.requests.build(200), 4, tls=target.tls))  # warm
        for number in range(self._rounds):
            for target in series.targets:
                say(f"{series.name}, round {number + 1} of {self._rounds}: {target.name}")
                samples[target.name].append(self._round(target, series.requests))
        return [self._figures(series.name, target, samples[target.name]) for target in series.targets]

    def _round(self, target: Target, requests: Requests) -> dict[str, float]:
        many = self._requests // (SLOW if target.name == "mitmdump" else 1)
        lone = self._timed(target, requests.build(many // 6), 1)
        busy = self._timed(target, requests.build(many), 16)
        fresh = self._timed(target, requests.build(many // 6), 8, reconnect=True)
        return {
            "per_second": busy[0].per_second,
            "p50_ms": lone[0].percentile_ms(0.5),
            "p99_ms": lone[0].percentile_ms(0.99),
            "cpu_us": busy[1],
            "cpu_new_connection_us": fresh[1],
            "refused": lone[0].refused + busy[0].refused + fresh[0].refused,
        }

    def _timed(
        self, target: Target, requests: list[bytes], connections: int, *, reconnect: bool = False
    ) -> tuple[Run, float]:
        before_s = target.process.cpu_s()
        measured = asyncio.run(run(target.port, requests, connections, reconnect=reconnect, tls=target.tls))
        return measured, (target.process.cpu_s() - before_s) * 1e6 / len(requests)

    def _figures(self, series: str, target: Target, rounds: list[dict[str, float]]) -> Figures:
        def median(name: str) -> float:
            return statistics.median(each[name] for each in rounds)

        return Figures(
            series,
            target.name,
            median("per_second"),
            median("p50_ms"),
            median("p99_ms"),
            median("cpu_us"),
            median("cpu_new_connection_us"),
            target.process.rss_mb(),
            int(sum(each["refused"] for each in rounds)),
        )


def report(figures: list[Figures], compared: dict[str, float]) -> str:
    """The table and the ratios, for people."""
    lines = [
        "                      requests/s   p50 ms   p99 ms   CPU µs/request   CPU µs, new connection   RSS MB",
        *(
            f"{each.series:5} {each.target:14} {each.per_second:11.0f} {each.p50_ms:8.2f} {each.p99_ms:8.2f} "
            f"{each.cpu_us:16.0f} {each.cpu_new_connection_us:24.0f} {each.rss_mb:8.0f}"
            for each in figures
        ),
    ]
    for name, value in compared.items():
        lines.append(f"{name:64} {value:7.3f}")
    refused = sum(each.refused for each in figures)
    lines.append(f"{'answers that were not 200':64} {refused:7d}")
    return "\n".join(lines)


def ratios(figures: list[Figures], signature_us: float) -> dict[str, float]:
    """What may be compared between machines. `signature_us`: to verify one signature of a proof."""
    by_name = {(each.series, each.target): each for each in figures}
    found: dict[str, float] = {}
    for series in dict.fromkeys(each.series for each in figures):
        stock = by_name[series, "mitmdump"]
        for name in ("paravent", "relay", "relay+ledger"):
            each = by_name[series, name]
            found |= {
                f"{series}: CPU a request, {name} / mitmdump": each.cpu_us / stock.cpu_us,
                f"{series}: CPU a request on a new connection, {name} / mitmdump": each.cpu_new_connection_us
                / stock.cpu_new_connection_us,
            }
        ours = by_name[series, "paravent"]
        found[f"{series}: requests a second, paravent / mitmdump"] = ours.per_second / stock.per_second
    ours, stock, bare = (by_name["front", name] for name in ("paravent", "mitmdump", "upstream"))
    return found | {
        "dpop: CPU of the signature of a proof alone / mitmdump": signature_us / by_name["dpop", "mitmdump"].cpu_us,
        "front: added p50 of a lone request, paravent, ms": ours.p50_ms - bare.p50_ms,
        "front: added p99 of a lone request, paravent, ms": ours.p99_ms - bare.p99_ms,
        "front: added p50 of a lone request, mitmdump, ms": stock.p50_ms - bare.p50_ms,
        "front: added p99 of a lone request, mitmdump, ms": stock.p99_ms - bare.p99_ms,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="./dev bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="the figures as JSON on standard output")
    parser.add_argument("--requests", type=int, default=2000, help="a round and target, 16 connections (default 2000)")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    mint = TokenMint(ISSUER, AUDIENCE)

    with ExitStack() as stack:

        def folder() -> Path:
            return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="paravent-bench-")))

        certificates = Certificates.make(folder())
        bare = stack.enter_context(upstream(folder()))

        def least(*, tls: bool) -> tuple[Target, ...]:
            """To a relay nothing but TLS makes a difference."""
            certs = certificates if tls else None
            return tuple(stack.enter_context(relay(folder(), bare.port, certs, ledger=each)) for each in (False, True))

        plain, over_tls = least(tls=False), least(tls=True)
        series = [
            Series(
                door.value,
                Requests(mint, door, certificates),
                (
                    *((bare,) if door is Door.FRONT else ()),
                    stack.enter_context(mitmdump(folder(), bare.port, door, certificates)),
                    stack.enter_context(paravent(folder(), bare.port, mint, door, certificates)),
                    *(over_tls if door is Door.MTLS else plain),
                ),
            )
            for door in Door
        ]
        if (os.cpu_count() or 1) > 1:
            for target in {id(target): target for one in series for target in one.targets}.values():
                target.process.pin(0 if target is bare else 1)
            os.sched_setaffinity(0, {0})
        bench = Bench(series, arguments.requests, arguments.rounds)
        figures = bench.measure(lambda text: print(text, file=sys.stderr))
    held = holds.measure()
    compared = ratios(figures, identity.steps(rounds=7, times=200)["signature"])
    result = {
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "revision": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout.strip(),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()},
        "figures": [asdict(each) for each in figures],
        "ratios": compared,
        "holds_ms": held,
    }
    (ROOT / "bench" / "results").mkdir(exist_ok=True)
    (ROOT / "bench" / "results" / "proxy.json").write_text(json.dumps(result, indent=2) + "\n")
    print(
        json.dumps(result, indent=2)
        if arguments.json
        else f"{report(figures, compared)}\n\n{holds.table(result['holds_ms'])}"
    )


if __name__ == "__main__":
    main()
