"""A clock that stands still until it is told to move. Implements `paravent.ports.Clock`."""

from dataclasses import dataclass

NEW_YEAR_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z"""


@dataclass(slots=True)
class FrozenClock:
    """Wall time of a test."""

    at_ms: int = NEW_YEAR_MS

    def now_ms(self) -> int:
        return self.at_ms

    def step(self, *, ms: int = 0, s: int = 0, h: int = 0) -> int:
        """Move on; backwards when negative. The new time."""
        self.at_ms += ms + s * 1000 + h * 3_600_000
        return self.at_ms
