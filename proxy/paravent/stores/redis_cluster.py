"""The shared ledger on a Redis Cluster. Answers as `stores.redis` does, with a script for each payer.

    own       the practitioner's keys share a slot: one script, atomic and exact; it says who was new to them
    wider     then every other payer's script, at the same time; each charges or refuses by itself
    refund    where one refuses, whatever the others and the practitioner were charged is given back

So nobody's own budget is ever exceeded, and nothing passes that one scope has refused. What two slots cannot do at once
shows in the wider counters alone: a person counts there when they are new to their practitioner, so that one who was
reserved, asked about again meanwhile, and then refused by a wider scope, passes the second time uncounted; and so does
one of a node that died between the two scripts. At most one question in flight for each practitioner and person.

A settlement that adds nobody is on its way to the practitioner's master when the answer goes on, before whatever that
master is asked next; the wider ones follow. It is not waited for: its persons count by their reservation until then,
and for good if it is lost.

A proof has a slot of its own and is asked about first. Time is that of each master.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from msgspec.structs import replace

from paravent.effects import (
    Budget,
    BudgetKind,
    Charge,
    Charged,
    OverBudget,
    ProofSeen,
    Replayed,
    Scope,
    Settle,
    StoreDown,
)
from paravent.model import Subject
from paravent.quota.bill import Bills, bill_of
from paravent.quota.settling import adds_nobody
from paravent.rules import Span
from paravent.stores.memory import RETENTION_S
from paravent.stores.redis import OWED_AT_MOST, SAID_AGAIN_FOR_S, SAID_AT_ONCE, withheld
from paravent.stores.redis_calls import Plan, look_call
from paravent.stores.redis_link import LinkDown, Server
from paravent.stores.redis_masters import Masters
from paravent.stores.redis_script import SCRIPT, SHA

type Told = Charged | OverBudget | StoreDown

type Counts = dict[str, int]
"""Span → persons, as the script reads it."""


@dataclass(frozen=True, slots=True)
class Part:
    """One payer's share of a charge."""

    payer: str
    plan: Plan
    spans: tuple[Span, ...]
    """Of its counters of persons."""
    always: bool
    """It has a set, or counts requests: also where nobody is new."""


@dataclass(frozen=True, slots=True)
class Parts:
    own: Part | None
    wider: tuple[Part, ...]
    spans: tuple[Span, ...]
    """All that the wider ones need to be told about."""
    longest_s: int


@dataclass(slots=True)
class _Owed:
    """One payer's settlement that is not known to be written."""

    part: Part | None
    """None: the practitioner's, and then those of `wider`, which it says what to count."""
    settle: Settle
    back: Counts = field(default_factory=dict)
    adds: Counts = field(default_factory=dict)
    wider: tuple[Part, ...] = ()
    refund: bool = False
    """Also of its requests: it was refused."""
    sent_s: float | None = None


def parts_of(budgets: Iterable[Budget]) -> Parts:
    """By payer, the practitioner apart."""
    by_payer: dict[str, list[Budget]] = {}
    for budget in budgets:
        by_payer.setdefault(budget.payer, []).append(budget)
    own, wider, longest_s = None, [], 0
    for payer, some in by_payer.items():
        bill = bill_of(some)
        longest_s = max(longest_s, bill.longest_s)
        spans = tuple(dict.fromkeys(window.span for _, _, window in bill.person_counters))
        part = Part(payer, Plan(bill, payer), spans, bool(bill.sets or bill.event_counters))
        if some[0].scope is Scope.PRACTITIONER:
            own = part
        else:
            wider.append(part)
    return Parts(own, tuple(wider), tuple(dict.fromkeys(s for part in wider for s in part.spans)), longest_s)


