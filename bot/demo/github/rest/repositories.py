"""Repositories and who may do what in them.

https://docs.github.com/en/rest/repos/repos, https://docs.github.com/en/rest/collaborators/collaborators
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.payloads import accounts, pulls, repositories
from bot.demo.github.rest.answers import Answer, Failure, not_found
from bot.demo.github.rest.installations import permissions_of, repository_with_permissions
from bot.demo.github.rest.paging import paged
from bot.demo.github.state.accounts import reaches

if TYPE_CHECKING:
    from bot.demo.github.rest.asking import Ask
    from bot.demo.github.state.repositories import PullRequest

_LEGACY = {"maintain": "write", "triage": "read"}


def get(ask: Ask) -> Answer:
    """Answer with a repository."""
    repository = ask.repository()
    shown = {**repository_with_permissions(ask, repository), "network_count": 0, "subscribers_count": 0}
    if repository.owner.is_organization:
        shown["organization"] = accounts.user(ask.addresses, repository.owner)
    if repository.parent is not None:
        parent = repositories.repository(ask.addresses, repository.parent)
        shown |= {"parent": parent, "source": parent}
    return Answer(200, shown)


def get_collaborator_permission_level(ask: Ask) -> Answer:
    """Answer with what a person may do in a repository; people need push access there to ask it.

    `permission` knows no more than admin, write, read and none, `role_name` says which role it is.
    """
    repository, person = ask.repository(), ask.world.find_account(ask.path["username"])
    if ask.caller.user is not None and not reaches(ask.world.role_of(ask.caller.user, repository), "write"):
        raise Failure(403, "Must have push access to view repository collaborators.")
    if person is None:
        raise not_found()
    role = ask.world.role_of(person, repository)
    shown = {**accounts.user(ask.addresses, person), "permissions": permissions_of(role), "role_name": role}
    return Answer(200, {"permission": _LEGACY.get(role, role), "role_name": role, "user": shown})


def list_pull_requests_associated_with_commit(ask: Ask) -> Answer:
    """Answer with open and merged pull requests that hold a commit, those from forks included."""
    repository, sha = ask.repository(), ask.path["commit_sha"]
    if not ask.world.knows_commit(repository, sha):
        raise Failure(422, f"No commit found for SHA: {sha}")

    def holds(pull: PullRequest) -> bool:
        known = any(commit.sha == sha for commit in pull.commits) or pull.merge_commit_sha == sha
        return known and (pull.state == "open" or pull.merged_at is not None)

    found = [one for one in ask.world.pull_requests.values() if one.repository is repository and holds(one)]
    return paged(ask, found, lambda one: pulls.pull_request_simple(ask.addresses, one))
