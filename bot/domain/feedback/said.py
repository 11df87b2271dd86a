"""What was found out about a failed job, brought into the form in which it is kept."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from bot.domain.excerpts import MOST_LINES, Excerpt, Told
from bot.domain.feedback.report import NO_LOG, Failure, Source
from bot.domain.fingerprints import fingerprint, is_generic, normalized

LONGEST = 500
"""So many characters of a line, a step or a test are kept."""
UNKNOWN = "unknown"
"""The kind of a failure that no rule speaks of."""
_FAILED = frozenset({"failure", "timed_out"})
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class Said(Struct, frozen=True, kw_only=True):
    """What a job said when it failed, where it was read; `step` is known from logs alone, `told` is all that failed."""

    source: Source
    kind: str = UNKNOWN
    step: str | None = None
    test: str | None = None
    exit_code: int | None = None
    anchor: str | None = None
    lines: Sequence[str] = ()
    further: Sequence[str] = ()
    told: Told = Told()


class Step(Struct, frozen=True, rename="camel"):
    """A step as it is recorded."""

    name: str | None = None
    conclusion: str | None = None
    started_at: datetime | None = None


class FailedAt(Struct, frozen=True):
    """Where a failure happened; `step` is the one that failed, None where that is not recorded.

    `later` are the names of further steps that failed.
    """

    workflow_path: str
    job_name: str
    step: Step | None = None
    later: tuple[str, ...] = ()


def storable(text: str) -> str:
    """Return a text without what a database refuses: NUL, and surrogates that stand alone."""
    return _UNSTORABLE.sub("", text)


def shortened(text: str, most: int = LONGEST) -> str:
    """Return a text of at most `most` characters; an ellipsis stands for what is left out."""
    return text if len(text) <= most else text[: most - 1] + "…"


def failed_step(steps: str | None) -> Step | None:
    """Return the first step that failed of those recorded as JSON, or else the first that was cancelled.

    What runs always after it may fail as well, for want of what it needs.
    """
    read = _steps(steps)
    for conclusions in (_FAILED, {"cancelled"}):
        for step in read:
            if step.conclusion in conclusions:
                return step
    return None


def failed_at(workflow_path: str, job_name: str, steps: str | None) -> FailedAt:
    """Return where a failure happened; the steps of the job are given as they are recorded, in JSON."""
    failed = [step.name or "" for step in _steps(steps) if step.conclusion in _FAILED]
    return FailedAt(workflow_path, job_name, failed_step(steps), tuple(failed[1:]))


def _steps(steps: str | None) -> list[Step]:
    try:
        return msgspec.json.decode(steps or "[]", type=list[Step])
    except msgspec.DecodeError:
        return []


def said_by_log(excerpt: Excerpt) -> Said:
    """Return what the excerpt of a job's log tells."""
    return Said(
        source=Source.LOG,
        kind=excerpt.anchor.kind,
        step=excerpt.step,
        test=excerpt.test,
        exit_code=excerpt.exit_code,
        anchor=excerpt.anchor.text,
        lines=excerpt.lines,
        further=tuple(anchor.text for anchor in excerpt.further),
        told=excerpt.told,
    )


def failure_of(said: Said, at: FailedAt, redact: Callable[[str], str]) -> Failure:
    """Return a failure as it is kept: short, without what no database takes, and without what `redact` takes out.

    Where only the last words of a step are known, or the step alone, another cause may leave the same; so that is
    generic.
    """

    def kept(text: str | None) -> str | None:
        return shortened(storable(redact(text))) or None if text else None

    step, test, anchor = kept(at.step.name if at.step else None) or kept(said.step), kept(said.test), kept(said.anchor)
    says_nothing = said.kind in {UNKNOWN, NO_LOG}
    return Failure(
        source=said.source,
        kind=said.kind,
        step=step,
        test=test,
        exit_code=_exit_code(said.exit_code),
        anchor=anchor,
        lines=_lines(said.lines, redact),
        further=tuple(filter(None, map(kept, said.further))),
        fingerprint=fingerprint(at.workflow_path, at.job_name, step, test or anchor or "", is_test=test is not None),
        fingerprints=None if says_nothing else _fingerprints(said, at, step, kept),
        is_generic=says_nothing or (test is None and is_generic(anchor or "")),
    )


def _fingerprints(
    said: Said, at: FailedAt, step: str | None, kept: Callable[[str], str | None]
) -> tuple[str, ...] | None:
    """Return the fingerprints of all that failed, None where not all of it is known.

    Of steps that failed later nobody reads what they said, so that they did is all that can be compared.
    """
    if not said.told.is_whole:
        return None
    place = (at.workflow_path, at.job_name)
    tests = {kept(test) or "" for test in (*said.told.tests, said.test) if test}
    found = {fingerprint(*place, step, test, is_test=True) for test in tests}
    anchors = [kept(anchor) or "" for anchor in said.told.anchors]
    times: Counter[str] = Counter()
    for anchor in anchors or ([] if tests else [kept(said.anchor or "") or ""]):
        text = normalized(anchor)
        times[text] += 1
        found.add(fingerprint(*place, step, anchor, time=times[text]))
    found |= {fingerprint(*place, kept(later), "") for later in at.later}
    return tuple(sorted(found))


def _exit_code(code: int | None) -> int | None:
    """Return a code as 32 bits with a sign: Windows has `0xC0000005`, which PowerShell shows without one."""
    if code is None or not -(2**31) <= code < 2**32:
        return None
    return code - 2**32 if code >= 2**31 else code


def _lines(lines: Iterable[str], redact: Callable[[str], str]) -> tuple[str, ...]:
    # Together, because a key of several lines shows only where it begins.
    text = redact(storable("\n".join(lines)))
    return tuple(shortened(line) for line in text.split("\n")[:MOST_LINES]) if text else ()
