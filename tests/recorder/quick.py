"""The recorder's own SQL on a SQLite database in memory, without a loop or a thread: thousands of histories a minute.

The statements are the ones that `bot.recorder.writing` yields; only who executes them differs.
"""

import contextlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from bot import recorder
from bot.domain import facts
from bot.store.answering import answer_on_sqlite
from bot.store.conversation import Conversation, Step
from bot.store.writes import Write
from tests.recorder.records import RUN_TABLES, State, normal, selection

TEAM = 1


def writes_of(conversation: Conversation[None]) -> list[Write]:
    """Return what a conversation has to write that is answered that nothing is known."""
    steps: list[Step] = []
    with contextlib.suppress(StopIteration):
        steps.append(next(conversation))
        while True:
            # Nothing is sent back for what is written.
            steps.append(conversation.send(None if isinstance(steps[-1], Write) else []))  # type: ignore[arg-type]
    return [step for step in steps if isinstance(step, Write)]


class QuickRecord:
    """A record in memory; `migrated` is a SQLite file at the newest schema that it starts from."""

    def __init__(self, migrated: Path) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        with sqlite3.connect(migrated) as source:
            source.backup(self._connection)
        source.close()

    def close(self) -> None:
        self._connection.close()

    def clear(self) -> None:
        """Empty the tables."""
        for model in RUN_TABLES:
            self._connection.execute(f"DELETE FROM {model._meta.db_table}")

    def record(self, told: Iterable[facts.Facts]) -> None:
        """Do what `bot.recorder.record` does, but for the directory."""
        news = list(told)
        runs = [fact for fact in news if isinstance(fact, facts.WorkflowRun)]
        jobs = [fact for fact in news if isinstance(fact, facts.WorkflowJob)]
        pull_requests = [fact for fact in news if isinstance(fact, facts.PullRequest)]
        teams = {fact.repository_id: TEAM for fact in news if isinstance(fact, facts.Repository)}
        self._connection.execute("BEGIN")
        answer_on_sqlite(recorder.writing(runs, jobs, pull_requests, teams), self._connection)
        self._connection.execute("COMMIT")

    def state(self) -> State:
        """Read the record back."""
        return {
            model._meta.db_table: [normal(model, dict(row)) for row in self._connection.execute(selection(model))]
            for model in RUN_TABLES
        }
