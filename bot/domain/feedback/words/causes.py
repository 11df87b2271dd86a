"""The causes of failures as Markdown: the first few in full, the others in a line each, cut between two of them."""

from collections.abc import Iterator

from msgspec import Struct

from bot.domain.feedback.report import Cause, FailedJob, FailureClass, Flake, Job, Report, Run
from bot.domain.feedback.words.evidence import branch_in_markdown, verdict
from bot.domain.feedback.words.excerpt import anchor_of, lines_of
from bot.domain.feedback.words.markdown import (
    ANCHOR,
    LINE,
    bullets,
    code,
    fenced,
    link,
    listed,
    server_of,
    size,
)
from bot.domain.feedback.words.wording import blaming_first, ended, not_because, number, ordinal
from bot.domain.fingerprints import is_generic

LIMIT = 60_000
"""So many bytes a text on GitHub may have."""
MOST_EXCERPTS = 3
_MOST_NAMES = 3
_HOW_OTHERS_FAILED = {
    FailureClass.UNSEEN: "failed and were not looked into",
    FailureClass.PENDING: "failed and are still being looked into",
}
_FULL_NAME = 120
"""So many characters of a job's name are shown, that of its workflow before it."""


class Block(Struct, frozen=True):
    """A cause in Markdown, which is shown whole or not at all; it may follow in one list on another such."""

    text: str
    is_item: bool
    heading: str | None = None


def within(limit: int, head: str, blocks: list[Block], tail: str, left_out: int = 0) -> str:
    """Return head, blocks and tail in at most `limit` bytes, with as many blocks as there is room for.

    How many causes are not shown is said, `left_out` more included.
    """
    shown = _shown(blocks, limit - size(head) - size(tail) - 200)
    rest = len(blocks) - len(shown) + left_out
    text = head + "".join(_joined(shown))
    if rest:
        text += f"\n\n**{number(rest, 'more cause')}** {'is' if rest == 1 else 'are'} not shown here."
    return text + tail


def _shown(blocks: list[Block], room: int) -> list[Block]:
    for place, text in enumerate(_joined(blocks)):
        room -= size(text)
        if room < 0:
            return blocks[:place]
    return blocks


def _joined(blocks: list[Block]) -> Iterator[str]:
    follows_item = False
    for block in blocks:
        heading = f"\n\n### {block.heading}" if block.heading else ""
        gap = "\n" if follows_item and block.is_item and not heading else "\n\n"
        yield f"{heading}{gap}{block.text}"
        follows_item = block.is_item


