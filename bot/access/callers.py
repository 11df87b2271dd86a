"""Whoever a credential stands for, and what they may read: of which teams, and which repositories of those."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.access.audit import Actor
from bot.store.database import current, database_errors


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks.

    `teams` are the ids of the teams they may read, each with the repositories that they see of it, or None for all of
    them. `administers` are the repositories whose settings they may change and whose history they may ask for; None
    stands for whatever they read, as for a token of the operator's. `user_id` is the person whose eyes they have, and
    `credential` names the token or the session, for limits. Until `holds_until` all of this stays true if nothing is
    recorded; None for a person, of whom GitHub may know better.
    """

    actor: Actor
    credential: str
    teams: Mapping[int, frozenset[int] | None] = field(default_factory=dict)
    administers: frozenset[int] | None = None
    user_id: int | None = None
    holds_until: datetime | None = None


# What a person sees of a suspended or deleted installation nobody can ask GitHub any more. That it is suspended may be
# known from the record or from what GitHub told the person, whichever is newer.
_INSTALLATIONS = (
    "SELECT installation.team_id FROM person_installation AS seen JOIN installation"
    " ON installation.installation_id = seen.installation_id WHERE seen.user_id = ? AND installation.state = 'active'"
    " AND NOT seen.is_suspended"
)
_REPOSITORIES = (
    "SELECT repository.team_id, repository.repository_id, seen.is_admin FROM person_repository AS seen JOIN repository"
    " ON repository.repository_id = seen.repository_id AND repository.installation_id = seen.installation_id"
    " JOIN installation ON installation.installation_id = seen.installation_id"
    " WHERE seen.user_id = ? AND repository.hidden_at IS NULL AND installation.state = 'active'"
)


async def what_is_seen(user_id: int) -> tuple[dict[int, frozenset[int] | None], frozenset[int]]:
    """Return, from the record, the teams and repositories that a person sees, and the repositories they administer.

    Raises DatabaseUnavailable.
    """
    with database_errors():
        reader = current().reader
        teams: dict[int, set[int]] = {row["team_id"]: set() for row in await reader.fetch(_INSTALLATIONS, user_id)}
        administers = set()
        for row in await reader.fetch(_REPOSITORIES, user_id):
            teams.setdefault(row["team_id"], set()).add(row["repository_id"])
            if row["is_admin"]:
                administers.add(row["repository_id"])
    return {team_id: frozenset(seen) for team_id, seen in teams.items()}, frozenset(administers)
