"""`./dev soak [--requests N] [--way WAY]`: whether memory, file descriptors and threads of a node grow with requests.

A real node with the reference policy and everything on, over TLS with client certificates; an upstream that ends each
connection after its answer, unannounced; two ways to come in, each to a node of its own, at the same time:

    keep-alive    sixteen connections for all requests
    connection    a new connection, and a new handshake, for each request

The first fifth of the requests warms up: it fills what is remembered (each practitioner has asked by then) and what the
interpreter and SQLite keep at hand. Over the rest a straight line is laid through the samples of resident memory, by
least squares, and what that line rises by is held to MAX_GROWN_MB. Descriptors and threads are counted at rest, after
the warm-up and at the end. Ends with 1 when something grows. The last result of each way is kept in
bench/results/soak.json.
"""

import argparse
import asyncio
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from bench.client import run
from bench.process import Measured
from bench.requests import Requests
from bench.targets import AUDIENCE, ISSUER, ROOT, Certificates, Door, Target, paravent, upstream
from paravent.sandbox.tokens import TokenMint

RESULTS: Final = ROOT / "bench" / "results" / "soak.json"
REQUESTS: Final = 200_000
WAYS: Final = ("keep-alive", "connection")
CONNECTIONS: Final = 16
WARM_UP: Final = 5
"""One request in so many is warm-up."""
PRACTITIONERS: Final = 2000
"""At the most. What a node remembers of each is not growth with requests: all of them ask within the warm-up."""
EACH: Final = 16
"""In a short run so few of them ask that this is how often: a pharmacist may ask twenty times in ten seconds."""
SAMPLES: Final = 200
MAX_GROWN_MB: Final = 2.5
"""What may be noise. Of the 160 000 requests after a whole warm-up it is 16 bytes each: as much as the smallest object
that Python has."""
SETTLED: Final = 10_000
"""Requests after which SQLite's caches, 2 MB a connection, and the interpreter's pools are full."""
SETTLING_MB: Final = 8.0
"""What may be noise when the warm-up is shorter than that: half of it was seen. Of 1 600 requests it is 5 KB each, less
than one flow or one TLS connection takes."""
SPARE_DESCRIPTORS: Final = 1
"""The two lists that look at the state file open and close it each time. SQLite closes none of a file that the process
has locked; it keeps it for the next opening. When both looked at once it has kept two, and goes on to use them."""
SPARE_THREADS: Final = 2
"""The event loop's pool starts a thread when one is first needed, which a short run may do after its warm-up. Threads
that requests leave behind would be hundreds."""
REST_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Held:
    """What a node at rest holds."""

    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True)
class Growth:
    """What one way to come in came to."""

    way: str
    requests: int
    seconds: float
    refused: int
    """Answers that were not 200."""
    rss_mb_warm: float
    """After the warm-up."""
    rss_mb_end: float
    kb_per_1000: float
    """The slope of the line, KB in 1 000 requests."""
    grown_mb: float
    """What the line rises by from the warm-up to the end."""
    warm: Held
    end: Held
    samples: tuple[tuple[int, float], ...]
    """Requests sent, and resident MB then."""

    def allowed_mb(self) -> float:
        """What the line may rise by."""
        return MAX_GROWN_MB if self.requests // WARM_UP >= SETTLED else SETTLING_MB

    def complaints(self) -> list[str]:
        """What grew, in words; none when it is flat."""
        found = []
        if self.grown_mb > self.allowed_mb():
            found.append(f"memory grew by {self.grown_mb:.1f} MB, more than {self.allowed_mb()} MB")
        if self.end.descriptors > self.warm.descriptors + SPARE_DESCRIPTORS:
            found.append(f"file descriptors grew from {self.warm.descriptors} to {self.end.descriptors}")
        if self.end.threads > self.warm.threads + SPARE_THREADS:
            found.append(f"threads grew from {self.warm.threads} to {self.end.threads}")
        if self.refused * 1000 > self.requests:
            found.append(f"{self.refused} requests were not answered with 200, more than one in a thousand")
        return found


def slope(samples: Sequence[tuple[int, float]]) -> float:
    """Of the line with the least squares of distances: MB a request."""
    count = len(samples)
    mean_x, mean_y = (sum(each[axis] for each in samples) / count for axis in (0, 1))
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / sum((x - mean_x) ** 2 for x, _ in samples)


