"""Takes the news of logouts from issuers, verifies it, and puts it where every node reads it.

Blocks on the state store: it runs on a thread of the management listener.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl

from paravent.effects import Deciding, Effect, FindKey, FindRevocations, Revocation, StoreDown
from paravent.identity.issuers import Issuer
from paravent.identity.logout import MAX_AGE_S, Logout, read_logout
from paravent.ports import Clock, KeySource, RevocationBook
from paravent.reasons import Problem, Reason
from paravent.telemetry import logs

log = logging.getLogger(logs.OURS)


WAIT_S: Final = 2.0
"""For those before it. A state store that hangs holds each of them for its deadline, and the threads of the management
listener are few: a probe that asks whether the node lives needs one, too."""

type Revoked = Callable[[FindRevocations], tuple[Revocation, ...] | StoreDown]
"""`ports.Revocations.find`."""


class Outcome(StrEnum):
    """What became of it. Also the values of a metric's label."""

    ACCEPTED = "accepted"
    """In force on this node, and within a second on every other."""
    REFUSED = "refused"
    """Not a logout of an issuer of ours, or told before."""
    UNAVAILABLE = "unavailable"
    """Keys or state store are not there: the issuer is to try again."""


class LogoutDesk:
    """One per process; from any thread."""

    def __init__(
        self,
        issuers: Mapping[str, Issuer],
        keys: KeySource,
        book: RevocationBook,
        clock: Clock,
        revoked: Revoked,
        written: Callable[[], None],
    ) -> None:
        """`issuers` by issuer URL. `written` is called when the book has something new."""
        self._issuers = issuers
        self._keys = keys
        self._book = book
        self._clock = clock
        self._revoked = revoked
        self._written = written
        self._told: dict[str, int] = {}
        """Name of each logout → when its token is too old to be told again."""
        self._telling = threading.Lock()

    def take(self, form: bytes) -> Outcome:
        """The body of a request to the endpoint (section 2.5): `logout_token=…`, application/x-www-form-urlencoded."""
        text = _token(form)
        if text is None:
            return Outcome.REFUSED
        now_s = self._clock.now_ms() // 1000
        # A loop of its own: to wait for an issuer's keys here must not depend on the loop that practitioners wait on.
        logout = asyncio.run(self._read(read_logout(text, self._issuers, now_s)))
        if isinstance(logout, Reason):
            log.warning("logout_refused", extra={"reason": logout.value})
            return Outcome.UNAVAILABLE if logout.problem is Problem.UNAVAILABLE else Outcome.REFUSED
        if not self._telling.acquire(timeout=WAIT_S):
            return Outcome.UNAVAILABLE
        try:
            outcome = self._tell(logout, now_s)
        finally:
            self._telling.release()
        if outcome is Outcome.ACCEPTED:
            self._written()
            log.info("logout_accepted", extra={"issuer": logout.issuer})
        return outcome

    def _tell(self, logout: Logout, now_s: int) -> Outcome:
        """Once, though two connections bring it. By one thread at a time."""
        self._told = {name: until_s for name, until_s in self._told.items() if until_s >= now_s}
        if logout.name in self._told:
            log.warning("logout_refused", extra={"reason": "told_before"})
            return Outcome.REFUSED
        if isinstance(self._book.write(logout.revocation, now_s), StoreDown):
            return Outcome.UNAVAILABLE
        self._told[logout.name] = now_s + 2 * MAX_AGE_S
        return Outcome.ACCEPTED

    async def _read(self, reading: Deciding[Logout | Reason]) -> Logout | Reason:
        """To read a logout asks for keys, whether one is revoked, and for nothing else."""
        try:
            effect: Effect = next(reading)
            while isinstance(effect, FindKey | FindRevocations):
                known = await self._keys.find(effect) if isinstance(effect, FindKey) else self._revoked(effect)
                effect = reading.send(known)
        except StopIteration as finished:
            result: Logout | Reason = finished.value
            return result
        raise TypeError("a logout needs nothing but keys and what is revoked")


def _token(form: bytes) -> bytes | None:
    """The one field there may be. Other fields are ignored (section 2.5: "may contain additional values")."""
    try:
        fields = parse_qsl(form.decode("ascii"), strict_parsing=True, max_num_fields=10)
    except ValueError:
        return None
    tokens = [value for name, value in fields if name == "logout_token"]
    return tokens[0].encode("ascii", errors="replace") if len(tokens) == 1 else None
