"""Several writers on one PostgreSQL: whatever waits for whom, the record ends as if one had written it all."""

import asyncio
import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import Phase, given, settings

from bot.domain import facts
from bot.recorder import record
from bot.store.database import COLLISIONS, Database
from tests.domain.sent import GUID, changed, sent, told
from tests.oracle import Truth
from tests.recorder.arrived import Story, batches, calm, handle, read, stories
from tests.recorder.records import assert_truth, clear, state_of
from tests.recorder.test_order_property import TEAMS

Key = TypeVar("Key")
Value = TypeVar("Value")

WRITERS = 4
TRIES = 20
ROUNDS = 3
NOW = datetime(2026, 11, 3, tzinfo=UTC)


async def write(database: Database, news: Sequence[facts.Facts], rng: Random) -> None:
    """Record in a transaction of its own as the worker does, again when PostgreSQL has ended it for another's sake."""
    for _ in range(TRIES):
        try:
            async with database.transaction() as tx:
                await handle(tx, news, NOW)
                # Locks are held for a while, so that the transactions really overlap.
                await asyncio.sleep(rng.uniform(0, 0.005))
        except COLLISIONS:
            await asyncio.sleep(rng.uniform(0, 0.02))
        else:
            return
    pytest.fail(f"collided {TRIES} times in a row")


def some_stories(count: int) -> list[Story]:
    """Draw the same stories each time, no two of them in one repository."""
    drawn: dict[int, Story] = {}

    @settings(calm, max_examples=count, derandomize=True, database=None, phases=[Phase.generate])
    @given(stories())
    def draw(story: Story) -> None:
        # One seed gives the same ids again; the repository's is the first of them.
        drawn.setdefault(story.history.rest[0].body["repository"]["id"], story)

    draw()
    return list(drawn.values())


def joined(truths: Iterable[Truth]) -> Truth:
    """Return what stands when all of these histories have happened."""

    def one(mappings: Iterable[Mapping[Key, Value]]) -> dict[Key, Value]:
        return {key: value for mapping in mappings for key, value in mapping.items()}

    every = list(truths)
    return Truth(
        newest=one(truth.newest for truth in every),
        attempts=one(truth.attempts for truth in every),
        jobs=one(truth.jobs for truth in every),
        pull_requests=one(truth.pull_requests for truth in every),
    )


async def test_several_writers_end_in_what_happened(postgres: Database) -> None:
    chosen = some_stories(120)
    assert len(chosen) > 20
    parts = [await read(story.history, story.arrived, story.times) for story in chosen]
    arrived = list(itertools.chain.from_iterable(parts))
    for seed in range(ROUNDS):
        rng = Random(seed)
        await clear(postgres)
        rng.shuffle(arrived)
        # What comes twice comes to different writers.
        twice = len(arrived) // 10
        shares = [arrived[place::WRITERS] + rng.sample(arrived, twice) for place in range(WRITERS)]

        async def work(share: list[list[facts.Facts]], rng: Random) -> None:
            for batch in batches(share, rng):
                await write(postgres, list(itertools.chain.from_iterable(batch)), rng)

        await asyncio.gather(*(work(share, Random(rng.random())) for share in shares))
        assert_truth(await state_of(postgres), joined(story.history.truth for story in chosen))
        for table in ("workflow_run", "workflow_job"):
            assert await postgres.fetch(TEAMS.format(table)) == [{"strays": 0}]


def forked_run(number: int, sha: str) -> dict[str, Any]:
    """Return the body of a fork's run, which lists no pull requests."""
    body = changed(sent("workflow_run"), ("workflow_run", "id"), 10_000 + number)
    for field, value in {"head_sha": sha, "head_repository": {"id": 20}, "pull_requests": []}.items():
        body = changed(body, ("workflow_run", field), value)
    return dict(body)


def opened_from_fork(number: int, sha: str) -> dict[str, Any]:
    body = changed(sent("pull_request"), ("pull_request", "number"), number)
    return dict(changed(body, ("pull_request", "head", "sha"), sha))


async def read_body(event: str, body: dict[str, Any]) -> list[facts.Facts]:
    return await asyncio.to_thread(told, event, body, GUID)


@pytest.mark.parametrize("known_before", [True, False], ids=["known", "unheard-of"])
async def test_a_run_and_its_pull_request_at_the_same_moment(postgres: Database, known_before: bool) -> None:
    rng = Random(1)
    for number in range(1, 51):
        if not known_before:
            await clear(postgres)
        sha = f"{number:040x}"
        run = await read_body("workflow_run", forked_run(number, sha))
        pull_request = await read_body("pull_request", opened_from_fork(number, sha))
        both = [write(postgres, run, rng), write(postgres, pull_request, rng)]
        rng.shuffle(both)
        await asyncio.gather(*both)
        linked = await postgres.fetch("SELECT run_id, number FROM run_pull_request WHERE number = ?", number)
        assert linked == [{"run_id": 10_000 + number, "number": number}]


