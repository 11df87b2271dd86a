"""What is shown of backfills while they go on."""

import io
from typing import Any

from rich.console import Console

from bot.cli.showing import Lines
from bot.clock import ManualClock
from bot.store.views import BackfillProgress

CLOCK = ManualClock()


def progress(**changes: Any) -> BackfillProgress:
    told: dict[str, Any] = dict.fromkeys(BackfillProgress.__struct_fields__)
    told |= {"id": 1, "state": "running", "repo_full_name": "acme/rocket", "installation_id": 7, "created_at": None}
    told |= {"runs_at_github": 1200, "runs_stored": 300, "jobs_stored": 12, "jobs_pending": 0, "requests_left": 9}
    return BackfillProgress(**told | changes)


class Terminal:
    """Lines as they are written, on a clock of their own."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self._written = io.StringIO()
        self.lines = Lines(self.clock, Console(file=self._written, width=40))

    def read(self) -> list[str]:
        written = self._written.getvalue().splitlines()
        self._written.seek(0)
        self._written.truncate()
        return written


async def test_a_line_says_what_is_stored_what_is_left_and_how_long_that_takes() -> None:
    terminal = Terminal()
    shown = {
        1: progress(state="waiting", runs_at_github=None, runs_stored=0, jobs_stored=0),
        2: progress(id=2, repo_full_name="acme/lander"),
        3: progress(id=3, jobs_pending=40),
        4: progress(id=4, repo_full_name=None, installation_id=None),
    }
    terminal.lines.show(list(shown.values()), {7: 8000.0})
    assert terminal.read() == [
        "acme/rocket: 0 of 0 runs, 0 jobs, listing, 2 h 14 min left",
        "acme/lander: 300 of 1200 runs, 12 jobs, listing, 2 h 14 min left",
        "acme/rocket: 300 of 1200 runs, 12 jobs, 40 to ask for jobs, 2 h 14 min left",
        "backfill 4: 300 of 1200 runs, 12 jobs, listing",
    ]


async def test_a_line_comes_when_something_has_changed_and_some_seconds_have_passed() -> None:
    terminal = Terminal()
    terminal.lines.show([progress()], {7: 90.0})
    assert len(terminal.read()) == 1
    await terminal.clock.advance(4)
    terminal.lines.show([progress(runs_stored=400)], {7: 90.0})
    assert terminal.read() == []
    await terminal.clock.advance(1)
    terminal.lines.show([progress(runs_stored=500), progress(id=2)], {7: 60.0})
    assert [line.partition(",")[0] for line in terminal.read()] == [
        "acme/rocket: 500 of 1200 runs",
        "acme/rocket: 300 of 1200 runs",
    ]
    await terminal.clock.advance(60)
    terminal.lines.show([progress(runs_stored=500)], {7: 0.0})
    assert terminal.read() == []
    terminal.lines.show([progress(runs_stored=500, jobs_stored=13)], {})
    assert terminal.read() == ["acme/rocket: 500 of 1200 runs, 13 jobs, listing"]


async def test_what_has_ended_is_left_to_the_summary() -> None:
    terminal = Terminal()
    terminal.lines.show([progress(finished_at=CLOCK.now(), state="done")], {7: 0.0})
    assert terminal.read() == []
