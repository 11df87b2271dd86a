"""A report that was just made is used again only for a commit that stands as it did."""

import msgspec

from bot.feedback import Publisher, Tools
from bot.feedback.commits import read_commit, while_unsettled
from bot.feedback.reporting import Reporter
from bot.store.database import Database
from tests.feedback.harness import harnessed
from tests.feedback.moves import finish, push_to_main, start


async def test_what_is_still_waited_for_is_reported_apart_from_what_is_not(database: Database) -> None:
    made: list[Tools] = []

    def keeping(tools: Tools) -> Publisher:
        made.append(tools)
        return Publisher(tools)

    async with harnessed(database, publisher=keeping) as house:
        await push_to_main(house)
        pull = house.stage.open()
        (run,) = start(house, pull)
        await finish(house, run)
        await house.passes(60)
        reporter = Reporter(made[0])
        (row,) = await database.fetch("SELECT repository_id FROM check_summary WHERE head_sha = ?", pull.head.sha)
        place = await reporter.place(row["repository_id"])
        assert place is not None
        commit = await read_commit(database.reader, place, pull.head.sha)
        waiting = msgspec.structs.replace(while_unsettled(commit), unsettled=commit.runs)
        first = await reporter.report(waiting, 1)
        assert await reporter.report(waiting, 1) is first
        assert await reporter.report(commit, 1) is not first
