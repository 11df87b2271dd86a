"""Making on GitHub what must not be made twice: a row says that it may be there from the moment that it is asked for.

GitHub may do what it was asked to when whoever asked is gone, or waits no more. Until that can't be any longer nothing
is made in its place.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from bot.domain.facts import NO_TIME
from bot.domain.feedback.pacing import Plan, Urgency
from bot.feedback.rows import Row, put_off
from bot.feedback.tools import Tools
from bot.github import Answer, Json
from bot.github.errors import GitHubError, GitHubUnavailable
from bot.github.exchange import Sending

MAY_COME_LATE = timedelta(seconds=90)
"""GitHub ends what takes it ten seconds; what stands between, and clocks that differ, may add to that.

https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#timeouts
"""


async def make(tools: Tools, row: Row, post: Callable[[Sending], Awaitable[Answer[Json]]]) -> int:
    """Let `post` make a comment or a check run, and return its id. Raises a GitHubError.

    With whatever `post` is given to do right before it sends, the row says since when one may be there.
    """
    try:
        answer = await post(lambda: _note(tools, row, tools.clock.now()))
    except GitHubError as error:
        if not isinstance(error, GitHubUnavailable) or not error.maybe_taken:
            await _note(tools, row, None)
        elif not error.maybe_later:
            # It is there or never will be, so that nobody has to wait before looking.
            await _note(tools, row, tools.clock.now() - MAY_COME_LATE)
        raise
    return int(answer.data["id"])


async def _note(tools: Tools, row: Row, since: datetime | None) -> None:
    await tools.database.execute(f"UPDATE {row.table} SET creating_since = ? WHERE id = ?", since, row.id)


async def wait_for_late(tools: Tools, row: Row, urgency: Urgency) -> bool:
    """Let a row wait while what was begun, and is not there, may still come; return whether it may."""
    until = (row.creating_since or NO_TIME) + MAY_COME_LATE
    if until <= tools.clock.now():
        return False
    await put_off(tools.database, row, Plan(urgency, until))
    return True
