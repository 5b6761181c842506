"""How many file descriptors the process may have, and how many of them are for callers.

The bounds of `Limits` are what a node can hold. Where the system lets it have fewer descriptors, 1024 unless somebody
says otherwise, strangers who connect and say nothing could take them all: nothing would be left to ask the upstream
with, or to read what was revoked, and nobody would be served.
"""

import resource
from contextlib import suppress
from typing import Final

BESIDE: Final = 256
"""For what is neither a caller nor the upstream: ledger, state, policy, key sets, 64 calls on each management port."""


def for_callers(wanted: int, upstream: int) -> int:
    """How many callers have one, once as many are to be had as the system lets us have of what is needed.

    `wanted`: callers. `upstream`: exchanges at the same time.
    """
    with suppress(ValueError, OSError):  # a system that counts otherwise
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        needed = wanted + upstream + BESIDE
        if 0 <= soft < needed:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed if hard < 0 else min(needed, hard), hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if soft < 0 else min(wanted, max(soft // 4, soft - upstream - BESIDE))
