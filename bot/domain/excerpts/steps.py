"""The part of a job's log that belongs to the step that failed.

A step begins with `##[group]Run …`, a group that lists its command, inputs and shell; the set-up before the first and
the clean-up after the last have no such head. Steps with `if: always()` run after the one that failed and may fail
too, so what counts is the first that ends with an error.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec import Struct

from bot.domain.excerpts.cleaning import clean, without_timestamp

_RUN = "##[group]Run "
_END_OF_GROUP = "##[endgroup]"
_ERROR = "##[error]"
_AFTER_THE_JOB = ("Post job cleanup.", "Cleaning up orphan processes")
_LONGEST_HEAD = 500
"""So many lines may lie between a head's first and last; a script is listed there whole."""
_MOST_HEADS = 5_000
"""Of a log with more, the last ones count."""
_LAST_WORDS = 6
"""So many lines may follow the error of an action that failed, before its step is over."""

# What only the runner writes, and only as the last word on a step.
_TERMINAL = re.compile(
    r"##\[error\](?:"
    r"Process completed with exit code (?P<exit>-?\d{1,10})"
    r"|The operation was cancell?ed"
    r"|The (?:action|step|job) .{1,200} (?:has timed out after|exceeded)"
    r"|The (?:self-hosted |hosted )?runner.{0,200}(?:lost communication|received a shutdown signal)"
    r")"
)
# What the runner holds against a script without ending it: it can't be started, or its outputs can't be read.
_AGAINST_A_SCRIPT = re.compile(
    r"##\[error\](?:Unable to process file command|Invalid format|An error occurred trying to start process"
    r"|Executing the custom container|Could not find (?:file|a part)|No space left)"
)
_ACTION = re.compile(r"##\[group\]Run (?:[\w.-]+/[\w./-]+@\S+|\./\S*|docker://\S+)$")
_SHELL = "shell: "
_BODY_OF_HEAD = (_SHELL, "with:", "env:", "\x1b[36;1m")
_MAY_BE_BODY = re.compile("|".join(map(re.escape, _BODY_OF_HEAD)))
_SHORTEST_BODY = 3
_SECOND = re.compile(r"\ufeff?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)", re.ASCII)
_EXIT_CODE = re.compile(r"(?i)exit(?:ed)?(?: with)?(?: code| status):? (?P<exit>-?\d{1,10})\b")


class Region(Struct, frozen=True):
    """The lines of one step, cleaned, without its head and without empty ones; numbers count from 1 in the log.

    `step` is the head's title without `Run `, None where the log tells none.
    """

    step: str | None
    lines: list[tuple[int, str]]
    exit_code: int | None


@dataclass
class _Segment:
    """What lies between two heads; places count from 0."""

    title: str | None
    head: int
    first: int
    last: int
    is_clean_up: bool = False
    is_script: bool = False
    terminal: int | None = None
    error: int | None = None
    exit_code: int | None = None

    def failed_at(self, raws: Sequence[str]) -> int | None:
        """Return the place of the error that ended the segment, None where it went well or on.

        A script that failed is always told so by the runner; whatever else it marks as an error is its own affair.
        """
        if self.terminal is not None or self.error is None or self.is_script:
            return self.terminal
        following = sum(bool(without_timestamp(raw).strip()) for raw in raws[self.error + 1 : self.last + 1])
        return self.error if following <= _LAST_WORDS else None


class _Marks(Struct, frozen=True):
    """Where in a log groups end, where what a head lists begins, and where it lists a shell; in order, from 0."""

    ends: list[int]
    bodies: list[int]
    shells: list[int]


def failed_region(log: str, step_started_at: datetime | None = None) -> Region:
    """Return the region of the step that failed first; without markers the whole log up to the clean-up.

    With `step_started_at`, as GitHub tells it of the step that failed the job, earlier steps are passed over: if they
    failed, `continue-on-error` let the job go on.
    """
    raws = log.split("\n")
    segments = _segments(raws)
    if step_started_at:
        segments = _since(step_started_at, segments, raws) or segments
    segment = _the_failed(segments, raws)
    end = segment.failed_at(raws)
    last = segment.last if end is None else end
    cleaned = ((place + 1, clean(raws[place])) for place in range(segment.first, last + 1))
    lines = [(number, line) for number, line in cleaned if line and not line.startswith(_END_OF_GROUP)]
    return Region(segment.title, lines, _exit_code(segment, lines))


