"""Merging snapshots in memory is the same as writing them one after another, and both are the ordering rule."""

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain import facts
from bot.recorder import writing
from bot.store.answering import answer_on_sqlite
from bot.store.conversation import written
from bot.store.writes import Write
from tests.domain.sent import sent, told
from tests.recorder.quick import writes_of
from tests.recorder.records import RUN_TABLES, State, normal, selection

TEAMS = {10: 1}
# What a snapshot may leave out, though it never changes.
GAPS: dict[str, tuple[str, ...]] = {
    "workflow_run": ("head_sha", "head_repository_id", "actor_login", "workflow_id", "workflow_name", "event"),
    "workflow_job": ("head_sha", "run_attempt", "workflow_name", "created_at"),
    "pull_request": ("created_at",),
}
STATES = ("queued", "in_progress", "completed")


def first(event: str) -> Any:
    kinds = facts.WorkflowRun | facts.WorkflowJob | facts.PullRequest
    return next(fact for fact in told(event, sent(event)) if isinstance(fact, kinds))


WHOLE = {event: first(event) for event in GAPS}


@st.composite
def snapshots(draw: st.DrawFn, event: str) -> Any:
    """Draw a snapshot of one of a few things, as new as its version says, with a state of its own and some gaps."""
    whole, newness = WHOLE[event], draw(st.integers(1, 9))
    changes: dict[str, Any] = {"version": bytes([newness])}
    # Two snapshots of one version are one snapshot.
    gaps = [name for place, name in enumerate(GAPS[event]) if hash((newness, place)) % 3 == 0]
    changes |= dict.fromkeys(gaps)
    if event == "pull_request":
        return msgspec.structs.replace(whole, number=draw(st.integers(1, 2)), title=f"{newness}", **changes)
    changes["status"] = STATES[newness % 3]
    if event == "workflow_job":
        return msgspec.structs.replace(whole, job_id=draw(st.integers(1, 2)), runner_name=f"{newness}", **changes)
    which = {"run_id": draw(st.integers(1, 2)), "run_attempt": draw(st.integers(1, 2))}
    return msgspec.structs.replace(whole, **which, **changes)


def writes(news: list[Any]) -> list[Write]:
    runs = [fact for fact in news if isinstance(fact, facts.WorkflowRun)]
    jobs = [fact for fact in news if isinstance(fact, facts.WorkflowJob)]
    pulls = [fact for fact in news if isinstance(fact, facts.PullRequest)]
    return writes_of(writing(runs, jobs, pulls, TEAMS))


@pytest.fixture(scope="module")
def connection(sqlite_template: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        opened.row_factory = sqlite3.Row
        with closing(sqlite3.connect(sqlite_template)) as source:
            source.backup(opened)
        yield opened


def recorded(connection: sqlite3.Connection, batches: list[list[Any]]) -> State:
    """Return what stands after these batches on an empty record."""
    connection.execute("BEGIN")
    for batch in batches:
        answer_on_sqlite(written(writes(batch)), connection)
    state = {
        model._meta.db_table: [normal(model, dict(row)) for row in connection.execute(selection(model))]
        for model in RUN_TABLES
    }
    connection.execute("ROLLBACK")
    return state


@pytest.mark.timeout(120)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.one_of(snapshots("workflow_run"), snapshots("workflow_job"), snapshots("pull_request")), max_size=12),
    st.lists(st.integers(0, 12), max_size=3),
)
def test_however_they_are_batched(connection: sqlite3.Connection, news: list[Any], cuts: list[int]) -> None:
    one_by_one = recorded(connection, [[each] for each in news])
    assert recorded(connection, [news]) == one_by_one
    edges = [0, *sorted(cuts), len(news)]
    parts = [news[begin:end] for begin, end in itertools.pairwise(edges)]
    assert recorded(connection, parts) == one_by_one
    assert recorded(connection, [list(reversed(news))]) == one_by_one
