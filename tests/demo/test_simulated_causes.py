"""Why jobs fail in the simulated GitHub: their logs and annotations, which read as those of the tools do."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot.clock import ManualClock
from bot.demo.github import JobSpec, SimulatedGitHub
from bot.demo.github.company import found
from bot.demo.github.payloads.job_log import render
from bot.demo.github.state import causes
from bot.demo.github.state.actions import Job
from bot.demo.github.state.causes import Cause
from bot.domain.excerpts import find_excerpt
from bot.domain.excerpts.cleaning import clean
from bot.domain.fingerprints import fingerprint
from tests.demo.client import Client, connected
from tests.demo.stage import Stage, set_stage

CAUSES = {
    "pytest": causes.pytest(),
    "pytest error": causes.pytest("tests/test_retry.py::test_gives_up", "TimeoutError: still waiting after 5 tries"),
    "ruff": causes.ruff(),
    "mypy": causes.mypy(),
    "pip": causes.pip(),
    "jest": causes.jest(),
    "vitest": causes.vitest(),
    "playwright": causes.playwright(),
    "tsc": causes.tsc(),
    "npm ci": causes.npm_ci(),
    "go test": causes.go_test(),
    "go build": causes.go_build(),
    "cargo test": causes.cargo_test(),
    "rustc": causes.rustc(),
    "docker build": causes.docker_build(),
    "terraform": causes.terraform(),
    "script": causes.script(),
    "http": causes.http(),
    "shut down": causes.shut_down(),
    "too slow": causes.too_slow(),
}


def fail(stage: Stage, cause: Cause | None, name: str = "unit", step: str | None = None) -> Job:
    """Let a job of a new pull request fail, a minute and a half after it began."""
    run = stage.github.actions.start_run_for(stage.open(f"topic-{stage.repository.last_number}"), stage.workflow)
    job = run.get_job(name)
    with stage.github.at(stage.github.clock.now() - timedelta(seconds=90)):
        stage.github.actions.jobs.start(job)
    stage.github.actions.jobs.complete(job, "failure", failed_step=step, cause=cause)
    return job


@pytest.mark.parametrize("name", CAUSES)
def test_the_line_that_tells_why_is_found_in_the_log(stage: Stage, name: str) -> None:
    cause = CAUSES[name]
    excerpt = find_excerpt(render(fail(stage, cause)))
    assert excerpt is not None
    assert any(clean(cause.line) == line for line in excerpt.lines)


@pytest.mark.parametrize("name", CAUSES)
def test_the_same_cause_has_one_fingerprint_on_every_commit(stage: Stage, name: str) -> None:
    assert len({print_of(fail(stage, CAUSES[name])) for _ in range(3)}) == 1


def test_different_causes_have_different_fingerprints(stage: Stage) -> None:
    assert len({print_of(fail(stage, cause)) for cause in CAUSES.values()}) == len(CAUSES)


def print_of(job: Job) -> str:
    excerpt = find_excerpt(render(job))
    assert excerpt is not None
    return fingerprint("ci.yml", job.name, "Run tests", excerpt.test or excerpt.anchor.text)


def test_the_step_that_failed_is_found_by_the_time_that_it_began(stage: Stage) -> None:
    job = fail(stage, None, "lint", "Run actions/checkout@v4")
    step = next(step for step in job.steps if step.conclusion == "failure")
    assert step.started_at is not None
    excerpt = find_excerpt(render(job), step.started_at)
    assert excerpt is not None
    assert excerpt.step == "actions/checkout@v4"


def test_every_step_of_the_company_fails_with_a_line_that_is_found() -> None:
    github = SimulatedGitHub(ManualClock())
    company = found(github)
    specs = {spec.name: spec for one in github.world.workflows.values() for spec in one.jobs}
    steps = {step for spec in specs.values() for step in spec.steps}
    for step in sorted(steps):
        for sha in ("a", "b", "c"):
            assert causes.fitting(step, sha) == causes.fitting(step, sha)
    repository = company.repositories["uploader"]
    for number, step in enumerate(sorted(steps)):
        name = f"job {number}"
        workflow = github.actions.add_workflow(repository, name, f"{number}.yml", [JobSpec(name, (step,))])
        run = github.actions.start_run(workflow, event="push", tip=repository.tip(), actor=company.people[0])
        (job,) = run.jobs
        github.actions.jobs.start(job)
        github.actions.jobs.complete(job, "failure")
        cause, excerpt = causes.cause_of(job), find_excerpt(render(job))
        assert cause is not None
        assert excerpt is not None
        assert clean(cause.line) in excerpt.lines, step


def test_a_log_depends_on_nothing_but_the_seed() -> None:
    logs = {render(fail(set_stage(SimulatedGitHub(ManualClock(), seed=3)), causes.jest())) for _ in range(2)}
    assert len(logs) == 1


def test_a_matcher_of_problems_notes_the_line_and_github_notes_the_end(stage: Stage) -> None:
    notes = stage.github.world.annotations_of(fail(stage, causes.tsc("src/a.ts", 7, "No.")))
    assert [(one.path, one.start_line, one.message) for one in notes[:1]] == [("src/a.ts", 7, "No.")]
    assert (notes[1].path, notes[1].message) == (".github", "Process completed with exit code 2.")
    assert len(notes) == 2


def test_a_cancelled_job_is_noted_if_it_had_begun(stage: Stage) -> None:
    run = stage.github.actions.start_run_for(stage.open(), stage.workflow)
    stage.github.actions.jobs.start(run.get_job("unit"))
    stage.github.actions.cancel(run, stage.person)
    notes = [stage.github.world.annotations_of(job) for job in run.jobs]
    assert [[one.message for one in some] for some in notes] == [[causes.CANCELED], []]


def test_a_job_that_fails_as_it_is_set_up_runs_no_step(stage: Stage) -> None:
    job = fail(stage, causes.download_failed(), "unit", causes.SET_UP)
    assert [step.conclusion for step in job.steps] == ["failure", "skipped", "skipped", "skipped", "success"]
    excerpt = find_excerpt(render(job))
    assert excerpt is not None
    assert excerpt.anchor.text == "##[error]Response status code does not indicate success: 503 (Service Unavailable)."


@pytest.fixture
async def client(stage: Stage) -> AsyncIterator[Client]:
    async with connected(stage.github) as client:
        yield await client.as_installation(stage.installation)


async def test_a_lost_runner_leaves_a_step_open_and_no_log(client: Client, stage: Stage) -> None:
    run = stage.github.actions.start_run_for(stage.open(), stage.workflow)
    job = run.get_job("unit")
    stage.github.actions.jobs.start(job)
    stage.github.actions.jobs.lose_runner(job)
    told = (await client.get(f"/repos/acme/rocket/actions/jobs/{job.id}")).body
    assert (told["status"], told["conclusion"]) == ("completed", "failure")
    assert [(step["status"], step["conclusion"]) for step in told["steps"]][:3] == [
        ("completed", "success"),
        ("in_progress", None),
        ("queued", None),
    ]
    (note,) = (await client.get(f"/repos/acme/rocket/check-runs/{job.id}/annotations")).body
    assert "lost communication with the server" in note["message"]
    assert (await client.get(f"/repos/acme/rocket/actions/jobs/{job.id}/logs")).status == 404


async def test_a_log_may_come_some_seconds_after_its_job(client: Client, stage: Stage) -> None:
    clock = stage.github.clock
    assert isinstance(clock, ManualClock)
    stage.github.rest.logs.ready_after = 4
    url = f"/repos/acme/rocket/actions/jobs/{fail(stage, None).id}/logs"
    assert (await client.get(url)).status == 404
    await clock.advance(4)
    assert (await client.get(url)).status == 302
