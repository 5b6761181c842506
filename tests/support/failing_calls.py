"""The calls that a program makes to the kernel about files, one of which fails.

    with failing(7, Fault.REFUSED) as calls:    # the seventh call from now on raises OSError(EIO)
        journal.commit(lines, tip)
    calls.made                                  # 12; `calls.failed` is the name of the seventh, or None

    with failing(1, Fault.REFUSED, "fsync"):    # the first fsync from now on

What is replaced are the functions of `os`, on the test's own thread or another. Nothing of ours is.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from unittest.mock import patch

CALLS = (
    "open", "write", "pwrite", "fsync", "fdatasync", "ftruncate", "fstat", "stat", "lstat", "unlink", "rename",
    "listdir", "mkdir",
)  # fmt: skip


class Killed(BaseException):
    """The process ended here. Nobody of ours may catch it and go on."""


class Fault(Enum):
    """How a call fails."""

    REFUSED = "refused"
    """Nothing was done, and it says so."""
    DONE_AND_DENIED = "done, and reported as failed"
    CUT_SHORT = "half written"
    """Of writes; any other call is refused."""
    KILLED_BEFORE = "killed before it"
    KILLED_AFTER = "killed after it"


@dataclass(slots=True)
class Calls:
    """What was called."""

    at: int
    fault: Fault
    made: int = 0
    failed: str | None = None
    names: list[str] = field(default_factory=list)

    def through(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            self.made += 1
            self.names.append(name)
            if self.made != self.at:
                return real(*args, **options)
            self.failed = name
            return self._fail(name, real, *args, **options)

        return call

    def _fail(self, name: str, real: Callable[..., Any], *args: Any, **options: Any) -> Any:
        if self.fault is Fault.KILLED_BEFORE:
            raise Killed
        if self.fault is Fault.CUT_SHORT and name in {"write", "pwrite"}:
            descriptor, data, *rest = args
            return real(descriptor, data[: len(data) // 2], *rest)
        if self.fault in {Fault.DONE_AND_DENIED, Fault.KILLED_AFTER}:
            done = real(*args, **options)
            if name == "open":
                os.close(done)  # nobody is told of it
        if self.fault is Fault.KILLED_AFTER:
            raise Killed
        raise OSError(errno.EIO, "a fault of this test")


@contextmanager
def failing(at: int, fault: Fault, *among: str) -> Iterator[Calls]:
    """Let the call of this number fail, and no other. `among`: these are counted alone."""
    calls = Calls(at, fault)
    with patch.multiple(os, **{name: calls.through(name, getattr(os, name)) for name in among or CALLS}):
        yield calls
