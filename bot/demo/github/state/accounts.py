"""Accounts, Apps and installations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from bot.demo.github.state.repositories import Repository

AccountType = Literal["Bot", "Organization", "User"]
Selection = Literal["all", "selected"]
Role = Literal["admin", "maintain", "write", "triage", "read", "none"]

# What each role may do that the one before it may not.
_LADDER: tuple[Role, ...] = ("none", "read", "triage", "write", "maintain", "admin")


def reaches(role: Role, wanted: Role) -> bool:
    """Tell whether a role may do all that another one may.

    https://docs.github.com/en/organizations/managing-user-access-to-your-organizations-repositories/managing-repository-roles/repository-roles-for-an-organization
    """
    return _LADDER.index(role) >= _LADDER.index(wanted)


def highest(*roles: Role) -> Role:
    """Return the one of some roles that may do the most, `none` where there are none."""
    return _LADDER[max((_LADDER.index(role) for role in roles), default=0)]


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
    """How a person belongs to an organisation: as its owner, or with a role in all of its repositories."""

    role: Role
    is_owner: bool = False


@dataclass(slots=True, eq=False)
class Hook:
    """Where an App's deliveries go (`url` None: they are made, not sent), and what they are signed with."""

    id: int
    secret: str
    url: str | None = None


@dataclass(slots=True, eq=False)
class App:
    """A registered GitHub App; `permissions` maps a resource to `read`, `write` or `admin`.

    One that is not `public` can be installed on its owner's account alone. Without callback URLs nobody can sign in.
    """

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
    hook: Hook
    client_secret: str = ""
    public: bool = True
    callback_urls: tuple[str, ...] = ()
    setup_url: str | None = None
    setup_on_update: bool = False
    request_oauth_on_install: bool = False

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
