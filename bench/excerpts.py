"""`python -m bench.excerpts FOLDER`: in how many logs of the folder the excerpt holds the line that matters.

In each log that line starts with `#=MATCH=# `, which is removed before the log is shown to the code. Counted apart is
how often the anchor is that very line. Beside it stand two that look at nothing: the last 20 lines, and the 20 lines
before the last `##[error]` together with it.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from bot.domain.excerpts import MOST_LINES, Excerpt, clean, find_excerpt, shown

MARK = "#=MATCH=# "
ERROR = "##[error]"


class Marked(NamedTuple):
    """A log without its mark, and the marked line with its number from 1."""

    name: str
    log: str
    number: int
    target: str


class Found(NamedTuple):
    marked: Marked
    excerpt: Excerpt | None

    @property
    def lines(self) -> Sequence[str]:
        return self.excerpt.lines if self.excerpt else ()

    @property
    def is_hit(self) -> bool:
        return self.marked.target in self.lines

    @property
    def is_anchor(self) -> bool:
        return self.excerpt is not None and self.excerpt.anchor.number == self.marked.number


def read(path: Path) -> Marked | None:
    """Return the log of a file, None where no line is marked."""
    lines = path.read_bytes().decode("utf-8", "replace").split("\n")
    place = next((place for place, line in enumerate(lines) if line.startswith(MARK)), None)
    if place is None:
        return None
    log = "\n".join(line.removeprefix(MARK) for line in lines)
    return Marked(path.name, log, place + 1, shown(clean(lines[place].removeprefix(MARK))))


def last_lines(log: str) -> list[str]:
    return log.rstrip("\n").split("\n")[-MOST_LINES:]


def lines_before_the_last_error(log: str) -> list[str]:
    lines = log.rstrip("\n").split("\n")
    errors = [place for place, line in enumerate(lines) if ERROR in line]
    end = errors[-1] + 1 if errors else len(lines)
    return lines[max(0, end - MOST_LINES - 1) : end]


BASELINES: dict[str, Callable[[str], list[str]]] = {
    "the last 20 lines": last_lines,
    "20 lines before the last ##[error]": lines_before_the_last_error,
}


def hits_of(baseline: Callable[[str], list[str]], logs: Sequence[Marked]) -> int:
    return sum(any(shown(clean(line)) == each.target for line in baseline(each.log)) for each in logs)


def report(logs: Sequence[Marked], *, with_anchors: bool = False) -> str:
    """Return what is printed: hits, anchors, lengths, baselines, and each miss with the anchor found instead.

    `with_anchors` counts as misses also the logs whose excerpt holds the line, but around another one.
    """
    found = [Found(marked, find_excerpt(marked.log)) for marked in logs]
    hits, anchors = sum(each.is_hit for each in found), sum(each.is_anchor for each in found)
    misses = [each for each in found if not (each.is_anchor if with_anchors else each.is_hit)]
    lengths = [len(each.lines) for each in found]
    told = [
        f"{hits} of {len(found)} excerpts hold the line that matters",
        f"anchors: {anchors} of {len(found)} are that very line",
        f"{statistics.fmean(lengths):.1f} lines on the average, {max(lengths)} at most",
        "beside it:",
        *(f"  {hits_of(lines, logs)} of {len(logs)}  {name}" for name, lines in BASELINES.items()),
    ]
    return "\n".join(told + [line for miss in misses for line in described(miss)])


def described(miss: Found) -> list[str]:
    anchor = miss.excerpt.anchor if miss.excerpt else None
    return [
        f"{'beside it' if miss.is_hit else 'missed'}: {miss.marked.name}",
        f"  line {miss.marked.number}: {miss.marked.target}",
        f"  found {anchor.number} ({anchor.kind}): {anchor.text}" if anchor else "  found nothing",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.excerpts", description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder of logs")
    parser.add_argument("--anchors", action="store_true", help="list also the logs whose anchor is another line")
    options = parser.parse_args()
    folder: Path = options.folder
    if not folder.is_dir():
        sys.exit(f"{folder} is not a folder.")
    logs = {path.name: read(path) for path in sorted(folder.iterdir()) if path.is_file()}
    for name, marked in logs.items():
        if marked is None:
            print(f"{name}: no line starts with {MARK!r}, so it is left out.", file=sys.stderr)
    marked_logs = [marked for marked in logs.values() if marked]
    if not marked_logs:
        sys.exit(f"{folder} holds no log with a line that starts with {MARK!r}.")
    print(report(marked_logs, with_anchors=options.anchors))


if __name__ == "__main__":
    main()
