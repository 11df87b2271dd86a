"""Who belongs to an organisation, and what they may do in its repositories.

An App hears of none of it unless it subscribes to `member`, `membership` or `organization`, for which it would need a
permission on members; Apps here ask for none, so that no delivery comes of these calls.
https://docs.github.com/en/webhooks/webhook-events-and-payloads#member
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.operations.refusal import Refused
from bot.demo.github.state.accounts import Membership

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.demo.github.state.accounts import Account, Role
    from bot.demo.github.state.repositories import Repository
    from bot.demo.github.state.world import World


class People:
    """Operations on members of organisations and on collaborators; all take effect at once."""

    def __init__(self, world: World) -> None:
        self._world = world

    def add_owner(self, organization: Account, person: Account) -> None:
        """Make a person an owner of an organisation, who administers all of it."""
        self._world.memberships[organization.id, person.id] = Membership("admin", is_owner=True)

    def add_member(
        self,
        organization: Account,
        person: Account,
        role: Role = "write",
        repositories: Iterable[Repository] | None = None,
    ) -> None:
        """Make a person a member who has `role` in all repositories (None) or in some, and no more than that.

        What they had before as a member or a collaborator is forgotten.
        """
        self.remove_member(organization, person)
        self._world.memberships[organization.id, person.id] = Membership(role if repositories is None else "none")
        for repository in repositories or ():
            self.add_collaborator(repository, person, role)

    def remove_member(self, organization: Account, person: Account) -> None:
        """Take a person out of an organisation and all of its repositories; to the public ones they are a stranger."""
        self._world.memberships.pop((organization.id, person.id), None)
        for repository in self._world.repositories.values():
            if repository.owner is organization:
                self.remove_collaborator(repository, person)

    def add_collaborator(self, repository: Repository, person: Account, role: Role = "write") -> None:
        """Give a person a role in one repository: beyond what a member has, or as an outside collaborator."""
        self._world.collaborators[repository.id, person.id] = role

    def remove_collaborator(self, repository: Repository, person: Account) -> None:
        """Take that role away again."""
        self._world.collaborators.pop((repository.id, person.id), None)

    def set_role(self, organization: Account, person: Account, role: Role) -> None:
        """Change what a member may do in all repositories; an owner becomes a member. Refused for a stranger."""
        if (organization.id, person.id) not in self._world.memberships:
            raise Refused(404, f"{person.login} is no member of {organization.login}")
        self._world.memberships[organization.id, person.id] = Membership(role)
