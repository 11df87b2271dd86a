"""Who did what: tokens made and revoked, teams renamed and linked, settings changed, people signing in and out."""

import json
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from bot.store import models
from bot.store.database import Executor, current, database_errors, to_moment
from bot.store.queries.conditions import Condition
from bot.store.queries.scope import Scope
from bot.store.queries.teams import administers_all

ActorKind = Literal["person", "token", "operator"]
LONGEST_SUBJECT = 512
_COLUMNS = "at, actor_kind, actor, action, subject, details"


class Actor(Struct, frozen=True):
    """Who does something: a person by GitHub's id and login, a token by our id and its name, or an operator."""

    kind: ActorKind
    name: str
    id: int | None = None


OPERATOR = Actor("operator", "operator")


class AuditLine(Struct):
    """What was done, as it is shown."""

    at: datetime
    actor_kind: str
    actor: str
    action: str
    subject: str
    details: dict[str, Any]


async def note(
    actor: Actor,
    action: str,
    subject: str,
    now: datetime,
    *,
    team_id: int | None = None,
    repository_id: int | None = None,
    details: dict[str, Any] | None = None,
    tx: Executor | None = None,
) -> None:
    """Note what is done, in the transaction that does it where there is one.

    `action` is a word such as `token.created`; `details` hold no secrets. What names a repository must say which it is,
    so that nobody reads of one that they don't see. Raises DatabaseUnavailable.
    """
    with database_errors():
        await models.AuditEntry.create(
            at=now,
            team_id=team_id,
            repository_id=repository_id,
            actor_kind=actor.kind,
            actor_id=actor.id,
            actor=actor.name[:LONGEST_SUBJECT],
            action=action,
            subject=subject[:LONGEST_SUBJECT],
            details=details or {},
            using_db=(tx or current()).client,
        )


async def list_audit(scope: Scope, reader: Actor, limit: int = 100) -> list[AuditLine]:
    """Return what was done under a team, as far as `reader` may know of it, the newest first.

    That is what is about repositories of the scope, and what they did themselves. The rest, such as others' tokens, is
    for those from whom nothing of the team is hidden: who administer all of it. Raises DatabaseUnavailable.
    """
    condition = Condition()
    condition.add("team_id = ?", scope.team_id)
    with database_errors():
        if scope.repositories is not None:
            _add_known(condition, scope, reader, knows_all=await administers_all(scope))
        rows = await current().reader.fetch(
            f"SELECT {_COLUMNS} FROM audit_entry WHERE {condition.sql} ORDER BY id DESC LIMIT ?",
            *condition.parameters,
            limit,
        )
    return [AuditLine(**row | {"at": to_moment(row["at"]), "details": _details(row["details"])}) for row in rows]


def _add_known(condition: Condition, scope: Scope, reader: Actor, *, knows_all: bool) -> None:
    about = Condition()
    about.add_among("repository_id", sorted(scope.repositories or ()))
    others = "TRUE" if knows_all else "actor_kind = ? AND actor_id = ?"
    who = [] if knows_all else [reader.kind, reader.id]
    condition.add(f"({about.sql} OR repository_id IS NULL AND {others})", *about.parameters, *who)


def _details(kept: Any) -> dict[str, Any]:
    # Either database gives JSON back as the text that it is.
    details: dict[str, Any] = json.loads(kept) if isinstance(kept, str | bytes) else kept
    return details
