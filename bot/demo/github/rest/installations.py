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

if TYPE_CHECKING:
    from bot.demo.github.rest.asking import Ask
    from bot.demo.github.state.accounts import Account, Installation
    from bot.demo.github.state.repositories import Repository

_RANKS = {"read": 1, "write": 2}
_MOST_NARROWED = 500


def list_installations(ask: Ask) -> Answer:
    """Answer with all installations, suspended ones included."""
    living = [one for one in ask.world.installations.values() if one.deleted_at is None]
    return paged(ask, living, lambda one: accounts.installation(ask.addresses, one))


def get_installation(ask: Ask) -> Answer:
    """Answer with an installation."""
    found = ask.world.installations.get(ask.number("installation_id"))
    if found is None or found.deleted_at is not None:
        raise not_found()
    return Answer(200, accounts.installation(ask.addresses, found))


def get_repo_installation(ask: Ask) -> Answer:
    """Answer with the installation that sees a repository."""
    repository = ask.world.look_up_repository(f"{ask.path['owner']}/{ask.path['repo']}")
    for one in ask.world.installations.values():
        if repository is not None and one.deleted_at is None and repository.id in one.repositories:
            return Answer(200, accounts.installation(ask.addresses, one))
    raise not_found()


def create_installation_access_token(ask: Ask) -> Answer:
    """Make a token, narrowed if asked for; 404 for an installation that is deleted, 403 for a suspended one."""
    installation = require_installed(ask.world.installations.get(ask.number("installation_id")))
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
    """Answer with the installations on accounts where the person may do something that strangers may not."""
    living = [one for one in ask.world.installations.values() if one.deleted_at is None]
    seen = [one for one in living if accessible(ask, one, ask.user)]
    return paged(ask, seen, lambda one: accounts.installation(ask.addresses, one), "installations")


def list_installation_repos_for_user(ask: Ask) -> Answer:
    """Answer with those of an installation's repositories that the person has explicit access to."""
    installation = ask.world.installations.get(ask.number("installation_id"))
    if installation is None or installation.deleted_at is not None:
        raise not_found()
    seen = accessible(ask, installation, ask.user)
    if not seen:
        raise not_found()
    return paged(ask, seen, lambda one: repository_with_permissions(ask, one), "repositories")


def accessible(ask: Ask, installation: Installation, user: Account) -> list[Repository]:
    """Return the repositories of an installation in which a person is more than the public."""
    member = (installation.account.id, user.id) in ask.world.memberships or user is installation.account
    every = installation.repositories.values() if member else ()
    return [one for one in every if ask.world.role_of(user, one) != "none"]


def repository_with_permissions(ask: Ask, repository: Repository) -> Json:
    """Render a repository as a list of those that one may see shows it."""
    role = "read" if ask.caller.user is None else ask.world.role_of(ask.caller.user, repository)
    granted = {
        "admin": role == "admin",
        "maintain": role == "admin",
        "push": role in {"admin", "write"},
        "triage": role in {"admin", "write"},
        "pull": True,
    }
    return {**repositories.repository(ask.addresses, repository), "permissions": granted}


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