def _since(started_at: datetime, segments: Sequence[_Segment], raws: Sequence[str]) -> list[_Segment]:
    """Return the segments from the one that began then on. GitHub tells the second, as the stamps of lines do first."""
    second = f"{started_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
    return [segment for segment in segments if _stamp(raws[segment.head]) >= second]


def _stamp(raw: str) -> str:
    """Return the second in a line's stamp, an empty text where it has none."""
    found = _SECOND.match(raw)
    return found[1] if found else ""


def _the_failed(segments: Sequence[_Segment], raws: Sequence[str]) -> _Segment:
    jobs = [segment for segment in segments if not segment.is_clean_up]
    failed = [segment for segment in (*jobs, *segments) if segment.failed_at(raws) is not None]
    with_error = [segment for segment in reversed(jobs) if segment.error is not None]
    return next(iter([*failed, *with_error, *reversed(jobs), *segments]))


def _exit_code(segment: _Segment, lines: Sequence[tuple[int, str]]) -> int | None:
    if segment.terminal is not None:
        return segment.exit_code
    found = _EXIT_CODE.search(lines[-1][1]) if lines else None
    return int(found["exit"]) if found else None


def _segments(raws: Sequence[str]) -> list[_Segment]:
    """Cut the log at the heads of steps; there is at least one segment."""
    places = [place for place, raw in enumerate(raws) if "##[" in raw or "Post job" in raw or "orphan" in raw]
    marks = _marks(raws)
    heads = _heads(raws, [place for place in places if _RUN in raws[place]][-_MOST_HEADS:], marks)
    segments = [_Segment(None, 0, 0, len(raws) - 1)]
    for place in places:
        line = without_timestamp(raws[place])
        if place in heads or line.startswith(_AFTER_THE_JOB):
            segments[-1].last = place - 1
            segments.append(_begun(raws, place, heads.get(place), marks))
        elif line.startswith(_ERROR):
            _note_error(segments[-1], place, line)
    return segments


def _begun(raws: Sequence[str], place: int, end_of_head: int | None, marks: _Marks) -> _Segment:
    """Return the segment that begins at a place, with a head there or, as the clean-up does, without."""
    last = len(raws) - 1
    if end_of_head is None:
        return _Segment(None, place, place + 1, last, is_clean_up=True)
    title = clean(raws[place])[len(_RUN) :]
    return _Segment(title, place, end_of_head + 1, last, is_script=_next(marks.shells, place, end_of_head) is not None)


def _note_error(segment: _Segment, place: int, line: str) -> None:
    segment.error = place
    segment.is_script = segment.is_script and not _AGAINST_A_SCRIPT.match(line)
    if segment.terminal is None and (found := _TERMINAL.match(line)):
        segment.terminal = place
        segment.exit_code = int(found["exit"]) if found["exit"] else None


def _marks(raws: Sequence[str]) -> _Marks:
    marks = _Marks([], [], [])
    for place, raw in enumerate(raws):
        if _END_OF_GROUP in raw:
            marks.ends.append(place)
        elif _MAY_BE_BODY.search(raw) and (line := without_timestamp(raw)).startswith(_BODY_OF_HEAD):
            marks.bodies.append(place)
            if line.startswith(_SHELL):
                marks.shells.append(place)
    return marks


def _next(places: Sequence[int], after: int, before: int) -> int | None:
    """Return the first of ordered places that lies between two."""
    found = bisect_right(places, after)
    return places[found] if found < len(places) and places[found] < before else None


def _heads(raws: Sequence[str], candidates: Sequence[int], marks: _Marks) -> dict[int, int]:
    """Return where heads begin and end. Scripts may call a group of theirs `Run …`, but list no shell in it."""
    found = ((place, _next(marks.ends, place, place + _LONGEST_HEAD)) for place in candidates)
    ends = {place: place if end is None else end for place, end in found}
    heads = {place: end for place, end in ends.items() if _is_head(raws, place, end, marks)}
    return heads or ends


def _is_head(raws: Sequence[str], place: int, end: int, marks: _Marks) -> bool:
    is_short = end - place <= _SHORTEST_BODY
    return is_short or bool(_ACTION.match(clean(raws[place]))) or _next(marks.bodies, place, end) is not None
