"""Pull requests, and what their heads are or were."""

from datetime import datetime

from bot.domain import ordering, payloads
from bot.domain.facts.base import Fact, json_text, utc, utc_or_none


class PullRequest(Fact, frozen=True, kw_only=True):
    """A pull request at one moment."""

    repository_id: int
    number: int
    pull_request_id: int
    title: str | None
    state: str
    draft: bool
    locked: bool
    merged: bool
    html_url: str | None
    author_id: int | None
    author_login: str | None
    head_sha: str
    head_ref: str
    head_repository_id: int | None
    head_repo_full_name: str | None
    base_ref: str
    base_sha: str
    labels: str
    created_at: datetime | None
    updated_at: datetime
    closed_at: datetime | None
    version: bytes


class PullRequestHead(Fact, frozen=True):
    """A commit that is or was the head of a pull request, in the repository that its branch is of."""

    repository_id: int
    head_sha: str
    head_repository_id: int
    number: int


def pull_request(payload: payloads.PullRequest, repository_id: int, made_at: int) -> PullRequest:
    """Return what a pull request's body tells."""
    updated_at = utc(payload.updated_at)
    labels = json_text(sorted(label.name for label in payload.labels or ()))
    head, base, author = payload.head, payload.base, payload.user
    return PullRequest(
        repository_id=repository_id,
        number=payload.number,
        pull_request_id=payload.id,
        title=payload.title,
        state=payload.state,
        draft=bool(payload.draft),
        locked=bool(payload.locked),
        merged=payload.merged_at is not None,
        html_url=payload.html_url,
        author_id=author.id if author else None,
        author_login=author.login if author else None,
        head_sha=head.sha,
        head_ref=head.ref,
        head_repository_id=head.repo.id if head.repo else None,
        head_repo_full_name=head.repo.full_name if head.repo else None,
        base_ref=base.ref,
        base_sha=base.sha,
        labels=labels,
        created_at=utc_or_none(payload.created_at),
        updated_at=updated_at,
        closed_at=utc_or_none(payload.closed_at),
        version=ordering.entity_version(updated_at, made_at, _digest(payload, labels)),
    )


def _digest(payload: payloads.PullRequest, labels: str) -> bytes:
    """Hash all of a pull request that may change, which is what a row of it takes from the newer one."""
    head, base, author = payload.head, payload.base, payload.user
    return ordering.digest(
        (payload.id, payload.title, payload.state, payload.draft, payload.locked, payload.html_url, labels),
        (author and author.id, author and author.login, payload.merged_at is not None, payload.closed_at),
        (head.sha, head.ref, head.repo and head.repo.id, head.repo and head.repo.full_name),
        (base.ref, base.sha),
    )
