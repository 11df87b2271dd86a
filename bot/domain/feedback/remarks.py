"""What the annotations of jobs tell: why a job failed, and which remarks our check run makes on lines of the diff.

A job has those that its steps and problem matchers made, and one of the runner's own that says that it failed.
https://docs.github.com/en/rest/checks/runs#list-check-run-annotations
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from bot.domain.excerpts import ELLIPSIS, MOST_LINES, clean
from bot.domain.excerpts.finding import MOST_FURTHER
from bot.domain.failures import UNTOLD, Weighed, weigh
from bot.domain.feedback.report import Source
from bot.domain.feedback.said import Said, shortened, storable
from bot.domain.fingerprints import is_generic, normalized

MOST_KEPT = 50
"""So many annotations of a job are kept, failures first."""
MOST_TOLD = 250
LONGEST_PATH, LONGEST_TITLE, LONGEST_MESSAGE = 1_000, 255, 4_000
MOST_MESSAGE_BYTES = 60_000
"""GitHub takes 64 KB."""

_LEVELS = ("failure", "warning", "notice")
_LAST_LINE = 2**31 - 1
# GitHub puts what is about no file there.
_NO_FILE = frozenset({"", ".", ".github"})
_NOT_OF_THE_REPOSITORY = re.compile(r"[/\\~]|[A-Za-z]:|(?:.*/)?\.\.(?:/|$)|\w+://", re.ASCII)
_EXIT_CODE = re.compile(r"Process completed with exit code (-?\d{1,10})\b", re.ASCII)
_BEFORE = 5
"""So many lines of a message are shown before the one that tells most."""
_LOOKED_AT = 60


class Annotation(Struct, frozen=True, omit_defaults=True):
    """A remark on some lines of a file, counted from 1; `level` is failure, warning or notice.

    The path is relative to the repository, empty where the remark is about no file.
    """

    level: str
    path: str
    start_line: int
    end_line: int
    message: str
    title: str = ""
    start_column: int | None = None
    end_column: int | None = None

    @property
    def is_on_file(self) -> bool:
        """Whether it is about a file that may be one of the repository's."""
        return self.path not in _NO_FILE and _NOT_OF_THE_REPOSITORY.match(self.path) is None


class Remark(Struct, frozen=True):
    """An annotation for a check run as GitHub takes it; `digest` is the same for the same remark, 16 hex digits."""

    digest: str
    body: dict[str, Any]


class _Sent(Struct):
    annotation_level: str
    message: str | None = None
    path: str | None = None
    title: str | None = None
    start_line: int | None = None
    end_line: int | None = None
    start_column: int | None = None
    end_column: int | None = None


def read_annotations(sent: Iterable[Any]) -> tuple[Annotation, ...]:
    """Return what GitHub lists, each once, failures first, at most 50; what is not as documented is passed over."""
    found: dict[Annotation, None] = {}
    for each in sent:
        try:
            annotation = _annotation(msgspec.convert(each, _Sent))
        except msgspec.ValidationError:
            continue
        if annotation.level in _LEVELS and annotation.message:
            found[annotation] = None
    return tuple(sorted(found, key=lambda each: _LEVELS.index(each.level))[:MOST_KEPT])


def _annotation(sent: _Sent) -> Annotation:
    path = storable(sent.path or "")
    first = min(max(sent.start_line or 1, 1), _LAST_LINE)
    last = min(max(sent.end_line or first, first), _LAST_LINE)
    columns = _columns(sent) if first == last else (None, None)
    message = "\n".join(clean(line) for line in (sent.message or "").splitlines()).strip("\n")
    return Annotation(
        sent.annotation_level,
        # A path that was cut would be another one.
        path if len(path) <= LONGEST_PATH and path.isprintable() else "",
        first,
        last,
        shortened(storable(message), LONGEST_MESSAGE),
        shortened(storable(clean(sent.title or "")), LONGEST_TITLE),
        *columns,
    )


def _columns(sent: _Sent) -> tuple[int | None, int | None]:
    first, last = sent.start_column, sent.end_column
    is_sound = first is not None and last is not None and 1 <= first <= last <= _LAST_LINE
    return (first, last) if is_sound else (None, None)


