"""The hypothesis strategies: the choices worth shrinking are drawn one by one, the rest comes from one seed."""

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import strategies as st

from tests.oracle.faults import displaced, must_be_read, without
from tests.oracle.github import GitHub
from tests.oracle.plans import AttemptPlan, Plan
from tests.oracle.shapes import Arrival, History, key_of

_EVERYWHERE = 10_000
_seeds = st.integers(0, 2**32 - 1)
_endings = st.sampled_from(
    ("success", "failure", "cancelled", "timed_out", "skipped", "startup_failure", "stale", "cancelled_early")
)
_gates = st.sampled_from(("none", "none", "none", "approved", "left"))
_attempts = st.builds(AttemptPlan, st.integers(1, 4), _endings, _gates, st.booleans(), st.booleans())
_runs = st.lists(st.lists(_attempts, min_size=1, max_size=3), min_size=1, max_size=3)
_cuts = st.none() | st.integers(1, 40)
_plans = st.builds(Plan, _seeds, _runs, st.integers(0, 10), st.integers(0, 2), st.booleans(), _cuts)
_faults = st.tuples(
    _seeds,
    st.sampled_from(("nothing", "a few", "a tail", "some", "most", "all")),
    st.integers(0, 6),
    st.sampled_from((0, 2, 8, _EVERYWHERE, _EVERYWHERE)),
)


def histories() -> st.SearchStrategy[History]:
    """Draw whole histories of one to three workflow runs in one repository."""
    return _plans.map(lambda plan: GitHub(plan, Random(plan.seed)).play())


def arrivals(history: History) -> st.SearchStrategy[list[Arrival]]:
    """Draw what arrives of a history: some of it lost, some doubled, all shuffled.

    What is lost is covered by a REST snapshot wherever the truth could not be known without; other
    snapshots, stale ones too, arrive now and then.
    """
    return _faults.map(lambda faults: _arrived(history, *faults))


def _arrived(history: History, seed: int, lost: str, copies: int, reach: int) -> list[Arrival]:
    rng = Random(seed)
    kept = without(history, _chosen(rng, lost, len(history.deliveries)))
    needed = must_be_read(history, kept)
    also = rng.choice((0.0, 0.3, 1.0))
    arrived: list[Arrival] = [*kept, *(s for s in history.rest if key_of(s) in needed or rng.random() < also)]
    arrived += [shot for shot in history.early_rest if rng.random() < 0.7]
    return displaced(arrived + rng.choices(arrived, k=copies), reach, rng)


def _chosen(rng: Random, lost: str, count: int) -> set[int]:
    """Choose the places of the deliveries that are to be lost."""
    if lost == "a tail":
        return set(range(rng.randrange(count), count))
    if lost == "a few":
        return set(rng.sample(range(count), min(count, rng.randrange(1, 3))))
    share = {"nothing": 0.0, "some": 0.25, "most": 0.8, "all": 1.0}[lost]
    return {place for place in range(count) if rng.random() < share}


def arrival_times(count: int) -> st.SearchStrategy[list[datetime]]:
    """Draw when that many arrivals arrive (UTC, never going back): often at once, sometimes days apart."""
    return _seeds.map(lambda seed: _times(Random(seed), count))


def _times(rng: Random, count: int) -> list[datetime]:
    now = datetime(2026, 11, 2, 12, tzinfo=UTC) + timedelta(seconds=rng.randrange(30 * 86_400))
    times = []
    for _ in range(count):
        now += timedelta(seconds=rng.choice((0, 0, 0, rng.random(), rng.randrange(120), rng.randrange(3 * 86_400))))
        times.append(now)
    return times
