"""Counters and histograms of what happens thousands of times a second.

The library's own take a lock and look for an exemplar each time. A delivery is counted in four of them, which took 2.6
µs of its 120 and takes 1.0 so (`bench/ingest`). Only the event loop's thread may count; whoever asks may be any thread.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

Labels = tuple[str, ...]


class Tally(Collector):
    """A counter, for each combination of values that its labels have had."""

    def __init__(self, name: str, explanation: str, labels: Sequence[str], *, registry: CollectorRegistry) -> None:
        self._family = partial(CounterMetricFamily, name, explanation, labels=labels)
        self._counts: defaultdict[Labels, int] = defaultdict(int)
        registry.register(self)

    def count(self, *labels: str) -> None:
        """Count one more with these values of the labels."""
        self._counts[labels] += 1

    def describe(self) -> Iterator[CounterMetricFamily]:
        """Return the counter without its counts."""
        yield self._family()

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Return the counts so far."""
        family = self._family()
        for values, count in list(self._counts.items()):
            family.add_metric(values, count)
        yield family


class Spread(Collector):
    """A histogram for each such combination; `buckets` are the upper bounds of all but the last."""

    def __init__(
        self,
        name: str,
        explanation: str,
        labels: Sequence[str],
        *,
        buckets: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        self._family = partial(HistogramMetricFamily, name, explanation, labels=labels)
        self._bounds = tuple(map(float, buckets))
        self._counts: defaultdict[Labels, list[int]] = defaultdict(lambda: [0] * (len(buckets) + 1))
        self._sums: defaultdict[Labels, float] = defaultdict(float)
        registry.register(self)

    def observe(self, value: float, *labels: str) -> None:
        """Note one value with these values of the labels."""
        self._counts[labels][bisect_left(self._bounds, value)] += 1
        self._sums[labels] += value

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """Return the histogram without what was noted."""
        yield self._family()

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Return how the values so far are spread."""
        family = self._family()
        for values, counts in list(self._counts.items()):
            family.add_metric(values, list(self._buckets(counts)), self._sums.get(values, 0.0))
        yield family

    def _buckets(self, counts: Iterable[int]) -> Iterator[tuple[str, float]]:
        bounds = [*map(str, self._bounds), "+Inf"]
        return zip(bounds, accumulate(counts), strict=True)
