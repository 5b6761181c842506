"""The key set of one issuer: when to read it, when to keep the old one, when to stop trusting it."""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from paravent.effects import KeyMissing, PublicKey
from paravent.identity.jwks import KeySet, parse_key_set
from paravent.keys.places import KeyFile, Place, ReadError

REFRESH_S: Final = 300.0
"""An address. It is also how long a key that an issuer has withdrawn can still be used; PyJWT's client has the same."""
FILE_S: Final = 1.0
"""A file: looking at it costs nothing."""
COOLDOWN_S: Final = 30.0
"""Between two fetches of an address that unknown kids ask for, and after one that failed. Of panva's jose, too."""
STALE_FOR_S: Final = 24 * 3600.0
"""An issuer's key server may be down for a day without stopping care. Unless the configuration says otherwise."""


@dataclass(frozen=True, slots=True)
class _Good:
    """The last good set, and when it was last seen to be what the issuer publishes."""

    keys: KeySet
    digest: bytes
    confirmed_s: float


class HeldKeys:
    """May be called from any thread: `find` and its like read one reference, replaced whole; of `tick`, one runs."""

    def __init__(self, place: Place, clock_s: Callable[[], float], stale_for_s: float = STALE_FOR_S) -> None:
        """`clock_s`: seconds, only going forward."""
        self.place = place
        self.wanted = threading.Event()
        """Set when `tick` should look now."""
        self.stale_for_s = stale_for_s
        self._clock_s = clock_s
        self._period_s, self._pause_s = (FILE_S, FILE_S) if isinstance(place, KeyFile) else (REFRESH_S, COOLDOWN_S)
        self._reading = threading.Lock()
        self._good: _Good | None = None
        self._tried_s: float | None = None
        self._failing = False
        self._asking = threading.Lock()
        self._asked_s: float | None = None
        """When an unknown kid last brought a fetch forward."""
        self._next: Future[None] | None = None
        """Ends with the fetch that was asked for and has not begun."""
        self._current: Future[None] | None = None
        """Ends with the fetch under way."""
        self.failures = 0
        """Reads that gave no usable set, since the start."""
        self.problems: tuple[str, ...] = ()
        """What was wrong with the last read: why it failed, or which keys were left out."""

    def find(self, kid: str, algorithm: str) -> PublicKey | KeyMissing:
        """In memory only."""
        good = self._good
        if good is None or not self.ready():
            return KeyMissing.UNAVAILABLE
        return good.keys.find(kid, algorithm) or KeyMissing.UNKNOWN

    def fetch_early(self) -> Future[None] | None:
        """For a kid that is not there: the end of a fetch that may bring it. None while there is none to wait for.

        One fetch answers everybody who asks while it lasts, and unknown kids cause one in a cool-down, however many
        come. The rhythm of the regular fetches is no part of that: a rotation right after one is noticed at once.
        """
        with self._asking:
            if self._next is not None:
                return self._next
            now_s = self._clock_s()
            if self._asked_s is not None and now_s - self._asked_s < self._pause_s:
                return self._current
            if self._failing and self._tried_s is not None and now_s - self._tried_s < self._pause_s:
                return self._current
            self._asked_s = now_s
            self._next = Future()
            self.wanted.set()
            return self._next

    def age_s(self) -> float | None:
        """Seconds since the set in memory was last confirmed; None without one."""
        good = self._good
        return None if good is None else max(0.0, self._clock_s() - good.confirmed_s)

    def ready(self) -> bool:
        """There is a set, and it is not too old."""
        age_s = self.age_s()
        return age_s is not None and age_s <= self.stale_for_s

    def tick(self) -> None:
        """Read the set if it is time to. Blocks for as long as the place does; a second call meanwhile returns."""
        if self._reading.acquire(blocking=False):
            try:
                with self._asking:
                    self._current, self._next = self._next, None
                self._tick(asked=self._current is not None)
            finally:
                self._reading.release()
                with self._asking:
                    ended, self._current = self._current, None
                if ended is not None:
                    ended.set_result(None)

    def _tick(self, asked: bool) -> None:
        now_s = self._clock_s()
        pause_s = 0 if asked else self._pause_s if self._failing else self._period_s
        if self._tried_s is not None and now_s - self._tried_s < pause_s:
            return
        self._tried_s = now_s
        self._failing = False
        try:
            text = self.place.read()
            self._take(text)
        except ReadError as error:
            self._failed((str(error),))
        except Exception:  # A bug here must not end the thread: the set in memory would age unseen.
            self._failed(("reading the key set failed for a reason of our own",))

    def _take(self, text: bytes) -> None:
        digest = hashlib.sha256(text).digest()
        good = self._good
        keys = good.keys if good is not None and good.digest == digest else parse_key_set(text)
        if not keys.keys:
            self._failed(keys.problems)
            return
        self._good = _Good(keys, digest, self._clock_s())
        self.problems = keys.problems

    def _failed(self, problems: tuple[str, ...]) -> None:
        """The last good set stays: an answer that cannot be used must not wipe it (GHSA-fhv5-28vv-h8m8 did)."""
        self.failures += 1
        self.problems = problems
        self._failing = True
