"""The functions for scripts and notebooks, on the same database."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import bot.store
from bot.errors import MalformedPayload, NotFound, ParameterError
from bot.recorder import upsert_workflow_job, upsert_workflow_run
from bot.store.database import Database
from bot.store.queries import get_workflow_run_by_id, get_workflow_runs, get_workflow_runs_for_pr
from tests import builders as make

# How the REST API answers: the repository is inside the run, and there is no `installation`.
REST_RUN = make.run(100, repository=make.repository(), pull_requests=[make.linked(7)])


async def test_a_script_records_and_asks(migrated_url: str) -> None:
    async with bot.store.connected(migrated_url):
        await upsert_workflow_run(REST_RUN)
        await upsert_workflow_job(make.job(), make.repository(), installation_id=71)
        page = await get_workflow_runs("octo-org")
        assert [run.run_id for run in page.runs] == [100]
        assert page.runs[0].installation_id == 71
        assert await get_workflow_runs_for_pr("octo-org", "octo-org/hello", 7) == page
        details = await get_workflow_run_by_id("octo-org", 100)
        assert (details.run, [job.job_id for job in details.jobs]) == (page.runs[0], [500])
    with pytest.raises(RuntimeError, match="connected"):
        await get_workflow_runs("octo-org")


async def test_the_newer_snapshot_stays_whichever_came_first(database: Database) -> None:
    date = datetime(2026, 1, 5, 10, tzinfo=UTC)
    queued = REST_RUN | {"status": "queued", "conclusion": None, "updated_at": make.CREATED}
    for body, made_at in ((REST_RUN, date), (queued, date + timedelta(hours=1))):
        await upsert_workflow_run(body, made_at=made_at)
    jobs = [(make.job(), date), (make.job(status="queued", conclusion=None, completed_at=None), date + timedelta(1))]
    for body, made_at in jobs:
        await upsert_workflow_job(body, make.repository(), made_at=made_at)
    details = await get_workflow_run_by_id("octo-org", 100)
    assert (details.run.status, details.jobs[0].status, details.jobs[0].conclusion) == ("completed",) * 2 + ("success",)


FILTERS: list[tuple[dict[str, Any], bool]] = [
    ({"repo_full_name": "octo-org/hello", "workflow_id": 33}, True),
    ({"installation_id": 71}, False),
    ({"workflow": "CI", "branch": "topic", "event": "pull_request", "status": "completed"}, True),
    ({"conclusion": "success", "actor": "mona", "head_sha": make.SHA}, True),
    ({"actor": "hubot"}, False),
    ({"since": datetime(2026, 1, 5, 9, tzinfo=UTC), "until": datetime(2026, 1, 5, 9, tzinfo=UTC)}, True),
    # Without an offset a time is meant in UTC, wherever the machine stands.
    ({"since": datetime(2026, 1, 5, 9), "until": datetime(2026, 1, 5, 9)}, True),  # noqa: DTZ001
    ({"since": datetime(2026, 1, 5, 9, 0, 1)}, False),  # noqa: DTZ001
]


@pytest.fixture
def _far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as context:
        context.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_far_from_greenwich")
async def test_filters_are_those_of_the_route(database: Database) -> None:
    await upsert_workflow_run(REST_RUN)
    for filters, fits in FILTERS:
        assert (await get_workflow_runs("octo-org", **filters)).total == fits, filters


MALFORMED: list[tuple[str, dict[str, Any]]] = [
    ("limit", {"limit": 0}),
    ("limit", {"limit": 101}),
    ("status", {"status": "done"}),
    ("conclusion", {"conclusion": "failed"}),
    ("headSha", {"head_sha": "abc"}),
    ("repoFullName", {"repo_full_name": "hello"}),
    ("workflowId", {"workflow_id": 2**63}),
    ("cursor", {"cursor": "x"}),
    ("branch", {"branch": ""}),
]


async def test_a_malformed_filter_is_named(database: Database) -> None:
    await upsert_workflow_run(REST_RUN)
    for parameter, filters in MALFORMED:
        with pytest.raises(ParameterError) as refused:
            await get_workflow_runs("octo-org", **filters)
        assert refused.value.parameter == parameter


async def test_a_pull_request_number_and_limit_are_bounded(database: Database) -> None:
    await upsert_workflow_run(REST_RUN)
    for number, limit in ((0, 20), (7, 51), (7, 0)):
        with pytest.raises(ParameterError):
            await get_workflow_runs_for_pr("octo-org", "octo-org/hello", number, limit)
    shown = await get_workflow_runs_for_pr("octo-org", "octo-org/hello", 7, 1, latest=True, head_sha=make.SHA)
    assert shown.total == 1


async def test_an_unknown_team_is_not_found(database: Database) -> None:
    for work in (
        get_workflow_runs("nobody"),
        get_workflow_runs_for_pr("nobody", "octo-org/hello", 7),
        get_workflow_run_by_id("nobody", 100),
    ):
        with pytest.raises(NotFound):
            await work


async def test_a_body_that_cannot_be_recorded_changes_nothing(database: Database) -> None:
    wrong: list[make.Body] = [
        {"id": None},
        {"id": 2**70},
        {"status": None},
        {"created_at": "yesterday"},
        {"name": "a\0b"},
    ]
    for change in [*wrong, {"name": "\ud800"}]:
        with pytest.raises(MalformedPayload):
            await upsert_workflow_run(REST_RUN | change)
        with pytest.raises(MalformedPayload):
            await upsert_workflow_job(make.job(**change), make.repository())
    with pytest.raises(NotFound):
        await get_workflow_runs("octo-org")


async def test_a_run_without_its_repository_is_refused(database: Database) -> None:
    with pytest.raises(MalformedPayload):
        await upsert_workflow_run(make.run())
    await upsert_workflow_run(make.run(), make.repository())