async def beside(database: Database, news: Sequence[facts.Facts], begun: asyncio.Event) -> None:
    """Write once `begun`; as a task it must be made outside of the transaction that it runs beside."""
    await begun.wait()
    await write(database, news, Random(1))


@pytest.mark.parametrize("first", ["run", "pull request"])
async def test_one_waits_for_the_other(postgres: Database, first: str) -> None:
    # Without luck: the second writer begins while the first has written and not yet committed.
    await write(postgres, await read_body("workflow_job", sent("workflow_job")), Random(1))
    sha = "a" * 40
    run = await read_body("workflow_run", forked_run(1, sha))
    pull_request = await read_body("pull_request", opened_from_fork(1, sha))
    one, two = (run, pull_request) if first == "run" else (pull_request, run)
    begun = asyncio.Event()
    second = asyncio.create_task(beside(postgres, two, begun))
    async with postgres.transaction() as tx:
        await record(tx, one, NOW)
        begun.set()
        await asyncio.sleep(0.2)
        assert not second.done()
    await second
    assert await postgres.fetch("SELECT number FROM run_pull_request") == [{"number": 1}]


async def test_an_earlier_attempt_that_waited_does_not_overwrite_the_newer(postgres: Database) -> None:
    await write(postgres, await read_body("workflow_job", sent("workflow_job")), Random(1))
    again = changed(sent("workflow_run"), ("workflow_run", "run_attempt"), 2)
    earlier, newer = await read_body("workflow_run", sent("workflow_run")), await read_body("workflow_run", again)
    begun = asyncio.Event()
    second = asyncio.create_task(beside(postgres, earlier, begun))
    async with postgres.transaction() as tx:
        await record(tx, newer, NOW)
        begun.set()
        await asyncio.sleep(0.2)
        # It looked for the newest attempt before this one is there to be seen.
        assert not second.done()
    await second
    assert await postgres.fetch("SELECT run_attempt FROM workflow_run") == [{"run_attempt": 2}]
    attempts = await postgres.fetch("SELECT run_attempt FROM workflow_run_attempt ORDER BY run_attempt")
    assert [row["run_attempt"] for row in attempts] == [1, 2]


async def test_runs_of_a_moment_ago_do_not_wait_for_runs(postgres: Database) -> None:
    await write(postgres, await read_body("workflow_job", sent("workflow_job")), Random(1))
    bodies = [forked_run(number, f"{number}" * 40) for number in (1, 2)]
    # An old one that is new to the record has its repository to itself, because of its late jobs.
    created = f"{NOW:%Y-%m-%dT%H:%M:%SZ}"
    one, two = [
        await read_body("workflow_run", changed(body, ("workflow_run", "created_at"), created)) for body in bodies
    ]
    # Both tell of one workflow, whose row only one of them can write at a time, and so it is with the commit's mark.
    two = [
        msgspec.structs.replace(fact, workflow_id=31) if isinstance(fact, facts.WorkflowRun) else fact for fact in two
    ]
    begun = asyncio.Event()
    second = asyncio.create_task(beside(postgres, two, begun))
    async with postgres.transaction() as tx:
        await record(tx, one, NOW)
        begun.set()
        await asyncio.wait_for(second, timeout=10)
    assert len(await postgres.fetch("SELECT run_id FROM workflow_run")) == 2


async def test_all_hear_of_an_installation_at_once(postgres: Database) -> None:
    for _ in range(10):
        await clear(postgres)
        bodies = []
        for number in range(WRITERS * 2):
            body = changed(sent("workflow_job"), ("repository", "id"), 50 + number)
            bodies.append(changed(body, ("workflow_job", "id"), 900 + number))
        news = [await read_body("workflow_job", body) for body in bodies]
        await asyncio.gather(*(write(postgres, each, Random(1)) for each in news))
        teams = await postgres.fetch("SELECT id, slug FROM team")
        assert [team["slug"] for team in teams] == ["octo-org"]
        assert await postgres.fetch("SELECT installation_id FROM installation") == [{"installation_id": 5}]
        found = await postgres.fetch("SELECT team_id, count(*) AS jobs FROM workflow_job GROUP BY team_id")
        assert found == [{"team_id": teams[0]["id"], "jobs": WRITERS * 2}]
