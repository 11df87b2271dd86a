"""A run belongs to the pull requests of any attempt's head: a re-run tells none where the fork is deleted by then."""

import asyncio
import itertools
from collections.abc import Iterable, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.domain import facts
from bot.recorder import linking_by_branch, record
from bot.store import connected
from bot.store.conversation import Conversation
from bot.store.database import Database, Transaction
from tests.recorder.arrived import batches, calm
from tests.recorder.records import clear
from tests.recorder.test_halves_of_a_head import PULL, REPOSITORY, RUN

EXAMPLES = 150
SHA, OTHER_SHA = "5" * 40, "6" * 40
FORK, OTHER_FORK = 77, 78
Told = list[facts.Facts]


def attempt(number: int, head_repository_id: int | None, *, told: int = 0, run_id: int = RUN.run_id) -> facts.Facts:
    """Return the `told`-th snapshot of an attempt."""
    head = {"head_sha": SHA, "head_repository_id": head_repository_id, "pull_requests": ()}
    return replace(RUN, run_id=run_id, run_attempt=number, **head, version=bytes([number, told]))


def pull(number: int, sha: str, head_repository_id: int) -> facts.Facts:
    head = {"head_sha": sha, "head_repository_id": head_repository_id}
    return replace(PULL, repository_id=RUN.repository_id, number=number, **head)


async def links_after(database: Database, news: Iterable[Sequence[facts.Facts]]) -> set[tuple[int, int]]:
    await clear(database)
    for together in news:

        async def recording(tx: Transaction, told: Sequence[facts.Facts] = together) -> None:
            await record(tx, [REPOSITORY, *told], RUN.created_at)

        await database.transact(recording)
    rows = await database.fetch("SELECT run_id, number FROM run_pull_request")
    return {(row["run_id"], row["number"]) for row in rows}


FIRST, AGAIN, HEAD = attempt(1, FORK), attempt(2, None), pull(4, SHA, FORK)
WAYS = [
    *([[each] for each in order] for order in itertools.permutations((FIRST, AGAIN, HEAD))),
    *([[*order[:2]], [order[2]]] for order in itertools.permutations((FIRST, AGAIN, HEAD))),
    *([[order[0]], [*order[1:]]] for order in itertools.permutations((FIRST, AGAIN, HEAD))),
    [[FIRST, AGAIN, HEAD]],
]


async def test_a_fork_deleted_before_a_re_run_in_any_order_and_in_any_batches(database: Database) -> None:
    found = [await links_after(database, way) for way in WAYS]
    assert found == [{(RUN.run_id, 4)}] * len(WAYS)


async def test_halves_of_an_earlier_attempts_head_find_together(database: Database) -> None:
    halves = [replace(attempt(1, FORK), head_sha=None), attempt(1, None, told=1)]
    for order in itertools.permutations([HEAD, AGAIN, *halves]):
        assert await links_after(database, [[each] for each in order]) == {(RUN.run_id, 4)}


async def test_the_branch_of_an_earlier_attempt_tells_what_was_open_on_it(database: Database) -> None:
    attempts = [replace(each, event="pull_request") for each in (FIRST, AGAIN)]
    assert await links_after(database, [[pull(4, OTHER_SHA, FORK), pull(5, OTHER_SHA, OTHER_FORK), *attempts]]) == set()
    await database.converse(linking([RUN.run_id]))
    assert [row["number"] for row in await database.fetch("SELECT number FROM run_pull_request")] == [4]


def linking(run_ids: Sequence[int]) -> Conversation[None]:
    yield linking_by_branch(run_ids)


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[Told], set[tuple[int, int]]]:
    """Draw runs, pull requests of some of their heads, how all of it arrives, and what belongs to what."""
    rng = Random(draw(st.integers(0, 2**32 - 1)))
    forks = st.sampled_from((None, FORK, OTHER_FORK))
    runs = draw(st.lists(st.lists(st.lists(forks, min_size=1, max_size=2), min_size=1, max_size=3), max_size=2))
    pulls = draw(st.lists(st.tuples(st.sampled_from((SHA, SHA, OTHER_SHA)), st.sampled_from((FORK, OTHER_FORK)))))
    told, belongs = [pull(number, *head) for number, head in enumerate(pulls)], set()
    for run_id, attempts in enumerate(runs, 1):
        for number, snapshots in enumerate(attempts, 1):
            # What an attempt has told once does not change, it is only left out.
            fork = next(filter(None, snapshots), None)
            shown = [None if each is None else fork for each in snapshots]
            told += [attempt(number, each, told=time, run_id=run_id) for time, each in enumerate(shown)]
            belongs |= {(run_id, at) for at, head in enumerate(pulls) if head == (SHA, fork)}
    arrived = draw(st.permutations(told + rng.choices(told, k=rng.randrange(3)) if told else told))
    return [list(each) for each in batches(arrived, rng)], belongs


@pytest.mark.timeout(300)
def test_every_order_and_every_batch_ends_in_the_same_links(quick_url: str) -> None:
    with asyncio.Runner() as runner:
        opened = connected(quick_url)
        database = runner.run(opened.__aenter__())

        @settings(calm, max_examples=EXAMPLES)
        @given(lives())
        def check(life: tuple[list[Told], set[tuple[int, int]]]) -> None:
            arrived, belongs = life
            assert runner.run(links_after(database, arrived)) == belongs

        try:
            check()
        finally:
            runner.run(opened.__aexit__(None, None, None))
