"""A process of its own that writes a ledger, to be killed or starved by a test.

python ledger_process.py endless FOLDER     32 callers append for ever; each acknowledged id is a line of output
python ledger_process.py full FOLDER        the file may grow no further for a while; prints what append said
python ledger_process.py no-files FOLDER    no file may be opened for a while; prints what append said
python ledger_process.py probe FOLDER       the file may grow no further for a while; prints what probing found
python ledger_process.py held FOLDER        opens the ledger, says so, and holds it until its input ends
"""

import asyncio
import json
import os
import resource
import sys
from pathlib import Path

from audit_records import CHAIN, KEY, a_record
from paravent.audit.chain import genesis, seal
from paravent.sinks.files import FileSink
from paravent.sinks.journal import Journal

CALLERS = 32


async def endless(folder: Path) -> None:
    sink = FileSink(folder, CHAIN, segment_bytes=32 * 1024, deadline_ms=30_000)

    async def caller(name: int) -> None:
        number = 0
        while True:
            number += 1
            identity = f"{os.getpid():x}-{name}-{number}"
            if await sink.append(a_record() | {"id": identity}):
                os.write(1, identity.encode() + b"\n")

    await asyncio.gather(*(caller(name) for name in range(CALLERS)))


async def starved(folder: Path, what: int, limit: int, segment_bytes: int) -> None:
    """Ten records, then three under a limit, then three without it."""
    sink = FileSink(folder, CHAIN, segment_bytes=segment_bytes, deadline_ms=30_000)
    told: dict[str, object] = {"before": [await sink.append(a_record(number)) for number in range(10)]}
    soft, hard = resource.getrlimit(what)
    sizes = [path.stat().st_size for path in sorted(folder.glob("*.jsonl"))]
    resource.setrlimit(what, (limit + sizes[-1] if what == resource.RLIMIT_FSIZE else limit, hard))
    told["during"] = [await sink.append(a_record(number)) for number in range(10, 13)]
    told["healthy"], told["trouble"] = sink.healthy, sink.trouble
    resource.setrlimit(what, (soft, hard))
    told["restored"] = [path.stat().st_size for path in sorted(folder.glob("*.jsonl"))] == sizes
    told["after"] = [await sink.append(a_record(number)) for number in range(13, 16)]
    told["recovered"] = sink.healthy
    sink.close()
    sys.stdout.write(json.dumps(told))


def probed(folder: Path) -> None:
    """The journal's trouble: after a refused commit, after a probe under the limit, after one without it."""
    journal = Journal(folder, KEY, "0", 1 << 20)
    assert journal.commit(*seal(journal.tip, a_record(), KEY))
    file = folder / "ledger-0-000001.jsonl"
    size = file.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 300, hard))
    told: list[object] = [journal.commit(*seal(journal.tip, a_record(2), KEY)), journal.trouble]
    journal.probe()
    told += [journal.trouble, file.stat().st_size - size]
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    journal.probe()
    told += [journal.trouble, file.stat().st_size - size]
    sys.stdout.write(json.dumps(told))


def held(folder: Path) -> None:
    sink = FileSink(folder, CHAIN)
    os.write(1, b"held\n")
    sys.stdin.read()
    sink.close()


def main(mode: str, folder: Path) -> None:
    if mode == "endless":
        asyncio.run(endless(folder))
    elif mode == "full":
        # Room for less than half a line: the write is cut short, the next one is refused.
        asyncio.run(starved(folder, resource.RLIMIT_FSIZE, 300, 1 << 20))
    elif mode == "no-files":
        # Ten lines fill the file, so the next one needs another.
        line_bytes = len(seal(genesis("0"), a_record(), KEY)[0])
        asyncio.run(starved(folder, resource.RLIMIT_NOFILE, 3, 10 * line_bytes + line_bytes // 2))
    elif mode == "probe":
        probed(folder)
    elif mode == "held":
        held(folder)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
