"""Why a job failed, found out on the simulated GitHub and kept, on either database."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot import events
from bot.demo.github.rest import RateLimited as TooMuch
from bot.demo.github.rest import ServerError
from bot.demo.github.state import causes
from bot.demo.github.state.actions import Job, WorkflowRun
from bot.demo.github.state.causes import Cause
from bot.demo.github.state.checks import Annotation
from bot.demo.github.state.repositories import Tip
from bot.domain.excerpts import find_excerpt
from bot.domain.feedback.report import Failure, Source
from bot.feedback import examining, logs
from bot.feedback.examining import examine_due
from bot.feedback.failures import BASES, Unexamined, annotations_of, failures_of, want_failures
from bot.feedback.tools import Tools
from bot.github.errors import GitHubUnavailable, InstallationSuspended, RateLimited
from bot.store.database import Database, to_moment
from tests.history.house import House, housed
from tests.recorder.arrived import handle

ANNOTATIONS, LOG = "checks/list-annotations", "actions/download-job-logs-for-workflow-run"
STEP = "Run tests"


@dataclass
class Ward:
    """Where failed jobs are looked into."""

    house: House
    tools: Tools

    @property
    def now(self) -> datetime:
        return self.house.clock.now()

    async def fail(self, *caused: Cause | None, step: str = STEP, branch: str = "topic") -> list[Job]:
        """Let a job `unit` fail for each of these causes, each on a pull request of its own, and record it."""
        failed = [self._fail(self.start(f"{branch}-{place}"), cause, step) for place, cause in enumerate(caused)]
        await self.hear()
        return failed

    def start(self, branch: str) -> WorkflowRun:
        stage = self.house.stage
        return self.house.github.actions.start_run_for(stage.open(branch), stage.workflow)

    def _fail(self, run: WorkflowRun, cause: Cause | None, step: str = STEP) -> Job:
        job = next(job for job in run.jobs if job.name == "unit")
        self.house.github.actions.jobs.start(job)
        self.house.github.actions.jobs.complete(job, "failure", failed_step=step, cause=cause)
        return job

    async def fail_base(self, cause: Cause) -> Job:
        """Let the job fail on the branch that pull requests go to."""
        stage = self.house.stage
        branch = stage.repository.default_branch
        commit = self.house.github.repositories.push(stage.repository, "Change it", stage.person, branch)
        tip = Tip(stage.repository, branch, commit)
        run = self.house.github.actions.start_run(stage.workflow, event="push", tip=tip, actor=stage.person)
        job = self._fail(run, cause)
        await self.hear()
        return job

    async def hear(self) -> None:
        """Record all that deliveries tell."""
        for each in self.house.github.deliveries:
            news = (await events.read(each.guid, each.event, each.body, self.now)).told
            async with self.tools.database.transaction() as tx:
                await handle(tx, news, self.now)

    async def want(self, jobs: Sequence[Job], urgency: int = 0) -> int:
        rows = [
            Unexamined(job.id, job.run.repository.id, job.run.id, job.attempt.number, job.run.head.sha, self.now)
            for job in jobs
        ]
        async with self.tools.database.transaction() as tx:
            return await want_failures(tx, rows, self.now, urgency)

    async def examine(self, at_most: int = 50) -> int:
        return await examine_due(self.tools, self.house.installation_id, at_most)

    async def told(self, job: Job) -> Failure | None:
        return (await failures_of(self.tools.database.reader, [job.id])).get(job.id)

    async def look_into(self, job: Job) -> Failure:
        """Return why a job failed, which is found out at the first try."""
        await self.want([job])
        assert await self.examine() == 1
        failure = await self.told(job)
        assert failure is not None
        return failure

    async def row(self, job: Job) -> dict[str, Any]:
        (row,) = await self.tools.database.fetch("SELECT * FROM job_failure WHERE job_id = ?", job.id)
        return row | {"due_at": to_moment(row["due_at"])}

    async def summary(self, job: Job) -> dict[str, Any]:
        sql = "SELECT * FROM check_summary WHERE repository_id = ? AND head_sha = ?"
        (row,) = await self.tools.database.fetch(sql, job.run.repository.id, job.run.head.sha)
        return row | {name: to_moment(row[name]) for name in ("due_at", "changed_at")}

    async def put_summaries_off(self) -> None:
        """Let no commit be due, as after a look at each."""
        await self.tools.database.execute("UPDATE check_summary SET due_at = NULL, urgency = 9")

    def asked(self, operation: str) -> int:
        return self.house.asked(operation)


@pytest.fixture
async def ward(database: Database) -> AsyncIterator[Ward]:
    async with housed(database) as house:
        history, github = house.tools, house.github
        tools = Tools(database, history.github, house.clock, history.leases, github.app.id, github.world.addresses.html)
        yield Ward(house, tools)


@dataclass
class LogHost:
    """A host of logs that answers as scripted, the last answer for ever; what it heard is kept."""

    answers: list[bytes]
    heard: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
        await writer.drain()
        writer.close()


@asynccontextmanager
async def log_host(ward: Ward, *answers: bytes) -> AsyncIterator[LogHost]:
    host = LogHost(list(answers))
    server = await asyncio.start_server(host.serve, "127.0.0.1")
    ward.house.github.world.addresses.logs = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield host


def answered(log: bytes, *, length: int | None = None, status: str = "200 OK") -> bytes:
    """Return an answer of HTTP; with a `length` that is too great it breaks off."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nConnection: close\r\n"
    return f"{head}Content-Length: {length or len(log)}\r\n\r\n".encode() + log


