"""The ledger as a sink: many requests append, one thread writes, a group is made durable at once.

The thread takes all records that wait, seals them in order, writes them with one call, syncs once, moves the head,
then answers each caller, and syncs the head while they go on. While it syncs the next group gathers, so the disk sets
the pace and never the event loop.
"""

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from paravent.alarm import Alarm
from paravent.audit.chain import seal
from paravent.audit.keys import ChainKey
from paravent.audit.verify import GROUP_MAX
from paravent.model import Secret
from paravent.sinks.journal import Journal
from paravent.values import Value

SEGMENT_BYTES: Final = 64 * 1024 * 1024
"""About 80 000 records: a file that can be shipped, and checked at a start, in a second or two."""

WAITING_MAX: Final = 4 * GROUP_MAX
"""Records that may wait. Beyond, the disk is seconds behind and the answer is no at once."""

GATHER_S: Final = 0.001
"""How long a group that is not the first to hold several records waits for more: a sync costs the same for one and for
fifty. PostgreSQL's commit_delay is the same bargain; a lone record is not kept waiting."""

PROBE_S: Final = 1.0
"""How often a sink that failed looks whether it could write again."""

CLOSE_S: Final = 10.0
"""How long `close` waits for a disk that does not answer. What waits then was never acknowledged."""


type _Answer = bool | Exception


class _Waiting(Value, frozen=True, eq=False):
    HIDDEN = frozenset({"record"})

    record: dict[str, object]
    answer: asyncio.Future[bool]
    loop: asyncio.AbstractEventLoop

    def given_up(self) -> bool:
        """Its deadline passed and its caller was told False. The record of a cancelled caller is still written."""
        return self.answer.done() and not self.answer.cancelled()


