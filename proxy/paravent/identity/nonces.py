"""Nonces that DPoP proofs must carry (RFC 9449 section 8): a proof made ahead of time, and stolen, is then worthless.

One a minute, the same for everybody: a keyed hash of the minute. Nothing is stored, and every node with the same key
gives out and accepts the same ones. The one of the minute before is still good, so that no proof under way is refused,
and the one of the next, from a node whose clock is ahead.
"""

import hmac
from functools import lru_cache
from typing import Final

from paravent.identity import base64url
from paravent.model import Secret

PERIOD_S: Final = 60
"""A proof is good for as long (`dpop.MAX_AGE_S`): a shorter life of nonces would only cost clients more attempts."""


class Nonces:
    """The memo is a cache of a pure function: same key and minute, same nonce."""

    def __init__(self, key: Secret[bytes]) -> None:
        """`key`: 32 bytes, of all nodes."""
        self._key = key
        self._of = lru_cache(maxsize=4)(self._make)

    def current(self, now_s: int) -> str:
        """What to give out."""
        return self._of(now_s // PERIOD_S)

    def accepts(self, nonce: object, now_s: int) -> bool:
        if not isinstance(nonce, str) or not nonce.isascii():
            return False
        minute = now_s // PERIOD_S
        # Every comparison is made, whatever the first ones say.
        return any([hmac.compare_digest(nonce, self._of(each)) for each in (minute - 1, minute, minute + 1)])

    def _make(self, minute: int) -> str:
        return base64url.encode(hmac.digest(self._key.reveal(), b"%d" % minute, "sha256")[:16])
