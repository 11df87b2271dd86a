"""A merge queue: pull requests are tested together with their base on a branch of the queue's own, then merged.

https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/configuring-pull-request-merges/managing-a-merge-queue
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.demo.github.operations.refusal import Refused
from bot.demo.github.state.accounts import Account
from bot.demo.github.state.repositories import Tip

if TYPE_CHECKING:
    from bot.demo.github.operations.actions import Actions
    from bot.demo.github.operations.pulls import Pulls
    from bot.demo.github.operations.repositories import Repositories
    from bot.demo.github.state.actions import WorkflowRun
    from bot.demo.github.state.repositories import Commit, PullRequest
    from bot.demo.github.state.world import World
    from bot.demo.github.webhooks.events import Events


@dataclass(slots=True, eq=False)
class MergeGroup:
    """A pull request in the queue, on top of its base, with the runs that test it."""

    pull: PullRequest
    branch: str
    commit: Commit
    runs: list[WorkflowRun]

    @property
    def tip(self) -> Tip:
        return Tip(self.pull.repository, self.branch, self.commit)


class MergeQueue:
    """Operations on the queues of all repositories. What a group's end comes to is for the one who plays GitHub."""

    def __init__(
        self, world: World, events: Events, repositories: Repositories, pulls: Pulls, actions: Actions
    ) -> None:
        self._world = world
        self._events = events
        self._repositories = repositories
        self._pulls = pulls
        self._actions = actions
        # The number is GitHub's own.
        self._bot = Account(118_344_674, "github-merge-queue[bot]", "Bot", "GitHub Merge Queue", world.now())

    def add(self, pull: PullRequest, sender: Account) -> MergeGroup:
        """Put an open pull request into the queue of its base, and start what `merge_group` starts."""
        if pull.state == "closed" or pull.draft:
            raise Refused(422, f"#{pull.number} is not ready to be merged")
        repository, base = pull.repository, pull.repository.branches[pull.base_ref]
        branch = f"gh-readonly-queue/{pull.base_ref}/pr-{pull.number}-{base.sha}"
        commit = self._repositories.push(repository, f"Merge pull request #{pull.number}", self._bot, branch)
        self._events.pull_request("enqueued", pull, sender)
        group = MergeGroup(pull, branch, commit, [])
        for workflow in self._actions.workflows_of(repository, "merge_group"):
            title = f"Merge pull request #{pull.number}"
            run = self._actions.start_run(workflow, event="merge_group", tip=group.tip, actor=sender, title=title)
            group.runs.append(run)
        return group

    def merge(self, group: MergeGroup) -> None:
        """Let the base branch have the group's commit, which is what was tested; the pull request is merged by it."""
        self._leave(group, "MERGE")
        self._pulls.merge(group.pull, self._bot, commit=group.commit)

    def remove(self, group: MergeGroup, reason: str = "CI_FAILURE") -> None:
        """Take the pull request out of the queue again: it stays open."""
        self._leave(group, reason)

    def _leave(self, group: MergeGroup, reason: str) -> None:
        group.pull.repository.branches.pop(group.branch, None)
        self._events.pull_request("dequeued", group.pull, self._bot, more={"reason": reason})
