"""`repository`: created, renamed, transferred, archived, made public or private, deleted.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#repository
"""

from typing import Any

from gidgethub import routing, sansio
from msgspec import Struct

from bot.domain import facts, payloads
from bot.domain.news import News

router = routing.Router()

# Whoever saw it before may see it no more, or under another installation.
_SEEN_BY_OTHERS = frozenset({"deleted", "privatized", "publicized", "renamed", "transferred"})


class OldValue(Struct, rename={"before": "from"}):
    before: payloads.PartOfName


class NameChange(Struct):
    name: OldValue | None = None


class OldOwner(Struct):
    user: payloads.Account | None = None
    organization: payloads.Account | None = None


class OwnerChange(Struct, rename={"before": "from"}):
    before: OldOwner


class Changes(Struct):
    repository: NameChange | None = None
    owner: OwnerChange | None = None


class RepositoryChangeEvent(payloads.RepositoryEvent, kw_only=True):
    changes: Changes | None = None


@router.register("repository")
async def handle_repository(event: sansio.Event, news: News) -> None:
    """Record the repository's name, owner and state; what it was called before still finds it."""
    payload = payloads.parse(event.data, RepositoryChangeEvent)
    installation_id = payload.installation.id if payload.installation else None
    told: dict[str, Any] = {"hidden": payload.action == "deleted", "past_name": past_name(payload)}
    news.told += [facts.repository(payload.repository, installation_id, news.seen_at, announced=True, **told)]
    if payload.action in _SEEN_BY_OTHERS:
        news.told.append(facts.SightChange(repository_id=payload.repository.id))


def past_name(payload: RepositoryChangeEvent) -> str | None:
    """Return the full name that the repository had before a rename or a transfer."""
    owner, name = payload.repository.owner.login, payload.repository.full_name.partition("/")[2]
    changes = payload.changes
    if changes is None:
        return None
    if changes.repository and changes.repository.name:
        return f"{owner}/{changes.repository.name.before}"
    if changes.owner:
        before = changes.owner.before.user or changes.owner.before.organization
        return f"{before.login}/{name}" if before else None
    return None
