"""GitHub Enterprise Server has its API below a path; pages and redirects lead there as well."""

from datetime import timedelta

from bot.history import ask_for_backfill
from bot.store import queries
from bot.store.database import Database
from tests.demo.stage import finish_run
from tests.history.house import housed


async def test_history_is_fetched_from_an_enterprise_server(database: Database) -> None:
    async with housed(database, api_path="/api/v3") as house:
        stage, actions = house.stage, house.github.actions
        house.add_past(110, days=5)
        run = actions.start_run_for(stage.open(), stage.workflow)
        finish_run(stage, run, "unit")
        actions.rerun(run, stage.person)
        finish_run(stage, run)
        await house.clock.advance(3600)
        # The record has the old name still, from which GitHub leads on by the repository's number.
        house.github.repositories.rename(stage.repository, "launcher")
        scope, now = await queries.get_scope(house.team), house.clock.now()
        await ask_for_backfill(scope, "acme/rocket", now - timedelta(days=20), None, now)
        await house.catch_up(step=20)
        found = [each for each in await house.differences() if not each.startswith("repository of")]
        assert found == []
        calls = house.github.rest.ledger.calls
        assert all(call.operation and call.status in {200, 201, 301} for call in calls)
        assert any(call.path.startswith("/repositories/") for call in calls)
