"""What stands around the causes: runs that could not start, flaky jobs, cancelled ones, approvals."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from bot.domain.feedback.report import Report, Run
from bot.domain.feedback.words.causes import Telling
from bot.domain.feedback.words.markdown import bullets, code, listed
from bot.domain.feedback.words.wording import ended, failed_starts, number

MOST_LISTED = 5
"""So many of a list are given by name."""
_T = TypeVar("_T")


def starts(report: Report, telling: Telling) -> str:
    """Return the runs that failed though no job of theirs is known to have."""
    return _some(failed_starts(report), lambda run: could_not_start(run, telling), "workflow")


def could_not_start(run: Run, telling: Telling) -> str:
    """Return what became of a run that failed though no job of it is known to have."""
    if run.conclusion == "startup_failure":
        return f"**{telling.run(run)} could not start**: its workflow file, or one that it calls, is not valid"
    how = ", though none of its jobs is known to have" if run.has_jobs else " before any job began"
    return f"**{telling.run(run)} {ended(run.conclusion or 'failure')}**{how}"


def flakes(report: Report, telling: Telling) -> str:
    """Return the jobs that failed and passed on this commit, each with its attempts."""
    told = _some(report.flakes, telling.flake, "job")
    return f"### Flaky: failed and passed on this commit\n\n{told}" if told else ""


def cancelled(report: Report) -> str:
    """Return the jobs that were cancelled, and how many runs were without any such job."""
    jobs, runs = report.cancelled_jobs, [run for run in report.runs_without_jobs if run.conclusion == "cancelled"]
    parts = []
    if jobs:
        names = [code(job.name) for job in jobs[:MOST_LISTED]]
        parts.append(f"Cancelled: {listed(names, len(jobs))}.")
    if before := sum(not run.has_jobs for run in runs):
        parts.append(f"{number(before, 'workflow')} cancelled before any job began.")
    if others := len(runs) - before:
        parts.append(f"{number(others, 'workflow')} cancelled, though no job is known to have been.")
    return "\n\n".join(parts)


def approvals(report: Report, telling: Telling) -> str:
    """Return the runs that somebody has to approve."""
    told = _some(report.waiting_for_approval, telling.run, "workflow")
    return f"### Waiting for approval\n\n{told}" if told else ""


def _some(items: Sequence[_T], told: Callable[[_T], str], noun: str) -> str:
    """Return a list of the first few items, and how many more there are."""
    rows = [told(item) for item in items[:MOST_LISTED]]
    if len(items) > MOST_LISTED:
        rows.append(number(len(items) - MOST_LISTED, f"more {noun}"))
    return bullets(rows)
