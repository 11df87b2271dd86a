"""Who asks: nobody, an App by its key or by its client secret, one of its installations, or a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from bot.demo.github.state.accounts import Account, App, Installation
    from bot.demo.github.state.repositories import Repository

CallerKind = Literal["nobody", "app", "client", "installation", "user"]


@dataclass(frozen=True, slots=True, eq=False)
class InstallationToken:
    """A token of an installation, perhaps narrowed to some permissions and repositories (by id)."""

    value: str
    installation: Installation
    made_at: datetime
    expires_at: datetime
    permissions: dict[str, str]
    repositories: frozenset[int] | None = None

    def grants(self, resource: str, access: str) -> bool:
        """Tell whether it allows `access` (read or write) to a resource; what was granted later does not count."""
        return _reaches(self.permissions.get(resource), access) and _reaches(
            self.installation.permissions.get(resource), access
        )

    def reaches(self, repository: Repository) -> bool:
        narrowed = self.repositories is None or repository.id in self.repositories
        return narrowed and repository.id in self.installation.repositories


@dataclass(frozen=True, slots=True, eq=False)
class UserToken:
    """A person's token for an App."""

    value: str
    app: App
    user: Account
    made_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and the App that they ask as or through; limits are kept by `key`."""

    kind: CallerKind
    key: str
    app: App | None = None
    installation_token: InstallationToken | None = None
    user: Account | None = None
    credential: str = ""

    @property
    def installation(self) -> Installation | None:
        return None if self.installation_token is None else self.installation_token.installation


NOBODY = Caller("nobody", "nobody")


def allows(permissions: dict[str, str], need: str) -> bool:
    """Tell whether permissions allow what is needed, like `actions:read`."""
    resource, _, access = need.partition(":")
    return _reaches(permissions.get(resource), access)


def _reaches(granted: str | None, wanted: str) -> bool:
    return granted in {"write", "admin"} or (granted is not None and granted == wanted)
