"""Pull requests of which a delivery was lost: GitHub is asked how they stand before anything is said on them."""

from datetime import timedelta

from cachetools import TTLCache

from bot.clock import Clock
from bot.domain import facts, ordering, payloads
from bot.errors import MalformedPayload
from bot.feedback.commits import Commit, Place, find_pull_request
from bot.feedback.tools import Tools
from bot.github import Client, pulls
from bot.github.errors import GitHubUnavailable
from bot.recorder import Marks, record, repository_as_known
from bot.store import models

ASKED_AGAIN_AFTER = timedelta(minutes=10)
MOST_REMEMBERED = 10_000


class Asked:
    """Which pull requests GitHub was asked about of late, and for which commit, so that it is not asked in vain."""

    def __init__(self, clock: Clock) -> None:
        self._asked: TTLCache[tuple[int, int, str], bool] = TTLCache(
            MOST_REMEMBERED, ASKED_AGAIN_AFTER.total_seconds(), timer=clock.time
        )

    def is_new(self, repository_id: int, number: int, sha: str) -> bool:
        """Tell whether it has not been asked for, which it is from now on."""
        key = (repository_id, number, sha)
        is_new = key not in self._asked
        self._asked[key] = True
        return is_new


async def ask_for_untold(tools: Tools, client: Client, commit: Commit, asked: Asked) -> bool:
    """Ask for the pull requests that a commit's runs name and of which nothing told that it is their head.

    Returns whether the record knows more than before: then the commit is due anew. Raises a GitHubError.
    """
    news = False
    for number in commit.untold:
        if asked.is_new(commit.place.repository_id, number, commit.sha):
            news |= await refresh(tools, client, commit.place, number)
    return news


async def refresh(tools: Tools, client: Client, place: Place, number: int) -> bool:
    """Record how a pull request stands, and return whether that was not known. Raises a GitHubError.

    So it does, too, where the name that the repository had is another's by now.
    """
    before = await find_pull_request(tools.database.reader, place.repository_id, number)
    answer = await pulls.get_pull_request(client, place.full_name, number)
    try:
        told = payloads.read(answer.data, payloads.PullRequest)
    except MalformedPayload:
        return False
    if told.base.repo is not None and told.base.repo.id != place.repository_id:
        message = f"{place.full_name} is another repository's name by now"
        raise GitHubUnavailable(message, maybe_taken=False)
    fact = facts.pull_request(told, place.repository_id, ordering.microseconds(answer.date))
    repository = await models.Repository.get(repository_id=place.repository_id, using_db=tools.database.client)
    async with tools.database.transaction() as tx:
        news: list[facts.Facts] = [repository_as_known(repository), fact]
        await record(tx, news, tools.clock.now(), marks=Marks.IF_NEW)
    return before != await find_pull_request(tools.database, place.repository_id, number)