class _Weighing(Struct, frozen=True):
    """An annotation, its lines, and the one of them that tells most."""

    annotation: Annotation
    lines: Sequence[str]
    best: int
    weighed: Weighed

    @property
    def anchor(self) -> str:
        """The line that tells most, from behind the file, the line and the title that it is about."""
        text, about = self.lines[self.best], self.annotation
        if about.title and about.title.lower() not in {"error", text.lower()} and about.title not in text:
            text = f"{about.title}: {text}"
        if about.is_on_file and about.path not in text:
            text = f"{about.path}:{about.start_line}: {text}"
        return text

    @property
    def names_a_cause(self) -> bool:
        """Whether it says more than that something failed."""
        return not 0 < self.weighed.points < UNTOLD and not is_generic(self.lines[self.best])


def said_by_annotations(annotations: Iterable[Annotation]) -> Said | None:
    """Return what the failures among a job's annotations tell of its cause, None where they name none."""
    failures = [each for each in annotations if each.level == "failure"]
    causes = [each for each in map(_weigh, failures) if each.names_a_cause]
    if not causes:
        return None
    # The first of equals: later errors tend to follow from it.
    causes.sort(key=lambda each: -each.weighed.points)
    further = _further(causes)
    return Said(
        source=Source.ANNOTATIONS,
        kind=causes[0].weighed.kind,
        test=causes[0].weighed.test or weigh(causes[0].annotation.title).test,
        exit_code=exit_code_of(failures),
        anchor=causes[0].anchor,
        lines=_lines(causes[0], further),
        further=further,
    )


def exit_code_of(annotations: Iterable[Annotation]) -> int | None:
    """Return the exit code that the runner tells, if it does."""
    found = (_EXIT_CODE.match(each.message) for each in annotations)
    return next((int(match[1]) for match in found if match), None)


def _weigh(annotation: Annotation) -> _Weighing:
    lines = [line for line in annotation.message.split("\n") if line.strip()][:_LOOKED_AT] or [""]
    weighed = [weigh(line) for line in lines]
    best = max(range(len(lines)), key=lambda place: weighed[place].points)
    return _Weighing(annotation, lines, best, weighed[best])


def _further(causes: Sequence[_Weighing]) -> tuple[str, ...]:
    anchors = {normalized(each.anchor): each.anchor for each in reversed(causes)}
    anchors.pop(normalized(causes[0].anchor))
    return tuple(reversed(anchors.values()))[:MOST_FURTHER]


def _lines(cause: _Weighing, further: Sequence[str]) -> tuple[str, ...]:
    """Return the lines of a message around the anchor, and the further anchors after them."""
    first = max(0, cause.best - _BEFORE)
    lines = [*cause.lines[first : cause.best], cause.anchor, *cause.lines[cause.best + 1 :]]
    others = [line for anchor in further for line in (ELLIPSIS, anchor)]
    return (*lines[: MOST_LINES - len(others)], *others)


def check_annotations(by_job: Iterable[Iterable[Annotation]], told: Collection[str] = ()) -> list[Remark]:
    """Return the remarks that a check run still has to make, failures before warnings, then by where they are.

    Each is made once, however many jobs of a matrix make it; `told` are the digests of those that were made before.
    With these there are at most 250. Notices, and what is about no file of the repository, are left out.

    https://docs.github.com/en/rest/checks/runs#update-a-check-run
    """
    shown = [each for annotations in by_job for each in annotations if each.level != "notice" and each.is_on_file]
    remarks: dict[str, Remark] = {}
    for remark in map(_remark, sorted(shown, key=_order)):
        remarks.setdefault(remark.digest, remark)
    left = [remark for digest, remark in remarks.items() if digest not in told]
    return left[: max(0, MOST_TOLD - len(told))]


def _order(each: Annotation) -> tuple[Any, ...]:
    place = (_LEVELS.index(each.level), each.path, each.start_line, each.end_line)
    return (*place, each.message, each.title, each.start_column or 0, each.end_column or 0)


def _remark(each: Annotation) -> Remark:
    message = each.message.encode()[:MOST_MESSAGE_BYTES].decode(errors="ignore")
    told = (each.path, str(each.start_line), str(each.end_line), each.level, message)
    body: dict[str, Any] = {
        "path": each.path,
        "start_line": each.start_line,
        "end_line": each.end_line,
        "annotation_level": each.level,
        "message": message,
    }
    if each.start_line == each.end_line and each.start_column is not None and each.end_column is not None:
        body |= {"start_column": each.start_column, "end_column": each.end_column}
    if each.title:
        body["title"] = each.title[:LONGEST_TITLE]
    return Remark(hashlib.sha256("\0".join(told).encode()).hexdigest()[:16], body)
