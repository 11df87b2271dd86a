"""What goes wrong while GitHub is asked what an installation sees."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot import history
from bot.demo.github.rest.answers import Answer
from bot.demo.github.rest.faults import RateLimited, ServerError
from bot.demo.github.rest.ledger import Call
from bot.github.errors import GitHubUnavailable, NotFound
from bot.history import opened, sync_installation
from bot.history.installations import EVERY, LATER
from tests.history.house import settings_for
from tests.history.settled import Settled, is_about, name_of, renames, suspends, uninstalls
from tests.history.town import REPOSITORIES, Town


@pytest.mark.parametrize("happens", [suspends, uninstalls], ids=name_of)
async def test_it_ends_between_two_questions(town: Town, settled: Settled, happens: Callable[[Settled], None]) -> None:
    def end(call: Call, _: Answer) -> None:
        if call.operation == "apps/get-installation":
            town.github.rest.on_answer = None
            happens(settled)

    town.github.rest.on_answer = end
    await town.pass_time()
    await town.while_time_passes(sync_installation(town.tools, settled.acme.id))
    assert await town.directory() == town.truth()
    assert (await town.row(settled.acme))["state"] == ("suspended" if happens is suspends else "deleted")


async def test_a_deleted_one_is_not_asked_for_again(town: Town, settled: Settled) -> None:
    uninstalls(settled)
    await town.pass_time()
    await sync_installation(town.tools, settled.acme.id)
    asked = town.github.rest.ledger.counts["apps/get-installation"]
    await town.find()
    assert town.github.rest.ledger.counts["apps/get-installation"] == asked
    await town.pass_time(EVERY.total_seconds())
    assert await history.due_installations(town.clock.now()) == [settled.globex.id]


async def test_an_installation_that_github_loses_sight_of_for_a_moment(town: Town, settled: Settled) -> None:
    settled.acme.deleted_at = town.clock.now()
    await town.find()
    assert settled.acme.id not in (await town.directory())["installations"]
    settled.acme.deleted_at = None
    await town.sync()
    assert await town.directory() == town.truth()


async def test_nothing_is_deleted_because_github_does_not_know_the_app(
    town: Town, settled: Settled, caplog: pytest.LogCaptureFixture
) -> None:
    right = settings_for(town.github, town.github.world.addresses.api)
    wrong = right.model_copy(update={"app_id": 1})
    async with opened(wrong, town.database, town.clock) as tools:
        await sync_installation(tools, settled.acme.id)
        with pytest.raises(NotFound):
            await history.find_installations(tools)
    assert await town.directory() == town.truth()
    assert await town.due_in(settled.acme) == LATER
    assert "an installation can't be synced" in caplog.text


async def test_an_installation_on_an_enterprise_is_passed_over(
    town: Town, settled: Settled, caplog: pytest.LogCaptureFixture
) -> None:
    enterprise = {"id": 9, "slug": "conglomerate", "name": "Conglomerate"}

    def upend(call: Call, answer: Answer) -> None:
        listed = answer.body if call.operation == "apps/list-installations" else [answer.body]
        for each in listed:
            if each.get("id") == settled.acme.id:
                each["account"] = enterprise

    town.github.rest.on_answer = upend
    renames(settled)
    assert await town.find() == 2
    await sync_installation(town.tools, settled.acme.id)
    assert "GitHub lists what can't be recorded: Installation" in caplog.text
    row = await town.row(settled.acme)
    assert (row["state"], row["account_login"]) == ("active", "acme")
    assert await town.due_in(settled.acme) == EVERY


async def test_github_is_away(town: Town, settled: Settled) -> None:
    town.github.rest.scripted_faults.add(ServerError(), operation="apps/get-installation", times=None)
    with pytest.raises(GitHubUnavailable):
        await town.while_time_passes(sync_installation(town.tools, settled.acme.id))
    assert is_about(await town.due_in(settled.acme), LATER)


async def test_a_budget_that_is_used_up_is_not_waited_for(town: Town, settled: Settled) -> None:
    town.github.rest.scripted_faults.add(RateLimited(403, reset_in=1800), operation=REPOSITORIES)
    await sync_installation(town.tools, settled.acme.id)
    assert is_about(await town.due_in(settled.acme), timedelta(minutes=30))
