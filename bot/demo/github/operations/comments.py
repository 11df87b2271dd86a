"""Commenting on pull requests. No event comes of it that an App like this hears."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.state.comments import IssueComment

if TYPE_CHECKING:
    from bot.demo.github.state.accounts import Account, App
    from bot.demo.github.state.repositories import PullRequest
    from bot.demo.github.state.world import World


class Comments:
    """Operations on comments; the App writes some, people write others."""

    def __init__(self, world: World) -> None:
        self._world = world

    def create(self, pull: PullRequest, body: str, user: Account, *, app: App | None = None) -> IssueComment:
        now, number = self._world.now(), self._world.numbers.next("comment")
        comment = IssueComment(number, pull, user, body, now, now, app)
        self._world.comments[number] = comment
        return comment

    def edit(self, comment: IssueComment, body: str) -> None:
        comment.body = body
        comment.updated_at = max(comment.updated_at, self._world.now())

    def delete(self, comment: IssueComment) -> None:
        del self._world.comments[comment.id]

    def of(self, pull: PullRequest) -> list[IssueComment]:
        """Return the conversation, oldest first."""
        return [one for one in self._world.comments.values() if one.pull is pull]