SCRIPT = (
    "2026-01-05T09:00:01.0000000Z ##[group]Run pytest\n2026-01-05T09:00:01.0000000Z shell: /usr/bin/bash -e {0}\n"
    "2026-01-05T09:00:01.0000000Z ##[endgroup]\n"
)
LAST = "2026-01-05T09:00:09.0000000Z ##[error]Process completed with exit code 1.\n"
FAILED = "2026-01-05T09:00:08.0000000Z FAILED tests/test_a.py::test_b - AssertionError: no\n"


# Where it is found


async def test_an_annotation_that_names_the_cause_spares_the_log(ward: Ward) -> None:
    (job,) = await ward.fail(causes.tsc())
    before = await ward.summary(job)
    failure = await ward.look_into(job)
    assert (failure.source, failure.step, failure.exit_code) == (Source.ANNOTATIONS, STEP, 2)
    assert failure.anchor == "src/upload.ts:12: Type 'string' is not assignable to type 'number'."
    assert failure.anchor in failure.lines
    assert not failure.is_generic
    assert ward.asked(LOG) == 0
    kept = (await annotations_of(ward.tools.database.reader, [job.id]))[job.id]
    assert [(each.path, each.start_column) for each in kept] == [("src/upload.ts", 7), (".github", None)]
    after = await ward.summary(job)
    assert after["revision"] == before["revision"] + 1
    assert (after["changed_at"], after["due_at"], after["urgency"]) == (before["changed_at"], before["due_at"], 0)


