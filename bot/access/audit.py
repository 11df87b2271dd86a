"""Who did what: tokens made and revoked, teams renamed and linked, settings changed, people signing in and out."""

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from bot.store import models
from bot.store.database import Executor, current, database_errors

ActorKind = Literal["person", "token", "operator"]
LONGEST_SUBJECT = 512


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
    details: dict[str, Any] | None = None,
    tx: Executor | None = None,
) -> None:
    """Note what is done, in the transaction that does it where there is one.

    `action` is a word such as `token.created`; `details` hold no secrets. Raises DatabaseUnavailable.
    """
    with database_errors():
        await models.AuditEntry.create(
            at=now,
            team_id=team_id,
            actor_kind=actor.kind,
            actor_id=actor.id,
            actor=actor.name[:LONGEST_SUBJECT],
            action=action,
            subject=subject[:LONGEST_SUBJECT],
            details=details or {},
            using_db=(tx or current()).client,
        )


async def list_audit(team_id: int, limit: int = 100) -> list[AuditLine]:
    """Return what was done to a team's tokens and settings, the newest first. Raises DatabaseUnavailable."""
    with database_errors():
        entries = (
            await models.AuditEntry.filter(team_id=team_id).using_db(current().client).order_by("-id").limit(limit)
        )
    return [
        AuditLine(each.at, each.actor_kind, each.actor, each.action, each.subject, each.details) for each in entries
    ]
