"""Pull requests as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.demo.github.payloads import repositories
from bot.demo.github.payloads.accounts import user
from bot.demo.github.payloads.values import Json, timestamp
from bot.demo.github.state.identity import node_id

if TYPE_CHECKING:
    from bot.demo.github.state.repositories import Label, PullRequest, Repository
    from bot.demo.github.state.world import Addresses


def pull_request(at: Addresses, pull: PullRequest) -> Json:
    """Render the full form."""
    return {
        **_addresses(at, pull),
        **_state(at, pull),
        **_people(at, pull),
        "head": _end(at, pull.head_repository, pull.head_ref, pull.head.sha),
        "base": _end(at, pull.repository, pull.base_ref, pull.base.sha),
        **_figures(pull),
    }


def pull_request_simple(at: Addresses, pull: PullRequest) -> Json:
    """Render the form in which lists show pull requests."""
    left_out = {"merged", "mergeable", "rebaseable", "mergeable_state", "merged_by"}
    shown = {key: value for key, value in _state(at, pull).items() if key not in left_out}
    return {
        **_addresses(at, pull),
        **shown,
        **_people(at, pull),
        "head": _end(at, pull.head_repository, pull.head_ref, pull.head.sha),
        "base": _end(at, pull.repository, pull.base_ref, pull.base.sha),
    }


def label(at: Addresses, repository: Repository, label: Label) -> Json:
    """Render a label as issues and pull requests bear it."""
    return {
        "id": label.id,
        "node_id": node_id("LA", repository.id, label.id),
        "url": f"{repositories.url(at, repository)}/labels/{quote(label.name)}",
        "name": label.name,
        "color": label.color,
        "default": False,
        "description": label.description,
        "archived_at": None,
        "archived_by": None,
    }


def pull_request_link(at: Addresses, pull: PullRequest) -> Json:
    """Render the short form in which runs, check runs and check suites list their pull requests."""
    return {
        "url": f"{repositories.url(at, pull.repository)}/pulls/{pull.number}",
        "id": pull.id,
        "number": pull.number,
        "head": {
            "ref": pull.head_ref,
            "sha": pull.head.sha,
            "repo": _repository_link(at, pull.head_repository),
        },
        "base": {
            "ref": pull.base_ref,
            "sha": pull.base.sha,
            "repo": _repository_link(at, pull.repository),
        },
    }


def _repository_link(at: Addresses, repository: Repository) -> Json:
    return {"id": repository.id, "url": repositories.url(at, repository), "name": repository.name}


def _addresses(at: Addresses, pull: PullRequest) -> Json:
    api, html = repositories.url(at, pull.repository), repositories.html_url(at, pull.repository)
    page, resource, issue = f"{html}/pull/{pull.number}", f"{api}/pulls/{pull.number}", f"{api}/issues/{pull.number}"
    links = {
        "self": resource,
        "html": page,
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{resource}/comments",
        "review_comment": f"{api}/pulls/comments{{/number}}",
        "commits": f"{resource}/commits",
        "statuses": f"{api}/statuses/{pull.head.sha}",
    }
    return {
        "url": resource,
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": issue,
        "commits_url": links["commits"],
        "review_comments_url": links["review_comments"],
        "review_comment_url": links["review_comment"],
        "comments_url": links["comments"],
        "statuses_url": links["statuses"],
        "_links": {name: {"href": href} for name, href in links.items()},
    }


def _state(at: Addresses, pull: PullRequest) -> Json:
    return {
        "id": pull.id,
        "node_id": node_id("PR", pull.repository.id, pull.id),
        "number": pull.number,
        "state": pull.state,
        "locked": pull.locked,
        "active_lock_reason": pull.lock_reason,
        "title": pull.title,
        "body": pull.body,
        "created_at": timestamp(pull.created_at),
        "updated_at": timestamp(pull.updated_at),
        "closed_at": timestamp(pull.closed_at),
        "merged_at": timestamp(pull.merged_at),
        "merge_commit_sha": pull.merge_commit_sha,
        "draft": pull.draft,
        "auto_merge": None,
        "merged": pull.merged_at is not None,
        "mergeable": None,
        "rebaseable": None,
        "mergeable_state": "unknown",
        "merged_by": None if pull.merged_by is None else user(at, pull.merged_by),
    }


def _people(at: Addresses, pull: PullRequest) -> Json:
    return {
        "user": user(at, pull.user),
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "labels": [label(at, pull.repository, one) for one in pull.labels],
        "milestone": None,
        "author_association": "CONTRIBUTOR" if pull.from_fork else "MEMBER",
    }


def _end(at: Addresses, repository: Repository, ref: str, sha: str) -> Json:
    repo = {
        **repositories.repository(at, repository),
        "allow_squash_merge": True,
        "allow_merge_commit": True,
        "allow_rebase_merge": True,
        "allow_auto_merge": False,
        "delete_branch_on_merge": False,
        "allow_update_branch": False,
        "use_squash_pr_title_as_default": False,
        "squash_merge_commit_message": "COMMIT_MESSAGES",
        "squash_merge_commit_title": "COMMIT_OR_PR_TITLE",
        "merge_commit_message": "PR_TITLE",
        "merge_commit_title": "MERGE_MESSAGE",
    }
    return {
        "label": f"{repository.owner.login}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": user(at, repository.owner),
        "repo": repo,
    }


def _figures(pull: PullRequest) -> Json:
    commits = len(pull.commits)
    return {
        "comments": 0,
        "review_comments": 0,
        "maintainer_can_modify": pull.from_fork,
        "commits": commits,
        "additions": 17 * commits,
        "deletions": 4 * commits,
        "changed_files": commits,
    }
