"""Opening, pushing to, closing and merging pull requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.operations.refusal import Refused
from bot.demo.github.state.repositories import Label, PullRequest

if TYPE_CHECKING:
    from bot.demo.github.operations.repositories import Repositories
    from bot.demo.github.state.accounts import Account
    from bot.demo.github.state.repositories import Commit, Repository
    from bot.demo.github.state.world import World
    from bot.demo.github.webhooks.events import Events


class Pulls:
    """Operations on pull requests. They start no workflow run by themselves: the one who plays GitHub does."""

    def __init__(self, world: World, events: Events, repositories: Repositories) -> None:
        self._world = world
        self._events = events
        self._repositories = repositories

    def open(
        self,
        repository: Repository,
        title: str,
        user: Account,
        *,
        branch: str,
        head_repository: Repository | None = None,
        base_ref: str | None = None,
        body: str = "",
        draft: bool = False,
    ) -> PullRequest:
        """Push a first commit to `branch` (of a fork, if `head_repository` is one) and open a pull request for it."""
        head_repository = head_repository or repository
        base_ref = base_ref or repository.default_branch
        if head_repository is repository and branch == base_ref:
            raise Refused(422, f"No commits between {base_ref} and {branch}")
        if self.find_open(repository, head_repository, branch, base_ref) is not None:
            raise Refused(422, f"A pull request already exists for {head_repository.owner.login}:{branch}.")
        head = self._repositories.push(head_repository, title, user, branch)
        repository.last_number += 1
        now = self._world.now()
        pull = PullRequest(
            id=self._world.numbers.next("pull_request"),
            number=repository.last_number,
            repository=repository,
            head_repository=head_repository,
            head_ref=branch,
            base_ref=base_ref,
            base=repository.branches[base_ref],
            commits=[],
            title=title,
            body=body,
            user=user,
            created_at=now,
            updated_at=now,
            draft=draft,
        )
        self._world.add_head(pull, head)
        self._events.pull_request("opened", pull, user)
        return pull

    def find_open(
        self, repository: Repository, head_repository: Repository, branch: str, base_ref: str | None = None
    ) -> PullRequest | None:
        """Return the open pull request of a branch into a base (None: the default branch); there is one at the most."""
        wanted = (head_repository.id, branch, base_ref or repository.default_branch)
        for pull in self._world.pull_requests.values():
            theirs = (pull.head_repository.id, pull.head_ref, pull.base_ref)
            if pull.repository is repository and pull.state == "open" and theirs == wanted:
                return pull
        return None

    def push(self, pull: PullRequest, message: str, author: Account | None = None) -> Commit:
        """Push another commit to the pull request's branch: it is synchronized."""
        author = author or pull.user
        self._move(pull, self._repositories.push(pull.head_repository, message, author, pull.head_ref), author)
        return pull.head

    def push_back(self, pull: PullRequest, commit: Commit, author: Account | None = None) -> None:
        """Push by force, so that the branch ends with a commit that was there before."""
        self._repositories.reset(pull.head_repository, pull.head_ref, commit)
        self._move(pull, commit, author or pull.user)

    def _move(self, pull: PullRequest, head: Commit, author: Account) -> None:
        before = pull.head.sha
        self._world.add_head(pull, head)
        self._touch(pull)
        if pull.closed_at is None:
            self._events.pull_request("synchronize", pull, author, before=before)

    def close(self, pull: PullRequest, sender: Account | None = None) -> None:
        """Close it without merging."""
        self._refuse_closed(pull)
        self._touch(pull)
        pull.closed_at = pull.updated_at
        self._events.pull_request("closed", pull, sender or pull.user)

    def reopen(self, pull: PullRequest, sender: Account | None = None) -> None:
        if pull.state == "open" or pull.merged_at is not None:
            raise Refused(422, f"#{pull.number} cannot be reopened")
        self._touch(pull)
        pull.closed_at = None
        self._events.pull_request("reopened", pull, sender or pull.user)

    def merge(self, pull: PullRequest, sender: Account, *, commit: Commit | None = None) -> Commit:
        """Merge it, by a `commit` that is there already or a new one; return the new head of the base branch."""
        self._refuse_closed(pull)
        if pull.draft:
            raise Refused(405, f"#{pull.number} is still a draft")
        if commit is None:
            merged = self._repositories.push(pull.repository, f"{pull.title} (#{pull.number})", sender, pull.base_ref)
        else:
            merged = commit
            self._repositories.reset(pull.repository, pull.base_ref, commit)
        self._touch(pull)
        pull.closed_at = pull.merged_at = pull.updated_at
        pull.merged_by, pull.merge_commit_sha = sender, merged.sha
        self._events.pull_request("closed", pull, sender)
        return merged

    def mark_ready(self, pull: PullRequest, sender: Account | None = None) -> None:
        """Make a draft ready for review."""
        self._set_draft(pull, sender, is_draft=False)

    def mark_draft(self, pull: PullRequest, sender: Account | None = None) -> None:
        """Make it a draft."""
        self._set_draft(pull, sender, is_draft=True)

    def _set_draft(self, pull: PullRequest, sender: Account | None, *, is_draft: bool) -> None:
        self._refuse_closed(pull)
        if pull.draft == is_draft:
            raise Refused(422, f"#{pull.number} is that already")
        pull.draft = is_draft
        self._touch(pull)
        self._events.pull_request("converted_to_draft" if is_draft else "ready_for_review", pull, sender or pull.user)

    def lock(self, pull: PullRequest, sender: Account, reason: str | None = None) -> None:
        """Close the conversation: nobody comments who may not write to the repository, and no App does."""
        pull.locked, pull.lock_reason = True, reason
        self._touch(pull)
        self._events.pull_request("locked", pull, sender)

    def unlock(self, pull: PullRequest, sender: Account) -> None:
        """Open the conversation again."""
        pull.locked, pull.lock_reason = False, None
        self._touch(pull)
        self._events.pull_request("unlocked", pull, sender)

    def rename(self, pull: PullRequest, title: str, sender: Account | None = None) -> None:
        """Give it another title."""
        changes = {"title": {"from": pull.title}}
        pull.title = title
        self._touch(pull)
        self._events.pull_request("edited", pull, sender or pull.user, more={"changes": changes})

    def change_base(self, pull: PullRequest, base_ref: str, sender: Account | None = None) -> None:
        """Let it be merged into another branch; KeyError when there is none of that name."""
        self._refuse_closed(pull)
        base = pull.repository.branches[base_ref]
        changes = {"base": {"ref": {"from": pull.base_ref}, "sha": {"from": pull.base.sha}}}
        pull.base_ref, pull.base = base_ref, base
        self._touch(pull)
        self._events.pull_request("edited", pull, sender or pull.user, more={"changes": changes})

    def label(self, pull: PullRequest, name: str, *, color: str = "ededed", sender: Account | None = None) -> Label:
        """Put a label on it, which the repository gets if it has none of that name."""
        labels = pull.repository.labels
        if name not in labels:
            labels[name] = Label(self._world.numbers.next("label"), name, color)
        if labels[name] not in pull.labels:
            pull.labels.append(labels[name])
            self._touch(pull)
            self._events.pull_request("labeled", pull, sender or pull.user, label=labels[name])
        return labels[name]

    def unlabel(self, pull: PullRequest, name: str, *, sender: Account | None = None) -> None:
        """Take a label off again; KeyError when it is not on it."""
        taken = pull.repository.labels[name]
        if taken not in pull.labels:
            raise KeyError(name)
        pull.labels.remove(taken)
        self._touch(pull)
        self._events.pull_request("unlabeled", pull, sender or pull.user, label=taken)

    def _touch(self, pull: PullRequest) -> None:
        pull.updated_at = max(pull.updated_at, self._world.now())

    def _refuse_closed(self, pull: PullRequest) -> None:
        if pull.state == "closed":
            raise Refused(405, f"#{pull.number} is closed")