class ClusterLedger:
    """`paravent.ports.Ledger` on a Redis Cluster. One per process; all on one event loop."""

    def __init__(
        self,
        seed: Server,
        *,
        deadline_ms: int = 250,
        retention_s: int = RETENTION_S,
        server_time: bool = True,
    ) -> None:
        """As of `RedisLedger`. `deadline_ms` bounds a proof; all the rounds of a charge, and then its refund: one that
        is refused stays so, however slow the refund; all the rounds of a settlement, and once more those of one that
        makes room first. `seed`: any node of it."""
        look = partial(look_call, server_time=server_time, longest_s=retention_s)
        self._masters = Masters(seed, deadline_ms / 1000, SCRIPT, SHA, look)
        self._deadline_s = deadline_ms / 1000
        self._server_time = server_time
        self._retention_s = retention_s
        self._parts = Bills(parts_of)
        self._open: dict[str, tuple[Part, ...]] = {}
        """Charges of this process that are not settled → the wider payers that were charged."""
        self._highest_ms = 0
        self._owed: deque[_Owed] = deque(maxlen=OWED_AT_MOST)
        self._settling: set[asyncio.Task[None]] = set()
        """Settlements on their way that nobody waits for."""
        self._under_way = 0

    @property
    def healthy(self) -> bool:
        """Every slot has a master that answers."""
        return self._masters.healthy

    @property
    def queue_depth(self) -> int:
        """How many operations wait for their answer."""
        return self._under_way

    @property
    def owed(self) -> int:
        """Settlements that are not known to be written: of one payer each, or just on their way."""
        return len(self._owed) + len(self._settling)

    async def charge(self, charge: Charge) -> Charged | OverBudget | Replayed | StoreDown:
        """See `paravent.effects.Charge`. Raises ValueError when the id is that of an open charge."""
        self._highest_ms = max(self._highest_ms, charge.now_ms)
        self._under_way += 1
        try:
            if charge.proof is not None:
                seen = await self.proof_seen(charge.proof, charge.now_ms)
                if seen:
                    return StoreDown.UNAVAILABLE if seen is StoreDown.UNAVAILABLE else Replayed.REPLAYED
            return await self._charge(replace(charge, proof=None))
        except LinkDown:
            return StoreDown.UNAVAILABLE
        finally:
            self._under_way -= 1

    async def settle(self, settle: Settle) -> Charged | OverBudget | StoreDown:
        """See `paravent.effects.Settle`. One that adds nobody is on its way when this returns, and not waited for. Whom
        another one adds is charged first, as by a question of their own."""
        self._highest_ms = max(self._highest_ms, settle.now_ms)
        charge = settle.charge
        ours = charge.id in self._open
        wider = self._open.pop(charge.id) if ours else self._parts.of(charge.budgets).wider
        foreseen = tuple(person for person in settle.disclosed if person in charge.persons)
        keeps = ours and adds_nobody(replace(settle, disclosed=foreseen), self._highest_ms)
        if keeps and foreseen == settle.disclosed:
            self._settle_soon(settle, wider)
            return Charged(())
        self._under_way += 1
        try:
            if not settle.disclosed:
                await self._settle(settle, wider)
                return Charged(())
            return await self._add(settle, wider, foreseen if keeps else ())
        finally:
            self._under_way -= 1

    async def make_good(self, settle: Settle) -> bool:
        """Count who was disclosed already, room or not. Whether the practitioner's part is written: the wider ones are
        told then how many are new, or are owed it here."""
        try:
            await self._say(_Owed(None, settle, wider=self._parts.of(settle.charge.budgets).wider))
        except LinkDown:
            return False  # and nobody else has heard of it: how many are new, nobody knows yet
        return True

    async def proof_seen(self, proof: ProofSeen, now_ms: int) -> bool | StoreDown:
        """See `paravent.ports.Ledger`."""
        key = b"paravent:proof:{" + proof.key.hex().encode() + b"}"
        left_ms = max(1, proof.until_ms - now_ms)
        try:
            return await self._masters.ask(key, b"SET", key, b"1", b"NX", b"PX", left_ms) is None
        except LinkDown:
            return StoreDown.UNAVAILABLE

    async def look_after(self) -> None:
        """Connect where there is no connection; say again what is owed. To be called now and then."""
        await self._masters.look_after()
        for many in range(len(self._owed), 0, -SAID_AT_ONCE):
            if not self.healthy:
                return
            some = [self._owed.popleft() for _ in range(min(many, SAID_AT_ONCE, len(self._owed)))]
            now_s = time.monotonic()
            await self._say_or_owe([owed for owed in some if _is_known(owed, now_s)])

    def close(self) -> None:
        """Every later operation answers StoreDown."""
        self._masters.close()

    async def _charge(self, charge: Charge) -> Charged | OverBudget:
        """All of it or nothing. Raises LinkDown, ValueError."""
        parts = self._parts.of(charge.budgets)
        charged, new = Charged(()), {str(span): len(set(charge.persons)) for span in parts.spans}
        begun: list[Part] = []
        done = False
        try:
            async with asyncio.timeout(self._deadline_s):
                if parts.own is not None:
                    begun.append(parts.own)
                    call = parts.own.plan.charge(charge, **self._common(parts), spans=parts.spans)
                    told, new, _ = _spans(parts, await self._masters.run(call))
                    own = parts.own.plan.told(told)
                    if not isinstance(own, Charged):
                        done = True
                        return _over(own)
                    charged = own
                wider = tuple(part for part in parts.wider if part.always or any(new[str(span)] for span in part.spans))
                begun += wider
                refused = await self._charge_wider(parts, wider, charge, new)
                done = True
        except TimeoutError:
            raise LinkDown from None
        except ValueError:
            done = True
            raise
        finally:
            # In doubt, or cancelled: nobody was told of it, and nobody is to pay for it.
            if not done:
                self._undo(charge, begun, new)
        if refused is None:
            self._open[charge.id] = wider
            return charged
        self._undo(charge, begun, new, refund=True)
        await self._pay_now(len(begun))
        return refused

    async def _charge_wider(
        self, parts: Parts, wider: tuple[Part, ...], charge: Charge, new: Counts
    ) -> OverBudget | None:
        common = self._common(parts) | {"adds": new}
        calls = (self._masters.run(part.plan.charge(charge, **common)) for part in wider)
        answers = await asyncio.gather(*calls, return_exceptions=True)
        worst: OverBudget | None = None
        for part, answer in zip(wider, answers, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            told = part.plan.told(answer)
            if isinstance(told, OverBudget) and (worst is None or told.retry_after_s > worst.retry_after_s):
                worst = told
        return None if worst is None else replace(worst, short=None)

    async def _add(self, settle: Settle, wider: tuple[Part, ...], reserved: tuple[Subject, ...]) -> Told:
        """Charge whom it adds, then confirm them and the `reserved`, who keep their places until then."""
        more = _more(settle, "+", tuple(person for person in settle.disclosed if person not in reserved))
        gives_back = _Owed(None, replace(settle, disclosed=()), wider=wider)
        try:
            told = await self._charge(more)
        except LinkDown:
            # Their answer does not leave, but the refusal may have told of them.
            self._settle_soon(withheld(settle), wider)
            return StoreDown.UNAVAILABLE
        except asyncio.CancelledError:
            self._owed.append(gives_back)
            raise
        if isinstance(told, OverBudget):
            if not set(settle.charge.persons) <= set(settle.disclosed):
                return await self._exchange(settle, gives_back)
            self._settle_soon(gives_back.settle, wider)
            return told
        self._settle_soon(replace(settle, disclosed=reserved), wider)
        self._settle_soon(replace(settle, charge=more, disclosed=more.persons, missed=False), self._open.pop(more.id))
        return Charged(())

    async def _exchange(self, settle: Settle, gives_back: _Owed) -> Told:
        """There may be room once those are given back who were asked about and are not disclosed: give back what was
        reserved, then charge everybody disclosed."""
        more, given_back = _more(settle, "*", settle.disclosed), False
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._say(gives_back)
                given_back = True
                told = await self._charge(more)
        except (LinkDown, TimeoutError):
            # Under two names: what was to be given back may be, and then it is too late to keep it.
            left = withheld(settle)
            for id in (f"{settle.charge.id}-", *(() if given_back else (settle.charge.id,))):
                self._settle_soon(replace(left, charge=replace(settle.charge, id=id)), gives_back.wider)
            return StoreDown.UNAVAILABLE
        except asyncio.CancelledError:
            if not given_back:
                self._owed.append(gives_back)
            raise
        if isinstance(told, OverBudget):
            return told
        self._settle_soon(replace(settle, charge=more, missed=False), self._open.pop(more.id))
        return Charged(())

    def _settle_soon(self, settle: Settle, wider: tuple[Part, ...]) -> None:
        """The practitioner's part goes out at once, before whatever is asked of that master next."""
        task = asyncio.eager_task_factory(asyncio.get_running_loop(), self._settle(settle, wider))
        if not task.done():
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)

    async def _settle(self, settle: Settle, wider: tuple[Part, ...]) -> None:
        """Every payer's part. What cannot be said now is owed."""
        owed = _Owed(None, settle, wider=wider)
        try:
            await self._say(owed)
        except LinkDown:
            self._owed.append(owed)
        except asyncio.CancelledError:
            self._owed.append(owed)
            raise

    async def _settle_own(self, settle: Settle, parts: Parts) -> tuple[Counts, Counts]:
        """The practitioner's part; who was new to them, and who is given back. Raises LinkDown."""
        if parts.own is None:
            return {}, {}
        call = parts.own.plan.settle(settle, True, **self._common(parts), spans=parts.spans)
        _, adds, back = _spans(parts, await self._masters.run(call))
        return adds, back

    async def _say_or_owe(self, some: list[_Owed]) -> None:
        try:
            said = await asyncio.gather(*(self._say(each) for each in some), return_exceptions=True)
        except asyncio.CancelledError:
            self._owed.extend(some)  # those that are written are known again
            raise
        for owed, answer in zip(some, said, strict=True):
            if isinstance(answer, LinkDown):
                self._owed.append(owed)
            elif isinstance(answer, BaseException):
                raise answer

    async def _say(self, owed: _Owed) -> None:
        settle = owed.settle
        if owed.part is None:
            adds, back = await self._settle_own(settle, self._parts.of(settle.charge.budgets))
            await self._say_or_owe([_Owed(part, settle, back, adds) for part in owed.wider])
            return
        plan = owed.part.plan
        common: dict[str, object] = {
            "server_time": self._server_time,
            "longest_s": max(self._retention_s, plan.longest_s),
            "back": owed.back,
            "adds": owed.adds,
        }
        if owed.refund:
            common |= {"refund": True, "units": settle.charge.units}
        await self._masters.run(plan.settle(settle, True, **common))

    def _undo(self, charge: Charge, begun: Iterable[Part], new: Counts, *, refund: bool = False) -> None:
        settle = Settle(charge, charge.now_ms, disclosed=(), missed=False)
        for part in begun:
            self._owed.append(_Owed(part, settle, new, refund=refund))

    async def _pay_now(self, many: int) -> None:
        """The refund, at once where it can be: the last ones that are owed."""
        await self._say_or_owe([self._owed.pop() for _ in range(min(many, len(self._owed)))])

    def _common(self, parts: Parts) -> dict[str, object]:
        return {"server_time": self._server_time, "longest_s": max(self._retention_s, parts.longest_s)}


