"""The shared ledger: one Redis or Valkey, for all nodes. Answers as `stores.memory` does, in one script a charge.

Time is the server's, so that nodes need not agree on it; it never goes back, also not after a failover. What a timeout
or a lost connection leaves behind is put right as soon as Redis can be asked again: a charge whose answer did not come
is StoreDown, and undone; a settlement is said again until it is answered. The script knows a settlement for ten
minutes, so that however often it is said it counts once. Lost for good, it leaves its reservation charged.

Redis itself must keep what it has said (`appendonly yes`). A replica that takes over may lack what was charged in the
last moments before: by so many persons, and no more, a budget can be exceeded after a failover.
"""

import asyncio
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, cast

from msgspec.structs import replace

from paravent.effects import Charge, Charged, OverBudget, ProofSeen, Replayed, Settle, StoreDown
from paravent.quota.bill import Bills, bill_of
from paravent.quota.settling import adds_nobody
from paravent.stores.memory import RETENTION_S
from paravent.stores.redis_calls import Call, Plan, look_call, proof_call
from paravent.stores.redis_link import Answer, CommandError, Link, LinkDown, Server, connect
from paravent.stores.redis_script import SCRIPT, SHA

AGAIN_S: Final = 0.1
"""Between two tries to connect. A node that is down costs Redis ten connections a second, and comes back in as long."""

OWED_AT_MOST: Final = 10_000
"""Settlements kept for when Redis is back. More are lost: what they would have given back stays charged."""

SAID_AT_ONCE: Final = 64
"""In one round of the event loop: each takes some twenty microseconds to write down, and callers wait meanwhile."""

SAID_AGAIN_FOR_S: Final = 300.0
"""After a settlement was first sent. Half as long as the script knows it (`remember_ms`)."""


@dataclass(slots=True)
class _Owed:
    """A settlement that somebody was answered for, and that is not known to be written."""

    settle: Settle
    sent_s: float | None = None
    """When it was first on its way."""


