"""The measures that all nodes share, in Redis: one hash, id → what was decided. It ends with the last of them."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from msgspec import msgpack
from redis.exceptions import RedisError

from paravent.effects import Measure, MeasureKind, StoreDown
from paravent.stores.redis_link import Server
from paravent.stores.redis_lists import client

KEY: Final = "paravent:measures"

LONGER_S: Final = 86_400
"""How long the hash outlives what is in it: the server's clock need not be that of a node."""

type _Decided = tuple[MeasureKind, str, int, int, int, str, str]
"""Kind, practitioner, persons, from_s, until_s, author, because."""
_READER: Final = msgpack.Decoder(tuple[MeasureKind, str, int, int, int, str, str])


class RedisMeasures:
    """`paravent.ports.MeasureBook` on one Redis."""

    def __init__(self, server: Server) -> None:
        self._client = client(server)

    def read(self) -> tuple[Measure, ...] | StoreDown:
        try:
            entries = self._client.hgetall(KEY)
        except RedisError:
            return StoreDown.UNAVAILABLE
        return tuple(Measure(id.decode(), *_decided(entries[id])) for id in sorted(entries))

    def write(self, measure: Measure, now_s: int) -> StoreDown | None:
        """What is over goes with it."""
        return StoreDown.UNAVAILABLE if self._put(measure, now_s) is None else None

    def write_new(self, measure: Measure, now_s: int) -> bool | StoreDown:
        """What is over goes, when it is written."""
        alike = measure.kind, measure.practitioner
        written = self._put(measure, now_s, lambda held: all((each[0], each[1]) != alike for each in held))
        return StoreDown.UNAVAILABLE if written is None else written

    def _put(self, it: Measure, now_s: int, may: Callable[[Iterable[_Decided]], bool] = lambda _: True) -> bool | None:
        """Write it if `may` says so of what stands. Begun anew when somebody else writes meanwhile; None: an outage."""
        packed = msgpack.encode((it.kind, it.practitioner, it.persons, it.from_s, it.until_s, it.author, it.because))

        def put(pipe: Any) -> bool:
            held = {id: _decided(said) for id, said in pipe.hgetall(KEY).items()}
            over = [id for id, said in held.items() if said[4] <= now_s]
            added = may(said for said in held.values() if said[4] > now_s)
            last_s = max([it.until_s, *(said[4] for said in held.values())])
            pipe.multi()
            if added:
                if over:
                    pipe.hdel(KEY, *over)
                pipe.hset(KEY, it.id, packed)
                pipe.expire(KEY, max(0, last_s - now_s) + LONGER_S)
            return added

        try:
            return bool(self._client.transaction(put, KEY, value_from_callable=True))
        except RedisError:
            return None

    def lift(self, id: str) -> bool | StoreDown:
        try:
            return bool(self._client.hdel(KEY, id))
        except RedisError:
            return StoreDown.UNAVAILABLE


def _decided(packed: bytes) -> _Decided:
    return _READER.decode(packed)
