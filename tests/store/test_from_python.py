"""The functions for scripts and notebooks, on the same database."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
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
    ({"since": "2026-01-05T09:00:00", "until": "2026-01-05T11:00:00+02:00"}, True),
    ({"since": "2026-01-05T09:00:01"}, False),
    ({"workflow_id": "33", "limit": "5"}, True),
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
    ("branch", {"branch": "a\0"}),
    ("branch", {"branch": "\ud800"}),
    ("branch", {"branch": 1}),
    ("branch", {"branch": object()}),
    ("status", {"status": "\ud800"}),
    ("workflowId", {"workflow_id": "\ud800"}),
    ("cursor", {"cursor": "\0"}),
    ("since", {"since": "2026-01-05"}),
    ("since", {"since": date(2026, 1, 5)}),
    ("until", {"until": "a\0"}),
    # In UTC these lie beyond the years that there are.
    ("since", {"since": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))}),
    ("until", {"until": datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5)))}),
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


async def test_the_id_of_a_run_is_one_of_githubs(database: Database) -> None:
    await upsert_workflow_run(REST_RUN)
    wrong: list[Any] = [2**63, 2**70, 0, -1, "a", "\0", "\ud800", "9" * 5000, 1.5, None, object()]
    for run_id in wrong:
        with pytest.raises(ParameterError) as refused:
            await get_workflow_run_by_id("octo-org", run_id)
        assert refused.value.parameter == "runId"
    as_text: Any = "100"
    assert (await get_workflow_run_by_id("octo-org", as_text)).run.run_id == 100
    with pytest.raises(NotFound):
        await get_workflow_run_by_id("octo-org", 2**63 - 1)


async def test_an_unknown_team_is_not_found(database: Database) -> None:
    for team in ("a\0", "\ud800", "9" * 5000, 2**70):
        with pytest.raises(NotFound):
            await get_workflow_runs(team)
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
