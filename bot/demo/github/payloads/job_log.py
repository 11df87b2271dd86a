"""The raw log of a job as GitHub hands it out: a stamp before each line, a group for what each step runs.

https://docs.github.com/en/actions/how-tos/monitor-workflows/use-workflow-run-logs
"""

from __future__ import annotations

import zlib
from itertools import count
from typing import TYPE_CHECKING

from bot.demo.github.state.causes import CANCELED, SET_UP, cause_of, fitting, named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from bot.demo.github.state.actions import Job, Step
    from bot.demo.github.state.causes import Cause

_CLEAN_UP = (
    "Post job cleanup.",
    "[command]/usr/bin/git version",
    "git version 2.52.0",
    "[command]/usr/bin/git config --local --name-only --get-regexp http\\.https\\:\\/\\/github\\.com\\/\\.extraheader",
)
# What a step says that goes well, by a word of its name.
_SAID = (
    ("test", ("collected 212 items", "warning: 2 deprecated calls", "0 failed, 212 passed in 11.90s")),
    ("npm ci", ("npm warn deprecated glob@7.2.3", "added 812 packages in 9s", "found 0 vulnerabilities")),
    ("install", ("Collecting aiohttp", "Installing collected packages", "Successfully installed aiohttp-3.14.0")),
    ("lint", ("All checks passed!", "0 errors, 0 warnings")),
)


def render(job: Job) -> str:
    """Return the whole log of a job that has ended; what it says depends on the job's name and steps, not on its id."""
    cause = cause_of(job)
    return "".join(_stamped(job, cause))


def _stamped(job: Job, cause: Cause | None) -> Iterator[str]:
    fractions = count(zlib.crc32(job.name.encode()), 104_729)
    for step in job.steps:
        if step.conclusion == "skipped" or step.started_at is None:
            continue
        lines = list(_lines(job, step, cause))
        for at, line in zip(_moments(step, len(lines)), lines, strict=True):
            yield f"{at:%Y-%m-%dT%H:%M:%S}.{next(fractions) % 10**7:07d}Z {line}\n"


def _moments(step: Step, number: int) -> Iterator[datetime]:
    begin = step.started_at
    if begin is None:
        return
    end = step.completed_at or begin
    yield from (begin + (end - begin) * index / max(number, 1) for index in range(number))


def _lines(job: Job, step: Step, cause: Cause | None) -> Iterator[str]:
    failed = cause if step.conclusion == "failure" else None
    if step.name == SET_UP:
        yield from _set_up(job)
    elif step.name == "Complete job":
        yield "Cleaning up orphan processes"
    elif step.name.startswith("Post "):
        yield from _CLEAN_UP
    else:
        yield from _head(job, step, named(cause, step.name) if failed and cause else fitting(step.name))
        yield from () if failed else _went_well(job, step)
    if failed is not None:
        yield from (*failed.said, f"##[error]{failed.last_words}")
    if step.conclusion == "cancelled":
        yield f"##[error]{CANCELED}"


def _set_up(job: Job) -> Iterator[str]:
    runner = job.runner.name if job.runner else "unknown"
    hosted = job.runner is None or job.runner.group_id == 0
    yield "Current runner version: '2.330.0'"
    if hosted:
        yield from ("##[group]Operating System", "Ubuntu", "24.04.3", "LTS", "##[endgroup]")
        yield from ("##[group]Runner Image", "Image: ubuntu-24.04", "Version: 20251215.174.1", "##[endgroup]")
    else:
        yield from (f"Runner name: '{runner}'", f"Machine name: '{runner}'")
    yield from ("##[group]GITHUB_TOKEN Permissions", "Contents: read", "Metadata: read", "##[endgroup]")
    yield from ("Secret source: Actions", "Prepare workflow directory", "Prepare all required actions")
    yield "Getting action download info"
    if job.steps[0].conclusion != "failure":
        yield f"Complete job name: {job.name}"


def _head(job: Job, step: Step, cause: Cause) -> Iterator[str]:
    """Yield the group that shows what a step runs: an action with its inputs, or a script with its shell."""
    action = _action_of(step.name, cause)
    if action is not None:
        yield from (f"##[group]Run {action}", "with:", f"  repository: {job.run.repository.full_name}", "##[endgroup]")
        return
    yield from (f"##[group]Run {cause.command}", f"\x1b[36;1m{cause.command}\x1b[0m", "shell: /usr/bin/bash -e {0}")
    yield from ("env:", "  CI: true", "##[endgroup]")


def _action_of(name: str, cause: Cause) -> str | None:
    """Return the action that a step uses, None for one that runs a script."""
    for text in (name.removeprefix("Run "), cause.command):
        if "@v" in text:
            return text
    if name.startswith("Set up "):
        return f"actions/setup-{name.split()[2].partition('.')[0].lower()}@v5"
    return None


def _went_well(job: Job, step: Step) -> Sequence[str]:
    if "checkout" in step.name:
        repository, sha = job.run.repository.full_name, job.run.head.sha
        return (f"Syncing repository: {repository}", "Fetching the repository", f"HEAD is now at {sha[:7]}")
    name = step.name.lower()
    return next((said for word, said in _SAID if word in name), ("Done.",))
