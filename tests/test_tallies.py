"""Our own counters and histograms read as the library's do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import generate_latest

from bot.tallies import Spread, Tally

LABELS = ("event", "result")
BOUNDS = (0.001, 0.5, 1.0, 10.0)
names = st.tuples(st.sampled_from(["a", 'b"\n\\', "é"]), st.sampled_from(["x", "y"]))
values = st.one_of(st.sampled_from([*BOUNDS, 0.0]), st.floats(0, 20))


def exposed(registry: CollectorRegistry) -> set[str]:
    return set(generate_latest(registry).decode().splitlines())


@given(counted=st.lists(names))
def test_a_tally_reads_as_a_counter(counted: list[tuple[str, str]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally = Tally("things", "What was counted", LABELS, registry=ours)
    counter = Counter("things", "What was counted", LABELS, registry=theirs)
    for each in counted:
        tally.count(*each)
        counter.labels(*each).inc()
    assert exposed(ours) == exposed(theirs)


@given(noted=st.lists(st.tuples(names, values)))
def test_a_spread_reads_as_a_histogram(noted: list[tuple[tuple[str, str], float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    spread = Spread("seconds", "How long it took", LABELS, buckets=BOUNDS, registry=ours)
    histogram = Histogram("seconds", "How long it took", LABELS, buckets=BOUNDS, registry=theirs)
    for each, value in noted:
        spread.observe(value, *each)
        histogram.labels(*each).observe(value)
    assert exposed(ours) == exposed(theirs)


@pytest.mark.parametrize("kind", [Tally, Spread])
def test_a_name_is_taken_once(kind: type[Tally] | type[Spread]) -> None:
    registry = CollectorRegistry()
    more = {"buckets": BOUNDS} if kind is Spread else {}
    kind("things", "What was counted", LABELS, registry=registry, **more)
    with pytest.raises(ValueError, match="Duplicated"):
        kind("things", "What was counted", LABELS, registry=registry, **more)
