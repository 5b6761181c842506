"""How the C library keeps memory that was given back: set before the first thread starts (decision 28).

Left to itself glibc learns from the first 256 KB that are given back (uvloop's buffer of each TLS connection) to take
such blocks out of the heap, where they leave holes that smaller things settle in; and it gives each thread a heap of
its own, none of which has what another one gave back. Both make a node larger than what it holds, for as long as it
runs. Neither is known outside glibc, where nothing is set.
"""

import ctypes
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8
"""Of `malloc.h`."""

WHOLE_BYTES: Final = 128 * 1024
"""From here on a block that finds no room is a mapping of its own, which the system has back at once. glibc's own first
value: what is set stays, where it would go up to 32 MB."""

HEAPS: Final = 1
"""Threads of ours take turns anyway: whoever runs Python holds its lock."""

_SETTINGS: Final = (
    (M_MMAP_THRESHOLD, WHOLE_BYTES, "MALLOC_MMAP_THRESHOLD_", "glibc.malloc.mmap_threshold"),
    (M_ARENA_MAX, HEAPS, "MALLOC_ARENA_MAX", "glibc.malloc.arena_max"),
)


def make_fewer_holes(environ: Mapping[str, str]) -> None:
    """Whatever the operator has set in the environment (mallopt(3), `GLIBC_TUNABLES`) stays as it is."""
    with suppress(OSError, AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        tunables = environ.get("GLIBC_TUNABLES", "")
        for setting, value, variable, tunable in _SETTINGS:
            if variable not in environ and tunable not in tunables:
                mallopt(setting, value)
