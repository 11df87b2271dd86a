"""What REST tells, written to the record's own tables through their models: row by row, or a page at once.

The same rows, columns and indexes as history's own writing, and no more: no look at what is known, no ordering rule, no
links, nothing noted that is to be asked next.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple

from tortoise import Model
from tortoise.transactions import in_transaction

from bench.past import Bodies, Json
from bot.domain import facts
from bot.github import Answer
from bot.history.reading import read_jobs, read_runs
from bot.recorder import forms
from bot.store import connected, models
from bot.store.connections import WRITER
from bot.store.migrate import migrate

TEAM = 1


class _Table(NamedTuple):
    """A model, the columns that tell its rows apart, and the rows of a page."""

    model: type[Model]
    key: Sequence[str]
    rows: Sequence[dict[str, Any]]


class _Models(ABC):
    at_once = 1

    def __init__(self, bodies: Bodies) -> None:
        self._date = bodies.date
        self._repository_id = bodies.repository["id"]

    def read_runs(self, page: Sequence[Json]) -> list[_Table]:
        told = read_runs(Answer(list(page), self._date), self._repository_id)
        attempts = list(_rows(told, forms.attempt_columns()))
        runs = [row | {"team_id": TEAM} for row in attempts]
        return [
            _Table(models.WorkflowRunAttempt, forms.ATTEMPT_KEY, attempts),
            _Table(models.WorkflowRun, forms.RUN_KEY, runs),
        ]

    def read_jobs(self, page: Sequence[Json]) -> list[_Table]:
        told = read_jobs(Answer(list(page), self._date), self._repository_id)
        rows = _rows(told, forms.told_job_columns())
        jobs = [row | {"team_id": TEAM, "listed_at": row["created_at"]} for row in rows]
        return [_Table(models.WorkflowJob, forms.JOB_KEY, jobs)]

    async def record_runs(self, told: Sequence[_Table]) -> None:
        await self._record(told)

    async def record_jobs(self, told: Sequence[_Table]) -> None:
        await self._record(told)

    @abstractmethod
    async def _record(self, tables: Sequence[_Table]) -> None: ...


def _rows(told: Iterable[facts.WorkflowRun | facts.WorkflowJob], columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    for fact in told:
        yield {name: getattr(fact, name) for name in columns}


class RowByRow(_Models):
    """Asks for each row, and inserts or updates it, in a transaction that Tortoise itself makes of that."""

    async def _record(self, tables: Sequence[_Table]) -> None:
        for model, key, rows in tables:
            for row in rows:
                others = {name: value for name, value in row.items() if name not in key}
                await model.update_or_create(others, **{name: row[name] for name in key})


class AtOnce(_Models):
    """Upserts a page, whatever was there before, in one transaction."""

    async def _record(self, tables: Sequence[_Table]) -> None:
        async with in_transaction(WRITER) as tx:
            for model, key, rows in tables:
                made = [model(**row) for row in rows]
                others = [name for name in rows[0] if name not in key]
                await model.bulk_create(made, on_conflict=key, update_fields=others, using_db=tx)


def through_models(kind: type[_Models]) -> Callable[[str, Bodies], AbstractAsyncContextManager[_Models]]:
    """Return how to open a database and write to it in this way."""

    @asynccontextmanager
    async def opened(url: str, bodies: Bodies) -> AsyncIterator[_Models]:
        await migrate(url)
        async with connected(url):
            yield kind(bodies)

    return opened
