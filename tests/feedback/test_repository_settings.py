"""What is told of a repository is as its administrators want it, from the moment they say so."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.access import Actor, Change, change_settings
from bot.errors import NotFound
from bot.store import connected, models, queries
from bot.store.database import Database
from bot.store.queries import Scope
from tests.databases import quick
from tests.feedback.harness import Harness, harnessed
from tests.feedback.moves import finish
from tests.feedback.scenes import one_commit, pulls
from tests.feedback.shown import newest_check

MONA = Actor("person", "mona", 1)
QUOTE = "assert 3 == 4"


@pytest.fixture
async def on_sqlite(migrated_sqlite: str) -> AsyncIterator[Database]:
    async with connected(quick(migrated_sqlite)) as opened:
        yield opened


async def want(house: Harness, **wanted: bool) -> None:
    scope = await queries.get_scope("acme")
    await change_settings(scope, house.stage.repository.id, Change(**wanted), MONA, house.clock.now())


def comments(house: Harness) -> list[str]:
    return [comment.body for comment in house.github.world.comments.values()]


def checks(house: Harness) -> list[Any]:
    found = (
        newest_check(house.github, house.stage.repository, pull.head.sha)
        for pull in house.github.world.pull_requests.values()
    )
    return [check for check in found if check is not None]


async def test_without_comments_there_is_the_check_alone(on_sqlite: Database) -> None:
    async with harnessed(on_sqlite) as house:
        await want(house, comments=False)
        await house.play(one_commit.one_failure)
        assert (comments(house), [check.conclusion for check in checks(house)]) == ([], ["failure"])
        # What is wanted after all is told at once, though nothing else happens.
        await want(house, comments=True)
        await house.settle()
        assert len(comments(house)) == 1


async def test_a_muted_repository_is_told_nothing(on_sqlite: Database) -> None:
    async with harnessed(on_sqlite) as house:
        await want(house, muted=True)
        await house.play(one_commit.one_failure)
        assert (comments(house), checks(house)) == ([], [])


async def test_what_was_begun_ends_when_a_repository_is_muted(on_sqlite: Database) -> None:
    async with harnessed(on_sqlite) as house:
        await house.play(one_commit.still_running)
        assert [check.status for check in checks(house)] == ["in_progress"]
        await want(house, muted=True)
        for run in list(house.github.world.runs.living.values()):
            if run.status != "completed":
                await finish(house, run)
        await house.settle()
        assert [check.status for check in checks(house)] == ["completed"]


async def test_without_excerpts_nothing_of_a_log_is_quoted(on_sqlite: Database) -> None:
    async with harnessed(on_sqlite) as house:
        await house.play(one_commit.one_failure)
        (check,), (comment,) = checks(house), comments(house)
        assert QUOTE in check.summary
        assert QUOTE in comment
        await want(house, excerpts=False)
        await house.settle()
        (check,), (comment,) = checks(house), comments(house)
        for text in (check.summary, comment):
            assert QUOTE not in text
            assert "```" not in text
            assert "tests/test_transfer.py::test_resumes" in text


async def test_drafts_are_commented_on_where_that_is_wanted(on_sqlite: Database) -> None:
    async with harnessed(on_sqlite) as house:
        await want(house, drafts=True)
        await house.play(pulls.draft)
        assert len(comments(house)) == 1


async def test_a_change_is_noted_once_and_what_is_not_mine_can_not_be_changed(database: Database) -> None:
    async with harnessed(database) as house:
        await want(house, muted=True)
        await want(house, muted=True)
        entries = await models.AuditEntry.all(using_db=database.client)
        assert [(each.actor, each.action, each.subject, each.details) for each in entries] == [
            ("mona", "settings.changed", "acme/rocket", {"muted": True})
        ]
        scope = await queries.get_scope("acme")
        reader = Scope(scope.team_id, scope.slug, frozenset({house.stage.repository.id}), frozenset())
        with pytest.raises(NotFound):
            await change_settings(reader, house.stage.repository.id, Change(muted=False), MONA, house.clock.now())
        assert (await queries.get_repository_settings(reader, house.stage.repository.id)).muted
