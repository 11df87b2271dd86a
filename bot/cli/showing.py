"""How far backfills are: bars on a terminal, lines elsewhere."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from bot.clock import Clock
from bot.domain.durations import in_words
from bot.store.views import BackfillProgress

# How long a repository's line stays the last word on it.
LINES_APART_SECONDS = 5.0

TimeLeft = Mapping[int | None, float]
Show = Callable[[Sequence[BackfillProgress], TimeLeft], None]


@contextmanager
def showing(clock: Clock) -> Iterator[Show]:
    """Give a function that shows on standard output how far backfills are, each time it is called."""
    console = Console()
    if not console.is_terminal:
        yield Lines(clock, console).show
        return
    with Progress(*_COLUMNS, console=console, auto_refresh=False) as bars:
        yield Bars(bars).show


def summary(progress: BackfillProgress) -> str:
    """Return what a backfill came to."""
    runs = f"{progress.runs_stored} of {progress.runs_at_github or 0} runs"
    return f"{name_of(progress)}: {runs}, {progress.jobs_stored} jobs"


def name_of(progress: BackfillProgress) -> str:
    """Return what a backfill is about."""
    return progress.repo_full_name or f"backfill {progress.id}"


def _still_to_do(progress: BackfillProgress) -> str:
    if progress.finished_at is not None:
        return "done" if progress.state == "done" else "failed"
    return f"{progress.jobs_pending} to ask for jobs" if progress.jobs_pending else "listing"


def _time(progress: BackfillProgress, left: TimeLeft) -> str:
    seconds = left.get(progress.installation_id, math.inf)
    return "" if progress.finished_at is not None or math.isinf(seconds) else f"{in_words(seconds)} left"


class Lines:
    """A line for a repository when something of it has changed, and never two within some seconds."""

    def __init__(self, clock: Clock, console: Console) -> None:
        self._clock = clock
        self._console = console
        self._shown: dict[int, tuple[str, float]] = {}

    def show(self, progress: Sequence[BackfillProgress], left: TimeLeft) -> None:
        """Write what is new."""
        now = self._clock.time()
        for each in progress:
            line = f"{summary(each)}, {_still_to_do(each)}"
            last, at = self._shown.get(each.id, ("", -math.inf))
            if line != last and now >= at + LINES_APART_SECONDS and each.finished_at is None:
                self._shown[each.id] = line, now
                told = ", ".join(filter(None, (line, _time(each, left))))
                self._console.print(told, markup=False, highlight=False, soft_wrap=True)


# Short enough for a terminal of eighty columns.
_COLUMNS = (
    TextColumn("{task.description}", markup=False),
    BarColumn(bar_width=12),
    TextColumn("{task.fields[runs]}", markup=False),
    TextColumn("{task.fields[still]}", markup=False),
    TextColumn("{task.fields[time]}", markup=False),
)


class Bars:
    """A bar for each repository: runs that are stored, of those at GitHub."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[int, TaskID] = {}

    def show(self, progress: Sequence[BackfillProgress], left: TimeLeft) -> None:
        """Draw the bars as things are now."""
        for each in progress:
            if each.id not in self._tasks:
                self._tasks[each.id] = self._progress.add_task(name_of(each), runs="", still="", time="")
            # One that has ended is full, also where there was nothing to store.
            full = None if each.finished_at is None else max(each.runs_stored, 1)
            self._progress.update(
                self._tasks[each.id],
                total=full or each.runs_at_github,
                completed=full or each.runs_stored,
                runs=f"{each.runs_stored}/{each.runs_at_github or 0} runs",
                still=_still_to_do(each),
                time=_time(each, left),
            )
        self._progress.refresh()
