"""Tokens that were verified, so that a practitioner's next request costs no signature check and no parsing.

A memory of what cannot change between two uses of the same bytes: the signature under one key, and the claims. What can
change is asked again at every use, remembered or not:

    expiry, clock            `claims.out_of_force`, at that moment
    a key withdrawn          `FindKey`, by the caller: another key under that kid, or none, and nothing is remembered
    an issuer's terms        the issuer must be the very one that it was verified for
    the policy               nothing of it is in the claims: strength, age and binding are judged by the one in force
    a revocation             `FindRevocations`, by the caller; `Introspect`, where an issuer is asked
    who holds the token      certificate or proof, for every request

It is keyed on the SHA-256 of the text and not on any claim: the second signature that ECDSA allows is another text, and
verified anew. And no token that could be presented again stays in memory.
"""

import hashlib
from collections import OrderedDict
from typing import Final

from paravent.effects import FindKey, PublicKey
from paravent.identity.claims import Claims
from paravent.identity.issuers import Issuer
from paravent.values import Value

MAX_TOKENS: Final = 8192
"""At one token a practitioner, more than are logged in through one worker. About 2 KB each."""


class VerifiedToken(Value, frozen=True):
    """A token that its issuer signed, for us. Neither strong enough nor bound yet."""

    HIDDEN = frozenset({"digest", "key", "marks"})

    digest: bytes
    """SHA-256 of its text: what this memory is keyed on, and DPoP's `ath` (RFC 9449 section 4.2)."""
    claims: Claims
    issuer: Issuer
    signed_with: FindKey
    key: PublicKey
    marks: tuple[str, ...]
    """Under which names it could be revoked: see `revocation`."""


class VerifiedTokens:
    """The most recently used ones."""

    def __init__(self, size: int = MAX_TOKENS) -> None:
        self._size = size
        self._tokens: OrderedDict[bytes, VerifiedToken] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tokens)

    def get(self, digest: bytes) -> VerifiedToken | None:
        return self._tokens.get(digest)

    def knows(self, text: bytes) -> bool:
        """These bytes were verified before."""
        return hashlib.sha256(text).digest() in self._tokens

    def keep(self, token: VerifiedToken) -> None:
        """Only what was in force a moment ago: who lets tokens pile up cannot push others out with expired ones."""
        self._tokens[token.digest] = token
        self._tokens.move_to_end(token.digest)
        if len(self._tokens) > self._size:
            self._tokens.popitem(last=False)
