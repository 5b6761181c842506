"""What one payer has used, in memory: tallies over its set of persons, and its counters.

    tallies   window → how many persons of the set it holds; the set itself stays in the file
    counters  kind → window → sixty buckets

Counting a set anew costs time in its size, so each window keeps a tally:

    used = persons of this payer with at_ms > left_ms

`moved` keeps that true whatever happens to a person. To read a window, `left_ms` is moved up to its tail and those
passed over are subtracted: each person is passed over once per window, so a charge costs the same in a set of ten and
of ten thousand. A tally that is missing (a new window in the policy) is counted once.
"""

from typing import NamedTuple

from msgspec import Struct, field

from paravent.quota.windows import bucket_leaves_ms, bucket_of
from paravent.rules import Span

NEVER_MS = 2**53
"""Later than any moment, and still an integer that every reader of the file understands."""


class Person(NamedTuple):
    """One person in the set of one payer. Columns of `persons`."""

    at_ms: int
    """Counts in a window from this moment: the last disclosure, or the last reservation."""
    confirmed_ms: int | None
    """The last disclosure. None: reserved, never disclosed."""
    pending: int
    """Reservations not settled yet."""
    held_by: str | None
    """The charge that reserved when nobody else did: only it may give back what wider scopes counted."""

    def reserved(self, now_ms: int, charge_id: str) -> "Person":
        """One more charge may disclose this person."""
        held_by = charge_id if self.pending == 0 else self.held_by
        return Person(now_ms, self.confirmed_ms, self.pending + 1, held_by)

    def disclosed(self, now_ms: int, reserved_by: str | None) -> "Person":
        """An answer discloses this person; `reserved_by` names the charge that foresaw it."""
        closed = self if reserved_by is None else self.released(reserved_by)
        return Person(now_ms, now_ms, closed.pending, closed.held_by)

    def released(self, charge_id: str) -> "Person":
        """A charge no longer holds this person. Who is held by none goes back to their last disclosure, if any."""
        pending = max(0, self.pending - 1)
        held_by = None if pending == 0 or self.held_by == charge_id else self.held_by
        at_ms = self.at_ms if pending or self.confirmed_ms is None else self.confirmed_ms
        return Person(at_ms, self.confirmed_ms, pending, held_by)


class Tally(Struct, array_like=True):
    """How many persons one window holds."""

    left_ms: int
    used: int
    oldest_ms: int
    """Nobody counted here is older: while the window's tail is before this moment, nobody has left."""


class Buckets(Struct, array_like=True):
    """One window of one counter."""

    used: int = 0
    by_number: dict[int, int] = field(default_factory=dict)
    """Oldest first: the clock of a ledger never goes back."""


class Account(Struct, array_like=True):
    """One payer. Stored as MessagePack, this shape; a change of it is a change of the schema."""

    tallies: dict[int, Tally] = field(default_factory=dict)
    counters: dict[str, dict[int, Buckets]] = field(default_factory=dict)

    def moved(self, before_ms: int | None, after_ms: int | None) -> None:
        """A person came (from None), counts from another moment, or went (to None)."""
        for tally in self.tallies.values():
            if before_ms is not None and before_ms > tally.left_ms:
                tally.used -= 1
            if after_ms is not None and after_ms > tally.left_ms:
                tally.used += 1
                tally.oldest_ms = min(tally.oldest_ms, after_ms)

    def counted(self, kind: str, span: Span, now_ms: int) -> int:
        """How much a window of a counter holds now."""
        buckets = self.counters.get(kind, {}).get(span)
        if buckets is None:
            return 0
        by_number = buckets.by_number
        while by_number and bucket_leaves_ms(oldest := next(iter(by_number)), span) <= now_ms:
            buckets.used -= by_number.pop(oldest)
        return buckets.used

    def count(self, kind: str, span: Span, amount: int, now_ms: int) -> None:
        """Count what happens now."""
        windows = self.counters.get(kind)
        if windows is None:
            windows = self.counters[kind] = {}
        buckets = windows.get(span)
        if buckets is None:
            buckets = windows[span] = Buckets()
        number = bucket_of(now_ms, span)
        buckets.by_number[number] = buckets.by_number.get(number, 0) + amount
        buckets.used += amount

    def uncount(self, kind: str, span: Span, at_ms: int) -> None:
        """Take back one that was counted at `at_ms`, out of the bucket it stands in: taken out of a later one, it
        would come free before its time.

        An empty bucket goes: each answered request takes back its miss, and would leave one behind for the window.
        """
        buckets = self.counters.get(kind, {}).get(span)
        if buckets is None:
            return
        number = bucket_of(at_ms, span)
        held = buckets.by_number.get(number, 0)
        if held > 1:
            buckets.by_number[number] = held - 1
        elif held == 1:
            del buckets.by_number[number]
        buckets.used -= held > 0

    def free_ms(self, kind: str, span: Span, excess: int) -> int | None:
        """When buckets that hold `excess` together are gone; None when all of them hold less."""
        for number, used in self.counters.get(kind, {}).get(span, Buckets()).by_number.items():
            excess -= used
            if excess <= 0:
                return bucket_leaves_ms(number, span)
        return None

    def prune(self, now_ms: int) -> bool:
        """Forget what no window sees. Whether nothing is left but, perhaps, persons that no tally counts."""
        for kind in list(self.counters):
            windows = self.counters[kind]
            for span in [span for span in windows if not self.counted(kind, span, now_ms)]:
                del windows[span]
            if not windows:
                del self.counters[kind]
        for span in [span for span, tally in self.tallies.items() if not tally.used]:
            del self.tallies[span]
        return not (self.counters or self.tallies)
