"""Accounts, Apps and installations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from bot.demo.github.state.repositories import Repository

AccountType = Literal["Bot", "Organization", "User"]
Selection = Literal["all", "selected"]
Role = Literal["admin", "write", "read", "none"]


@dataclass(slots=True, eq=False)
class Account:
    """An organisation or a person."""

    id: int
    login: str
    type: AccountType
    name: str
    created_at: datetime

    @property
    def is_organization(self) -> bool:
        return self.type == "Organization"


@dataclass(frozen=True, slots=True)
class Membership:
    """What a person may do in the repositories of an account: in all of them, or in those whose ids are given."""

    role: Role
    repositories: frozenset[int] | None = None

    def covers(self, repository: Repository) -> bool:
        return self.repositories is None or repository.id in self.repositories


@dataclass(slots=True, eq=False)
class App:
    """A registered GitHub App; `permissions` maps a resource to `read` or `write`."""

    id: int
    slug: str
    name: str
    description: str
    owner: Account
    client_id: str
    external_url: str
    permissions: dict[str, str]
    events: tuple[str, ...]
    created_at: datetime

    def as_account(self) -> Account:
        """Return the account under which the App comments."""
        return Account(self.id, f"{self.slug}[bot]", "Bot", self.name, self.created_at)


UNASKED_EVENTS = frozenset(
    {"installation", "installation_repositories", "installation_target", "github_app_authorization", "ping"}
)


@dataclass(slots=True, eq=False)
class Installation:
    """An App on an account, with the repositories it may see (keyed by their id).

    `permissions` are those that the account has granted: what the App asks for later has to be accepted first.
    """

    id: int
    app: App
    account: Account
    repository_selection: Selection
    created_at: datetime
    updated_at: datetime
    permissions: dict[str, str]
    repositories: dict[int, Repository] = field(default_factory=dict)
    suspended_at: datetime | None = None
    suspended_by: Account | None = None
    deleted_at: datetime | None = None

    def hears(self, event: str) -> bool:
        """Tell whether deliveries of `event` are made for this installation, subscribed to or unasked."""
        if event in {"check_run", "check_suite"}:
            return self.permissions.get("checks") == "write"
        return event in self.app.events or event in UNASKED_EVENTS

    @property
    def active(self) -> bool:
        return self.suspended_at is None and self.deleted_at is None

    def sees(self, repository: Repository) -> bool:
        """Tell whether events of `repository` are delivered for this installation now."""
        return self.active and repository.id in self.repositories
