"""Installing the App, and everything that happens to an installation afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.operations.refusal import Refused
from bot.demo.github.state.accounts import Installation, Selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bot.demo.github.state.accounts import Account, App
    from bot.demo.github.state.repositories import Repository
    from bot.demo.github.state.world import World
    from bot.demo.github.webhooks.events import Events


class Installations:
    """Operations on installations; `sender` is whoever does it, by default the account itself."""

    def __init__(self, world: World, events: Events, app: App) -> None:
        self._world = world
        self._events = events
        self._app = app

    def install(
        self, account: Account, repositories: Iterable[Repository] | None = None, *, sender: Account | None = None
    ) -> Installation:
        """Install the App on `account` for some repositories, or (None) for all of them, those to come included."""
        if self.find(account) is not None:
            raise Refused(422, f"{self._app.name} is installed on {account.login} already")
        selection: Selection = "all" if repositories is None else "selected"
        seen = self._repositories_of(account) if repositories is None else list(repositories)
        now = self._world.now()
        number = self._world.numbers.next("installation")
        installation = Installation(
            number,
            self._app,
            account,
            selection,
            created_at=now,
            updated_at=now,
            permissions=dict(self._app.permissions),
            repositories={one.id: one for one in seen},
        )
        self._world.installations[number] = installation
        self._events.installation("created", installation, sender or account)
        return installation

    def find(self, account: Account) -> Installation | None:
        """Return the installation on `account`, suspended or not, that has not been deleted."""
        living = (one for one in self._world.installations.values() if one.deleted_at is None)
        return next((one for one in living if one.account is account), None)

    def suspend(self, installation: Installation, *, sender: Account | None = None) -> None:
        """Stop all events but those of the installation itself until it is unsuspended."""
        by = sender or installation.account
        installation.suspended_at = installation.updated_at = self._world.now()
        installation.suspended_by = by
        self._events.installation("suspend", installation, by)

    def unsuspend(self, installation: Installation, *, sender: Account | None = None) -> None:
        installation.suspended_at = installation.suspended_by = None
        installation.updated_at = self._world.now()
        self._events.installation("unsuspend", installation, sender or installation.account)

    def accept_permissions(self, installation: Installation, *, sender: Account | None = None) -> None:
        """Grant what the App asks for by now."""
        installation.permissions = dict(installation.app.permissions)
        installation.updated_at = self._world.now()
        self._events.installation("new_permissions_accepted", installation, sender or installation.account)

    def delete(self, installation: Installation, *, sender: Account | None = None) -> None:
        """Uninstall; installing again makes another installation with an id of its own."""
        installation.deleted_at = installation.updated_at = self._world.now()
        self._events.installation("deleted", installation, sender or installation.account)

    def add_repositories(
        self, installation: Installation, repositories: Sequence[Repository], *, sender: Account | None = None
    ) -> None:
        added = [one for one in repositories if one.id not in installation.repositories]
        installation.repositories.update({one.id: one for one in added})
        self._changed("added", installation, added, sender)

    def remove_repositories(
        self, installation: Installation, repositories: Sequence[Repository], *, sender: Account | None = None
    ) -> None:
        removed = [one for one in repositories if installation.repositories.pop(one.id, None) is not None]
        self._changed("removed", installation, removed, sender)

    def _changed(
        self, action: str, installation: Installation, repositories: list[Repository], sender: Account | None
    ) -> None:
        if repositories:
            installation.updated_at = self._world.now()
            self._events.installation_repositories(action, installation, repositories, sender or installation.account)

    def rename_account(self, account: Account, login: str, *, sender: Account | None = None) -> None:
        """Rename an organisation or a person: all full names change with it."""
        for repository in self._repositories_of(account):
            self._world.remember_name(repository)
        before, account.login = account.login, login
        installation = self.find(account)
        if installation is not None:
            changes = {"login": {"from": before}}
            self._events.installation_target("renamed", installation, sender or account, changes)

    def _repositories_of(self, account: Account) -> list[Repository]:
        living = (one for one in self._world.repositories.values() if one.deleted_at is None)
        return [one for one in living if one.owner is account]
