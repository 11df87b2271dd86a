"""What is hidden, restricted or renamed, for every query at once."""

from typing import Any, NamedTuple

import pytest

from bot.errors import NotFound
from bot.store import models
from bot.store.database import Database
from bot.store.queries import (
    JobsQuery,
    PullRequestRunsQuery,
    RunsQuery,
    Scope,
    get_scope,
    list_jobs,
    list_pull_request_runs,
    list_repositories,
    list_runs,
    list_teams,
)
from tests import builders as make
from tests.store.recording import NOON, record, record_installation

NAMES = {9: "octo-org/hello", 10: "octo-org/other"}


class Seen(NamedTuple):
    """The ids of the repositories that each query shows something of."""

    runs: set[int]
    jobs: set[int]
    pull_request_runs: set[int]
    repositories: set[int]


async def _seen(scope: Scope, **filters: Any) -> Seen:
    runs = await list_runs(scope, RunsQuery(team="octo-org", **filters))
    jobs = await list_jobs(scope, JobsQuery(team="octo-org", **filters))
    of_pull_requests = [
        await list_pull_request_runs(scope, PullRequestRunsQuery(team="octo-org", repo_full_name=name, pr_number=1))
        for name in NAMES.values()
    ]
    assert (runs.total, jobs.total) == (len(runs.runs), len(jobs.jobs))
    return Seen(
        {run.repository_id for run in runs.runs},
        {job.job_id // 100 for job in jobs.jobs},
        {run.repository_id for page in of_pull_requests for run in page.runs},
        {each.repository_id for each in (await list_repositories(scope)).repositories},
    )


@pytest.fixture
async def scope(database: Database) -> Scope:
    for id, name in NAMES.items():
        runs = [make.run(id * 100, pull_requests=[make.linked(1, id)])]
        found = await record(database, make.repository(name, id), runs=runs, jobs=[make.job(id * 100, id * 100)])
    return found


async def test_a_scope_may_be_some_repositories_only(scope: Scope) -> None:
    assert await _seen(scope) == Seen(*[{9, 10}] * 4)
    assert await _seen(Scope(scope.team_id, scope.slug, frozenset({10, 99}))) == Seen(*[{10}] * 4)
    assert await _seen(Scope(scope.team_id, scope.slug, frozenset())) == Seen(*[set[int]()] * 4)


async def test_a_hidden_repository_is_never_shown(scope: Scope, database: Database) -> None:
    await models.Repository.filter(repository_id=9).using_db(database.client).update(hidden_at=NOON)
    assert await _seen(scope) == Seen(*[{10}] * 4)
    named = await _seen(scope, repo_full_name="octo-org/hello")
    assert (named.runs, named.jobs) == (set(), set())
    installed = await _seen(scope, installation_id=make.INSTALLATION)
    assert (installed.runs, installed.jobs) == ({10}, {10})


async def test_a_deleted_installation_is_hidden_at_once_and_shown_when_it_is_installed_again(
    scope: Scope, database: Database
) -> None:
    await record_installation(database, "deleted", minute=2)
    assert await _seen(scope) == Seen(*[set[int]()] * 4)
    teams = await list_teams([scope.team_id])
    assert [team.installations for team in teams.teams] == [[]]
    await record(database, make.repository(), installation=72, minute=4)
    assert await _seen(scope) == Seen(*[{9}] * 4)
    assert (await _seen(scope, installation_id=72)).runs == {9}


async def test_a_suspended_installations_record_stays(scope: Scope, database: Database) -> None:
    await record_installation(database, "suspend", minute=2)
    assert (await _seen(scope)).runs == {9, 10}


async def test_a_past_name_finds_the_repository_until_another_takes_it(scope: Scope, database: Database) -> None:
    await record(database, make.repository("octo-org/new-name", 9), minute=1)
    for name in ("octo-org/new-name", "octo-org/hello", "OCTO-ORG/Hello"):
        found = await _seen(scope, repo_full_name=name)
        assert (found.runs, found.jobs) == ({9}, {9})
    assert (await _seen(scope)).pull_request_runs == {9, 10}
    page = await list_runs(scope, RunsQuery(team="octo-org", repo_full_name="octo-org/hello"))
    assert page.runs[0].repo_full_name == "octo-org/new-name"
    listed = {each.full_name: each.past_names for each in (await list_repositories(scope)).repositories}
    assert listed == {"octo-org/new-name": ["octo-org/hello"], "octo-org/other": []}
    await record(database, make.repository("octo-org/hello", 11), runs=[make.run(1100)], minute=2)
    assert (await _seen(scope, repo_full_name="octo-org/hello")).runs == {11}
    assert (await _seen(scope, repo_full_name="octo-org/new-name")).runs == {9}


async def test_a_team_is_found_by_slug_in_any_case_and_by_id(scope: Scope, database: Database) -> None:
    for team in ("octo-org", "OCTO-Org", scope.team_id, str(scope.team_id), scope):
        assert await get_scope(team) == scope
    for stranger in ("octo", "octo-org ", "", "0", "-1", "٣", str(2**40), scope.team_id + 1000, "octo%", "'"):
        with pytest.raises(NotFound):
            await get_scope(stranger)
    # A slug that is a number goes before the id.
    numbered = await record(database, make.repository(f"{scope.team_id}/x", 90, 91), installation=92)
    assert await get_scope(str(scope.team_id)) == numbered != scope
