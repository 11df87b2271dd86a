"""Installations of the App, and who sees what by them."""

from typing import Literal

from bot.domain import ordering, payloads
from bot.domain.facts.base import Fact
from bot.domain.facts.repositories import Account, account, login_version


class Installation(Fact, frozen=True, kw_only=True):
    """An installation of the App; `version` is None where another event merely names it."""

    installation_id: int
    account: Account
    state: Literal["active", "suspended", "deleted"] = "active"
    repository_selection: str | None = None
    permissions: dict[str, str] | None = None
    events: list[str] | None = None
    version: bytes | None = None
    login_version: bytes | None = None


class SightChange(Fact, frozen=True):
    """What people see of an installation or a repository may have changed; without either, of anything."""

    installation_id: int | None = None
    repository_id: int | None = None


def installation(payload: payloads.Installation, action: str | None, seen_at: int) -> Installation:
    """Return what an `installation` event tells of the installation itself."""
    state: Literal["active", "suspended", "deleted"] = "active"
    if action == "deleted":
        state = "deleted"
    elif payload.suspended_at is not None and action != "unsuspend":
        state = "suspended"
    # REST tells when to the second, and whoever meets a suspension asks again in the same one: the answer must win.
    digest = ordering.digest(state, payload.account.login, payload.permissions, payload.events)
    tie_break = bytes([state == "suspended"]) + digest[1:]
    return Installation(
        installation_id=payload.id,
        account=account(payload.account),
        state=state,
        repository_selection=payload.repository_selection,
        permissions=payload.permissions,
        events=payload.events,
        version=ordering.entity_version(None, seen_at, tie_break, last=state == "deleted"),
        login_version=login_version(payload.account.login, seen_at),
    )
