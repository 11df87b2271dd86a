"""When and by whom history is worked on: one process at a time an installation, as its hourly budget goes.

What a person waits for has a line of its own, which no backfill holds up.
"""

from enum import StrEnum

from bot.dispatcher import Assignment, Dispatcher
from bot.history.refusals import Refusals
from bot.history.shift import Shift
from bot.history.tools import Tools


class Line(StrEnum):
    """Who waits together."""

    ANSWERS = "answers"
    HISTORY = "history"


_ASKED = "SELECT 1 FROM run_wanted AS due WHERE due.installation_id = installation.installation_id AND due.due_at <= ?"
_LISTED = _ASKED.replace("run_wanted", "backfill_window")
_DUE = {
    Line.ANSWERS: f"EXISTS ({_ASKED} AND due.urgency = 0)",
    Line.HISTORY: f"(EXISTS ({_LISTED}) OR EXISTS ({_ASKED} AND due.urgency > 0))",
}


class Historian(Dispatcher):
    """Fetches history for every installation that has something due; a step that is broken off is done anew."""

    name = "history"
    look_again = 1.0
    first_pause = 15.0

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools.database, tools.github, tools.clock, tools.leases)
        self._tools = tools
        self._refusals = Refusals()

    async def find_due(self) -> list[Assignment]:
        now, due = self._tools.clock.now(), []
        for line, condition in _DUE.items():
            sql = f"SELECT installation_id FROM installation WHERE state = 'active' AND {condition}"
            rows = await self._tools.database.reader.fetch(sql, *[now] * condition.count("?"))
            due += [Assignment(line, row["installation_id"]) for row in rows]
        return due

    async def work(self, assignment: Assignment) -> None:
        shift = Shift(self._tools, assignment.installation_id, self._refusals)
        step = shift.answer if assignment.what == Line.ANSWERS else shift.fetch
        while await step():
            self.went_well(assignment)
            await self._tools.github.heed(assignment.installation_id)
