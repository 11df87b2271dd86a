"""Installations, their tokens and the repositories that they see.

https://docs.github.com/en/rest/apps/apps, https://docs.github.com/en/rest/apps/installations
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.payloads import accounts, repositories
from bot.demo.github.payloads.values import Json, timestamp
from bot.demo.github.rest.answers import Answer, Failure, not_found
from bot.demo.github.rest.auth import require_installed
from bot.demo.github.rest.fields import Fields
from bot.demo.github.rest.paging import paged
from bot.demo.github.state.accounts import reaches

if TYPE_CHECKING:
    from bot.demo.github.rest.asking import Ask
    from bot.demo.github.state.accounts import Installation, Role
    from bot.demo.github.state.repositories import Repository

_RANKS = {"read": 1, "write": 2}
_MOST_NARROWED = 500


def list_installations(ask: Ask) -> Answer:
    """Answer with all installations of the App, suspended ones included."""
    return paged(ask, _installations(ask), lambda one: accounts.installation(ask.addresses, one))


def get_installation(ask: Ask) -> Answer:
    """Answer with an installation."""
    return Answer(200, accounts.installation(ask.addresses, _installation(ask)))


def get_repo_installation(ask: Ask) -> Answer:
    """Answer with the installation that sees a repository."""
    repository = ask.world.look_up_repository(f"{ask.path['owner']}/{ask.path['repo']}")
    for one in _installations(ask):
        if repository is not None and repository.id in one.repositories:
            return Answer(200, accounts.installation(ask.addresses, one))
    raise not_found()


def create_installation_access_token(ask: Ask) -> Answer:
    """Make a token, narrowed if asked for; 404 for an installation that is deleted, 403 for a suspended one."""
    installation = require_installed(_installation(ask))
    fields = Fields(ask.body or {})
    permissions = _permissions(fields, installation)
    narrowed = _narrowed(fields, installation)
    fields.done()
    token = ask.github.rest.credentials.issue(installation, permissions, _ids(narrowed))
    shown: Json = {
        "token": token.value,
        "expires_at": timestamp(token.expires_at),
        "permissions": permissions,
        "repository_selection": installation.repository_selection if narrowed is None else "selected",
    }
    if narrowed is not None:
        shown["repositories"] = [repositories.repository(ask.addresses, one) for one in narrowed]
    return Answer(201, shown)


def list_repos_accessible_to_installation(ask: Ask) -> Answer:
    """Answer with the repositories that the token reaches."""
    seen = [one for one in ask.token.installation.repositories.values() if ask.token.reaches(one)]
    answer = paged(ask, seen, lambda one: repository_with_permissions(ask, one), "repositories")
    answer.body["repository_selection"] = ask.token.installation.repository_selection
    return answer


def list_installations_for_user(ask: Ask) -> Answer:
    """Answer with the App's installations that the person has explicit access to, suspended ones included.

    That is, where they own the account, or may read a repository as a member or a collaborator.
    """
    seen = [one for one in _installations(ask) if _is_explicit(ask, one)]
    return paged(ask, seen, lambda one: accounts.installation(ask.addresses, one), "installations")


def list_installation_repos_for_user(ask: Ask) -> Answer:
    """Answer with those of an installation's repositories that the person has explicit access to.

    Explicit is what they own, and what they may read as a member or a collaborator: a public repository alone is not.
    404 for an installation where that is nothing, 403 for a suspended one.
    """
    installation = _installation(ask)
    if not _is_explicit(ask, installation):
        raise not_found()
    require_installed(installation)
    seen = _explicit(ask, installation)
    answer = paged(ask, seen, lambda one: repository_with_permissions(ask, one), "repositories")
    answer.body["repository_selection"] = installation.repository_selection
    return answer


def _installations(ask: Ask) -> list[Installation]:
    every = ask.world.installations.values()
    return [one for one in every if one.app is ask.app and one.deleted_at is None]


def _installation(ask: Ask) -> Installation:
    """Return the App's installation that the path names; Failure 404 for a deleted one and for another App's."""
    number = ask.number("installation_id")
    for installation in _installations(ask):
        if installation.id == number:
            return installation
    raise not_found()


def _explicit(ask: Ask, installation: Installation) -> list[Repository]:
    every = installation.repositories.values()
    return [one for one in every if ask.world.explicit_role_of(ask.user, one) != "none"]


def _is_explicit(ask: Ask, installation: Installation) -> bool:
    return ask.world.owns(ask.user, installation.account) or bool(_explicit(ask, installation))


def repository_with_permissions(ask: Ask, repository: Repository) -> Json:
    """Render a repository as a list of those that one may see shows it; people are told what they may do in it."""
    role = "read" if ask.caller.user is None else ask.world.role_of(ask.caller.user, repository)
    return {**repositories.repository(ask.addresses, repository), "permissions": permissions_of(role)}


def permissions_of(role: Role) -> dict[str, bool]:
    """Return what a role comes to, in the words of repositories and collaborators."""
    words: dict[str, Role] = {
        "admin": "admin",
        "maintain": "maintain",
        "push": "write",
        "triage": "triage",
        "pull": "read",
    }
    return {word: reaches(role, least) for word, least in words.items()}


def _permissions(fields: Fields, installation: Installation) -> dict[str, str]:
    wanted = fields.take("permissions", dict)
    if wanted is None:
        return dict(installation.permissions)
    for resource, access in wanted.items():
        granted = _RANKS.get(installation.permissions.get(resource, ""), 0)
        if access not in _RANKS or _RANKS[access] > granted:
            raise Failure(422, "The permissions requested are not granted to this installation.")
    return {"metadata": "read", **wanted}


def _narrowed(fields: Fields, installation: Installation) -> list[Repository] | None:
    names, numbers = fields.take("repositories", list), fields.take("repository_ids", list)
    if not names and not numbers:
        return None
    every = installation.repositories.values()
    found = [one for one in every if one.name in (names or ()) or one.id in (numbers or ())]
    asked = len(set(names or ())) + len(set(numbers or ()))
    if len(found) < max(len(set(names or ())), len(set(numbers or ()))) or asked > _MOST_NARROWED:
        raise Failure(
            422,
            "There is at least one repository that does not exist or is not accessible to the parent installation.",
        )
    return found


def _ids(narrowed: list[Repository] | None) -> frozenset[int] | None:
    return None if narrowed is None else frozenset(one.id for one in narrowed)
