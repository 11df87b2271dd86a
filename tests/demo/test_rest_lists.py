"""Lists of runs and jobs: filters, pages, caps, the large past, and logs on the other host."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.clock import ManualClock
from bot.demo.github import SimulatedGitHub, truth
from bot.demo.github.rest.asking import created_range
from bot.demo.github.state.history import Past
from bot.demo.github.state.runs import RunFilter
from tests.demo.client import Client, held
from tests.demo.stage import Stage, finish_run, set_stage

RUNS = "/repos/acme/rocket/actions/runs"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    github = SimulatedGitHub(ManualClock(), seed=7)
    async with held(github, every=3) as client:
        stage = set_stage(github)
        yield await client.as_installation(stage.installation)


@pytest.fixture
def stage(client: Client) -> Stage:
    github = client.github
    (installation,) = github.world.installations.values()
    (repository,) = installation.repositories.values()
    (workflow,) = github.world.workflows.values()
    person = next(one for one in github.world.accounts.values() if one.login == "mona")
    return Stage(github, repository.owner, person, repository, workflow, installation)


def past_of(stage: Stage, runs: int, *, bursts: int = 0, days: int = 365) -> Past:
    until = stage.github.clock.now() - timedelta(hours=5)
    return Past(
        stage.repository, [stage.workflow], [stage.person], runs, until - timedelta(days=days), until, bursts=bursts
    )


async def test_pages_lead_from_first_to_last(client: Client, stage: Stage) -> None:
    for number in range(7):
        with stage.github.at(stage.github.clock.now() - timedelta(hours=number)):
            stage.github.actions.start_run_for(stage.open(f"topic-{number}"), stage.workflow)
    replies = await client.walk(f"{RUNS}?per_page=3")
    assert [len(one.body["workflow_runs"]) for one in replies] == [3, 3, 1]
    assert {one.body["total_count"] for one in replies} == {7}
    assert [set(one.links()) for one in replies] == [
        {"next", "last"},
        {"prev", "next", "last", "first"},
        {"prev", "first"},
    ]
    shown = [run for one in replies for run in one.body["workflow_runs"]]
    assert [run["created_at"] for run in shown] == sorted((run["created_at"] for run in shown), reverse=True)
    assert len({run["id"] for run in shown}) == 7
    assert f"/repositories/{stage.repository.id}/actions/runs?per_page=3&page=2" in replies[0].links()["next"]
    assert len((await client.get(f"{RUNS}?per_page=1000&page=nonsense")).body["workflow_runs"]) == 7
    beyond = await client.get(f"{RUNS}?page=9")
    assert (beyond.status, beyond.body["workflow_runs"]) == (200, [])


async def test_filters_combine(client: Client, stage: Stage) -> None:
    github = stage.github
    done = github.actions.start_run_for(stage.open("one"), stage.workflow)
    finish_run(stage, done)
    actor = github.add_user("other")
    pushed = github.actions.start_run(stage.workflow, event="push", tip=stage.repository.tip(), actor=actor)

    async def found(query: str) -> list[int]:
        return [run["id"] for run in (await client.get(f"{RUNS}?{query}")).body["workflow_runs"]]

    assert await found("status=completed") == [done.id]
    assert await found("status=success") == [done.id]
    assert await found("status=queued") == [pushed.id]
    assert await found("event=push&branch=main&actor=other") == [pushed.id]
    assert await found("event=push&branch=one") == []
    assert await found(f"head_sha={done.head.sha}") == [done.id]
    assert await found(f"check_suite_id={pushed.check_suite_id}") == [pushed.id]
    assert await found("created=<2026-01-05") == []
    shown = (await client.get(f"{RUNS}?event=pull_request")).body["workflow_runs"][0]
    assert len(shown["pull_requests"]) == 1
    shown = (await client.get(f"{RUNS}?event=pull_request&exclude_pull_requests=true")).body["workflow_runs"][0]
    assert shown["pull_requests"] == []
    for wrong in ("status=finished", "created=yesterday", "created=2026-13-01"):
        assert (await client.get(f"{RUNS}?{wrong}")).status == 422


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-01-05", "2026-01-05T00:00:00", "2026-01-05T23:59:59"),
        ("2026-01-05..2026-01-06", "2026-01-05T00:00:00", "2026-01-06T23:59:59"),
        ("2026-01-05T10:00:00Z..2026-01-05T11:00:00Z", "2026-01-05T10:00:00", "2026-01-05T11:00:00"),
        (">=2026-01-05T10:00:00Z", "2026-01-05T10:00:00", None),
        (">2026-01-05T10:00:00Z", "2026-01-05T10:00:01", None),
        ("<=2026-01-05T10:00:00+02:00", None, "2026-01-05T08:00:00"),
        ("<2026-01-05", None, "2026-01-04T23:59:59"),
        ("*..2026-01-05T10:00:00Z", None, "2026-01-05T10:00:00"),
        ("2026-01-05T10:00:00Z..*", "2026-01-05T10:00:00", None),
    ],
)
def test_the_syntax_of_created(text: str, first: str | None, last: str | None) -> None:
    since, until = created_range(text)

    def at(moment: str) -> int:
        return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())

    assert since == (0 if first is None else at(first))
    assert until == (2**40 if last is None else at(last))


async def test_a_filtered_list_ends_at_a_thousand(client: Client, stage: Stage) -> None:
    stage.github.add_history(past_of(stage, 2_500, bursts=2))
    tenth = await client.get(f"{RUNS}?per_page=100&page=10&created=>=2020-01-01")
    assert (tenth.body["total_count"], len(tenth.body["workflow_runs"])) == (2_500, 100)
    assert set(tenth.links()) == {"prev", "first"}
    stage.github.rest.limits.capped_totals = True
    assert (await client.get(f"{RUNS}?per_page=1&created=>=2020-01-01")).body["total_count"] == 1_000
    eleventh = await client.get(f"{RUNS}?per_page=100&page=11&created=>=2020-01-01")
    assert (eleventh.status, eleventh.body["workflow_runs"]) == (200, [])
    assert len((await client.get(f"{RUNS}?per_page=100&page=25")).body["workflow_runs"]) == 100


async def test_a_huge_past_is_listed_quickly_and_whole(client: Client, stage: Stage) -> None:
    github = stage.github
    github.rest.limits.points_a_minute = 10**6
    history = github.add_history(past_of(stage, 370_000, bursts=200))
    assert github.counts(stage.installation)["runs"] == len(history) == 370_000
    unfiltered = await client.get(f"{RUNS}?per_page=100&page=401")
    assert unfiltered.status == 422
    assert "pagination is limited" in unfiltered.body["message"]
    assert (await client.get(f"{RUNS}?per_page=100&page=400")).status == 200
    # A day's runs through pages are those of the truth, with attempts and jobs as they are listed one by one.
    day = "2025-06-01T00:00:00Z..2025-06-01T23:59:59Z"
    replies = await client.walk(f"{RUNS}?per_page=100&created={day}")
    listed = [run for reply in replies for run in reply.body["workflow_runs"]]
    assert len(listed) == replies[0].body["total_count"] == len({run["id"] for run in listed}) > 500
    wanted = RunFilter(since=created_range(day)[0], until=created_range(day)[1])
    assert github.world.runs.count(stage.repository, wanted) == len(listed)
    for run in listed[::200]:
        jobs = (await client.get(f"{RUNS}/{run['id']}/jobs?filter=all")).body["jobs"]
        assert all(job["completed_at"] <= run["updated_at"] for job in jobs)
        assert (await client.get(f"/repos/acme/rocket/actions/jobs/{jobs[0]['id']}")).body == jobs[0]
        assert (await client.get(f"{RUNS}/{run['id']}")).body == run
        assert (await client.get(f"{RUNS}?head_sha={run['head_sha']}")).body["workflow_runs"] == [run]


def test_the_past_is_the_same_again_and_adds_up() -> None:
    def facts(seed: int) -> tuple[SimulatedGitHub, dict[str, Any]]:
        stage = set_stage(SimulatedGitHub(ManualClock(), seed=seed))
        stage.github.add_history(past_of(stage, 700, bursts=1))
        return stage.github, stage.github.truth()

    (github, first), (_, again), (_, other) = facts(1), facts(1), facts(2)
    assert first == again
    assert first["runs"] != other["runs"]
    counts = github.counts()
    assert counts["deliveries_made"] == 1
    assert {kind: len(first[kind]) for kind in ("runs", "attempts", "jobs")} == {
        kind: counts[kind] for kind in ("runs", "attempts", "jobs")
    }
    assert len({job["id"] for job in first["jobs"]}) == counts["jobs"]
    assert {run["conclusion"] for run in first["runs"]} == {"success", "failure", "cancelled", "startup_failure"}
    seconds = Counter(run["created_at"] for run in first["runs"])
    assert max(seconds.values()) >= 50
    assert list(truth.each_run(github.world)) == first["runs"]


def test_the_past_is_filtered_by_columns_as_runs_are_by_what_they_hold(client: Client, stage: Stage) -> None:
    other = stage.github.actions.add_workflow(
        stage.repository, "Lint", ".github/workflows/lint.yml", stage.workflow.jobs
    )
    past = replace(past_of(stage, 400), workflows=[stage.workflow, other], actors=[stage.person, stage.organization])
    stage.github.add_history(past)
    runs = stage.github.world.runs
    whole = sorted(runs.every([stage.repository.id]), key=lambda run: (run.created_at, run.id), reverse=True)
    for wanted in (
        RunFilter(workflow_id=other.id),
        RunFilter(actor="acme", event="push"),
        RunFilter(branch="main", status="completed"),
        RunFilter(branch=next(run.head_branch for run in whole if run.head_branch != "main")),
        RunFilter(status="startup_failure"),
        RunFilter(check_suite_id=whole[7].check_suite_id),
        RunFilter(head_sha=whole[9].head.sha, event="schedule"),
        RunFilter(status="queued"),
        RunFilter(head_sha="0" * 40),
    ):
        expected = [run.id for run in whole if wanted.admits(run)]
        assert [run.id for run in runs.newest_first(stage.repository, wanted, 0, 1000)] == expected
        assert runs.count(stage.repository, wanted) == len(expected)


async def test_what_happens_to_a_past_run_makes_it_live(client: Client, stage: Stage) -> None:
    github = stage.github
    history = github.add_history(past_of(stage, 300, days=20))
    before = (await client.get(f"{RUNS}?status=failure&per_page=1")).body["workflow_runs"][0]
    run = github.world.runs.find(before["id"])
    assert run is not None
    github.actions.rerun(run, stage.person)
    finish_run(stage, run)
    after = (await client.get(f"{RUNS}/{run.id}")).body
    assert (after["run_attempt"], after["conclusion"]) == (before["run_attempt"] + 1, "success")
    assert (await client.get(RUNS)).body["total_count"] == 300
    assert len(history) == 299
    github.actions.delete_run(run)
    assert (await client.get(f"{RUNS}/{run.id}")).status == 404
    assert (await client.get(RUNS)).body["total_count"] == 299
    assert github.counts()["runs"] == 299


def test_the_past_ends_before_it_could_still_go_on(client: Client, stage: Stage) -> None:
    now = stage.github.clock.now()
    late = Past(stage.repository, [stage.workflow], [stage.person], 10, now - timedelta(days=1), now)
    with pytest.raises(ValueError, match="four hours"):
        stage.github.add_history(late)


@settings(max_examples=30)
@given(st.data())
def test_any_window_of_any_page_is_a_slice_of_the_sorted_whole(data: st.DataObject) -> None:
    stage = set_stage(SimulatedGitHub(ManualClock()))
    stage.github.add_history(past_of(stage, 40, days=1))
    for number, minutes in enumerate(data.draw(st.lists(st.integers(0, 2000), max_size=8))):
        with stage.github.at(stage.github.clock.now() - timedelta(minutes=minutes)):
            stage.github.actions.start_run_for(stage.open(f"topic-{number}"), stage.workflow)
    runs, repository = stage.github.world.runs, stage.repository
    whole = sorted(runs.every([repository.id]), key=lambda run: (run.created_at, run.id), reverse=True)
    now = int(stage.github.clock.now().timestamp())
    since, until = sorted(data.draw(st.tuples(*[st.integers(now - 130_000, now)] * 2)))
    inside = [run.id for run in whole if since <= run.created_at.timestamp() <= until]
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, 50)] * 2)))
    wanted = RunFilter(since=since, until=until)
    assert runs.count(repository, wanted) == len(inside)
    assert [run.id for run in runs.newest_first(repository, wanted, start, stop)] == inside[start:stop]


async def test_a_log_is_on_another_host_for_a_minute_and_for_nobody_with_a_token(client: Client, stage: Stage) -> None:
    github = stage.github
    run = github.actions.start_run_for(stage.open(), stage.workflow)
    unit, lint = run.jobs
    url = f"/repos/acme/rocket/actions/jobs/{unit.id}/logs"
    assert (await client.get(url)).status == 404
    finish_run(stage, run, "unit")
    skipped = run.get_job("package")
    assert skipped.conclusion == "skipped"
    assert (await client.get(f"/repos/acme/rocket/actions/jobs/{skipped.id}/logs")).status == 404
    led = await client.get(url)
    assert led.status == 302
    address = led.headers["Location"]
    assert not address.startswith(client.address)
    anonymous = Client(client.github, client.session, client.address)
    log = await anonymous.get(address)
    assert log.status == 200
    assert "##[error]Process completed with exit code 1." in log.body
    assert "##[group]Run python -m pytest" in log.body
    github.world.logs[lint.id] = "2026-01-05T09:00:00.0000000Z as written\n"
    other = (await client.get(url.replace(str(unit.id), str(lint.id)))).headers["Location"]
    assert (await anonymous.get(other)).body.endswith("as written\n")
    assert github.rest.ledger.violations == []
    assert (await client.get(address)).status == 401
    assert [one.kind for one in github.rest.ledger.violations] == ["token_to_log_host"]
    assert isinstance(github.clock, ManualClock)
    await github.clock.advance(60)
    assert (await anonymous.get(address)).status == 403


async def test_jobs_of_the_newest_attempt_of_one_and_of_all(client: Client, stage: Stage) -> None:
    run = stage.github.actions.start_run_for(stage.open(), stage.workflow)
    finish_run(stage, run, "unit")
    stage.github.actions.rerun(run, stage.person, failed_only=True)
    finish_run(stage, run)

    async def numbers(path: str) -> set[int]:
        return {job["id"] for job in (await client.get(f"{RUNS}/{run.id}{path}")).body["jobs"]}

    first, second = ({job.id for job in attempt.jobs} for attempt in run.attempts)
    assert await numbers("/jobs") == await numbers("/attempts/2/jobs") == second
    assert await numbers("/attempts/1/jobs") == first
    assert await numbers("/jobs?filter=all") == first | second
    assert (await client.get(f"{RUNS}/{run.id}/attempts/1")).body["conclusion"] == "failure"
    assert (await client.get(f"{RUNS}/{run.id}/attempts/3")).status == 404


async def test_what_cannot_be_run_again_or_cancelled(client: Client, stage: Stage) -> None:
    stage.installation.permissions["actions"] = "write"
    acting = await Client(stage.github, client.session, client.address).as_installation(stage.installation)
    run = stage.github.actions.start_run_for(stage.open(), stage.workflow)
    early = run.jobs[0]
    assert (await acting.post(f"{RUNS}/{run.id}/rerun")).status == 403
    finish_run(stage, run)
    assert (await acting.post(f"{RUNS}/{run.id}/cancel")).status == 409
    assert (await acting.post(f"{RUNS}/{run.id}/rerun-failed-jobs")).status == 403
    assert (await acting.post(f"{RUNS}/{run.id}/rerun")).status == 201
    finish_run(stage, run)
    assert (await acting.post(f"/repos/acme/rocket/actions/jobs/{early.id}/rerun")).status == 422
    for path in (
        f"{RUNS}/1",
        f"{RUNS}/x",
        "/repos/acme/rocket/actions/jobs/1",
        "/repos/acme/rocket/actions/workflows/1",
    ):
        assert (await acting.get(path)).status == 404
    stage.github.repositories.archive(stage.repository)
    assert (await acting.post(f"{RUNS}/{run.id}/rerun")).status == 403
