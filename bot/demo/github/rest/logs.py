"""Logs of jobs, and the addresses on the other host that lead to them for a minute."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.demo.github.payloads.job_log import render
from bot.demo.github.rest.answers import Answer
from bot.demo.github.state.causes import cause_of

if TYPE_CHECKING:
    from datetime import datetime

    from bot.demo.github.rest.auth import Credentials
    from bot.demo.github.state.actions import Job
    from bot.demo.github.state.world import World

_VALID_FOR = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class _Address:
    job_id: int
    until: datetime


class Logs:
    """The host that keeps logs: it knows addresses, no tokens. A log is there `ready_after` seconds after the job."""

    def __init__(self, world: World, credentials: Credentials) -> None:
        self._world = world
        self._credentials = credentials
        self._addresses: dict[str, _Address] = {}
        self.ready_after = 0.0

    def has(self, job: Job, now: datetime) -> bool:
        """Tell whether there is a log: not yet of a job that goes on, and never of one that never ran to an end."""
        if job.completed_at is None or not job.steps or job.conclusion == "cancelled":
            return False
        cause = cause_of(job)
        written = job.id in self._world.logs or cause is None or cause.has_log
        return written and (now - job.completed_at).total_seconds() >= self.ready_after

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
    return world.logs[job.id] if job.id in world.logs else render(job)
