"""Comments as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.payloads import repositories
from bot.demo.github.payloads.accounts import app, user
from bot.demo.github.payloads.values import Json, timestamp
from bot.demo.github.state.identity import node_id

if TYPE_CHECKING:
    from bot.demo.github.state.comments import IssueComment
    from bot.demo.github.state.world import Addresses

_REACTIONS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")


def issue_comment(at: Addresses, comment: IssueComment) -> Json:
    """Render a comment on the conversation of a pull request."""
    pull = comment.pull
    api, html = repositories.url(at, pull.repository), repositories.html_url(at, pull.repository)
    url = f"{api}/issues/comments/{comment.id}"
    return {
        "url": url,
        "html_url": f"{html}/pull/{pull.number}#issuecomment-{comment.id}",
        "issue_url": f"{api}/issues/{pull.number}",
        "id": comment.id,
        "node_id": node_id("IC", pull.repository.id, comment.id),
        "user": user(at, comment.user),
        "created_at": timestamp(comment.created_at),
        "updated_at": timestamp(comment.updated_at),
        "body": comment.body,
        "author_association": "NONE" if comment.app else "MEMBER",
        "reactions": {"url": f"{url}/reactions", "total_count": 0, **dict.fromkeys(_REACTIONS, 0)},
        "performed_via_github_app": None if comment.app is None else app(at, comment.app),
    }
