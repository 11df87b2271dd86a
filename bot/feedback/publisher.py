"""When and by whom feedback is worked on: one process at a time an installation, so that nothing is said twice."""

from bot.dispatcher import Assignment, Dispatcher
from bot.feedback.shift import Memory, Shift, assignment_of
from bot.feedback.tools import Tools

_TABLES = ("check_summary", "failure_comment", "job_failure", "action")
_DUE = " UNION ".join(
    f"SELECT repository.installation_id FROM {table} AS due"
    " JOIN repository ON repository.repository_id = due.repository_id"
    " JOIN installation ON installation.installation_id = repository.installation_id"
    " WHERE due.due_at <= ? AND installation.state = 'active' AND repository.hidden_at IS NULL"
    for table in _TABLES
)


class Publisher(Dispatcher):
    """Tells every installation what is due to be told."""

    name = "feedback"
    look_again = 0.5
    first_pause = 5.0

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools.database, tools.github, tools.clock, tools.leases)
        self._tools = tools
        self._memory = Memory(tools)

    async def find_due(self) -> list[Assignment]:
        now = self._tools.clock.now()
        rows = await self._tools.database.reader.fetch(_DUE, *[now] * len(_TABLES))
        return [assignment_of(row["installation_id"]) for row in rows]

    async def work(self, assignment: Assignment) -> None:
        await Shift(self._tools, assignment.installation_id, self._memory).work()
