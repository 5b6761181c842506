"""What the shell must provide. One Protocol an outside thing; `stores`, `keys` and `sinks` implement them.

Every method has a deadline of its own making and never raises for an outage: an outage is a value (`StoreDown`,
`KeyMissing.UNAVAILABLE`, `False`). What it does raise is a bug, and closes.
"""

from typing import Protocol

from paravent.effects import (
    Charge,
    Charged,
    FindKey,
    KeyMissing,
    OverBudget,
    ProofSeen,
    PublicKey,
    Settle,
    StoreDown,
)


class Clock(Protocol):
    """Wall time. Tests freeze it."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        ...


class KeySource(Protocol):
    """Verification keys of every issuer. Looked up in memory; refreshed elsewhere, never on a request."""

    def find(self, wanted: FindKey) -> PublicKey | KeyMissing: ...


class Ledger(Protocol):
    """The state store: budgets and replay memory. One atomic operation a call."""

    async def charge(self, charge: Charge) -> Charged | OverBudget | StoreDown: ...

    async def settle(self, settle: Settle) -> Charged | OverBudget | StoreDown: ...

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
