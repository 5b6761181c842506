"""Effects → keys and arguments of `redis_script`, and its answers back.

Keys begin with `paravent:`, and the payer stands in braces, so that all keys of one payer have one hash slot.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import msgpack

from paravent.effects import Budget, BudgetKind, Charge, Charged, OverBudget, ProofSeen, Replayed, Scope, Settle, Usage
from paravent.model import Subject
from paravent.quota.bill import Bill
from paravent.rules import Span, Window

FIXED_KEYS: Final = 3
"""Clock, charge, proof: there in every call."""

_pack = msgpack.Encoder().encode

type Call = tuple[int | bytes, ...]
"""What follows the script's name: how many keys, the keys, the arguments."""


def persons_key(payer: str) -> str:
    """The set of a payer: subject → since when they count."""
    return f"paravent:{{{payer}}}:persons"


def counter_key(payer: str, kind: str, span: Span) -> str:
    """One window of a counter: bucket → used."""
    return f"paravent:{{{payer}}}:{kind}:{span}"


class Plan:
    """What is the same in every call about the same budgets."""

    def __init__(self, bill: Bill, tag: str | None = None) -> None:
        """`tag`: of a cluster, the one payer of this bill, in whose slot all its keys are."""
        self._tag = tag
        self.keys: list[bytes] = []
        self.sets = [
            {
                "key": self._number(persons_key(payer), f"paravent:{{{payer}}}:person"),
                "windows": [
                    [window.limit, window.span] for (paid_by, _), _, window in bill.set_windows if paid_by == payer
                ],
                "own": payer == bill.own,
            }
            for payer in bill.sets
        ]
        self.persons = [self._counter(*key, window.limit) for key, _, window in bill.person_counters]
        misses = set(bill.misses)
        self.events = [
            self._counter(*key, window.limit) | {"miss": key in misses, "units": budget.kind is BudgetKind.UNITS}
            for key, budget, window in bill.event_counters
        ]
        self.longest_s = bill.longest_s
        self.lines: list[tuple[Budget, Window]] = [
            (budget, window)
            for lines in (bill.set_windows, bill.person_counters, bill.event_counters)
            for _, budget, window in lines
        ]
        """In the order of the script's numbers, which begin at 1."""

    def _counter(self, payer: str, kind: str, span: Span, limit: int) -> dict[str, object]:
        return {"key": self._number(counter_key(payer, kind, span)), "span": span, "limit": limit}

    def _number(self, *names: str) -> int:
        """Of the first of these keys, as Lua counts."""
        self.keys += [name.encode() for name in names]
        return FIXED_KEYS + len(self.keys) - len(names) + 1

    def charge(self, charge: Charge, **common: object) -> Call:
        """See `paravent.effects.Charge`."""
        proof = charge.proof
        question = (
            common
            | self._budgets()
            | {
                "op": "charge",
                "now_ms": charge.now_ms,
                "id": charge.id,
                "units": charge.units,
            }
        )
        if proof is not None:
            question["until_ms"] = proof.until_ms
        keys = self._fixed(charge.id, None if proof is None else proof.key) + self.keys
        return _call(keys, question, charge.persons)

    def settle(self, settle: Settle, answered: bool, /, **common: object) -> Call:
        """See `paravent.effects.Settle`. `answered`: its persons have left already, and are counted, room or not."""
        question = (
            common
            | self._budgets()
            | {
                "op": "settle",
                "now_ms": settle.now_ms,
                "id": settle.charge.id,
                "missed": settle.missed,
                "answered": answered,
            }
        )
        return _call(self._fixed(settle.charge.id, None) + self.keys, question, settle.charge.persons, settle.disclosed)

    def _fixed(self, charge_id: str, proof: bytes | None) -> list[bytes]:
        if self._tag is None:
            return _fixed(charge_id, proof)
        return [f"paravent:{{{self._tag}}}:{name}".encode() for name in ("clock", f"charge:{charge_id}", "proof")]

    def _budgets(self) -> dict[str, object]:
        return {"sets": self.sets, "persons": self.persons, "events": self.events}

    def told(self, answer: list[bytes | int]) -> Charged | OverBudget | Replayed:
        """What the script said. Raises ValueError when the id is that of an open charge."""
        match answer:
            case [b"charged", *used]:
                return Charged(tuple(self._usage(used)))
            case [b"over", int(number), int(wait_s), int(short)]:
                budget, window = self.lines[number - 1]
                return OverBudget(budget.scope, budget.kind, window, wait_s, None if short < 0 else short)
            case [b"replayed"]:
                return Replayed.REPLAYED
            case [b"open"]:
                raise ValueError("this charge is open already")
        raise TypeError("the script answered something else")

    def _usage(self, used: list[bytes | int]) -> list[Usage]:
        usage = []
        for number, amount in zip(used[::2], used[1::2], strict=True):
            budget, window = self.lines[int(number) - 1]
            if budget.scope is Scope.PRACTITIONER:
                usage.append(Usage(budget.scope, budget.kind, window, int(amount)))
        return usage


def proof_call(proof: ProofSeen, now_ms: int, **common: object) -> Call:
    """The memory alone."""
    question = common | {"op": "prove", "now_ms": now_ms, "until_ms": proof.until_ms}
    return _call(_fixed("", proof.key), question)


def look_call(tag: str | None, /, **common: object) -> Call:
    """Whether it would take a charge: only the clock moves on. `tag`: of a cluster, as of a `Plan`. Without one,
    keys of several slots are named: one node of a cluster, taken for a whole store, refuses each charge so."""
    keys = _fixed("", None) if tag is None else [f"paravent:{{{tag}}}:clock".encode()]
    return _call(keys, common | {"op": "look", "now_ms": 0})


def _call(
    keys: list[bytes], question: dict[str, object], reserved: Iterable[Subject] = (), disclosed: Iterable[Subject] = ()
) -> Call:
    return len(keys), *keys, _pack(question), _packed(reserved), _packed(disclosed)


def _packed(persons: Iterable[Subject]) -> bytes:
    return b"".join(dict.fromkeys(person.key for person in persons))


def _fixed(charge_id: str, proof: bytes | None) -> list[bytes]:
    return [
        b"paravent:clock",
        f"paravent:charge:{charge_id}".encode(),
        b"paravent:proof:" + (b"" if proof is None else proof),
    ]
