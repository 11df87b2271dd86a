"""What the recorder sends: every table's rows once and by key, so that two writers take their locks in one order."""

import itertools
from collections.abc import Mapping
from random import Random

import msgspec

from bot.domain import facts
from bot.recorder import writing
from bot.store.arrays import columns_as_arrays
from bot.store.writes import ForEach, Upsert, Write
from tests.domain.sent import sent, told
from tests.recorder.quick import writes_of


def only(kind: type[msgspec.Struct], event: str) -> facts.Facts:
    return next(fact for fact in told(event, sent(event)) if isinstance(fact, kind))


def sent_for(seed: int) -> list[Write]:
    """Return the statements for thirty of everything, handed over in some order."""
    run, job = only(facts.WorkflowRun, "workflow_run"), only(facts.WorkflowJob, "workflow_job")
    pull_request = only(facts.PullRequest, "pull_request")
    copies = list(itertools.product(range(1, 11), range(1, 4)))
    Random(seed).shuffle(copies)
    replace = msgspec.structs.replace
    runs = [replace(run, run_id=id, run_attempt=n, workflow_id=id) for id, n in copies]
    jobs = [replace(job, job_id=100 * id + n) for id, n in copies]
    pull_requests = [replace(pull_request, number=id, head_sha=f"{n}") for id, n in copies]
    conversation = writing(
        [each for each in runs if isinstance(each, facts.WorkflowRun)],
        [each for each in jobs if isinstance(each, facts.WorkflowJob)],
        [each for each in pull_requests if isinstance(each, facts.PullRequest)],
        {10: 1},
    )
    return writes_of(conversation)


def keys(upsert: Upsert, *columns: str) -> list[tuple[object, ...]]:
    places = [upsert.form.columns.index(column) for column in columns]
    return [tuple(row[place] for place in places) for row in upsert.rows]


def test_rows_come_once_and_by_key_whatever_order_the_facts_came_in() -> None:
    upserts = {each.form.table: each for each in sent_for(1) if isinstance(each, Upsert)}
    by = {
        "workflow_run": ("run_id",),
        "workflow_run_attempt": ("run_id", "run_attempt"),
        "workflow_job": ("job_id",),
        "workflow": ("workflow_id",),
        "pull_request": ("repository_id", "number"),
        "pull_request_head": ("repository_id", "head_sha", "head_repository_id", "number"),
    }
    for table, columns in by.items():
        found = keys(upserts[table], *columns)
        assert len(found) >= 10
        assert found == sorted(set(found))


def name(write: Write) -> object:
    return write.form.table if isinstance(write, Upsert) else write[0]


def test_tables_come_in_one_order() -> None:
    assert [name(each) for each in sent_for(1)] == [name(each) for each in sent_for(2)]


def test_the_text_is_the_same_for_any_number_of_rows() -> None:
    for write in sent_for(1):
        if isinstance(write, Upsert):
            assert write.form.from_arrays.count("?") == parameters_for(write.form.types)
        elif isinstance(write, ForEach):
            assert write.pattern.from_arrays.count("?") == parameters_for(write.pattern.columns)


def parameters_for(types: Mapping[str, str]) -> int:
    return len(columns_as_arrays(types.values(), [[None] * len(types)]))
