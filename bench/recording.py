"""Ways to record what REST tells: history's own, and models of Tortoise, row by row or a page at once.

The models are those of the record's own tables, and besides plain ones: half the columns, and hardly an index. A row is
a transaction where it is written by itself, as Tortoise makes it one, else a page is; SQLite writes with
synchronous=FULL for all.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any, Protocol

from tortoise import Model, Tortoise
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.transactions import in_transaction

from bench.past import SPAN, Bodies, Json
from bench.plain_bot import JOB_FIELDS, RUN_FIELDS, Job, Run
from bench.servers import PLAIN_BOT_OPTIONS
from bench.through_models import AtOnce, RowByRow, through_models
from bot.clock import Clock
from bot.domain import facts, ordering, payloads
from bot.domain.wanting import RunState, Urgency
from bot.github import Answer
from bot.github.ledger import Figures
from bot.history.keeping import Keeper
from bot.history.looking import Found
from bot.history.reading import read_jobs, read_runs
from bot.history.requests import Kind, Target, add_backfill
from bot.history.wanted import wanting_what_is_worth_it
from bot.recorder import Marks, linking_by_branch, record, repository_as_known
from bot.store import connected, models
from bot.store.conversation import Conversation
from bot.store.database import Database
from bot.store.migrate import migrate
from bot.store.wanted import WantedRun

OURS, ROW_BY_ROW, AT_ONCE = "runledger", "update_or_create", "bulk_create"
PLAIN_ROW_BY_ROW, PLAIN_AT_ONCE = "update_or_create, plain tables", "bulk_create, plain tables"


class Recorder(Protocol):
    """Reads pages, and records what it has read; `at_once` pages of jobs are offered to it at the same time."""

    at_once: int

    def read_runs(self, page: Sequence[Json]) -> Any: ...

    def read_jobs(self, page: Sequence[Json]) -> Any: ...

    async def record_runs(self, told: Any) -> None: ...

    async def record_jobs(self, told: Any) -> None: ...


Way = Callable[[str, Bodies], AbstractAsyncContextManager[Recorder]]


# What is known of each run whose jobs are recorded.
_ENDED = RunState(
    status="completed",
    conclusion="success",
    event="push",
    created_at=facts.NO_TIME,
    began_at=facts.NO_TIME,
    run_attempt=1,
    attempts=1,
    jobs_attempt=0,
    from_fork=False,
    linked=False,
)


class _History:
    """As a backfill does it, but for moving on in its window and counting, which are three small statements a page.

    A run is two rows, it and its attempt, and what is to be asked about it is noted.

    What it records is no news to anybody, so a look at what is known comes first, and only what is told is kept true.
    The jobs of as many runs are offered at once as the client lets be under way, and share commits.
    """

    at_once = Figures().backfill_at_once

    def __init__(self, database: Database, repository: models.Repository, backfill_id: int, bodies: Bodies) -> None:
        self._database = database
        self._repository = repository
        self._backfill_id = backfill_id
        self._bodies = bodies
        self._keeper = Keeper(database, Clock())

    def read_runs(self, page: Sequence[Json]) -> list[facts.WorkflowRun]:
        return read_runs(Answer(list(page), self._bodies.date), self._repository.repository_id)

    def read_jobs(self, page: Sequence[Json]) -> list[facts.WorkflowJob]:
        return read_jobs(Answer(list(page), self._bodies.date), self._repository.repository_id)

    async def record_runs(self, told: Sequence[facts.WorkflowRun]) -> None:
        repository, now = self._repository, self._bodies.date
        listed = [run.run_id for run in told]

        def asking_for_more() -> Conversation[None]:
            yield linking_by_branch(listed)
            yield from wanting_what_is_worth_it(
                listed, self._bodies.installation_id, repository.repository_id, self._backfill_id, now
            )

        async with self._database.transaction() as tx:
            news: list[facts.Facts] = [repository_as_known(repository), *told]
            await record(tx, news, now, marks=Marks.IF_TOLD, then=asking_for_more)

    async def record_jobs(self, jobs: list[facts.WorkflowJob]) -> None:
        repository, now = self._repository, self._bodies.date
        whose = (self._bodies.installation_id, repository.repository_id, self._backfill_id)
        wanted = WantedRun(jobs[0].run_id, *whose, Urgency.OTHER, True, now, now)
        await self._keeper.keep(Found(repository, wanted, _ENDED, jobs=jobs, listed=1))


@asynccontextmanager
async def _as_history(url: str, bodies: Bodies) -> AsyncIterator[Recorder]:
    await migrate(url)
    async with connected(url) as database:
        told = payloads.read(bodies.repository, payloads.Repository)
        made = ordering.microseconds(bodies.date)
        async with database.transaction() as tx:
            await record(tx, [facts.repository(told, bodies.installation_id, made, announced=True)], bodies.date)
            target, now = Target(told.id, bodies.installation_id), bodies.date
            backfill_id = await add_backfill(tx, Kind.REQUEST, 1, [target], now - SPAN, now, now)
        yield _History(database, await models.Repository.get(repository_id=told.id), backfill_id, bodies)


def _value(name: str, told: Json) -> Any:
    value = told.get(name)
    return datetime.fromisoformat(value) if value is not None and name.endswith("_at") else value


class _PlainRowByRow:
    at_once = 1

    def __init__(self, repository: str) -> None:
        self._repository = repository

    def read_runs(self, page: Sequence[Json]) -> list[Json]:
        return [self._values(told, "run_id", RUN_FIELDS) for told in page]

    def read_jobs(self, page: Sequence[Json]) -> list[Json]:
        return [self._values(told, "job_id", JOB_FIELDS) for told in page]

    def _values(self, told: Json, key: str, columns: list[str]) -> Json:
        return {key: told["id"], "repository": self._repository} | {name: _value(name, told) for name in columns}

    async def record_runs(self, told: Sequence[Json]) -> None:
        await self._record(Run, "run_id", told)

    async def record_jobs(self, told: Sequence[Json]) -> None:
        await self._record(Job, "job_id", told)

    async def _record(self, model: type[Model], key: str, told: Sequence[Json]) -> None:
        for row in told:
            others = {name: value for name, value in row.items() if name != key}
            await model.update_or_create(others, **{key: row[key]})


class _PlainAtOnce(_PlainRowByRow):
    async def _record(self, model: type[Model], key: str, told: Sequence[Json]) -> None:
        others = [name for name in told[0] if name != key]
        async with in_transaction() as tx:
            await model.bulk_create(
                [model(**row) for row in told], on_conflict=[key], update_fields=others, using_db=tx
            )


def _as_plain_models(kind: type[_PlainRowByRow]) -> Way:
    @asynccontextmanager
    async def opened(url: str, bodies: Bodies) -> AsyncIterator[Recorder]:
        # Tortoise keeps the SQL it has made for a connection's name, also when the name comes to mean another database.
        EXECUTOR_CACHE.clear()
        options = f"?{PLAIN_BOT_OPTIONS}" if url.startswith("sqlite") else ""
        context = await Tortoise.init(
            db_url=url + options, modules={"models": ["bench.plain_bot"]}, _enable_global_fallback=True
        )
        try:
            await Tortoise.generate_schemas()
            yield kind(bodies.repository["full_name"])
        finally:
            await context.close_connections()

    return opened


WAYS: dict[str, Way] = {
    OURS: _as_history,
    ROW_BY_ROW: through_models(RowByRow),
    AT_ONCE: through_models(AtOnce),
    PLAIN_ROW_BY_ROW: _as_plain_models(_PlainRowByRow),
    PLAIN_AT_ONCE: _as_plain_models(_PlainAtOnce),
}
