"""Comments on the conversation of a pull request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from bot.demo.github.state.accounts import Account, App
    from bot.demo.github.state.repositories import PullRequest


@dataclass(slots=True, eq=False)
class IssueComment:
    """A comment; `app` is the App that wrote it, if one did."""

    id: int
    pull: PullRequest
    user: Account
    body: str
    created_at: datetime
    updated_at: datetime
    app: App | None = None
