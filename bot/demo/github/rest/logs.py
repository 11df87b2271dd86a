"""Logs of jobs: what is in them, and the addresses on the other host that lead to them for a minute."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.demo.github.rest.answers import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bot.demo.github.rest.auth import Credentials
    from bot.demo.github.state.actions import Job, Step
    from bot.demo.github.state.world import World

_VALID_FOR = timedelta(minutes=1)
_FAILED = "##[error]Process completed with exit code 1."
_CANCELLED = "##[error]The operation was canceled."
# What a failing step says, by a word of its name.
_COMPLAINTS = {
    "test": ("FAILED tests/test_transfer.py::test_resumes - AssertionError: assert 3 == 4", "1 failed, 211 passed"),
    "lint": ("src/transfer.py:88:5: F841 Local variable `part` is assigned to but never used", "Found 1 error."),
    "ruff": ("src/transfer.py:88:5: F841 Local variable `part` is assigned to but never used", "Found 1 error."),
    "mypy": ('src/transfer.py:41: error: Argument 1 to "send" has incompatible type "str"', "Found 1 error in 1 file"),
    "tsc": ("src/upload.ts(12,7): error TS2322: Type 'string' is not assignable to type 'number'.",),
    "vitest": (
        " FAIL  src/upload.test.ts > resumes",
        "AssertionError: expected 3 to be 4",
        "Tests  1 failed | 90 passed",
    ),
}


@dataclass(frozen=True, slots=True)
class _Address:
    job_id: int
    until: datetime


class Logs:
    """The host that keeps logs: it knows addresses, no tokens."""

    def __init__(self, world: World, credentials: Credentials) -> None:
        self._world = world
        self._credentials = credentials
        self._addresses: dict[str, _Address] = {}

    def grant(self, job: Job, now: datetime) -> str:
        """Return an address at which the log of a job is found for the next minute."""
        signature = self._credentials.random_text(44)
        self._addresses[signature] = _Address(job.id, now + _VALID_FOR)
        return f"{self._world.addresses.logs}/actions-results/{job.run.id}/logs/{job.id}.txt?sig={signature}"

    def answer(self, signature: str, now: datetime, *, authorized: bool) -> Answer:
        """Return a log as text; 401 for a request that brings a token, 403 where the address does not hold."""
        if authorized:
            return Answer(401, "Server failed to authenticate the request.")
        address = self._addresses.get(signature)
        job = None if address is None else self._world.runs.find_job(address.job_id)
        if address is None or now >= address.until or job is None:
            return Answer(403, "Server failed to authenticate the request. Signature not valid in the specified time.")
        return Answer(200, text_of(self._world, job))


def text_of(world: World, job: Job) -> str:
    """Return a job's log: what was written for it, else what its steps would have said."""
    if job.id in world.logs:
        return world.logs[job.id]
    return "".join(f"{at:%Y-%m-%dT%H:%M:%S}.0000000Z {line}\n" for at, line in _lines(job))


def _lines(job: Job) -> Iterator[tuple[datetime, str]]:
    runner = job.runner.name if job.runner else "unknown"
    yield job.started_at, f"Current runner version: '2.330.0', runner '{runner}'"
    for step in job.steps:
        if step.conclusion == "skipped" or step.started_at is None:
            continue
        yield step.started_at, f"##[group]{step.name}"
        yield step.started_at, "##[endgroup]"
        yield from ((step.completed_at or step.started_at, line) for line in _said(step))


def _said(step: Step) -> Iterator[str]:
    if step.conclusion == "cancelled":
        yield _CANCELLED
    if step.conclusion == "failure":
        complaint = next((said for word, said in _COMPLAINTS.items() if word in step.name.lower()), ("Error: failed",))
        yield from (*complaint, _FAILED)
