"""The comment on a pull request: what failed, whether it is the pull request's, and the lines that matter.

Nothing of it changes while jobs merely go on, so that it is edited only for news.
"""

from enum import StrEnum

from msgspec import Struct

from bot.domain.feedback.report import Conclusion, Report
from bot.domain.feedback.words.causes import LIMIT, Telling, within
from bot.domain.feedback.words.markdown import commit
from bot.domain.feedback.words.markers import marker_text
from bot.domain.feedback.words.sections import could_not_start, flakes, starts
from bot.domain.feedback.words.wording import blaming_first, failed_starts, headline, not_because, number
from bot.domain.feedback.written import Marker

MOST_CAUSES = 10


class Newest(StrEnum):
    """How it stands with a newer commit that has no result, as the end of a sentence."""

    AWAITED = "There is no result for the new one, {}, yet."
    NOTHING_RAN = "Nothing has run at the new one, {}."
    CANCELLED = "At the new one, {}, what ran was cancelled."
    WAITS = "At the new one, {}, workflows wait for approval."


class Newer(Struct, frozen=True):
    """A newer commit than that of which a comment tells."""

    sha: str
    state: Newest = Newest.AWAITED


_RESOLVED = {
    Conclusion.SUCCESS: "✅ Everything passed at {}",
    Conclusion.NEUTRAL: "✅ No new failures at {}: what still fails there is",
}
_FOOTER = "<sub>The whole is in the check **CI summary**. The label `ci-mute` silences this comment.</sub>"


def failure_comment(
    report: Report | None, marker: Marker, *, newer: Newer | None = None, queue: Report | None = None
) -> str:
    """Return the comment in at most 60,000 bytes.

    `report` is that of the pull request's head, None where only `queue`, that of the commit that a merge queue tested,
    has failures. With a `newer` head it says first that it is about an older one.
    Raises ValueError if there is neither report.
    """
    if report is None:
        if queue is None:
            raise ValueError("A failure comment needs a report of the head or of the merge queue.")
        old = f"{_old(marker.head_sha, newer)}\n\n" if newer is not None else ""
        return f"{marker_text(marker)}\n{old}{_queue(queue)}"
    notes = [_old(report.head_sha, newer)] if newer is not None else []
    if queue is not None:
        notes.append(_queue(queue))
    telling = Telling(report)
    above = "\n\n".join(part for part in (*notes, _headline(report, telling), starts(report, telling)) if part)
    below = flakes(report, telling)
    blocks = telling.blocks()
    return within(
        LIMIT,
        f"{marker_text(marker)}\n{above}",
        blocks[:MOST_CAUSES],
        "".join(f"\n\n{part}" for part in (below, _FOOTER) if part),
        left_out=len(blocks[MOST_CAUSES:]),
    )


def resolved_comment(report: Report, marker: Marker) -> str:
    """Return the comment in one line, once nothing that the commit is to blame for fails any more.

    Raises ValueError where the report's conclusion is neither success nor neutral, which resolves nothing.
    """
    words = None if report.conclusion is None else _RESOLVED.get(report.conclusion)
    if words is None:
        raise ValueError(f"A comment is not resolved by {report.conclusion}.")
    if report.conclusion is Conclusion.NEUTRAL:
        words += f" {not_because(report)}"
    allowed = _allowed(report) if report.conclusion is Conclusion.SUCCESS else ""
    told = f"{words.format(commit(report.head_sha))}{allowed}{_only_when_run_again(report)}"
    return f"{marker_text(marker)}\n{told}."


def _allowed(report: Report) -> str:
    tolerated = report.counts.tolerated
    return f", but for {number(tolerated, 'job')} that may fail and did" if tolerated else ""


def _only_when_run_again(report: Report) -> str:
    """Return the history of the first flaky job, which tells that the change may not have been to blame."""
    if not report.flakes:
        return ""
    others = f", and {len(report.flakes) - 1} more" if len(report.flakes) > 1 else ""
    return f"; only when run again: {Telling(report).flake(report.flakes[0])}{others}"


def _headline(report: Report, telling: Telling) -> str:
    mark = "❌" if report.blames else "✅"
    return f"### {mark} {headline(report, telling.branch)} at {commit(report.head_sha)}"


def _old(sha: str | None, newer: Newer) -> str:
    which = f"the old commit {commit(sha)}" if sha else "an old commit"
    return f"⏳ **This is about {which}.** {newer.state.format(commit(newer.sha))}"


def _queue(queue: Report) -> str:
    """Return what failed in the merge queue, as one line."""
    telling = Telling(queue)
    causes = [telling.in_a_queue(cause) for cause in blaming_first(queue.causes)]
    told = [*causes, *(could_not_start(run, telling) for run in failed_starts(queue))]
    line = f"❌ **Failed in the merge queue** at {commit(queue.head_sha)}"
    if not told:
        return f"{line}."
    more = f", and {number(len(told) - 1, 'more cause')}" if len(told) > 1 else ""
    return f"{line}: {told[0]}{more}."
