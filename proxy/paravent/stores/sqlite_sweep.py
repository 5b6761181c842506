"""Removing what no window can see any more: a walk through the tables, a bounded number of rows at a time.

Rows whose time is over are never believed, swept or not; sweeping only keeps the file small and personal data short. A
walk needs no index on age, which every write would have to keep.
"""

from typing import Final

from paravent.stores.sqlite_state import State

PAYERS_AT_ONCE: Final = 8
"""With `SWEEP_EVERY`: 100 000 payers are walked through in 400 000 operations."""

PERSONS_OF_ONE: Final = 64
"""Removed from one set at once; the walk stays with a payer that has more."""

PROOFS_AT_ONCE: Final = 128
"""Four times as many as come meanwhile, so that the table holds a third more than what is still of use."""


class Sweep:
    """Where the walk has come to."""

    def __init__(self) -> None:
        self._payer = ""
        self._proof = b""

    def step(self, state: State) -> None:
        """Walk a little further. As the last thing in a transaction."""
        horizon_ms = state.now_ms - state.longest_s * 1000
        payers = state.tables.payers_after(self._payer, PAYERS_AT_ONCE)
        for payer in payers:
            if state.forget_persons(payer, horizon_ms, PERSONS_OF_ONE) == PERSONS_OF_ONE:
                break
            state.prune(payer)
            self._payer = payer
        if not payers:
            self._payer = ""
        self._proof = state.tables.drop_proofs(self._proof, state.now_ms, PROOFS_AT_ONCE)
        state.tables.drop_charges(horizon_ms, PROOFS_AT_ONCE)
