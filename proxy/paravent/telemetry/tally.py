"""Counters and histograms that are only added up when somebody scrapes.

Those of `prometheus_client` take a lock at each increment, and a histogram one for each of its numbers. Ours are
counted on the event loop's thread alone and read from any: a scrape sees each number whole, and the numbers of one
histogram agree, since its count is the sum of its buckets. The exposition is the library's.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import override

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class _Begun[Series](dict[tuple[str, ...], Series]):
    """By the values of the labels, in their order; begun at 0 when it is first asked for."""

    def __init__(self, begin: Callable[[], Series]) -> None:
        self._begin = begin

    def __missing__(self, values: tuple[str, ...]) -> Series:
        return self.setdefault(values, self._begin())


class Count:
    """One series of a counter."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0

    def inc(self, amount: float = 1) -> None:
        self.value += amount


class Counter(Collector):
    """Only goes up."""

    def __init__(
        self, name: str, documentation: str, labels: Sequence[str] = (), *, registry: CollectorRegistry
    ) -> None:
        self._family = (name, documentation, labels)
        self.series = _Begun(Count)
        if not labels:
            self.labels()
        registry.register(self)

    def labels(self, *values: str) -> Count:
        """The series of these values, in the order of the labels; begun at 0."""
        return self.series[values]

    def inc(self, amount: float = 1) -> None:
        """Of a counter without labels."""
        self.labels().inc(amount)

    @override
    def collect(self) -> Iterable[CounterMetricFamily]:
        name, documentation, labels = self._family
        family = CounterMetricFamily(name, documentation, labels=labels)
        for values, count in tuple(self.series.items()):
            family.add_metric(values, count.value)
        yield family


class Distribution:
    """One series of a histogram."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, amount: float) -> None:
        self.counts[bisect_left(self._bounds, amount)] += 1  # a bucket holds its own bound: `le`
        self.sum += amount


class Histogram(Collector):
    """How often which size."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str],
        *,
        buckets: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        """`buckets`: upper bounds, ascending, without +Inf."""
        self._family = (name, documentation, labels)
        self._les = [*map(floatToGoString, buckets), "+Inf"]
        self.series = _Begun(partial(Distribution, buckets))
        registry.register(self)

    def labels(self, *values: str) -> Distribution:
        """The series of these values, in the order of the labels; begun at 0."""
        return self.series[values]

    @override
    def collect(self) -> Iterable[HistogramMetricFamily]:
        name, documentation, labels = self._family
        family = HistogramMetricFamily(name, documentation, labels=labels)
        for values, series in tuple(self.series.items()):
            total, buckets = 0, []
            for le, count in zip(self._les, tuple(series.counts), strict=True):
                total += count
                buckets.append((le, float(total)))
            family.add_metric(values, buckets, series.sum)
        yield family
