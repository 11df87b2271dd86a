"""A repository whose past is told run by run, and failures to be held against it."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bot.domain.feedback.report import Evidence, Failure, Job, Run, Source
from bot.feedback.base_rows import Subject
from bot.feedback.elsewhere import Failed
from bot.feedback.evidence import find_evidence
from bot.store.database import Database
from tests import builders as make
from tests.store.recording import NOON, record

OWN, OWN_BEFORE, BASE_SHA = "c" * 40, "b" * 40, "f" * 40
HOME = make.repository()
MONA, HUBOT, OCTO = 6, 8, 9
SUBJECT = Subject(repository_id=9, head_sha=OWN, number=1, author_id=MONA, base_ref="main", base_sha=BASE_SHA)
INSERT = (
    "INSERT INTO job_failure (job_id, repository_id, run_id, run_attempt, head_sha, failed_at, source, fingerprint,"
    " is_generic, fingerprints) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def stamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def sha(number: int) -> str:
    return f"{number:040x}"


@dataclass
class Past:
    """A repository whose past is told run by run; `hours` are before noon, and each run has a commit of its own."""

    database: Database
    ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1000))

    async def ran(
        self, hours: float = 1, jobs: Sequence[tuple[str, str]] = (("test", "success"),), **told: Any
    ) -> tuple[int, list[int]]:
        """Record a finished run of main with these jobs and conclusions; return its id and those of the jobs."""
        run_id, at = next(self.ids), stamp(NOON - timedelta(hours=hours))
        bad = [conclusion for _, conclusion in jobs if conclusion in {"failure", "timed_out"}]
        known = {
            "event": "push",
            "head_branch": "main",
            "head_sha": sha(run_id),
            "created_at": at,
            "updated_at": at,
            "conclusion": bad[0] if bad else "success",
        }
        run = make.run(**{**known, "id": run_id, **told})
        made = [self.job(run, name, conclusion) for name, conclusion in jobs]
        await record(self.database, HOME, runs=[run], jobs=made)
        return run["id"], [each["id"] for each in made]

    def job(self, run: make.Body, name: str, conclusion: str, **told: Any) -> make.Body:
        known = {"run_attempt": run["run_attempt"], "head_sha": run["head_sha"], "name": name, "conclusion": conclusion}
        return make.job(next(self.ids), run["id"], **{**known, **told})

    async def said(self, job_id: int, fingerprint: str | None, *, hours: float = 1, **told: Any) -> None:
        """Note what a job said, first and in all; without a fingerprint it is still to be looked into."""
        (job,) = await self.database.fetch("SELECT run_id, head_sha FROM workflow_job WHERE job_id = ?", job_id)
        source = None if fingerprint is None else "log"
        at = NOON - timedelta(hours=hours)
        every = told.get("fingerprints", fingerprint and [fingerprint])
        row = (job_id, 9, job["run_id"], 1, job["head_sha"], at, source, fingerprint, told.get("is_generic", False))
        await self.database.execute_many(INSERT, [(*row, None if every is None else json.dumps(every))])

    async def base_fails(self, fingerprint: str | None, hours: float = 1, **told: Any) -> int:
        """Record a run of main whose job test failed, and what it said."""
        every = {"fingerprints": told.pop("fingerprints")} if "fingerprints" in told else {}
        run_id, (job_id,) = await self.ran(hours, [(told.pop("name", "test"), "failure")], **told)
        await self.said(job_id, fingerprint, hours=hours, **every)
        return run_id

    async def pull(self, number: int, author: int, head_sha: str, **told: Any) -> None:
        body = make.pull_request(number, head_sha=head_sha, **{"user": {"login": f"u{author}", "id": author}, **told})
        await record(self.database, HOME, pull_requests=[body])

    async def other(self, number: int, author: int, fingerprint: str = "a", hours: float = 1, **told: Any) -> None:
        """Record a pull request whose job failed, and what it said."""
        head, every = sha(number), {"fingerprints": told.pop("fingerprints")} if "fingerprints" in told else {}
        await self.pull(number, author, head, **told)
        fails = {"event": "pull_request", "head_branch": "topic", "head_sha": head}
        _, (job_id,) = await self.ran(hours, [("test", "failure")], **fails)
        await self.said(job_id, fingerprint, hours=hours, **every)

    async def evidence(self, *failed: Failed, subject: Subject = SUBJECT) -> Evidence:
        """Return the evidence for the first of some failures, by default of job test with fingerprint a."""
        wanted = failed or (failure(),)
        found = await find_evidence(self.database.reader, subject, wanted, NOON)
        assert found.keys() == {job.job_id for job, *_ in wanted}
        return found[wanted[0][0].job_id]


def failure(fingerprint: str | None = "a", name: str = "test", job_id: int = 6, **told: Any) -> Failed:
    job = Job(
        job_id=job_id,
        run_id=5,
        attempt=1,
        name=name,
        status="completed",
        conclusion="failure",
        html_url=None,
        started_at=NOON,
        completed_at=NOON,
        step="Run pytest",
    )
    run = Run(
        run_id=5,
        attempt=1,
        workflow_id=told.pop("workflow_id", 33),
        workflow_name="CI",
        workflow_path=".github/workflows/ci.yml",
        event="pull_request",
        status="completed",
        conclusion="failure",
        html_url=None,
        head_branch="topic",
        began_at=NOON,
    )
    said = {
        "source": Source.LOG,
        "kind": "python",
        "step": "Run pytest",
        "test": "test_a",
        "exit_code": 1,
        "anchor": "E assert 1 == 2",
        "lines": (),
        "further": (),
        "is_generic": False,
        "fingerprints": (fingerprint,),
    }
    return job, run, None if fingerprint is None else Failure(**{**said, "fingerprint": fingerprint, **told})


def job_and_failure(failed: Failed) -> tuple[Job, Failure | None]:
    """Return what a failure is classified by, but for the evidence."""
    return failed[0], failed[2]
