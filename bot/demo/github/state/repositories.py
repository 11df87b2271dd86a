"""Repositories, commits and pull requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from bot.demo.github.state.accounts import Account


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as far as webhooks show one."""

    sha: str
    tree: str
    message: str
    author: Account
    timestamp: datetime

    @property
    def headline(self) -> str:
        return self.message.partition("\n")[0]


@dataclass(slots=True, eq=False)
class Repository:
    """A repository; `branches` maps a branch to the commit at its head, `parent` is set on a fork."""

    id: int
    owner: Account
    name: str
    description: str
    language: str
    private: bool
    created_at: datetime
    updated_at: datetime
    pushed_at: datetime
    default_branch: str = "main"
    parent: Repository | None = None
    archived: bool = False
    deleted_at: datetime | None = None
    branches: dict[str, Commit] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    last_number: int = 0

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"

    def tip(self, branch: str | None = None) -> Tip:
        """Return where `branch` (by default the default branch) is now; KeyError when there is none."""
        branch = branch or self.default_branch
        return Tip(self, branch, self.branches[branch])


@dataclass(frozen=True, slots=True)
class Tip:
    """A commit at the end of a branch, which a run is about."""

    repository: Repository
    branch: str
    commit: Commit


@dataclass(frozen=True, slots=True)
class Label:
    """A label of a repository; `color` is six hexadecimal digits."""

    id: int
    name: str
    color: str
    description: str | None = None


@dataclass(slots=True, eq=False)
class PullRequest:
    """A pull request; `commits` holds every head it ever had, the newest last."""

    id: int
    number: int
    repository: Repository
    head_repository: Repository
    head_ref: str
    base_ref: str
    base: Commit
    commits: list[Commit]
    title: str
    body: str
    user: Account
    created_at: datetime
    updated_at: datetime
    draft: bool = False
    locked: bool = False
    lock_reason: str | None = None
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    merged_by: Account | None = None
    merge_commit_sha: str | None = None
    labels: list[Label] = field(default_factory=list)

    @property
    def head(self) -> Commit:
        return self.commits[-1]

    @property
    def tip(self) -> Tip:
        """Where its newest commit is: in the fork's branch, for one from a fork."""
        return Tip(self.head_repository, self.head_ref, self.head)

    @property
    def state(self) -> str:
        return "open" if self.closed_at is None else "closed"

    @property
    def from_fork(self) -> bool:
        return self.head_repository is not self.repository
