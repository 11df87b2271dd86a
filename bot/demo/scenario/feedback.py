"""What the service has told on the simulated GitHub: as it is written, and held against what happened there."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

from bot.demo.github.rest.journal import Write
from bot.demo.github.state.actions import WorkflowRun
from bot.demo.github.state.checks import CheckRun
from bot.demo.github.state.repositories import PullRequest
from bot.demo.scenario.stage import Stage
from bot.feedback.check_summary import NAME
from bot.store.database import current

_WELL = frozenset({"success", "skipped", "neutral"})
_SUMMED_UP: dict[str, frozenset[str]] = {
    "passed": frozenset({"success"}),
    # Whether a failure is excused follows from what happened elsewhere.
    "failed": frozenset({"failure", "neutral"}),
    "ended otherwise": frozenset({"cancelled", "action_required", "failure", "neutral"}),
}


async def with_what_is_told(stage: Stage, lines: AsyncIterator[str]) -> AsyncIterator[str]:
    """Yield lines, and after each what was written on the simulated GitHub meanwhile."""
    async for line in lines:
        yield line
        for told in _news(stage):
            yield told
    for told in _news(stage):
        yield told


def _news(stage: Stage) -> Iterator[str]:
    writes = stage.github.rest.journal.writes
    for write in writes[stage.writes_told :]:
        yield f"    → {_sentence(write)}"
    stage.writes_told = len(writes)


def _sentence(write: Write) -> str:
    where = f"{write.repository.partition('/')[2]} {', '.join(f'PR #{number}' for number in write.pulls)}"
    if write.kind == "check":
        output = write.body.get("output", {})
        return f"{where}: check {write.body.get('conclusion') or 'in progress'}, {output.get('title')}"
    words = {"create": "comment", "edit": "comment changed to", "delete": "comment deleted"}[write.action]
    return f"{where}: {words} {_headline(write.shown or '')!r}"


def _headline(text: str) -> str:
    """Return the first line that people see."""
    return next((line.lstrip("# ") for line in text.splitlines() if line and not line.startswith("<!--")), "")


def check_runs_of(stage: Stage) -> list[CheckRun]:
    """Return the check summaries that stand on the simulated GitHub, oldest first."""
    return [check for check in stage.github.world.check_runs.values() if check.name == NAME]


def comments_of(stage: Stage) -> list[Any]:
    """Return the comments of the App."""
    return [each for each in stage.github.world.comments.values() if each.app is stage.github.app]


async def feedback_differences(stage: Stage) -> list[str]:
    """Return, as sentences, where what stands on the simulated GitHub is not what is kept of it, or not true."""
    return [
        *_untrue(stage),
        *_unlike("check run", {check.id for check in check_runs_of(stage)}, await _checks_kept()),
        *_unlike("comment", {comment.id for comment in comments_of(stage)}, await _comments_kept()),
        *[f"{write.kind} {write.id} was written with nothing new" for write in stage.github.rest.journal.unchanged()],
    ]


async def _checks_kept() -> tuple[set[int], int]:
    rows = await current().reader.fetch("SELECT check_run_id, generation FROM check_summary WHERE generation > 0")
    return {row["check_run_id"] for row in rows}, sum(row["generation"] for row in rows)


async def _comments_kept() -> tuple[set[int], int]:
    rows = await current().reader.fetch("SELECT comment_id, sequence FROM failure_comment WHERE sequence > 0")
    return {row["comment_id"] for row in rows}, sum(row["sequence"] for row in rows)


def _unlike(what: str, there: set[int], kept: tuple[set[int], int]) -> Iterator[str]:
    ids, count = kept
    yield from (f"{what} {each} is kept, and GitHub has none such" for each in sorted(ids - there))
    if count != len(there):
        yield f"{count} {what}s were made, GitHub has {len(there)}"


def _untrue(stage: Stage) -> Iterator[str]:
    checks: dict[str, list[CheckRun]] = defaultdict(list)
    for check in check_runs_of(stage):
        checks[check.suite.head_sha].append(check)
    for pull in stage.github.world.pull_requests.values():
        runs = _newest(stage.github.world.runs.at_commit(pull.repository, pull.head.sha))
        if pull.state == "open" and runs:
            yield from _untrue_of(pull, runs, checks[pull.head.sha])


def _newest(runs: Iterable[WorkflowRun]) -> list[WorkflowRun]:
    by_workflow = {(run.workflow.id, run.event): run for run in sorted(runs, key=lambda run: run.id)}
    return list(by_workflow.values())


def _untrue_of(pull: PullRequest, runs: list[WorkflowRun], checks: list[CheckRun]) -> Iterator[str]:
    name = f"{pull.repository.name} PR #{pull.number}"
    if not checks:
        yield f"{name} has no check summary"
        return
    *former, newest = checks
    if open_ones := [check.id for check in former if check.status != "completed"]:
        yield f"{name} has check summaries that never end: {open_ones}"
    is_done = all(run.status == "completed" for run in runs)
    if is_done != (newest.status == "completed"):
        yield f"{name}: the check summary is {newest.status}, its runs are {'' if is_done else 'not '}done"
    elif is_done and newest.conclusion not in _SUMMED_UP[became := _became(runs)]:
        yield f"{name}: the check summary says {newest.conclusion}, its runs {became}"


def _became(runs: list[WorkflowRun]) -> str:
    conclusions = {run.conclusion for run in runs}
    if conclusions <= _WELL:
        return "passed"
    return "failed" if conclusions <= _WELL | {"failure", "timed_out"} else "ended otherwise"
