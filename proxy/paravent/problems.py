"""What is wrong with a file that somebody wrote: configuration or policy.

A loader never stops at the first mistake. It collects `Problem`s, and the caller shows them all, sorted by
place, and starts nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake, where it is, and what to do about it."""

    file: str
    """The file as the reader knows it: relative to the folder or file that was asked for."""
    line: int
    """1-based; 0 when the problem is the file itself (absent, unreadable)."""
    column: int
    """1-based; 0 when unknown."""
    message: str
    """What is wrong, in one sentence, naming the key. Never a secret's value."""
    hint: str = ""
    """What to write instead, if we can tell."""

    def __str__(self) -> str:
        place = self.file + (f":{self.line}" if self.line else "") + (f":{self.column}" if self.column else "")
        return f"{place}: {self.message}" + (f"\n    hint: {self.hint}" if self.hint else "")


class InvalidFiles(Exception):
    """Configuration or policy that must not be used. Carries every problem found, sorted by place."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__(f"{len(self.problems)} problem(s)")
