"""What few rows fit, or none, is found among many on PostgreSQL by reading few pages, however it goes about it.

Nothing is forbidden here but what the service forbids, and statistics are there: PostgreSQL does what it takes to be
best, be it for these parameters, or once for any, as it does for what it was asked some times. All sets of few filters
are tried, and some of more; each by `make test-deep`.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from bot.store import connected
from bot.store.conversation import Question
from bot.store.database import Database
from bot.store.queries import JobsQuery, RunsQuery, Scope, get_scope, list_jobs, list_runs
from bot.store.queries.pages import encode_cursor
from tests import builders as make
from tests.store.many_rows import FITTING, RARE, RARE_REPOSITORY, add_many_rows
from tests.store.plain_record import RUN_FILTERS, Sets, every_set, some_sets
from tests.store.plans import EXPLAINED, ONCE, WITH_PARAMETERS, Asked, pages_read
from tests.store.recording import NOON, record

# For each row one, and some for each look at its run or its repository. The tables have hundreds.
FEW_PAGES = 10 * FITTING
# A plan for whatever parameters can't know which of several indexes leads to fewer rows.
MOST_PAGES = {WITH_PARAMETERS: FEW_PAGES, ONCE: 3 * FEW_PAGES}
BEFORE_ALL, CURSOR = NOON - timedelta(days=365), encode_cursor(NOON + timedelta(days=1), 100)


@pytest.fixture
async def many(migrated_postgres: str) -> AsyncIterator[Database]:
    """Open a database of many runs and jobs, of which PostgreSQL knows how they are distributed."""
    async with connected(migrated_postgres) as opened:
        await record(opened, make.repository(), runs=[make.run()], jobs=[make.job()])
        rare, installation = RARE["repo_full_name"][0], RARE["installation_id"][0]
        await record(opened, make.repository(rare, RARE_REPOSITORY), installation=installation)
        await add_many_rows(opened)
        await opened.execute(EXPLAINED)
        yield opened


@pytest.fixture
async def scope(many: Database) -> Scope:
    return await get_scope("octo-org")


async def check_pages(database: Database, questions: Sequence[Question]) -> None:
    for mode, most in MOST_PAGES.items():
        for asked, pages in zip(questions, await pages_read(database, questions, mode), strict=True):
            assert pages <= most, (mode, pages, *asked)


class Drawn:
    """Values that few rows have, and maybe one that none has, and whatever else leaves all of them."""

    def __init__(self) -> None:
        self._chance = Random(7)

    def filters(self, names: Sequence[str]) -> dict[str, Any]:
        values = {name: RARE[name][0] for name in names}
        if self._chance.random() < 0.5:
            name = self._chance.choice(names)
            values[name] = RARE[name][1]
        further = {"since": BEFORE_ALL, "until": NOON, "cursor": CURSOR}
        few = {name: value for name, value in further.items() if self._chance.random() < 0.5}
        return {"team": "octo-org", "limit": FITTING - 1, **values, **few}


# One job of a path is called by the path itself.
CALLED_BY_PATH = (
    "UPDATE workflow_job SET workflow_name = 'rare.yml'"
    " WHERE job_id = (SELECT max(job_id) FROM workflow_job WHERE workflow_name = 'Rare')"
)


async def test_few_pages_are_read_of_a_path(many: Database, scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(many, check_pages)
    monkeypatch.setattr(many, "read", asked.read)
    for query in (JobsQuery(team="octo-org", workflow=path) for path in ("rare.yml", "none.yml")):
        assert (await list_jobs(scope, query)).total == (FITTING if query.workflow == "rare.yml" else 0)
    await asked.check()
    await many.execute(CALLED_BY_PATH)
    asked = Asked(many, check_pages)
    monkeypatch.setattr(many, "read", asked.read)
    assert (await list_jobs(scope, JobsQuery(team="octo-org", workflow="rare.yml"))).total == FITTING
    await asked.check()


@pytest.mark.parametrize("sets", [some_sets, pytest.param(every_set, marks=pytest.mark.deep)])
async def test_few_pages_are_read(many: Database, scope: Scope, sets: Sets, monkeypatch: pytest.MonkeyPatch) -> None:
    through = [
        Question(f"SELECT 1 FROM {table} WHERE html_url = ?", ("",)) for table in ("workflow_run", "workflow_job")
    ]
    assert min(await pages_read(many, through)) > 5 * FEW_PAGES
    asked, drawn = Asked(many, check_pages), Drawn()
    monkeypatch.setattr(many, "read", asked.read)
    await asked.lead_on(scope, FITTING - 1)
    for names in filter(None, sets([*RARE])):
        await list_jobs(scope, JobsQuery(**drawn.filters(names)))
        if {*names} <= RUN_FILTERS.keys():
            await list_runs(scope, RunsQuery(**drawn.filters(names)))
        await asked.check_some()
    await asked.check()
