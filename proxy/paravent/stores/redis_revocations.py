"""The shared list of revocations in Redis: one hash, mark → what was said of it.

A mark that is revoked twice keeps what goes further of both, as in `sqlite_revocations`.
"""

from typing import Any, Final

from msgspec import msgpack
from redis.exceptions import RedisError

from paravent.effects import Revocation, StoreDown
from paravent.stores.redis_link import Server
from paravent.stores.redis_lists import client

KEY: Final = "paravent:revocations"

type _Said = tuple[int | None, int | None, str]
"""until_s, issued_before_s, because."""
_READER: Final = msgpack.Decoder(tuple[int | None, int | None, str])
"""Made once: a decoder costs ten times what it decodes, and every node reads ten thousand logouts twice a second."""


class RedisRevocations:
    """`paravent.ports.RevocationBook` on one Redis."""

    def __init__(self, server: Server) -> None:
        self._client = client(server)
        self._read: tuple[dict[bytes, bytes], tuple[Revocation, ...]] = {}, ()
        """The last answer, and what was made of it: most are the same."""

    def read(self) -> tuple[Revocation, ...] | StoreDown:
        try:
            entries = self._client.hgetall(KEY)
        except RedisError:
            return StoreDown.UNAVAILABLE
        if entries != self._read[0]:
            self._read = entries, tuple([Revocation(mark.decode(), *_said(entries[mark])) for mark in sorted(entries)])
        return self._read[1]

    def write(self, revocation: Revocation, now_s: int) -> StoreDown | None:
        """What is over goes with it."""

        def merge(pipe: Any) -> None:
            entries = {mark.decode(): _said(said) for mark, said in pipe.hgetall(KEY).items()}
            over = [mark for mark, (until_s, _, _) in entries.items() if until_s is not None and until_s <= now_s]
            before = None if revocation.mark in over else entries.get(revocation.mark)
            pipe.multi()
            if over:
                pipe.hdel(KEY, *over)
            pipe.hset(KEY, revocation.mark, msgpack.encode(_further(revocation, before)))

        try:
            self._client.transaction(merge, KEY)
        except RedisError:
            return StoreDown.UNAVAILABLE
        return None

    def lift(self, mark: str) -> bool | StoreDown:
        try:
            return bool(self._client.hdel(KEY, mark))
        except RedisError:
            return StoreDown.UNAVAILABLE


def _said(packed: bytes) -> _Said:
    return _READER.decode(packed)


def _further(it: Revocation, before: _Said | None) -> _Said:
    if before is None:
        return it.until_s, it.issued_before_s, it.because
    until_s, issued_before_s, because = before
    return _later(it.until_s, until_s), _later(it.issued_before_s, issued_before_s), it.because or because


def _later(one: int | None, other: int | None) -> int | None:
    """What has no end swallows what has one."""
    return None if one is None or other is None else max(one, other)
