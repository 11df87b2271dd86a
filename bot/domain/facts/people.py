"""What people want, and what they allow no longer."""

from datetime import datetime
from typing import Literal

from bot.domain import payloads
from bot.domain.facts.base import Fact, moment_of


class ActionWanted(Fact, frozen=True, kw_only=True):
    """A button pressed on a check of the App `app_id`: rerun_failed is our own, the others are GitHub's."""

    guid: str
    kind: Literal["rerun_failed", "rerequest_check", "rerequest_suite"]
    repository_id: int
    head_sha: str
    app_id: int
    sender_id: int
    sender_login: str
    wanted_at: datetime


class AuthorizationRevoked(Fact, frozen=True):
    """A person has withdrawn what they allowed the App to do in their name."""

    user_id: int
    revoked_at: datetime


def action_wanted(
    kind: Literal["rerun_failed", "rerequest_check", "rerequest_suite"],
    payload: payloads.CheckRunEvent | payloads.CheckSuiteEvent,
    guid: str,
    seen_at: int,
) -> ActionWanted | None:
    """Return what somebody wants by a button, None where the body doesn't tell of which App.

    `seen_at` is in microseconds, see `ordering.made_at`; what is delivered again was wanted when it was first.
    """
    check = payload.check_run if isinstance(payload, payloads.CheckRunEvent) else payload.check_suite
    if check.app is None:
        return None
    return ActionWanted(
        guid=guid,
        kind=kind,
        repository_id=payload.repository.id,
        head_sha=check.head_sha,
        app_id=check.app.id,
        sender_id=payload.sender.id,
        sender_login=payload.sender.login,
        wanted_at=moment_of(seen_at),
    )


def authorization_revoked(sender: payloads.Account, seen_at: int) -> AuthorizationRevoked:
    """Return that a person has withdrawn their authorization; `seen_at` is in microseconds, see `ordering.made_at`."""
    return AuthorizationRevoked(sender.id, moment_of(seen_at))
