"""Who asks: nobody, the App, one of its installations, or a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from bot.demo.github.state.accounts import Account, Installation
    from bot.demo.github.state.repositories import Repository

CallerKind = Literal["nobody", "app", "installation", "user"]


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
    """A person's token for the App."""

    value: str
    user: Account
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; limits are kept by `key`."""

    kind: CallerKind
    key: str
    installation_token: InstallationToken | None = None
    user: Account | None = None
    credential: str = ""

    @property
    def installation(self) -> Installation | None:
        return None if self.installation_token is None else self.installation_token.installation


NOBODY = Caller("nobody", "nobody")


def _reaches(granted: str | None, wanted: str) -> bool:
    return granted == "write" or (granted is not None and granted == wanted)
