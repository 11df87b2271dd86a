"""Comments on the conversation of a pull request.

https://docs.github.com/en/rest/issues/comments
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.payloads.comments import issue_comment
from bot.demo.github.rest.answers import Answer, Failure, not_found, unprocessable
from bot.demo.github.rest.fields import Fields
from bot.demo.github.rest.paging import paged

if TYPE_CHECKING:
    from bot.demo.github.rest.asking import Ask
    from bot.demo.github.state.comments import IssueComment
    from bot.demo.github.state.repositories import Repository

LONGEST_BODY = 65_536


def list_comments(ask: Ask) -> Answer:
    """Answer with the conversation, oldest first, perhaps only what was written or edited `since`."""
    since = Fields(dict(ask.query)).moment("since")
    found = ask.github.comments.of(ask.pull_request())
    found = [one for one in found if since is None or one.updated_at >= since]
    return paged(ask, found, lambda one: issue_comment(ask.addresses, one))


def create_comment(ask: Ask) -> Answer:
    """Write a comment as the App."""
    pull = ask.pull_request()
    refuse_archived(pull.repository)
    if pull.locked:
        raise Failure(403, "Unable to create comment because issue is locked.")
    installation = ask.token.installation
    comment = ask.github.comments.create(pull, _body(ask), installation.app.as_account(), app=installation.app)
    ask.github.rest.journal.note("create", comment, installation.app.slug, ask.body)
    shown = issue_comment(ask.addresses, comment)
    return Answer(201, shown, {"Location": shown["url"]})


def get_comment(ask: Ask) -> Answer:
    """Answer with a comment."""
    return Answer(200, issue_comment(ask.addresses, _find(ask)))


def update_comment(ask: Ask) -> Answer:
    """Change the text of a comment of the App."""
    comment = _find(ask)
    refuse_archived(comment.pull.repository)
    _refuse_others(ask, comment)
    journal, app = ask.github.rest.journal, ask.token.installation.app
    before = journal.look(comment)
    ask.github.comments.edit(comment, _body(ask))
    journal.note("edit", comment, app.slug, ask.body, before)
    return Answer(200, issue_comment(ask.addresses, comment))


def delete_comment(ask: Ask) -> Answer:
    """Delete a comment."""
    comment = _find(ask)
    refuse_archived(comment.pull.repository)
    ask.github.comments.delete(comment)
    ask.github.rest.journal.note("delete", comment, ask.token.installation.app.slug, None, comment.body)
    return Answer(204)


def refuse_archived(repository: Repository) -> None:
    """Refuse to write to a repository that is archived."""
    if repository.archived:
        raise Failure(403, "Repository was archived so is read-only.")


def _find(ask: Ask) -> IssueComment:
    repository, comment = ask.repository(), ask.world.comments.get(ask.number("comment_id"))
    if comment is None or comment.pull.repository is not repository:
        raise not_found()
    return comment


def _refuse_others(ask: Ask, comment: IssueComment) -> None:
    # What people wrote is for those who may write to the repository's contents.
    if comment.app is not ask.token.installation.app:
        raise Failure(403, "Resource not accessible by integration")


def _body(ask: Ask) -> str:
    fields = Fields(ask.body)
    body = fields.text("body", required=True) or ""
    fields.done()
    if not body.strip():
        raise unprocessable("IssueComment", "body", "body can't be blank", "missing_field")
    if len(body) > LONGEST_BODY:
        raise unprocessable("IssueComment", "data", f"Body is too long (maximum is {LONGEST_BODY} characters)")
    return body
