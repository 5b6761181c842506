"""What has been used, read from Redis beside those who write it. Nothing is changed."""

from collections.abc import Iterable, Mapping
from itertools import batched
from typing import Final

from paravent.effects import Budget, StoreDown, Usage
from paravent.quota.charges import PRACTITIONER
from paravent.quota.lines import is_exact
from paravent.quota.windows import bucket_leaves_ms, tail_ms
from paravent.rules import Span
from paravent.stores.redis_calls import counter_key, persons_key
from paravent.stores.redis_link import Server
from paravent.stores.redis_lists import UNANSWERED, client

CLOCK: Final = "paravent:clock"
AT_ONCE: Final = 500
"""Questions in one write."""


class RedisUsage:
    """`paravent.ports.UsageBook` on one Redis."""

    def __init__(self, server: Server, *, server_time: bool = True) -> None:
        """Without `server_time`, whoever asks tells the time: for tests of windows."""
        self._client = client(server)
        self._server_time = server_time

    def used(self, budgets: tuple[Budget, ...], now_ms: int) -> tuple[Usage, ...] | StoreDown:
        try:
            now_ms = self._now_ms(now_ms)
            return tuple(
                Usage(budget.scope, budget.kind, window, self._used(budget, window.span, now_ms))
                for budget in budgets
                for window in budget.windows
            )
        except UNANSWERED:
            return StoreDown.UNAVAILABLE

    def persons(self, spans: tuple[Span, ...], now_ms: int) -> Mapping[str, tuple[int, ...]] | StoreDown:
        try:
            now_ms = self._now_ms(now_ms)
            before, after = persons_key("\0").split("\0")
            keys = self._client.scan_iter(match=persons_key(PRACTITIONER + "*"), count=AT_ONCE)
            held: dict[str, tuple[int, ...]] = {}
            # A walk may meet a key twice (redis.io, SCAN: guarantees); the second time it is asked in vain.
            for some in batched(keys, AT_ONCE):
                counts = self._counts(some, spans, now_ms)
                for key, persons in zip(some, counts, strict=True):
                    if any(persons):
                        held[key.decode().removeprefix(before).removesuffix(after)] = persons
        except UNANSWERED:
            return StoreDown.UNAVAILABLE
        return {payer: held[payer] for payer in sorted(held)}

    def _counts(self, keys: Iterable[bytes], spans: tuple[Span, ...], now_ms: int) -> Iterable[tuple[int, ...]]:
        pipe = self._client.pipeline(transaction=False)
        for key in keys:
            for span in spans:
                pipe.zcount(key, *_inside(now_ms, span))
        return batched(pipe.execute(), len(spans))

    def _used(self, budget: Budget, span: Span, now_ms: int) -> int:
        if is_exact(budget):
            return int(self._client.zcount(persons_key(budget.payer), *_inside(now_ms, span)))
        buckets = self._client.hgetall(counter_key(budget.payer, budget.kind.value, span))
        numbers = {int(name): int(used) for name, used in buckets.items() if name.isdigit()}
        return sum(used for number, used in numbers.items() if bucket_leaves_ms(number, span) > now_ms)

    def _now_ms(self, now_ms: int) -> int:
        """As the script tells the time: it never goes back."""
        if self._server_time:
            told = self._client.time()
            clocks = list(told.values()) if isinstance(told, dict) else [told]  # of a cluster: each master's
            now_ms = max(seconds * 1000 + microseconds // 1000 for seconds, microseconds in clocks)
        return max(now_ms, int(self._client.hget(CLOCK, "now") or 0))


def _inside(now_ms: int, span: Span) -> tuple[str, str]:
    return f"({tail_ms(now_ms, span)}", "+inf"
