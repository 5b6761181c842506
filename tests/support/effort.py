"""How hard the property tests try: once in `./dev test`, fifty times as hard in `./dev fuzz`."""

import os
from typing import Final

FACTOR: Final = int(os.environ.get("PARAVENT_EFFORT", "1"))


def examples(usual: int) -> int:
    """The number of examples for this run, given the usual number."""
    return usual * FACTOR