def _more(settle: Settle, mark: str, persons: tuple[Subject, ...]) -> Charge:
    """A question of their own, about persons whom a settlement discloses; it is no request and no miss."""
    budgets = tuple(budget for budget in settle.charge.budgets if budget.kind is BudgetKind.PERSONS)
    return replace(
        settle.charge,
        id=settle.charge.id + mark,
        now_ms=settle.now_ms,
        budgets=budgets,
        persons=persons,
        proof=None,
    )


def _is_known(owed: _Owed, now_s: float) -> bool:
    """The script still knows it, should it have heard of it."""
    owed.sent_s = now_s if owed.sent_s is None else owed.sent_s
    return now_s - owed.sent_s <= SAID_AGAIN_FOR_S


def _over(told: OverBudget | Replayed) -> OverBudget:
    if isinstance(told, OverBudget):
        return told
    raise TypeError("a script without a proof told of a replay")


def _spans(parts: Parts, answer: list[bytes | int]) -> tuple[list[bytes | int], Counts, Counts]:
    """The answer itself; who was new, and who is given back, by span."""
    none: Mapping[str, int] = {str(span): 0 for span in parts.spans}
    if b"spans" not in answer:
        return answer, dict(none), dict(none)
    at, many = answer.index(b"spans"), len(parts.spans)
    numbers = [int(each) for each in answer[at + 1 :]]
    names = [str(span) for span in parts.spans]
    return (
        answer[:at],
        dict(zip(names, numbers[:many], strict=True)),
        dict(zip(names, numbers[many:], strict=True)),
    )