class Telling:
    """Puts what belongs to one report into Markdown: its causes, jobs and runs, linked to its server."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._server = server_of(report.html_url)
        self.branch = branch_in_markdown(report.base_branch)

    def blocks(self) -> list[Block]:
        """Return the causes, those that blame the pull request first."""
        causes = blaming_first(self._report.causes)
        return [
            self._block(cause, place, causes[place - 1].failure_class.is_excused if place else False)
            for place, cause in enumerate(causes)
        ]

    def _block(self, cause: Cause, place: int, follows_excused: bool) -> Block:
        is_excused = cause.failure_class.is_excused
        is_full = place < MOST_EXCERPTS and (not is_excused or not self._report.blames)
        heading = None
        if is_excused and not follows_excused:
            words = not_because(self._report)
            heading = words[0].upper() + words[1:]
        if is_full:
            return Block(self.in_full(cause), is_item=False, heading=heading)
        if place == MOST_EXCERPTS and not is_excused:
            heading = "Further failures"
        return Block(f"- {self.in_short(cause)}", is_item=True, heading=heading)

    def in_full(self, cause: Cause) -> str:
        """Return a cause with what matters first: the anchor, whose failure it is, where, and the excerpt."""
        failed = cause.first
        rows = [verdict(failed, self.branch), f"In {self._where(failed)}"]
        if (test := _test(failed)) and _anchor(failed):
            rows.insert(1, f"Test {test}")
        if alike := self._alike(cause):
            rows.append(alike)
        lines = lines_of(failed.failure) if failed.failure else ()
        anchor = _anchor(failed, ANCHOR if lines else LINE) or self._without_anchor(failed)
        text = f"#### {anchor}\n{bullets(rows)}"
        if failed.failure is not None and lines:
            text += f"\n\n{fenced(lines, failed.failure.anchor)}"
        return text

    def in_short(self, cause: Cause) -> str:
        """Return a cause in one line."""
        failed = cause.first
        anchor, test = _anchor(failed), _test(failed)
        named = f"test {test}" if test and anchor else None
        what = [anchor or self._without_anchor(failed), named, f"in {self._where(failed)}"]
        told = [verdict(failed, self.branch), self._alike(cause)]
        return f"{', '.join(part for part in what if part)} — {'; '.join(part for part in told if part)}"

    def in_a_queue(self, cause: Cause) -> str:
        """Return a cause for a line in which whose failure it is does not matter."""
        anchor = _anchor(cause.first) or self._without_anchor(cause.first)
        return f"{anchor}, in {self._where(cause.first)}"

    def flake(self, flake: Flake) -> str:
        """Return the history of a job that failed and passed on one commit."""
        history = " → ".join(f"#{attempt} {ended(conclusion)}" for attempt, conclusion in flake.attempts[-8:])
        times = "first time" if flake.times <= 1 else f"{ordinal(flake.times)} time"
        return f"{self.job(flake.job, flake.run)}: {code(history, ANCHOR)}, {times} in 14 days"

    def job(self, job: Job, run: Run) -> str:
        """Return the name of a job under that of its workflow, linked to its page."""
        return link(code(_full_name(job, run), _FULL_NAME), job.html_url or run.html_url, self._server)

    def run(self, run: Run) -> str:
        """Return the name of a run's workflow, linked to the run's page."""
        return link(code(_workflow(run)), run.html_url, self._server)

    def _where(self, failed: FailedJob) -> str:
        place = self.job(failed.job, failed.run)
        if step := _step(failed):
            place += f" › {code(step)}"
        if failed.job.conclusion == "timed_out":
            place += ", timed out"
        if failed.failure is not None and failed.failure.exit_code is not None:
            place += f", exit code {_exit_code(failed.failure.exit_code)}"
        return place

    def _alike(self, cause: Cause) -> str:
        others = cause.jobs[1:]
        if not others:
            return ""
        names = [code(_full_name(each.job, each.run), _FULL_NAME) for each in others[:_MOST_NAMES]]
        how = _HOW_OTHERS_FAILED.get(cause.failure_class, "failed alike")
        if cause.first.failure is not None:
            how = "failed alike"
        return f"{number(len(others), 'other job')} {how}: {listed(names, len(others))}"

    def _without_anchor(self, failed: FailedJob) -> str:
        if test := _test(failed):
            return f"Test {test} failed"
        step = _step(failed)
        return f"Step {code(step)} failed" if step else f"Job {code(failed.job.name)} failed"


def _test(failed: FailedJob) -> str | None:
    return code(failed.failure.test, ANCHOR) if failed.failure is not None and failed.failure.test else None


def _exit_code(exit_code: int) -> str:
    # Seven digits outside of code may be a commit to GitHub; Windows has codes of ten.
    return str(exit_code) if abs(exit_code) < 1_000 else code(str(exit_code))


def _anchor(failed: FailedJob, longest: int = ANCHOR) -> str | None:
    """Return the line that matters most, None where it says no more than that something failed."""
    failure = failed.failure
    if failure is None or not failure.anchor or is_generic(failure.anchor):
        return None
    return code(anchor_of(failure) or "", longest)


def _step(failed: FailedJob) -> str | None:
    """Return the step under the name that GitHub's pages show, else under the one in the log."""
    return failed.job.step or (failed.failure.step if failed.failure else None)


def _workflow(run: Run) -> str:
    return run.workflow_name or run.workflow_path.rpartition("/")[2]


def _full_name(job: Job, run: Run) -> str:
    workflow = _workflow(run)
    return f"{workflow} / {job.name}" if workflow else job.name
