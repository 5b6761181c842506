"""Whether the upstream is worth asking, judged by how its latest exchanges ended.

    closed ── `ROW` failures in a row, or `SHARE` of the last `LATEST` ──► open
    open   ── after `OPEN_S`, the next question is the probe ────────────► half open
    half open ── the probe is answered ─► closed;  it fails ─────────────► open

While it is open, and while the probe is under way, nobody else asks: an upstream that is down is not held down, and a
pharmacist is told at once instead of after the deadline. Time is a value, in seconds of a clock that never goes back.
"""

from typing import Final

ROW: Final = 10
"""Envoy's outlier detection ejects after 5; here there is no other host to ask."""
LATEST: Final = 50
"""Exchanges that the share is taken of. Hystrix wants 20, resilience4j 100."""
SHARE: Final = 0.5
"""Hystrix and resilience4j: 50 %."""
OPEN_S: Final = 5.0
"""Hystrix and Polly: 5 s."""

type Ticket = int
"""For one exchange. Its outcome counts only in the state that it was given out in."""


class Breaker:
    """For one origin."""

    def __init__(self) -> None:
        self._opened_s: float | None = None
        self._probing = False
        self._era: Ticket = 0
        self._row = 0
        self._latest = 0
        self._count = 0

    @property
    def is_open(self) -> bool:
        """Also while the probe is under way."""
        return self._opened_s is not None

    def admit(self, now_s: float) -> Ticket | None:
        """A ticket for one exchange, whose outcome must then be told; None: do not ask."""
        if self._opened_s is not None:
            if self._probing or now_s < self._opened_s + OPEN_S:
                return None
            self._probing = True
        return self._era

    def tell(self, ticket: Ticket, well: bool, now_s: float) -> None:
        """How the exchange ended. What was asked before the state changed says nothing of the new one."""
        if ticket != self._era:
            return
        if self._opened_s is not None:
            self._change(None if well else now_s)
            return
        self._row = 0 if well else self._row + 1
        self._latest = (self._latest << 1 | (not well)) & _ALL
        self._count = min(self._count + 1, LATEST)
        if self._row >= ROW or (self._count == LATEST and self._latest.bit_count() >= LATEST * SHARE):
            self._change(now_s)

    def give_back(self, ticket: Ticket) -> None:
        """The exchange was cancelled, and says nothing. A probe that was: the next question is one."""
        if ticket == self._era:
            self._probing = False

    def _change(self, opened_s: float | None) -> None:
        self._opened_s = opened_s
        self._probing = False
        self._era += 1
        self._row = self._latest = self._count = 0


_ALL: Final = (1 << LATEST) - 1