class RedisLedger:
    """`paravent.ports.Ledger` on one Redis. One per process; all on one event loop."""

    def __init__(
        self,
        server: Server,
        *,
        deadline_ms: int = 250,
        retention_s: int = RETENTION_S,
        server_time: bool = True,
    ) -> None:
        """`deadline_ms` bounds each operation from call to answer. Without `server_time`, the effects tell the time:
        for tests of windows. Connects when it is first asked, or looked after."""
        self._server = server
        self._deadline_s = deadline_ms / 1000
        self._common: dict[str, object] = {"server_time": server_time}
        self._retention_s = retention_s
        self._look = look_call(None, longest_s=retention_s, **self._common)
        self._plans = Bills(lambda budgets: Plan(bill_of(budgets)))
        self._link: Link | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._open: set[str] = set()
        self._highest_ms = 0
        self._owed: deque[_Owed] = deque(maxlen=OWED_AT_MOST)
        self._unsaid: deque[_Owed] = deque(maxlen=OWED_AT_MOST)
        """Those that were said in vain: for when there is another connection, or somebody looks after this one."""
        self._paying: asyncio.Handle | None = None
        """The next round says what this one did not come to."""
        self._under_way = 0
        self._closed = False

    @property
    def healthy(self) -> bool:
        """There is a connection, and the last answer on it came in time and was no error."""
        return self._link is not None and self._link.up and not self._closed

    @property
    def queue_depth(self) -> int:
        """How many operations wait for their answer."""
        return self._under_way

    async def charge(self, charge: Charge) -> Charged | OverBudget | Replayed | StoreDown:
        """See `paravent.effects.Charge`. Raises ValueError when the id is that of an open charge."""
        self._highest_ms = max(self._highest_ms, charge.now_ms)
        plan = self._plans.of(charge.budgets)
        in_doubt = False
        try:
            link = await self._ready()
            in_doubt = True
            answer = await self._ask(link, plan.charge(charge, **self._bounds(plan)))
            in_doubt = False
        except LinkDown:
            return StoreDown.UNAVAILABLE
        finally:
            # Nobody was told of it, and nobody is to pay for it: also when the caller was cancelled.
            if in_doubt:
                self._owe(Settle(charge, charge.now_ms, disclosed=(), missed=False))
        told = plan.told(answer)
        if isinstance(told, Charged):
            self._open.add(charge.id)
        return told

    async def settle(self, settle: Settle) -> Charged | OverBudget | StoreDown:
        """See `paravent.effects.Settle`. One that adds nobody is not waited for; one that is not answered is said again
        later, without those whom it would have added: their answer does not leave."""
        self._highest_ms = max(self._highest_ms, settle.now_ms)
        ours = settle.charge.id in self._open
        self._open.discard(settle.charge.id)
        if ours and not self._closed and adds_nobody(settle, self._highest_ms):
            self._owe(settle)
            return Charged(())
        plan = self._plans.of(settle.charge.budgets)
        try:
            link = await self._ready()
            answer = await self._ask(link, plan.settle(settle, False, **self._bounds(plan)))
        except LinkDown:
            self._owe(withheld(settle))
            return StoreDown.UNAVAILABLE
        return cast("Charged | OverBudget", plan.told(answer))

    async def proof_seen(self, proof: ProofSeen, now_ms: int) -> bool | StoreDown:
        """See `paravent.ports.Ledger`. After StoreDown the proof may be remembered: it is not to be tried again."""
        self._highest_ms = max(self._highest_ms, now_ms)
        try:
            link = await self._ready()
            call = proof_call(proof, now_ms, longest_s=self._retention_s, **self._common)
            return (await self._ask(link, call))[0] == b"replayed"
        except LinkDown:
            return StoreDown.UNAVAILABLE

    async def make_good(self, settle: Settle) -> bool:
        """Count who was disclosed already, room or not. Whether it is written; False: it may be, and is to be asked
        for again."""
        plan = self._plans.of(settle.charge.budgets)
        try:
            link = await self._ready()
            await self._ask(link, plan.settle(settle, True, **self._bounds(plan)))
        except LinkDown:
            return False
        return True

    async def look_after(self) -> None:
        """Connect, if there is no connection; find out whether there still is one, and whether it takes charges. To be
        called now and then."""
        with suppress(LinkDown):
            await self._ask(await self._ready(), self._look)
            self._pay_again()

    def close(self) -> None:
        """What is owed is on its way. Every later operation answers StoreDown."""
        self._closed = True
        with suppress(RuntimeError):  # the loop is closed already, and all its connections with it
            if self._connecting is not None:
                self._connecting.cancel()
            if self._link is not None:
                self._say(len(self._owed))
                self._link.close()

    async def _ready(self) -> Link:
        """A connection, within the deadline. Raises LinkDown."""
        if self._link is not None and self._link.up and not self._closed:
            return self._link
        if self._closed:
            raise LinkDown
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.get_running_loop().create_task(self._connect())
        await asyncio.wait({self._connecting}, timeout=self._deadline_s)
        if self._link is None or not self._link.up:
            raise LinkDown
        return self._link

    async def _connect(self) -> None:
        try:
            # The last of it as each charge will: a server that takes no writes now is no store.
            link = await connect(self._server, (b"SCRIPT", b"LOAD", SCRIPT.encode()), (b"EVALSHA", SHA, *self._look))
        except LinkDown:
            await asyncio.sleep(AGAIN_S)  # whoever asks meanwhile waits for this task, not for one of its own
            return
        self._link = link
        self._pay_again()

    async def _ask(self, link: Link, call: Call) -> list[bytes | int]:
        """The script's answer. Raises LinkDown when it does not come in time, or is an error."""
        self._under_way += 1
        try:
            async with asyncio.timeout(self._deadline_s):
                return cast("list[bytes | int]", await link.send(b"EVALSHA", SHA, *call))
        except TimeoutError:
            link.drop()
            raise LinkDown from None
        except CommandError:
            # NOSCRIPT after a restart, READONLY after a failover, OOM: another connection begins anew.
            link.drop()
            raise LinkDown from None
        finally:
            self._under_way -= 1

    def _owe(self, settle: Settle) -> None:
        """To be written, and not waited for: now, or when there is a connection again."""
        self._owed.append(_Owed(settle))
        if self._paying is None:
            self._pay()

    def _pay_again(self) -> None:
        self._owed.extend(self._unsaid)
        self._unsaid.clear()
        if self._paying is None:
            self._pay()

    def _pay(self) -> None:
        """As much as one round of the loop has time for; the rest in the next ones."""
        self._paying = None
        self._say(SAID_AT_ONCE)
        if self._owed and self._link is not None and self._link.up:
            self._paying = asyncio.get_running_loop().call_soon(self._pay)

    def _say(self, most: int) -> None:
        for _ in range(min(most, len(self._owed))):
            if self._link is None or not self._link.up:
                return
            owed, now_s = self._owed.popleft(), time.monotonic()
            owed.sent_s = now_s if owed.sent_s is None else owed.sent_s
            if now_s - owed.sent_s > SAID_AGAIN_FOR_S:
                continue
            settle = owed.settle
            plan = self._plans.of(settle.charge.budgets)
            call = plan.settle(settle, True, **self._bounds(plan))
            future = self._link.send(b"EVALSHA", SHA, *call)
            future.add_done_callback(partial(self._paid, owed))

    def _paid(self, owed: _Owed, future: asyncio.Future[Answer]) -> None:
        if future.cancelled() or future.exception() is not None:
            self._unsaid.append(owed)

    def _bounds(self, plan: Plan) -> dict[str, object]:
        return {**self._common, "longest_s": max(self._retention_s, plan.longest_s)}


def withheld(settle: Settle) -> Settle:
    """What is left of a settlement whose answer does not leave. Whoever was asked about counts, as the caller may have
    learned of them by the refusal; a search has found somebody, and pays with its miss."""
    reserved = tuple(person for person in settle.disclosed if person in settle.charge.persons)
    return replace(settle, disclosed=reserved, missed=settle.missed or len(reserved) < len(settle.disclosed))
