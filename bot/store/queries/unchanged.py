"""What was found out before, given again as long as nothing at all has been committed.

`bench/lists` shows what it is worth ("asked again").
"""

from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar, cast

from bot.store.database import current, database_errors

T = TypeVar("T")


async def remember(question: Hashable, find_out: Callable[[], Awaitable[T]], size_of: Callable[[T], int]) -> T:
    """Return what `find_out` returns, or has returned for the same question where nothing was committed since.

    Dashboards ask the same over and over, mostly of a record that rests. Whether it does is known on SQLite alone. An
    answer must follow from the question and the database. Raises what `find_out` does, DatabaseUnavailable.
    """
    database = current()
    with database_errors():
        revision = database.revision
        answer = cast("T | None", database.remembered.find(question, revision))
        if answer is not None:
            return answer
        answer = await find_out()
        if revision is not None:
            # Where something was committed meanwhile, nobody finds it by this revision any more.
            database.remembered.keep(question, answer, size_of(answer), revision)
        return answer
