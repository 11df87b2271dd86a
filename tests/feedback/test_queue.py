"""Where writes queue up behind the second that GitHub wants between them: what goes first, and how long it takes."""

from itertools import pairwise

import pytest

from bot.demo.github.rest.journal import Write
from bot.demo.github.state.actions import WorkflowRun
from bot.store import connected
from bot.store.database import Database
from tests.databases import quick
from tests.feedback.harness import Harness, harnessed
from tests.feedback.moves import GIVES_UP, RESUMES, push_to_main, start

PULLS = 40


async def failing_at_once(house: Harness) -> list[WorkflowRun]:
    """Let 40 pull requests run, and the unit tests of each fail at the same moment."""
    await push_to_main(house)
    pulls = [house.stage.open(f"topic-{number}") for number in range(PULLS)]
    runs = [run for pull in pulls for run in start(house, pull)]
    await house.passes(120)
    jobs = house.github.actions.jobs
    for run in runs:
        for name in ("unit", "lint"):
            jobs.start(run.get_job(name))
    await house.passes(60)
    for run in runs:
        jobs.complete(run.get_job("unit"), "failure", cause=RESUMES)
    return runs


def since(house: Harness, moment: object) -> list[Write]:
    return [write for write in house.github.rest.journal.writes if write.at >= moment]  # type: ignore[operator]


def what(write: Write) -> str:
    """Return what was written: a first failure is told by the check run's own title."""
    if write.kind == "comment":
        return "comment"
    return "completion" if write.body.get("conclusion") else "in progress"


async def test_forty_pull_requests_that_fail_at_once_are_told_a_second_apart(migrated_sqlite: str) -> None:
    async with connected(quick(migrated_sqlite)) as database:
        await hold_queue(database)


@pytest.mark.deep
async def test_they_are_told_so_on_postgresql(migrated_postgres: str) -> None:
    async with connected(migrated_postgres) as database:
        await hold_queue(database)


async def hold_queue(database: Database) -> None:
    async with harnessed(database) as house:
        runs = await failing_at_once(house)
        failed_at = house.clock.now()
        await house.passes(PULLS + 5)
        first = since(house, failed_at)
        # One write each, and nothing else is sent before everybody knows.
        assert {number for write in first[:PULLS] for number in write.pulls} == set(range(1, PULLS + 1))
        assert all("fail" in write.body["output"]["title"] for write in first[:PULLS])
        assert (first[PULLS - 1].at - failed_at).total_seconds() <= PULLS * 1.1 + 2
        for run in runs:
            house.github.actions.jobs.complete(run.get_job("lint"), "failure", cause=GIVES_UP)
        ended_at = house.clock.now()
        await house.passes(300)
        written = since(house, ended_at)
        kinds = [what(write) for write in written]
        made = [write for write in house.github.rest.journal.writes if what(write) == "comment"]
        assert sorted(number for write in made if write.action == "create" for number in write.pulls) == [
            *range(1, PULLS + 1)
        ]
        # An early comment may have to be changed by what failed later.
        assert (kinds.count("completion"), len(made) <= PULLS * 1.2) == (PULLS, True)
        # Comments come due first, and give way to completions once these are due.
        last = {kind: max(place for place, each in enumerate(kinds) if each == kind) for kind in set(kinds)}
        assert last["completion"] < last["comment"]
        gaps = [(later.at - earlier.at).total_seconds() for earlier, later in pairwise(written)]
        assert min(gaps) >= 1
        # Once there is something to write, it is written as fast as may be.
        busy = [gap for gap in gaps if gap < 15]
        assert sum(busy) / len(busy) < 1.3
        assert house.github.rest.journal.unchanged() == []
