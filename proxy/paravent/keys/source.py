"""The verification keys of every issuer, in memory; refreshed beside the requests, never by one.

* A file is looked at every second, and read again when its content has changed.
* An address is fetched every five minutes. A `kid` that is not in the set brings the next fetch forward, and its token
  waits for that fetch: an issuer that signs with a new key at once refuses nobody. One such fetch in half a minute,
  however many such tokens come and whether or not the address answers.
* What cannot be read, or holds no usable key, changes nothing: the last good set serves for a day, or as long as the
  configuration says, then the issuer's tokens are refused as unavailable.
* Nothing is written to disk: after a restart during an outage of an address, its issuer is not ready.

One background thread an issuer: one that hangs delays nobody else, and two fetches of a set never overlap.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from paravent.effects import FindKey, KeyMissing, PublicKey
from paravent.keys.held import STALE_FOR_S, HeldKeys
from paravent.keys.places import KeyFile, Place

_POLL_S: Final = 1.0

WAIT_S: Final = 2.0
"""How long a token waits for the fetch that its kid brought forward. The guard's own deadline is five seconds."""

FIRST_S: Final = 10.0
"""How long a start waits for addresses, all at once. One that takes longer is not ready yet, as one that is down."""

log = logging.getLogger("paravent")


class JwksSource:
    """`ports.KeySource` over the key sets of the configured issuers."""

    def __init__(
        self,
        places: Mapping[str, Place],
        *,
        stale_for_s: Mapping[str, float] | None = None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`places`: the issuer's name in the configuration → where its key set is. `stale_for_s`: how long a set serves
        while a new one cannot be read; `STALE_FOR_S` for an issuer that is not in it."""
        limits_s = stale_for_s or {}
        self._held = {
            issuer: HeldKeys(place, clock_s, limits_s.get(issuer, STALE_FOR_S)) for issuer, place in places.items()
        }
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def load(self) -> list[str]:
        """Read every set once, before serving. What is returned must be mended before starting, a sentence each.

        An address that does not answer is not in it: that passes by itself, and `ready` tells.
        """
        found: list[str] = []
        fetching: list[threading.Thread] = []
        for issuer, held in self._held.items():
            problem = held.place.problem()
            if problem is not None:
                found.append(f"issuers.{issuer}: {problem}")
            elif isinstance(held.place, KeyFile):
                self._look(issuer, held)
                found += [] if held.ready() else [f"issuers.{issuer}: {sentence}" for sentence in held.problems]
            else:
                # Side by side: a server that never finishes its answer keeps neither us nor the others from starting.
                fetching.append(threading.Thread(target=self._look, args=(issuer, held), daemon=True))
                fetching[-1].start()
        until_s = time.monotonic() + FIRST_S
        for thread in fetching:
            thread.join(max(0.0, until_s - time.monotonic()))
        return found

    def start(self) -> None:
        """Begin refreshing. Once; the threads end with `stop` or with the process."""
        for issuer, held in self._held.items():
            thread = threading.Thread(target=self._keep, args=(issuer, held), name=f"keys-{issuer}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Stop refreshing. A fetch under way is not waited for beyond the timeout; it can do no harm."""
        self._stopping.set()
        for held in self._held.values():
            held.wanted.set()
        for thread in self._threads:
            thread.join(timeout_s)

    async def find(self, wanted: FindKey) -> PublicKey | KeyMissing:
        """Looks in memory; for a kid that is not there, once more after the fetch that it brings forward.

        An issuer that is not configured has no keys.
        """
        held = self._held.get(wanted.issuer)
        if held is None:
            return KeyMissing.UNKNOWN
        key = held.find(wanted.kid, wanted.algorithm)
        if key is not KeyMissing.UNKNOWN or (fetch := held.fetch_early()) is None:
            return key
        # Shielded by `wait`: of those who wait for one fetch, one that leaves does not end it for the others.
        await asyncio.wait([asyncio.wrap_future(fetch)], timeout=WAIT_S)
        return held.find(wanted.kid, wanted.algorithm)

    def ready(self) -> Mapping[str, bool]:
        """Issuer → whether its tokens can be verified now."""
        return {issuer: held.ready() for issuer, held in self._held.items()}

    def ages_s(self) -> Mapping[str, float]:
        """Issuer → seconds since its set was last confirmed. An issuer whose set was never read is not in it."""
        return {issuer: age_s for issuer, held in self._held.items() if (age_s := held.age_s()) is not None}

    def limits_s(self) -> Mapping[str, float]:
        """Issuer → the age at which its set is no longer used."""
        return {issuer: held.stale_for_s for issuer, held in self._held.items()}

    @property
    def failures(self) -> Mapping[str, int]:
        """Issuer → reads that gave no usable set, since the start."""
        return {issuer: held.failures for issuer, held in self._held.items()}

    def problems(self) -> Mapping[str, tuple[str, ...]]:
        """Issuer → what was wrong with the last read: why it failed, or which keys of a good set were left out."""
        return {issuer: held.problems for issuer, held in self._held.items()}

    def _keep(self, issuer: str, held: HeldKeys) -> None:
        while not self._stopping.is_set():
            held.wanted.wait(_POLL_S)
            held.wanted.clear()
            self._look(issuer, held)

    def _look(self, issuer: str, held: HeldKeys) -> None:
        """Tick, and say when what is wrong with a set has changed: a key left out is a software that cannot log in."""
        before = held.problems
        held.tick()
        if held.problems != before:
            log.warning("key_set_problems", extra={"issuer": issuer, "problems": len(held.problems)})
