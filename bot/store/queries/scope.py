"""Which part of the record a question is about: one team's, and of that maybe only some repositories."""

from msgspec import Struct

from bot.domain.texts import is_storable
from bot.errors import NotFound
from bot.store.conversation import Conversation, Question
from bot.store.database import current, database_errors
from bot.store.queries.conditions import Condition, Lead

# Python refuses to read a number of some thousand digits.
_LONGEST_ID = 100
# Of so many repositories the rows are merged by the database, each one's in their order.
MOST_MERGED = 8


class Scope(Struct, frozen=True):
    """A team, the repositories that may be seen of it, and those that may be changed; None stands for all of them."""

    team_id: int
    slug: str
    repositories: frozenset[int] | None = None
    administered: frozenset[int] | None = None

    def to_change(self) -> "Scope":
        """Return the part of this scope that may be changed: the rest is to it as what is not there."""
        if self.administered is None:
            return self
        both = self.administered if self.repositories is None else self.administered & self.repositories
        return Scope(self.team_id, self.slug, both, both)


async def find_scope(team: str | int) -> Scope | None:
    """Return the scope of a whole team by its slug or id, or None where there is no such team."""
    text = str(team)
    if not is_storable(text):
        return None
    # One question for all, so that nobody learns from their number which slugs there are.
    with database_errors():
        rows = await current().glance("SELECT id, slug FROM team WHERE slug = ? OR id = ?", text.lower(), _id_in(text))
    # Only a slug that is nobody's is read as an id, so that a team called "42" can be asked for.
    found = next((row for row in rows if row["slug"] == text.lower()), rows[0] if rows else None)
    return None if found is None else Scope(found["id"], found["slug"])


def _id_in(text: str) -> int:
    """Return the id that a text is, or 0, which no team has."""
    is_id = text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID and int(text) < 2**31
    return int(text) if is_id else 0


async def get_scope(team: "str | int | Scope") -> Scope:
    """Return the scope of `team`.

    Raises NotFound where there is no such team.
    """
    if isinstance(team, Scope):
        return team
    scope = await find_scope(team)
    if scope is None:
        message = "there is no such team"
        raise NotFound(message)
    return scope


async def repositories_named(scope: Scope, full_name: str | None, installation_id: int | None = None) -> list[int]:
    """Return the ids of the scope's visible repositories that have, or had, this name and are of this installation."""
    return await current().reader.converse(named_repositories(scope, full_name, installation_id))


def named_repositories(
    scope: Scope, full_name: str | None, installation_id: int | None = None
) -> Conversation[list[int]]:
    """Find out what `repositories_named` returns."""
    condition = Condition()
    condition.add("repository.team_id = ? AND repository.hidden_at IS NULL", scope.team_id)
    condition.add_equal("repository.installation_id", installation_id)
    if full_name is not None:
        condition.add(
            "repository.repository_id IN (SELECT repository_id FROM repository_name WHERE name = ?)", full_name.lower()
        )
    sql = f"SELECT repository_id, full_name FROM repository WHERE {condition.sql}"
    rows = yield Question(sql, condition.parameters)
    # A name that was given up and taken again means the one who has it now.
    named_so_now = [row for row in rows if full_name and row[1].lower() == full_name.lower()]
    found = [repository_id for repository_id, _ in named_so_now or rows]
    return [each for each in found if scope.repositories is None or each in scope.repositories]


async def scopes_that_name(full_name: str) -> list[Scope]:
    """Return the whole teams that see a repository which has this name, or, where none has, had it once."""
    rows = await current().reader.fetch(
        "SELECT team.id, team.slug, repository.full_name FROM repository_name AS name"
        " JOIN repository ON repository.repository_id = name.repository_id AND repository.hidden_at IS NULL"
        " JOIN team ON team.id = repository.team_id WHERE name.name = ? ORDER BY team.slug",
        full_name.lower(),
    )
    named_so_now = [row for row in rows if row["full_name"].lower() == full_name.lower()]
    slugs = {row["id"]: row["slug"] for row in named_so_now or rows}
    return [Scope(team_id, slug) for team_id, slug in slugs.items()]


def add_visible(
    condition: Condition, scope: Scope, table: str, full_name: str | None, installation_id: int | None
) -> Conversation[bool]:
    """Ask that a row of `table` is of a visible repository of the scope; return False where there can be none."""
    condition.add(f"{table}.team_id = ?", scope.team_id)
    if full_name is None and installation_id is None and scope.repositories is None:
        sql = "SELECT repository_id FROM repository WHERE team_id = ? AND hidden_at IS NOT NULL"
        hidden = yield Question(sql, (scope.team_id,))
        if hidden:
            condition.add_among(f"{table}.repository_id", [row[0] for row in hidden], excluded=True)
        return True
    repositories = yield from named_repositories(scope, full_name, installation_id)
    if len(repositories) <= MOST_MERGED:
        condition.narrow(Lead.REPOSITORY, *((f"{table}.repository_id = ?", (each,)) for each in repositories))
    else:
        condition.narrow_to_many(f"{table}.repository_id", repositories)
    return bool(repositories)
