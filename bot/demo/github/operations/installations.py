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

    def __init__(self, world: World, events: Events) -> None:
        self._world = world
        self._events = events

    def install(
        self,
        account: Account,
        repositories: Iterable[Repository] | None = None,
        *,
        app: App | None = None,
        sender: Account | None = None,
    ) -> Installation:
        """Install an App (by default the newest) on `account` for some repositories.

        With None it is for all of them, those to come included.
        """
        app = app or self._world.app
        if self.find(account, app=app) is not None:
            raise Refused(422, f"{app.name} is installed on {account.login} already")
        selection: Selection = "all" if repositories is None else "selected"
        seen = self.repositories_of(account) if repositories is None else list(repositories)
        now = self._world.now()
        number = self._world.numbers.next("installation")
        installation = Installation(
            number,
            app,
            account,
            selection,
            created_at=now,
            updated_at=now,
            permissions=dict(app.permissions),
            repositories={one.id: one for one in seen},
        )
        self._world.installations[number] = installation
        self._events.installation("created", installation, sender or account)
        return installation

    def on(self, account: Account) -> list[Installation]:
        """Return the installations of all Apps on `account`, suspended or not, that have not been deleted."""
        living = (one for one in self._world.installations.values() if one.deleted_at is None)
        return [one for one in living if one.account is account]

    def find(self, account: Account, *, app: App | None = None) -> Installation | None:
        """Return that of one App, by default the newest."""
        wanted = app or self._world.app
        return next((one for one in self.on(account) if one.app is wanted), None)

    def may_install(self, person: Account, app: App) -> list[Account]:
        """Return the accounts on which a person may install an App: their own, and organisations.

        Of an organisation they have to be an owner, or administer a repository; an App that is not public can be
        installed on its owner's account alone.
        https://docs.github.com/en/apps/using-github-apps/installing-a-github-app-from-a-third-party
        """
        accounts = [one for one in self._world.accounts.values() if app.public or one is app.owner]
        return [one for one in accounts if self.offered(person, one) or self._world.owns(person, one)]

    def offered(self, person: Account, account: Account) -> list[Repository]:
        """Return the repositories of an account for which a person may install Apps."""
        every = self.repositories_of(account)
        return [one for one in every if self._world.explicit_role_of(person, one) == "admin"]

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

    def select(
        self, installation: Installation, repositories: Sequence[Repository] | None, *, sender: Account | None = None
    ) -> None:
        """Let an installation see these repositories and no others, or (None) all, those to come included."""
        installation.repository_selection = "all" if repositories is None else "selected"
        wanted = self.repositories_of(installation.account) if repositories is None else repositories
        kept = {one.id for one in wanted}
        self.add_repositories(installation, wanted, sender=sender)
        gone = [one for number, one in installation.repositories.items() if number not in kept]
        self.remove_repositories(installation, gone, sender=sender)

    def _changed(
        self, action: str, installation: Installation, repositories: list[Repository], sender: Account | None
    ) -> None:
        if repositories:
            installation.updated_at = self._world.now()
            self._events.installation_repositories(action, installation, repositories, sender or installation.account)

    def rename_account(self, account: Account, login: str, *, sender: Account | None = None) -> None:
        """Rename an organisation or a person: all full names change with it."""
        for repository in self.repositories_of(account):
            self._world.remember_name(repository)
        before, account.login = account.login, login
        for installation in self.on(account):
            changes = {"login": {"from": before}}
            self._events.installation_target("renamed", installation, sender or account, changes)

    def repositories_of(self, account: Account) -> list[Repository]:
        """Return the repositories of an account."""
        living = (one for one in self._world.repositories.values() if one.deleted_at is None)
        return [one for one in living if one.owner is account]
