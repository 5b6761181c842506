"""What the shell must provide. One Protocol an outside thing; `stores`, `keys` and `sinks` implement them.

Every method has a deadline of its own making and never raises for an outage: an outage is a value (`StoreDown`,
`KeyMissing.UNAVAILABLE`, `False`). What it does raise is a bug, and closes.
"""

from collections.abc import Mapping
from typing import Protocol

from paravent.effects import (
    Budget,
    Charge,
    Charged,
    Enact,
    FindKey,
    FindMeasures,
    FindRevocations,
    Introspect,
    IssuerDown,
    KeyMissing,
    Measure,
    OverBudget,
    ProofSeen,
    PublicKey,
    Replayed,
    Revocation,
    Settle,
    Standing,
    StoreDown,
    Usage,
)
from paravent.rules import Span


class Clock(Protocol):
    """Wall time. Tests freeze it."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        ...


class KeySource(Protocol):
    """Verification keys of every issuer. Looked up in memory; refreshed elsewhere."""

    async def find(self, wanted: FindKey) -> PublicKey | KeyMissing:
        """Waits only for a kid that is not there, and only while its issuer is being asked for it."""
        ...


class Introspection(Protocol):
    """Issuers that are asked whether a token still stands."""

    async def ask(self, wanted: Introspect, now_ms: int) -> Standing | IssuerDown:
        """An answer that may be a few seconds old, and never older than the token lives."""
        ...


class Revocations(Protocol):
    """Everything that is revoked. Looked up in memory; read elsewhere, never on a request."""

    def find(self, wanted: FindRevocations) -> tuple[Revocation, ...] | StoreDown:
        """All that stand under these marks, in force or not; StoreDown when what is in memory is too old to tell."""
        ...


class RevocationBook(Protocol):
    """The list that all nodes share, in the state store. Blocks, within a deadline: not for the event loop."""

    def read(self) -> tuple[Revocation, ...] | StoreDown: ...

    def write(self, revocation: Revocation, now_s: int) -> StoreDown | None:
        """Add it, in the place of one with the same mark unless that one goes further. None: every node will see it."""
        ...

    def lift(self, mark: str) -> bool | StoreDown:
        """Take it out; False when it was not there."""
        ...


class Measures(Protocol):
    """What was decided about practitioners. Looked up in memory; read elsewhere, never on a request."""

    def find(self, wanted: FindMeasures) -> tuple[Measure, ...] | StoreDown:
        """All about one practitioner, in force or not; StoreDown when what is in memory is too old to tell."""
        ...

    async def enact(self, wanted: Enact) -> bool | StoreDown:
        """Write one, as `MeasureBook.write_new`; from then on it is found here. After StoreDown it may be there."""
        ...


class MeasureBook(Protocol):
    """The measures that all nodes share, in the state store. Blocks, within a deadline: not for the event loop."""

    def read(self) -> tuple[Measure, ...] | StoreDown:
        """All of them, in the order of their ids."""
        ...

    def write(self, measure: Measure, now_s: int) -> StoreDown | None:
        """Add it, in the place of one with the same id. None: every node will see it."""
        ...

    def write_new(self, measure: Measure, now_s: int) -> bool | StoreDown:
        """Add it unless there is one of the same kind about the same practitioner that has not ended; of two nodes that
        do it at once, one is told True."""
        ...

    def lift(self, id: str) -> bool | StoreDown:
        """Take it out; False when it was not there."""
        ...


class UsageBook(Protocol):
    """What has been used, for whoever looks into it. Changes nothing. Blocks, within a deadline: not for the loop."""

    def used(self, budgets: tuple[Budget, ...], now_ms: int) -> tuple[Usage, ...] | StoreDown:
        """How full every window of these budgets is, in their order. A reservation that is not settled counts."""
        ...

    def persons(self, spans: tuple[Span, ...], now_ms: int) -> Mapping[str, tuple[int, ...]] | StoreDown:
        """By practitioner's payer, how many persons each of these windows holds; only who has one in the longest."""
        ...


class Ledger(Protocol):
    """The state store: budgets and replay memory. One atomic operation a call."""

    async def charge(self, charge: Charge) -> Charged | OverBudget | Replayed | StoreDown: ...

    async def settle(self, settle: Settle) -> Charged | OverBudget | StoreDown:
        """`Charged` means that everybody disclosed counts, whatever happens next. A store may answer it before it has
        written a settlement that only gives back: lost, it leaves the reservation charged."""
        ...

    async def proof_seen(self, proof: ProofSeen, now_ms: int) -> bool | StoreDown:
        """True when the proof had been seen before; then and only then it is a replay."""
        ...


class AuditSink(Protocol):
    """The ledger of disclosures."""

    @property
    def healthy(self) -> bool:
        """False when the next append is known to fail. Asked before the upstream is."""
        ...

    async def append(self, record: dict[str, object]) -> bool:
        """Chain and write one record. True only when it is durable; False when it is not, for whatever reason."""
        ...
