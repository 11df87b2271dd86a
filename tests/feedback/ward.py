"""Where failed jobs are looked into, and a host of logs that answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot import events
from bot.demo.github.state.actions import Job, WorkflowRun
from bot.demo.github.state.causes import Cause
from bot.demo.github.state.repositories import Tip
from bot.domain.feedback.report import NO_LOG, Failure
from bot.feedback.examining import examine_due
from bot.feedback.failures import Unexamined, failures_of, want_failures
from bot.feedback.tools import Tools
from bot.store.database import to_moment
from tests.history.house import House
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


async def give_up(ward: Ward, *jobs: Job) -> list[float]:
    """Look into jobs until something is kept of each; return how many seconds later each try was.

    It is kept for good, unless that is that GitHub has no log.
    """
    begun, tries = ward.now, []
    for _ in range(30):
        if await ward.examine():
            tries.append((ward.now - begun).total_seconds())
        await ward.house.clock.advance(1)
    rows = [await ward.row(job) for job in jobs]
    assert [row["source"] is not None for row in rows] == [True for _ in jobs]
    assert [row["due_at"] is not None for row in rows] == [row["kind"] == NO_LOG for row in rows]
    return tries


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