class FileSink:
    """`ports.AuditSink` on a folder of files. Open it in the process that uses it (after a fork, not before)."""

    def __init__(
        self,
        directory: Path,
        chain_key: Secret[bytes],
        writer: str = "0",
        *,
        deadline_ms: int = 1000,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        """Create or resume the chain of `writer` in `directory`; reads its last file once.

        Raises LedgerDamaged (not what was written), LedgerBusy (another process writes it), OSError (no access).
        """
        self._key = ChainKey.of(chain_key)
        self._journal = Journal(directory, self._key, writer, segment_bytes)
        self._deadline_s = deadline_ms / 1000
        self._waiting: deque[_Waiting] = deque()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        """A turn of a loop brought records, or it is over. Once too often does no harm."""
        self._closing = False
        self._deadline = Alarm(self._deadline_s)
        self._telling: asyncio.AbstractEventLoop | None = None
        """Who will wake the thread at the end of its turn."""
        self._busy = False
        """The last group held several records: more are on their way."""
        self._busy_since_s: float | None = None
        """On the monotonic clock: since when the thread has been at the disk with one group. None: it waits for us."""
        self._thread = threading.Thread(target=self._run, name=f"ledger-{writer}", daemon=True)
        self._thread.start()

    @property
    def healthy(self) -> bool:
        """False when the next append is known to fail: the last one did, the disk has not answered for as long as an
        append may take, or nothing is written any more."""
        return self.trouble is None and not self._journal.closed

    @property
    def trouble(self) -> str | None:
        """Why it is not healthy, for an operator: the name of an errno or a constant sentence."""
        since_s = self._busy_since_s
        if self._journal.trouble is None and since_s is not None and time.monotonic() - since_s > self._deadline_s:
            return "the disk does not answer"
        return self._journal.trouble

    @property
    def records(self) -> int:
        """How many lines the chain has, all starts together. It never goes down: a ledger that was put back shows."""
        return self._journal.tip.seq

    async def append(self, record: dict[str, object]) -> bool:
        """Chain and write one record. True: it is durable. False: the disk, the queue or the deadline said no.

        A record whose deadline passed while it waited is not written. One whose deadline passed while it was being
        written may stay: a decision on record whose answer never left. TypeError or ValueError: not a record.
        """
        loop = asyncio.get_running_loop()
        if self._closing or self._journal.closed or len(self._waiting) >= WAITING_MAX:
            return False
        waiting = _Waiting(record, loop.create_future(), loop)
        self._waiting.append(waiting)
        if self._telling is not loop:
            # One wake-up for all that this turn of the loop brings.
            loop.call_soon(self._tell)
            self._telling = loop  # only now: were it said of a call that nobody makes, nobody would ring again
        bell = self._deadline.set(partial(_resolve, ((waiting.answer, False),)))
        try:
            return await waiting.answer
        finally:
            self._deadline.clear(bell)
            # Were the call lost to a failure, whoever comes next rings again; one too many wakes the thread in vain.
            self._telling = None

    def _tell(self) -> None:
        self._telling = None
        self._bell.put(None)

    def close(self) -> None:
        """Write what waits, then give up the files. Blocks until the disk is done, but no longer than `CLOSE_S`."""
        self._closing = True
        self._bell.put(None)
        self._thread.join(CLOSE_S)

    # ---- the thread

    def _run(self) -> None:
        try:
            while (group := self._take()) is not None:
                self._serve(group)
        finally:
            # The thread's own files: nobody else may close them while it is at the disk. Should it ever end by a bug,
            # the sink is closed from here on and says so.
            self._journal.close()

    def _serve(self, group: list[_Waiting]) -> None:
        self._busy_since_s = time.monotonic()
        try:
            if group:
                self._write(group)
            elif self._journal.trouble:
                self._journal.probe()
        except BaseException:
            _answer([(waiting, False) for waiting in group])
        finally:
            self._busy_since_s = None

    def _take(self) -> list[_Waiting] | None:
        """The next group; empty when it is time to look at the disk again; None when it is over."""
        while True:
            closing = self._closing  # first: whoever was let in before it was said waits by now
            if self._waiting:
                break
            if closing:
                return None
            hopeful = self._journal.trouble is not None and not self._journal.closed
            try:
                self._bell.get(timeout=PROBE_S if hopeful else None)
            except queue.Empty:
                return []
        if self._busy:
            time.sleep(GATHER_S)
        return self._drawn()

    def _drawn(self) -> list[_Waiting]:
        while not self._bell.empty():  # before the records: who rings from here on may not be among them
            self._bell.get()
        group = [self._waiting.popleft() for _ in range(min(len(self._waiting), GROUP_MAX))]
        self._busy = len(group) > 1
        return group

    def _write(self, group: list[_Waiting]) -> None:
        tip = self._journal.tip
        lines: list[bytes] = []
        sealed: list[_Waiting] = []
        answers: list[tuple[_Waiting, _Answer]] = []
        for waiting in group:
            if waiting.given_up():
                continue
            try:
                line, tip = seal(tip, waiting.record, self._key)
            except Exception as bug:
                # Not a record, or no memory for it: its caller's alone. Nothing of it has touched the chain.
                answers.append((waiting, bug))
                continue
            lines.append(line)
            sealed.append(waiting)
        durable = bool(lines) and self._journal.commit(b"".join(lines), tip)
        _answer(answers + [(waiting, durable) for waiting in sealed])
        self._journal.keep_head()


def _answer(answers: Sequence[tuple[_Waiting, _Answer]]) -> None:
    """Tell the callers, each in its own loop, with one wake-up a loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[bool], _Answer]]] = {}
    for waiting, answer in answers:
        by_loop.setdefault(waiting.loop, []).append((waiting.answer, answer))
    for loop, told in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, told)
        except RuntimeError:
            # The loop is closed: nobody waits any more.
            continue


def _resolve(told: Sequence[tuple[asyncio.Future[bool], _Answer]]) -> None:
    for future, answer in told:
        if future.done():
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
