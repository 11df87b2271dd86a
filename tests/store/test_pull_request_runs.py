"""Runs of a pull request: as GitHub lists them, by the head commit of a fork, and only the latest."""

from collections.abc import Sequence
from typing import Any

import pytest

from bot.store.database import Database
from bot.store.queries import PullRequestRunsQuery, RunsQuery, Scope, list_pull_request_runs, list_runs
from bot.store.views import LinkedPullRequest
from tests import builders as make
from tests.store.recording import record, stamp

HOME = make.repository()
FORK = {"id": 77, "full_name": "stranger/hello"}
OLD, NEW = "a" * 40, "b" * 40


def _linked_run(id: int, sha: str = NEW, numbers: Sequence[int] = (1,), **changes: Any) -> make.Body:
    listed = [make.linked(number, head_sha=sha) for number in numbers]
    return make.run(id, created_at=stamp(id), head_sha=sha, pull_requests=listed, **changes)


async def _ask(scope: Scope, number: int = 1, **filters: Any) -> list[int]:
    query = PullRequestRunsQuery(team="octo-org", repo_full_name="octo-org/hello", pr_number=number, **filters)
    page = await list_pull_request_runs(scope, query)
    assert page.total == len(page.runs) or page.next_cursor
    return [run.run_id for run in page.runs]


async def test_runs_that_list_the_pull_request(database: Database) -> None:
    runs = [_linked_run(1), _linked_run(2, OLD), _linked_run(3, numbers=(2,)), _linked_run(4, numbers=(2, 1))]
    scope = await record(database, HOME, runs=runs)
    await record(database, make.repository("octo-org/other", 10), runs=[_linked_run(5)])
    elsewhere = make.run(6, pull_requests=[make.linked(1, 10)])
    await record(database, make.repository("octo-org/other", 10), runs=[elsewhere])
    assert await _ask(scope) == [4, 2, 1]
    assert await _ask(scope, 2) == [4, 3]
    assert await _ask(scope, 3) == []
    assert await _ask(scope, head_sha=OLD) == [2]
    assert await _ask(scope, limit=1) == [4]


async def test_pages_of_a_pull_request(database: Database) -> None:
    runs = [_linked_run(id) | {"created_at": stamp(id % 2)} for id in range(1, 12)]
    scope = await record(database, HOME, runs=runs)
    shown: list[int] = []
    cursor = None
    while True:
        query = PullRequestRunsQuery(
            team="octo-org", repo_full_name="octo-org/hello", pr_number=1, limit=3, cursor=cursor
        )
        page = await list_pull_request_runs(scope, query)
        assert page.total == 11
        shown += [run.run_id for run in page.runs]
        if (cursor := page.next_cursor) is None:
            break
    assert shown == sorted(range(1, 12), key=lambda id: (id % 2, id), reverse=True)


@pytest.mark.parametrize("told", [True, False], ids=["its event came", "its event did not come"])
async def test_latest_is_the_newest_of_each_workflow_and_event_at_the_head(database: Database, told: bool) -> None:
    runs = [
        _linked_run(1, OLD),
        _linked_run(2),
        _linked_run(3),
        _linked_run(4, workflow_id=34),
        _linked_run(5, event="push"),
        _linked_run(6, run_attempt=2),
    ]
    pulls = [make.pull_request(1, head_sha=NEW)] if told else []
    scope = await record(database, HOME, runs=runs, pull_requests=pulls)
    assert await _ask(scope, latest=True) == [6, 5, 4]
    assert await _ask(scope, latest=True, head_sha=OLD) == [1]


async def test_one_commit_may_be_the_head_of_two_pull_requests(database: Database) -> None:
    scope = await record(database, HOME, runs=[_linked_run(1), _linked_run(2, numbers=(2,))])
    assert (await _ask(scope, 1, latest=True), await _ask(scope, 2, latest=True)) == ([1], [2])


async def test_what_github_lists_outranks_what_the_head_commit_tells(database: Database) -> None:
    runs = [_linked_run(1, NEW), _linked_run(2, NEW, numbers=(2,)), make.run(3, head_sha=NEW)]
    scope = await record(database, HOME, runs=runs, pull_requests=[make.pull_request(1, head_sha=NEW)])
    assert (sorted(await _ask(scope, 1)), await _ask(scope, 2)) == ([1, 3], [2])
    shown = {run.run_id: run for run in (await list_runs(scope, RunsQuery(team="octo-org"))).runs}
    assert {run_id: [link.number for link in run.pull_requests] for run_id, run in shown.items()} == {
        1: [1],
        2: [2],
        3: [1],
    }
    assert shown[2].triggering_pr_number == 2


async def test_the_head_is_the_pull_requests_own_also_before_anything_ran_there(database: Database) -> None:
    pulls = [make.pull_request(1, head_sha=OLD), make.pull_request(1, head_sha=NEW, updated_at=make.ENDED)]
    scope = await record(database, HOME, runs=[_linked_run(1, OLD)], pull_requests=pulls)
    assert await _ask(scope, latest=True) == []
    assert await _ask(scope) == [1]


@pytest.mark.parametrize("run_first", [True, False])
async def test_a_forks_run_is_found_by_its_head(database: Database, run_first: bool) -> None:
    fork = make.run(1, head_sha=NEW, head_repository=FORK)
    same_commit_of_another = make.run(2, head_sha=NEW, head_repository={"id": 78, "full_name": "other/hello"})
    deleted = make.run(3, head_sha=NEW, head_repository=None)
    runs = {"runs": [fork, same_commit_of_another, deleted]}
    pulls = {"pull_requests": [make.pull_request(4, head_sha=NEW, head_repository=FORK)]}
    for bodies in (runs, pulls) if run_first else (pulls, runs):
        scope = await record(database, HOME, **bodies)  # type: ignore[arg-type]
    assert await _ask(scope, 4) == [1]
    assert await _ask(scope, 4, latest=True) == [1]
    shown = {run.run_id: run for run in (await list_runs(scope, RunsQuery(team="octo-org"))).runs}
    assert shown[1].pull_requests == [LinkedPullRequest(4, NEW, "main")]
    assert (shown[1].triggering_pr_number, shown[1].head_repo_full_name) == (4, "stranger/hello")
    assert (shown[2].pull_requests, shown[3].pull_requests) == ([], [])


async def test_a_name_that_nobody_has_is_an_empty_page(database: Database) -> None:
    scope = await record(database, HOME, runs=[_linked_run(1)])
    query = PullRequestRunsQuery(team="octo-org", repo_full_name="octo-org/none", pr_number=1)
    page = await list_pull_request_runs(scope, query)
    assert (page.runs, page.total, page.total_is_exact, page.next_cursor) == ([], 0, True, None)
