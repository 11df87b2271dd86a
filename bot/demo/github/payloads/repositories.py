"""Repositories and commits as JSON."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from bot.demo.github.payloads.accounts import user
from bot.demo.github.payloads.values import Json, timestamp
from bot.demo.github.state.identity import node_id

if TYPE_CHECKING:
    from bot.demo.github.state.repositories import Commit, Repository
    from bot.demo.github.state.world import Addresses

_URLS = {
    "forks_url": "/forks",
    "keys_url": "/keys{/key_id}",
    "collaborators_url": "/collaborators{/collaborator}",
    "teams_url": "/teams",
    "hooks_url": "/hooks",
    "issue_events_url": "/issues/events{/number}",
    "events_url": "/events",
    "assignees_url": "/assignees{/user}",
    "branches_url": "/branches{/branch}",
    "tags_url": "/tags",
    "blobs_url": "/git/blobs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "trees_url": "/git/trees{/sha}",
    "statuses_url": "/statuses/{sha}",
    "languages_url": "/languages",
    "stargazers_url": "/stargazers",
    "contributors_url": "/contributors",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "commits_url": "/commits{/sha}",
    "git_commits_url": "/git/commits{/sha}",
    "comments_url": "/comments{/number}",
    "issue_comment_url": "/issues/comments{/number}",
    "contents_url": "/contents/{+path}",
    "compare_url": "/compare/{base}...{head}",
    "merges_url": "/merges",
    "archive_url": "/{archive_format}{/ref}",
    "downloads_url": "/downloads",
    "issues_url": "/issues{/number}",
    "pulls_url": "/pulls{/number}",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "labels_url": "/labels{/name}",
    "releases_url": "/releases{/id}",
    "deployments_url": "/deployments",
}


def url(at: Addresses, repository: Repository) -> str:
    """Return where the API has a repository."""
    return f"{at.api}/repos/{repository.full_name}"


def html_url(at: Addresses, repository: Repository) -> str:
    """Return the page of a repository."""
    return f"{at.html}/{repository.full_name}"


def minimal_repository(at: Addresses, repository: Repository) -> Json:
    """Render the short form that stands inside a workflow run."""
    return {
        "id": repository.id,
        "node_id": node_id("R", repository.id),
        "name": repository.name,
        "full_name": repository.full_name,
        "private": repository.private,
        "owner": user(at, repository.owner),
        "html_url": html_url(at, repository),
        "description": repository.description,
        "fork": repository.parent is not None,
        **_urls(url(at, repository)),
    }


@lru_cache(maxsize=4096)
def _urls(api: str) -> Json:
    return {"url": api, **{key: api + path for key, path in _URLS.items()}}


def repository(at: Addresses, repository: Repository) -> Json:
    """Render the full form: the `repository` of a webhook body, the `repo` of a pull request's ends."""
    return {**minimal_repository(at, repository), **_addresses(at, repository), **_particulars(repository)}


def _addresses(at: Addresses, repository: Repository) -> Json:
    html = html_url(at, repository)
    host = at.html.partition("://")[2]
    return {
        "git_url": f"git://{host}/{repository.full_name}.git",
        "ssh_url": f"git@{host}:{repository.full_name}.git",
        "clone_url": f"{html}.git",
        "svn_url": html,
        "mirror_url": None,
        "homepage": None,
    }


def _particulars(repository: Repository) -> Json:
    return {
        "created_at": timestamp(repository.created_at),
        "updated_at": timestamp(repository.updated_at),
        "pushed_at": timestamp(repository.pushed_at),
        "size": 2048,
        "stargazers_count": 0,
        "watchers_count": 0,
        "language": repository.language,
        "has_issues": repository.parent is None,
        "has_projects": True,
        "has_downloads": True,
        "has_wiki": False,
        "has_pages": False,
        "has_discussions": False,
        "forks_count": 0,
        "archived": repository.archived,
        "disabled": False,
        "open_issues_count": 0,
        "license": None,
        "allow_forking": True,
        "is_template": False,
        "web_commit_signoff_required": False,
        "topics": [],
        "visibility": "private" if repository.private else "public",
        "forks": 0,
        "open_issues": 0,
        "watchers": 0,
        "default_branch": repository.default_branch,
    }


def commit(commit: Commit) -> Json:
    """Render a `head_commit`."""
    author = commit.author
    person = {"name": author.name, "email": f"{author.id}+{author.login}@users.noreply.github.com"}
    return {
        "id": commit.sha,
        "tree_id": commit.tree,
        "message": commit.message,
        "timestamp": timestamp(commit.timestamp),
        "author": person,
        "committer": dict(person),
    }
