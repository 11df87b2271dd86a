"""Questions and writes that follow from one another, without saying how they travel.

A conversation is a generator: it yields questions, is sent their rows, and returns what it has found out; what it has
to write it yields as well. The database answers it in the way that is cheapest there: on SQLite all of it in one turn
of the connection's thread, where a turn for each question would cost more than the questions. `bench/ingest` shows what
it is worth.
"""

from collections.abc import Generator, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from bot.settings import Dialect
from bot.store.writes import Write

T = TypeVar("T")

Rows = Sequence[Sequence[Any]]


class Question(NamedTuple):
    """SQL with `?` for each of its parameters; the rows of its answer have no names, only the order asked for."""

    sql: str
    parameters: Sequence[Any] = ()


# Databases take some thirty thousand at the most, be it for an organisation with as many repositories.
MOST_PARAMETERS = 1000


class Among(NamedTuple):
    """A question about many: `{among}` after a column says that it is one of `values`, which are the last parameter.

    However many they are, the text is the same, so that PostgreSQL plans it once: with a parameter for each it took
    longer to find a hundred than to record them. `bench/backfill` shows what it is worth.
    """

    sql: str
    values: Sequence[int] | Sequence[str]
    parameters: Sequence[Any] = ()


Step = Question | Among | Write
Conversation = Generator[Step, Rows, T]


def lock_timeout(dialect: Dialect, longest: str) -> Conversation[None]:
    """Let the rest of the transaction wait no longer for a lock than that, as in `600ms`; on PostgreSQL only."""
    if dialect is Dialect.POSTGRESQL:
        yield Question("SELECT set_config('lock_timeout', ?, true)", (longest,))


def written(writes: Iterable[Write]) -> Conversation[None]:
    """Say nothing but what is to be written."""
    yield from writes


def one_of(sql: str, values: Sequence[int] | Sequence[str]) -> Question | Among:
    """Ask about many as `Among` does, or about some with a parameter for each, which SQLite reads in less time."""
    if len(values) > MOST_PARAMETERS:
        return Among(sql, values)
    asked: Sequence[int | str] = padded(values)
    return Question(sql.format(among=f"IN ({', '.join('?' * len(asked))})"), asked)


def padded(values: Sequence[T]) -> Sequence[T]:
    """Return these values, the last of them repeated up to a power of two, for an IN of which few texts are planned."""
    if not values:
        return values
    size = 1 << (len(values) - 1).bit_length()
    return [*values, *([values[-1]] * (size - len(values)))]
