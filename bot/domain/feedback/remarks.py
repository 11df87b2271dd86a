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

from bot.domain.excerpts import ELLIPSIS, MOST_LINES, Excerpt, Told, clean
from bot.domain.excerpts.finding import MOST_FURTHER
from bot.domain.failures import UNTOLD, Weighed, weigh
from bot.domain.feedback.classes import runner_is_gone
from bot.domain.feedback.report import Source
from bot.domain.feedback.said import UNKNOWN, Said, said_by_log, shortened, storable
from bot.domain.fingerprints import is_generic, normalized
from bot.domain.masking import mask

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
_RUNNERS_PATH = ".github"
_CANCELED = re.compile(r"The operation was cancell?ed\.?")
_MOST_OF_STEP = 10
GONE = "runner"
"""The kind of a failure by which the runner is gone."""
_NOT_OF_THE_REPOSITORY = re.compile(r"[/\\~]|[A-Za-z]:|(?:.*/)?\.\.(?:/|$)|\w+://", re.ASCII)
_EXIT_CODE = re.compile(r"Process completed with exit code (-?\d{1,10})\b", re.ASCII)
_BEFORE = 5
"""So many lines of a message are shown before the one that tells most."""
_LOOKED_AT = 60


class Annotation(Struct, frozen=True, omit_defaults=True):
    """A remark on some lines of a file, counted from 1; `level` is failure, warning or notice.

    The path is relative to the repository, empty where the remark is about no file. `is_runners_own` tells of words on
    a runner that went away that no script can have printed.
    """

    level: str
    path: str
    start_line: int
    end_line: int
    message: str
    title: str = ""
    start_column: int | None = None
    end_column: int | None = None
    is_runners_own: bool = False

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


def read_annotations(sent: Iterable[Any], most: int | None = MOST_KEPT) -> tuple[Annotation, ...]:
    """Return what GitHub lists, each once, failures first, at most 50 or `most`; what is not as documented is left out.

    None is no limit.
    """
    found = []
    for each in sent:
        try:
            annotation = _annotation(msgspec.convert(each, _Sent))
        except msgspec.ValidationError:
            continue
        if annotation.level in _LEVELS and annotation.message:
            found.append(annotation)
    found.sort(key=lambda each: _LEVELS.index(each.level))
    return tuple(dict.fromkeys(_with_last_word_marked(found)))[:most]


def _with_last_word_marked(found: list[Annotation]) -> list[Annotation]:
    """Mark the runner's own last word on a job among annotations in their order, if it tells that the runner is gone.

    Behind what a script prints as an error the runner says how the script ended; unless that was pushed out, since of
    a step GitHub keeps ten.
    """
    failures = [each for each in found if each.level == "failure"]
    while failures and _CANCELED.fullmatch(failures[-1].message):
        failures.pop()
    if not failures or sum(each.level == "failure" for each in found) >= _MOST_OF_STEP:
        return found
    last = failures[-1]
    is_own = last.path == _RUNNERS_PATH and not last.title and runner_is_gone(last.message)
    place = len(failures) - 1
    return [*found[:place], msgspec.structs.replace(last, is_runners_own=is_own), *found[place + 1 :]]


def cut_short(sent: Iterable[Any]) -> list[dict[str, Any]]:
    """Return of what GitHub lists what is read, about as long as it is kept.

    A word that would be cut goes as a whole, since half a secret is not known for one.
    """
    return [
        {name: _cut(each[name]) for name in _Sent.__struct_fields__ if name in each}
        for each in sent
        if isinstance(each, dict)
    ]


def _cut(value: Any) -> Any:
    if not isinstance(value, str) or len(value) <= LONGEST_MESSAGE:
        return value
    text = value[:LONGEST_MESSAGE]
    return text if value[LONGEST_MESSAGE].isspace() else re.sub(r"(?<!\S)\S+\Z", "", text) or text


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
    def test(self) -> str | None:
        return self.weighed.test or weigh(self.annotation.title).test

    @property
    def names_a_cause(self) -> bool:
        """Whether it says more than that something failed."""
        return not 0 < self.weighed.points < UNTOLD and not is_generic(self.lines[self.best])


def said_by_annotations(annotations: Iterable[Annotation], *, a_step_failed: bool = True) -> Said | None:
    """Return what the failures among a job's annotations tell of its cause, None where they name none.

    Where a step failed, which any script can bring about, that the runner is gone is believed to the runner alone.
    """
    failures = [each for each in annotations if each.level == "failure"]
    believed = [each for each in failures if each.is_runners_own or not (a_step_failed and _tells_of_a_runner(each))]
    causes = [each for each in map(_weigh, believed) if each.names_a_cause]
    if not causes:
        return None
    # The first of equals: later errors tend to follow from it.
    causes.sort(key=lambda each: -each.weighed.points)
    further = _further(causes)
    return Said(
        source=Source.ANNOTATIONS,
        kind=causes[0].weighed.kind,
        test=causes[0].test,
        exit_code=exit_code_of(failures),
        anchor=causes[0].anchor,
        lines=_lines(causes[0], further),
        further=further,
        told=_told(causes) if len(failures) < _MOST_OF_STEP else Told(),
    )


def need_no_log(noted: Said, *, a_step_failed: bool) -> bool:
    """Tell whether what annotations name is surely all that failed.

    GitHub does not tell of which step an annotation is, and a problem matcher notes what any step prints, also one
    that passes. But what reports tests notes each that failed, and that the runner is gone leaves nothing else to say.
    """
    return not a_step_failed or noted.test is not None or noted.kind == GONE


def said_by_both(annotations: Iterable[Annotation], noted: Said, excerpt: Excerpt) -> Said:
    """Return what annotations tell where that is all that the failed step says, else what its log tells."""
    logged = said_by_log(excerpt)
    if logged.kind == UNKNOWN:
        return noted
    failures = [_weigh(each) for each in annotations if each.level == "failure"]
    messages = [normalized(each.lines[each.best]) for each in failures if each.names_a_cause]
    named = {logged.anchor or "", *logged.further, *logged.told.tests, *logged.told.anchors}
    return noted if all(_is_noted(normalized(line), messages) for line in named) else logged


def _is_noted(line: str, messages: Iterable[str]) -> bool:
    return any(message in line or line in message for message in messages)


def _told(causes: Sequence[_Weighing]) -> Told:
    tests = dict.fromkeys(each.test for each in causes if each.test)
    return Told(tuple(tests), tuple(each.anchor for each in causes if not each.test), is_whole=True)


def _tells_of_a_runner(annotation: Annotation) -> bool:
    return any(map(runner_is_gone, (annotation.title, *annotation.message.split("\n"))))


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
    message = mask(each.message).encode()[:MOST_MESSAGE_BYTES].decode(errors="ignore")
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
        body["title"] = mask(each.title)[:LONGEST_TITLE]
    return Remark(hashlib.sha256("\0".join(told).encode()).hexdigest()[:16], body)
