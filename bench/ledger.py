"""`python -m bench.ledger [--json] [--quick]`: what a charge costs, by store.

    latency     one caller: from the call to the answer of a charge of the reference policy's budgets
    growth      the same with 10 and with 10 000 persons in the practitioner's window, and in the establishment's, in
                turns; exit code 1 when the larger one takes more than 1.5 times as long, in either store
    rate        charges a second, each of them settled: 1, 2 and 4 processes of sixteen callers on one store
    memory      a practitioner with five persons: bytes of the state file and of the process that has it open, bytes
                that Redis holds; of 1 000 and of 100 000 practitioners

Redis is on this machine, with `appendonly yes`. Absolute figures belong to the machine and to what else it does. The
last run is kept in bench/results/ledger.json, unless it was `--quick`.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bench.ledger_store import (
    ROOT,
    Store,
    budgets_of,
    charge_of,
    charged,
    opened,
    place_of,
    redis_bytes,
    settled,
)

RESULTS: Final = Path(__file__).resolve().parent / "results" / "ledger.json"
STORES: Final = ("sqlite", "redis")
GROWTH_AT_MOST: Final = 1.5
FEW, MANY = 10, 10_000
EACH_HAS: Final = 5
"""Persons of a practitioner, where memory is measured."""
AT_ONCE: Final = 32
TURN: Final = 10


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured."""

    charges: int = 4000
    growth_charges: int = 3000
    rate_s: float = 4.0
    workers: tuple[int, ...] = (1, 2, 4)
    practitioners: tuple[int, ...] = (1_000, 100_000)