def soak(way: str, target: Target, requests: Requests, count: int, say: Callable[[str], None]) -> Growth:
    """Send `count` requests, the warm-up first. The target is fresh."""
    warm_up = count // WARM_UP
    row = requests.forever(min(PRACTITIONERS, count // EACH))
    samples: list[tuple[int, float]] = []

    def watched(start: int, end: int) -> Iterator[bytes]:
        for number, request in enumerate(islice(row, end - start), start):
            if number % max(1, count // SAMPLES) == 0:
                samples.append((number, target.process.rss_mb()))
                if len(samples) % (SAMPLES // 10) == 0:
                    say(f"{way}: {number} of {count} requests, {samples[-1][1]:.1f} MB")
            yield request
        samples.append((end, target.process.rss_mb()))

    started, refused, held = time.monotonic(), 0, []
    for start, end in ((0, warm_up), (warm_up, count)):
        sending = run(target.port, watched(start, end), CONNECTIONS, reconnect=way == "connection", tls=target.tls)
        refused += asyncio.run(sending).refused
        held.append(_at_rest(target.process))
    after = [each for each in samples if each[0] >= warm_up]
    rise = slope(after)
    return Growth(
        way,
        count,
        round(time.monotonic() - started, 1),
        refused,
        after[0][1],
        after[-1][1],
        round(rise * 1024 * 1000, 3),
        round(rise * (count - warm_up), 3),
        *held,
        tuple(samples),
    )


def _at_rest(process: Measured) -> Held:
    """The least that it holds within a second without requests: connections end, and files are looked at and closed."""
    end, descriptors, threads = time.monotonic() + REST_S, [], []
    while time.monotonic() < end:
        descriptors.append(process.descriptors())
        threads.append(process.threads())
        time.sleep(0.05)
    return Held(min(descriptors), min(threads))


def measure(
    way: str,
    count: int,
    *,
    say: Callable[[str], None] = lambda text: None,
    program: Sequence[str] = ("-m", "paravent.cli"),
) -> Growth:
    """One way, with a node and an upstream of its own. `program`: what Python runs as the node."""
    mint = TokenMint(ISSUER, AUDIENCE)
    with ExitStack() as stack:

        def folder() -> Path:
            return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="paravent-soak-")))

        certificates = Certificates.make(folder())
        bare = stack.enter_context(upstream(folder(), close=True))
        node = stack.enter_context(paravent(folder(), bare.port, mint, Door.MTLS, certificates, program))
        return soak(way, node, Requests(mint, Door.MTLS, certificates), count, say)


def report(figures: Sequence[Growth]) -> str:
    """The table, for people."""
    lines = ["               requests   seconds   RSS MB warm   RSS MB end   KB per 1 000   grown MB   files   threads"]
    for each in figures:
        lines.append(
            f"{each.way:12} {each.requests:10d} {each.seconds:9.0f} {each.rss_mb_warm:13.1f} {each.rss_mb_end:12.1f} "
            f"{each.kb_per_1000:14.2f} {each.grown_mb:10.2f} {each.end.descriptors:7d} {each.end.threads:9d}"
        )
        lines += [f"    {complaint}" for complaint in each.complaints()]
    return "\n".join(lines)


def keep(figures: Sequence[Growth]) -> None:
    """Write them down. What an earlier run said of another way stays."""
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    revision = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    of_this_run = {
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "revision": revision.stdout.strip(),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()},
    }
    found |= {each.way: {**of_this_run, **asdict(each), "allowed_mb": each.allowed_mb()} for each in figures}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./dev soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=REQUESTS, help=f"each way (default {REQUESTS})")
    parser.add_argument("--way", action="append", choices=WAYS, help="this one alone; may be given again")
    arguments = parser.parse_args()
    if arguments.requests < 100:
        parser.error("--requests: a line needs samples: at least 100")
    ways = arguments.way or WAYS
    with ProcessPoolExecutor(len(ways)) as pool:
        figures = list(pool.map(partial(measure, count=arguments.requests, say=_say), ways))
    keep(figures)
    print(report(figures))
    return int(any(each.complaints() for each in figures))


if __name__ == "__main__":
    sys.exit(main())
