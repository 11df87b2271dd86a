"""A run whose snapshots tell only half of its head each is linked to a pull request all the same."""

import itertools
from datetime import UTC, datetime
from typing import TypeVar

import pytest
from msgspec.structs import replace

from bot.domain import facts
from bot.recorder import record
from bot.store.database import Database
from tests.domain.sent import sent, told
from tests.recorder.records import state_of

T = TypeVar("T")

LATER = datetime(2026, 11, 30, tzinfo=UTC)
NOTHING = {"pull_requests": (), "head_sha": None, "head_repository_id": None, "updated_at": LATER}
HEAD = {"head_sha": "5" * 40, "head_repository_id": 77}
HALVES = {"sha": {"head_sha": HEAD["head_sha"]}, "repository": {"head_repository_id": HEAD["head_repository_id"]}}


def only(kind: type[T], event: str) -> T:
    return next(fact for fact in told(event, sent(event)) if isinstance(fact, kind))


REPOSITORY, RUN = only(facts.Repository, "workflow_run"), only(facts.WorkflowRun, "workflow_run")
PULL = only(facts.PullRequest, "pull_request")


@pytest.mark.parametrize("order", list(itertools.permutations(["pull request", *HALVES])), ids=" ".join)
async def test_whatever_order_they_come_in(database: Database, order: tuple[str, ...]) -> None:
    snapshots: dict[str, facts.Facts] = {name: replace(RUN, **(NOTHING | half)) for name, half in HALVES.items()}
    snapshots["pull request"] = replace(PULL, repository_id=RUN.repository_id, **HEAD)
    # Another run, of which the same is known but for its head, is not to be taken for it.
    other = replace(RUN, run_id=RUN.run_id + 1, **(NOTHING | HEAD | {"head_sha": "6" * 40}))
    for news in [other, *map(snapshots.__getitem__, order)]:
        async with database.transaction() as tx:
            await record(tx, [REPOSITORY, news], RUN.created_at)
    (link,) = (await state_of(database))["run_pull_request"]
    expected = {"run_id": RUN.run_id, "repository_id": RUN.repository_id, "number": PULL.number}
    assert expected.items() <= link.items()
    assert link["run_created_at"] == RUN.created_at
