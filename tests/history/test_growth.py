"""What recording a past costs does not grow with the record, whatever PostgreSQL knew of its size as it planned."""

import asyncio
from collections.abc import Sequence

import pytest

from bot.clock import ManualClock
from bot.domain import facts, ordering, payloads
from bot.domain.wanting import RunState, Urgency
from bot.history import looking
from bot.history.keeping import Keeper
from bot.history.requests import Kind, Target, add_backfill
from bot.history.wanted import wanting_what_is_worth_it
from bot.recorder import Marks, linking_by_branch, record, repository_as_known
from bot.store import connected, models
from bot.store.conversation import Conversation
from bot.store.database import Database
from bot.store.wanted import WantedRun
from bot.store.writes import Statement
from tests import builders as make
from tests.domain.sent import sent
from tests.inbox.deliveries import NOW
from tests.rows_read import grown, leave_unanalyzed, rows_read

PAGES, PER_PAGE = 16, 25
_TELL = (
    "INSERT INTO check_summary (repository_id, head_sha, changed_at)"
    " SELECT repository_id, head_sha, created_at FROM workflow_run WHERE run_id = ?"
)


@pytest.mark.postgres
async def test_a_past_is_not_read_through_while_it_is_recorded(migrated_postgres: str) -> None:
    # One connection, whose statements are planned once and for all while there is nothing.
    async with connected(f"{migrated_postgres}?maxsize=1") as database:
        await leave_unanalyzed(database)
        past, counts = await _Past.of(database), []
        for page in range(PAGES):
            if page % (PAGES // 2) == 0:
                counts.append(await rows_read(database))
            await past.record(range(page * PER_PAGE + 1, (page + 1) * PER_PAGE + 1))
        counts.append(await rows_read(database))
        assert await database.fetch("SELECT count(*) AS n FROM workflow_job") == [{"n": PAGES * PER_PAGE}]
    assert sum(counts[2].values()) > sum(counts[0].values())
    assert grown(counts, PER_PAGE) == {}


class _Past:
    """Records the runs of a repository, and then their jobs, as a backfill does."""

    def __init__(self, database: Database, repository: models.Repository, backfill_id: int) -> None:
        self._database = database
        self._repository = repository
        self._backfill_id = backfill_id
        self._keeper = Keeper(database, ManualClock(NOW))

    @classmethod
    async def of(cls, database: Database) -> "_Past":
        told = payloads.read(make.repository(), payloads.Repository)
        async with database.transaction() as tx:
            await record(tx, [facts.repository(told, 7, ordering.microseconds(NOW), announced=True)], NOW)
            backfill_id = await add_backfill(tx, Kind.REQUEST, 1, [Target(told.id, 7)], NOW, NOW, NOW)
        return cls(database, await models.Repository.get(repository_id=told.id), backfill_id)

    async def record(self, numbers: Sequence[int]) -> None:
        def asking_for_more() -> Conversation[None]:
            yield linking_by_branch(numbers)
            yield from wanting_what_is_worth_it(numbers, 7, self._repository.repository_id, self._backfill_id, NOW)

        told: list[facts.Facts] = [repository_as_known(self._repository), *map(self._run, numbers)]
        async with self._database.transaction() as tx:
            await record(tx, told, NOW, marks=Marks.IF_TOLD, then=asking_for_more)
            # Each is of a commit of which something is to be told.
            await tx.write([Statement(_TELL, [(number,) for number in numbers])])
        await asyncio.gather(*(self._keeper.keep(self._found(number)) for number in numbers))

    def _run(self, number: int) -> facts.WorkflowRun:
        body = sent("workflow_run")["workflow_run"] | {"id": number, "head_sha": f"{number:040x}"}
        return facts.workflow_run(payloads.read(body, payloads.WorkflowRun), self._repository.repository_id, 1)

    def _found(self, number: int) -> looking.Found:
        body = sent("workflow_job")["workflow_job"] | {"id": number, "run_id": number, "status": "completed"}
        job = facts.workflow_job(payloads.read(body, payloads.WorkflowJob), self._repository.repository_id, 1)
        whose = (7, self._repository.repository_id, self._backfill_id)
        wanted = WantedRun(number, *whose, Urgency.OTHER, True, NOW, NOW)
        ended = RunState("completed", "success", "push", NOW, NOW, 1, 1, 0, False, False)
        return looking.Found(self._repository, wanted, ended, jobs=[job], listed=1)
