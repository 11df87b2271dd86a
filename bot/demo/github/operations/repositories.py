"""Creating, forking, renaming, transferring, archiving and deleting repositories, and pushing to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.operations.refusal import Refused
from bot.demo.github.payloads.accounts import organization, user
from bot.demo.github.state.repositories import Commit, Repository

if TYPE_CHECKING:
    from bot.demo.github.operations.installations import Installations
    from bot.demo.github.payloads.values import Json
    from bot.demo.github.state.accounts import Account
    from bot.demo.github.state.world import World
    from bot.demo.github.webhooks.events import Events


class Repositories:
    """Operations on repositories; `sender` is whoever does it, by default the owner."""

    def __init__(self, world: World, events: Events, installations: Installations) -> None:
        self._world = world
        self._events = events
        self._installations = installations

    def create(
        self,
        owner: Account,
        name: str,
        *,
        description: str = "",
        language: str = "Python",
        private: bool = False,
        parent: Repository | None = None,
        sender: Account | None = None,
    ) -> Repository:
        """Create a repository with a first commit; an installation on all repositories gets to see it."""
        self._refuse_taken(f"{owner.login}/{name}")
        now, number = self._world.now(), self._world.numbers.next("repository")
        repository = Repository(number, owner, name, description, language, private, now, now, now, parent=parent)
        repository.branches["main"] = parent.tip().commit if parent else self.commit("Initial commit", owner)
        self._world.repositories[number] = repository
        self._world.add_commit(repository, repository.branches["main"])
        if self._take_over(repository, sender):
            self._events.repository("created", repository, sender or owner)
        return repository

    def fork(self, repository: Repository, owner: Account) -> Repository:
        """Return `owner`'s fork of `repository`, which is made if there is none."""
        there = self._world.find_repository(f"{owner.login}/{repository.name}")
        if there is not None and there.parent is repository:
            return there
        return self.create(
            owner,
            repository.name,
            description=repository.description,
            language=repository.language,
            parent=repository,
        )

    def commit(self, message: str, author: Account) -> Commit:
        """Make a commit that is on no branch yet."""
        return Commit(self._world.numbers.sha(), self._world.numbers.sha(), message, author, self._world.now())

    def push(self, repository: Repository, message: str, author: Account, branch: str | None = None) -> Commit:
        """Put a new commit on `branch` (by default the default branch) and return it."""
        commit = self.commit(message, author)
        self._world.add_commit(repository, commit)
        repository.branches[branch or repository.default_branch] = commit
        repository.pushed_at = max(repository.pushed_at, self._world.now())
        return commit

    def reset(self, repository: Repository, branch: str, commit: Commit) -> None:
        """Let `branch` end with a commit that the repository knows."""
        if not self._world.knows_commit(repository, commit.sha):
            raise Refused(422, f"No commit found for SHA: {commit.sha}")
        repository.branches[branch] = commit
        repository.pushed_at = max(repository.pushed_at, self._world.now())

    def rename(self, repository: Repository, name: str, *, sender: Account | None = None) -> None:
        self._refuse_taken(f"{repository.owner.login}/{name}")
        self._world.remember_name(repository)
        before, repository.name = repository.name, name
        changes = {"repository": {"name": {"from": before}}}
        self._tell("renamed", repository, sender, changes)

    def transfer(self, repository: Repository, owner: Account, *, sender: Account | None = None) -> None:
        """Give a repository to another account; an installation there on all repositories takes it over.

        Whichever installation sees the repository afterwards hears of the transfer; the former one hears that a
        repository was taken away from it.
        """
        self._refuse_taken(f"{owner.login}/{repository.name}")
        former = self._installations.on(repository.owner)
        kind = "organization" if repository.owner.is_organization else "user"
        render = organization if repository.owner.is_organization else user
        changes = {"owner": {"from": {kind: render(self._world.addresses, repository.owner)}}}
        self._world.remember_name(repository)
        repository.owner = owner
        for installation in former:
            self._installations.remove_repositories(installation, [repository], sender=sender)
        self._take_over(repository, sender)
        self._tell("transferred", repository, sender, changes)

    def archive(self, repository: Repository, *, sender: Account | None = None) -> None:
        repository.archived = True
        self._tell("archived", repository, sender)

    def delete(self, repository: Repository, *, sender: Account | None = None) -> None:
        """Delete a repository; nothing of it is seen by an installation any more."""
        repository.deleted_at = self._world.now()
        self._tell("deleted", repository, sender)
        for installation in self._world.installations.values():
            installation.repositories.pop(repository.id, None)

    def _take_over(self, repository: Repository, sender: Account | None) -> bool:
        """Let installations on all of its owner's repositories see it, and return whether there are any."""
        on_all = [one for one in self._installations.on(repository.owner) if one.repository_selection == "all"]
        for installation in on_all:
            self._installations.add_repositories(installation, [repository], sender=sender)
        return bool(on_all)

    def _tell(
        self,
        action: str,
        repository: Repository,
        sender: Account | None,
        changes: Json | None = None,
    ) -> None:
        repository.updated_at = max(repository.updated_at, self._world.now())
        self._events.repository(action, repository, sender or repository.owner, changes)

    def _refuse_taken(self, full_name: str) -> None:
        if self._world.find_repository(full_name) is not None:
            raise Refused(422, f"{full_name} exists already")