QUICK: Final = Effort(300, 400, 0.5, (1, 2), (200, 400))


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one store."""

    store: str
    charge_p50_ms: float
    charge_p99_ms: float
    few_persons_p50_ms: float
    many_persons_p50_ms: float
    growth: float
    """The second of those to the first."""
    charges_per_s: dict[str, int]
    """Processes → all of them together."""
    bytes_a_practitioner: dict[str, int]
    """Practitioners → on disk, or in Redis."""
    process_bytes_a_practitioner: dict[str, int]
    """Practitioners → resident memory of the process that charged them all. Of Redis: of our side of it."""


async def timed_ms(store: Store, practitioner: int, *, keep: bool) -> float:
    """One charge about somebody new. Without `keep` it is given back, so that the set stays as large as it is."""
    charge = charge_of(budgets_of(practitioner))
    started = time.perf_counter()
    await charged(store, charge)
    took_ms = (time.perf_counter() - started) * 1000
    await settled(store, charge, disclosed=keep)
    return took_ms


async def latency(place: str, charges: int) -> list[float]:
    store = opened(place)
    for warm in range(100):
        await timed_ms(store, warm, keep=True)
    # Forty practitioners, as a worker has in a minute, each with a growing set.
    took = [await timed_ms(store, number % 40, keep=True) for number in range(charges)]
    store.close()
    return took


async def growth(place: str, charges: int) -> tuple[float, float]:
    """Medians in turns of `TURN`, so that what disturbs one disturbs the other. The first of a turn is not looked at:
    it shares its transaction with the last settlement of the other."""
    store, few, many = opened(place), 500, 501
    for practitioner, persons in ((few, FEW), (many, MANY)):
        for _ in range(persons // FEW):
            charge = charge_of(budgets_of(practitioner), FEW)
            await charged(store, charge)
            await settled(store, charge)
    took: dict[int, list[float]] = {few: [], many: []}
    for _ in range(charges // TURN):
        for practitioner, each in took.items():
            await timed_ms(store, practitioner, keep=False)
            each += [await timed_ms(store, practitioner, keep=False) for _ in range(TURN)]
    store.close()
    return statistics.median(took[few]), statistics.median(took[many])


def rate(place: str, workers: int, seconds: float) -> int:
    command = (sys.executable, "-m", "bench.ledger_store", place, str(seconds))
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) for _ in range(workers)]
    for each in processes:
        if each.stdout is None or each.stdout.readline() != "ready\n":
            raise RuntimeError("a worker did not start")
    for each in processes:
        if each.stdin is not None:
            each.stdin.write("go\n")
            each.stdin.flush()
    done = sum(int(each.communicate(timeout=60)[0]) for each in processes)
    return round(done / seconds)


def rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def memory(place: str, practitioners: int) -> tuple[int, int]:
    """Bytes of the store and of this process, a practitioner."""
    store = opened(place)
    await charged(store, charge_of(budgets_of(0)))
    in_redis = place.startswith("redis:")
    store_before, ours_before = redis_bytes(place) if in_redis else 0, rss_bytes()
    numbers = iter(range(1, practitioners + 1))

    async def fill() -> None:
        for number in numbers:
            charge = charge_of(budgets_of(number), EACH_HAS)
            await charged(store, charge)
            await settled(store, charge)

    await asyncio.gather(*(fill() for _ in range(AT_ONCE)))
    ours = rss_bytes() - ours_before
    if in_redis:
        held = redis_bytes(place) - store_before
        store.close()
    else:
        store.close()  # the log is written to the tables, and the tables to the file
        held = sum(file.stat().st_size for file in Path(place).parent.glob("state.db*"))
    return held // practitioners, max(0, ours) // practitioners


def measure(kind: str, effort: Effort, folder: Path) -> Figures:
    """Each part on an empty store."""
    with place_of(kind, folder / "latency") as (place, _):
        took = sorted(asyncio.run(latency(place, effort.charges)))
    with place_of(kind, folder / "growth") as (place, _):
        few, many = asyncio.run(growth(place, effort.growth_charges))
    rates = {}
    for workers in effort.workers:
        with place_of(kind, folder / f"rate-{workers}") as (place, _):
            rates[str(workers)] = rate(place, workers, effort.rate_s)
    held, ours = {}, {}
    for practitioners in effort.practitioners:
        with place_of(kind, folder / f"memory-{practitioners}") as (place, _):
            held[str(practitioners)], ours[str(practitioners)] = _apart(place, practitioners)
    return Figures(
        kind,
        round(took[len(took) // 2], 3),
        round(took[len(took) * 99 // 100], 3),
        round(few, 3),
        round(many, 3),
        round(many / few, 3),
        rates,
        held,
        ours,
    )


def _apart(place: str, practitioners: int) -> tuple[int, int]:
    """In a process of its own: what another measurement has left in memory is not its."""
    program = (
        f"import asyncio; from bench.ledger import memory; print(*asyncio.run(memory({place!r}, {practitioners})))"
    )
    done = subprocess.run((sys.executable, "-c", program), cwd=ROOT, capture_output=True, text=True, check=True)
    held, ours = map(int, done.stdout.split())
    return held, ours


def measure_all(effort: Effort) -> list[Figures]:
    with tempfile.TemporaryDirectory(prefix="paravent-bench-") as folder:
        return [measure(kind, effort, Path(folder) / kind) for kind in STORES]


def table(figures: list[Figures]) -> str:
    """For people."""
    lines = [f"{'':44}" + "".join(f"{each.store:>12}" for each in figures)]

    def row(name: str, *values: object) -> None:
        lines.append(f"{name:44}" + "".join(f"{value:>12}" for value in values))

    row("charge, p50 ms", *(each.charge_p50_ms for each in figures))
    row("charge, p99 ms", *(each.charge_p99_ms for each in figures))
    row(f"{FEW} persons in the window, p50 ms", *(each.few_persons_p50_ms for each in figures))
    row(f"{MANY} persons in the window, p50 ms", *(each.many_persons_p50_ms for each in figures))
    row(f"times as long (at most {GROWTH_AT_MOST})", *(each.growth for each in figures))
    for workers in figures[0].charges_per_s:
        row(f"charges a second, {workers} processes", *(each.charges_per_s[workers] for each in figures))
    for number in figures[0].bytes_a_practitioner:
        row(f"bytes a practitioner, {number} of them", *(each.bytes_a_practitioner[number] for each in figures))
        row("  and in our process", *(each.process_bytes_a_practitioner[number] for each in figures))
    return "\n".join(lines)


def grows(figures: list[Figures]) -> list[str]:
    """The stores in which a charge costs more, the more persons there are."""
    return [each.store for each in figures if each.growth > GROWTH_AT_MOST]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.ledger", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="the results as JSON on standard output")
    parser.add_argument("--quick", action="store_true", help="a few seconds, and the kept results stay")
    options = parser.parse_args()
    figures = measure_all(QUICK if options.quick else Effort())
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}
    document = {"machine": machine, "figures": [asdict(each) for each in figures]}
    if not options.quick:
        RESULTS.write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(document) if options.json else table(figures))
    for store in grows(figures):
        print(f"{store}: a charge costs more, the more persons there are", file=sys.stderr)
    return 1 if grows(figures) else 0


if __name__ == "__main__":
    sys.exit(main())