async def test_what_says_only_that_it_failed_leads_to_the_log(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    await ward.put_summaries_off()
    failure = await ward.look_into(job)
    assert (failure.source, failure.step, failure.exit_code, failure.kind) == (Source.LOG, STEP, 1, "python")
    assert (failure.test or "").endswith("test_resumes")
    assert failure.anchor in failure.lines
    assert 0 < len(failure.lines) <= 20
    assert not failure.is_generic
    row, summary = await ward.row(job), await ward.summary(job)
    assert (row["due_at"], row["tries"]) == (None, 0)
    assert (summary["due_at"], summary["urgency"]) == (ward.now, 0)


async def test_the_same_failure_elsewhere_has_the_same_fingerprint(ward: Ward) -> None:
    jobs = await ward.fail(causes.pytest(line=88), causes.pytest(line=91), causes.pytest("tests/test_a.py::test_b"))
    await ward.want(jobs)
    assert await ward.examine() == 3
    found = await failures_of(ward.tools.database.reader, [job.id for job in jobs])
    one, same, other = (found[job.id].fingerprint for job in jobs)
    assert one == same != other
    every = [found[job.id].fingerprints for job in jobs]
    assert every == [(one,), (one,), (other,)]


async def test_a_lost_runner_leaves_an_annotation_and_no_log(ward: Ward) -> None:
    run = ward.start("topic")
    job = next(job for job in run.jobs if job.name == "unit")
    ward.house.github.actions.jobs.start(job)
    ward.house.github.actions.jobs.lose_runner(job)
    await ward.hear()
    failure = await ward.look_into(job)
    assert (failure.source, failure.kind, failure.is_generic) == (Source.ANNOTATIONS, "runner", False)
    assert "lost communication with the server" in (failure.anchor or "")
    assert ward.asked(LOG) == 0


async def test_annotations_that_may_not_be_read_do_not_stand_before_the_log(ward: Ward) -> None:
    first, second = await ward.fail(causes.tsc(), causes.pytest())
    ward.house.github.rest.scripted_faults.add(ServerError(404), operation=ANNOTATIONS)
    assert (await ward.look_into(first)).source is Source.LOG
    ward.house.github.rest.scripted_faults.add(ServerError(403), operation=ANNOTATIONS)
    assert (await ward.look_into(second)).source is Source.LOG
    assert await annotations_of(ward.tools.database.reader, [first.id, second.id]) == {first.id: (), second.id: ()}


async def test_no_token_goes_to_the_host_of_logs(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    async with log_host(ward, answered((SCRIPT + FAILED + LAST).encode())) as host:
        failure = await ward.look_into(job)
    assert failure.test == "tests/test_a.py::test_b"
    assert len(host.heard) == 1
    assert b"authorization" not in host.heard[0].lower()


# What is not there, or not yet


async def test_a_log_is_waited_for(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    ward.house.github.rest.logs.ready_after = 2
    await ward.want([job])
    assert await ward.examine() == 1
    row = await ward.row(job)
    assert (row["source"], row["tries"], row["due_at"]) == (None, 1, ward.now + timedelta(seconds=2))
    assert await ward.told(job) is None
    assert await ward.examine() == 0
    await ward.house.clock.advance(2)
    assert await ward.examine() == 1
    failure = await ward.told(job)
    assert failure is not None
    assert failure.source is Source.LOG
    assert (ward.asked(ANNOTATIONS), ward.asked(LOG)) == (1, 2)


async def give_up(ward: Ward, *jobs: Job) -> list[float]:
    """Look into jobs until nothing is due any more; return how many seconds later each try was."""
    begun, tries = ward.now, []
    for _ in range(30):
        if await ward.examine():
            tries.append((ward.now - begun).total_seconds())
        await ward.house.clock.advance(1)
    assert [(await ward.row(job))["due_at"] for job in jobs] == [None for _ in jobs]
    return tries


async def test_a_log_that_never_comes_leaves_the_step(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    ward.house.github.rest.logs.ready_after = 1e9
    await ward.want([job])
    assert await give_up(ward, job) == [0, 2, 7, 22]
    failure = await ward.told(job)
    assert failure is not None
    assert (failure.source, failure.step, failure.exit_code) == (Source.STEP, STEP, 1)
    assert (failure.anchor, failure.lines, failure.is_generic) == (None, (), True)


async def test_an_empty_log_is_none_yet(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    ward.house.github.world.logs[job.id] = ""
    await ward.want([job])
    await ward.examine()
    assert (await ward.row(job))["tries"] == 1


async def test_a_log_that_breaks_off_is_read_again(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    log = (SCRIPT + FAILED + LAST).encode()
    half = answered(log[: len(log) // 2], length=len(log))
    async with log_host(ward, half, answered(b"no", status="503 Unavailable"), answered(log)) as host:
        await ward.want([job])
        assert await give_up(ward, job) == [0, 2, 7]
    assert len(host.heard) == 3
    failure = await ward.told(job)
    assert failure is not None
    assert (failure.source, failure.test) == (Source.LOG, "tests/test_a.py::test_b")


async def test_a_log_that_is_forbidden_is_not_asked_for_again(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    ward.house.github.rest.scripted_faults.add(ServerError(403), operation=LOG)
    assert (await ward.look_into(job)).source is Source.STEP
    assert ward.asked(LOG) == 1


async def test_while_github_is_away_a_try_is_counted(ward: Ward) -> None:
    (job,) = await ward.fail(causes.tsc())
    ward.house.github.rest.scripted_faults.add(ServerError(503), operation=ANNOTATIONS, times=4)
    await ward.want([job])
    await ward.house.while_time_passes(ward.examine(), step=1)
    row = await ward.row(job)
    assert (row["tries"], row["source"], row["annotations"]) == (1, None, None)
    await ward.house.clock.advance(2)
    assert await ward.examine() == 1
    failure = await ward.told(job)
    assert failure is not None
    assert failure.source is Source.ANNOTATIONS


# What ends a look for all


async def test_a_limit_of_rate_is_the_callers_affair_and_no_try(ward: Ward) -> None:
    jobs = await ward.fail(causes.tsc(), causes.tsc("src/a.ts"), causes.tsc("src/b.ts"))
    ward.house.github.rest.scripted_faults.add(TooMuch(429, retry_after=300), operation=ANNOTATIONS)
    await ward.want(jobs)
    with pytest.raises(RateLimited):
        await ward.examine()
    assert {(await ward.row(job))["tries"] for job in jobs} == {0}
    await ward.house.clock.advance(301)
    await ward.examine()
    assert len(await failures_of(ward.tools.database, [job.id for job in jobs])) == 3


async def test_a_suspended_installation_is_the_callers_affair(ward: Ward) -> None:
    (job,) = await ward.fail(causes.tsc())
    await ward.want([job])
    ward.house.github.installations.suspend(ward.house.stage.installation)
    ward.tools.github.forget(ward.house.installation_id)
    with pytest.raises(InstallationSuspended):
        await ward.examine()
    assert (await ward.row(job))["tries"] == 0


async def test_what_can_not_be_read_harms_no_neighbour(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    poison, *others = await ward.fail(causes.pytest("tests/test_poison.py::test_it"), *[causes.pytest()] * 5)

    def find(log: str, step_started_at: datetime | None) -> Any:
        if "test_poison" in log:
            raise IndexError
        return find_excerpt(log, step_started_at)

    monkeypatch.setattr(examining, "find_excerpt", find)
    await ward.want([poison, *others])
    assert await ward.examine() == 6
    assert (await failures_of(ward.tools.database, [job.id for job in others])).keys() == {job.id for job in others}
    await give_up(ward, poison)
    failure = await ward.told(poison)
    assert failure is not None
    assert (failure.source, failure.step) == (Source.STEP, STEP)


# What is kept


async def test_no_null_character_and_no_token_is_kept(ward: Ward) -> None:
    token = "ghs_" + "a1B2" * 9
    said = f"FAILED tests/test_a.py::test_b\0 - Error: {token} was refused"
    first, second = await ward.fail(causes.pytest(), causes.pytest())
    ward.house.github.world.logs[first.id] = SCRIPT + f"2026-01-05T09:00:08.0000000Z {said}\n" + LAST
    note = Annotation("src/a\0.py", 3, 3, "failure", f"{said}\n\0", f"refused {token}")
    ward.house.github.world.annotations[second.id].append(note)
    for job in (first, second):
        await ward.look_into(job)
        row = json.dumps(
            {name: value for name, value in (await ward.row(job)).items() if name != "due_at"}, default=str
        )
        assert token not in row
        assert "\\u0000" not in row
        assert "[redacted]" in row


async def test_of_a_long_log_the_end_is_read(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    noise = "2026-01-05T09:00:02.0000000Z " + "x" * 4_000 + "\n"
    early = FAILED.replace("test_b", "test_early")
    ward.house.github.world.logs[job.id] = SCRIPT + early + noise * 2_900 + FAILED + LAST
    assert len(ward.house.github.world.logs[job.id]) > 11_000_000
    failure = await ward.look_into(job)
    assert failure.test == "tests/test_a.py::test_b"


async def test_the_end_is_read_whatever_the_size(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    noise = ("2026-01-05T09:00:02.0000000Z " + "x" * 100_000 + "\n") * 700
    assert len(noise) > 70_000_000
    async with log_host(ward, answered((SCRIPT + noise + FAILED + LAST).encode())):
        assert (await ward.look_into(job)).test == "tests/test_a.py::test_b"


async def test_words_on_the_runner_that_a_script_prints_lead_to_the_log(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    said = "The runner has received a shutdown signal."
    ward.house.github.world.annotations[job.id].append(Annotation(".github", 1, 1, "failure", said))
    failure = await ward.look_into(job)
    assert (failure.source, failure.kind) == (Source.LOG, "python")


async def test_long_annotations_keep_nobody_waiting(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    notes = [Annotation(".github", line, line, "failure", "eyJ" * 21_000) for line in range(1, 200)]
    ward.house.github.world.annotations[job.id] += notes
    await ward.want([job])
    looked = asyncio.create_task(ward.examine())
    longest, loop = 0.0, asyncio.get_running_loop()
    while not looked.done():
        began = loop.time()
        await asyncio.sleep(0)
        longest = max(longest, loop.time() - began)
    assert await looked == 1
    assert longest < 1


async def test_each_job_is_wanted_once(ward: Ward) -> None:
    jobs = await ward.fail(*[causes.tsc()] * 3)
    assert await ward.want(jobs[1:]) == 2
    assert await ward.want([*jobs, *jobs]) == 1
    assert await ward.want(jobs, BASES) == 0
    assert await ward.want([]) == 0
    assert [(await ward.row(job))["urgency"] for job in jobs] == [0, 0, 0]


async def test_the_most_urgent_come_first(ward: Ward) -> None:
    base, late, early = await ward.fail(*[causes.tsc()] * 3)
    await ward.want([base], BASES)
    await ward.want([early])
    await ward.house.clock.advance(1)
    await ward.want([late])
    order = []
    while await ward.examine(at_most=1):
        order += [job for job in (base, late, early) if job not in order and await ward.told(job)]
    assert order == [early, late, base]


async def test_two_that_look_at_once_tell_it_once(ward: Ward) -> None:
    (job,) = await ward.fail(causes.tsc())
    before = await ward.summary(job)
    await ward.want([job])
    await asyncio.gather(ward.examine(), ward.examine())
    assert (await ward.summary(job))["revision"] == before["revision"] + 1


async def test_a_hidden_repository_is_left_alone(ward: Ward) -> None:
    (job,) = await ward.fail(causes.tsc())
    await ward.want([job])
    await ward.tools.database.execute("UPDATE repository SET hidden_at = ?", ward.now)
    assert await ward.examine() == 0


# Whom it concerns


async def revisions(ward: Ward, jobs: Sequence[Job], doing: Callable[[], Any]) -> list[int]:
    """Return how often each job's commit was marked while something was done."""
    before = [(await ward.summary(job))["revision"] for job in jobs]
    await doing()
    return [(await ward.summary(job))["revision"] - old for job, old in zip(jobs, before, strict=True)]


async def test_what_fails_on_the_base_branch_concerns_pull_requests_that_failed(ward: Ward) -> None:
    failed, closed, old, unexamined = await ward.fail(*[causes.pytest()] * 4)
    await ward.want([failed, closed, old])
    await ward.examine()
    database = ward.tools.database
    await database.execute("UPDATE pull_request SET state = 'closed' WHERE head_sha = ?", closed.run.head.sha)
    long_ago = ward.now - timedelta(days=8)
    await database.execute("UPDATE job_failure SET failed_at = ? WHERE job_id = ?", long_ago, old.id)
    base = await ward.fail_base(causes.pytest())
    await ward.want([base], BASES)
    marked = await revisions(ward, [failed, closed, old, unexamined, base], ward.examine)
    assert marked == [1, 0, 0, 0, 1]


async def test_another_workflow_on_the_base_branch_concerns_nobody(ward: Ward) -> None:
    (failed,) = await ward.fail(causes.pytest())
    await ward.look_into(failed)
    base = await ward.fail_base(causes.ruff())
    await ward.tools.database.execute("UPDATE workflow_run SET workflow_id = 1 WHERE run_id = ?", base.run.id)
    await ward.want([base], BASES)
    assert await revisions(ward, [failed, base], ward.examine) == [0, 1]


async def test_what_a_merge_queue_tested_is_concerned_too(ward: Ward) -> None:
    failed, queued = await ward.fail(causes.pytest(), causes.pytest())
    await ward.want([failed, queued])
    await ward.examine()
    database = ward.tools.database
    await database.execute("UPDATE pull_request SET head_sha = 'moved'")
    await database.execute(
        "INSERT INTO failure_comment (repository_id, number, changed_at, queue_sha) VALUES (?, 1, ?, ?)",
        queued.run.repository.id,
        ward.now,
        queued.run.head.sha,
    )
    base = await ward.fail_base(causes.pytest())
    await database.execute("UPDATE pull_request SET head_sha = 'moved'")
    await ward.want([base], BASES)
    assert await revisions(ward, [failed, queued], ward.examine) == [0, 1]


# Reading the end of a log


def test_of_what_is_added_the_last_bytes_are_held() -> None:
    end = logs.LogEnd(most=100)
    for number in range(1000):
        end.add(b"line %d\n" % number)
        assert end.held < 120
    assert end.size == 8890
    lines = end.take().splitlines()
    assert lines[-1] == b"line 999"
    assert lines[0] == b"line 990" or lines[0].startswith(b"line 98")
    assert sum(len(line) + 1 for line in lines) <= 100
    assert end.held == 0


def test_what_is_short_is_held_whole() -> None:
    end = logs.LogEnd(most=100)
    end.add(b"half a ")
    end.add(b"line")
    assert end.take() == b"half a line"


async def test_large_logs_wait_for_each_other(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = await ward.fail(*[causes.pytest()] * 4)
    monkeypatch.setattr(logs, "LARGE", 10)
    monkeypatch.setattr(logs, "_LARGE_AT_ONCE", 1)
    monkeypatch.setattr(logs, "_large", type(logs._large)())
    client = ward.tools.github.installation(ward.house.installation_id)
    inside, most = 0, 0

    async def read(job: Job) -> None:
        nonlocal inside, most
        async with logs.log_end(client, "acme/rocket", job.id, ward.house.clock) as end:
            assert logs.is_reading()
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            assert end.size > 10
            inside -= 1

    await asyncio.gather(*map(read, failed))
    assert most == 1
    assert not logs.is_reading()


async def test_a_log_that_trickles_is_given_up(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    (job,) = await ward.fail(causes.pytest())
    monkeypatch.setattr(logs, "_LONGEST_SECONDS", -1.0)
    client = ward.tools.github.installation(ward.house.installation_id)
    with pytest.raises(GitHubUnavailable, match="too slowly"):
        async with logs.log_end(client, "acme/rocket", job.id, ward.house.clock):
            pass
    assert not logs.is_reading()
