"""Pull requests and their labels.

https://docs.github.com/en/rest/pulls/pulls, https://docs.github.com/en/rest/issues/labels
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.payloads import pulls
from bot.demo.github.rest.answers import Answer
from bot.demo.github.rest.paging import paged

if TYPE_CHECKING:
    from bot.demo.github.rest.asking import Ask
    from bot.demo.github.state.repositories import PullRequest


def get(ask: Ask) -> Answer:
    """Answer with a pull request."""
    pull = ask.pull_request()
    comments = len(ask.github.comments.of(pull))
    return Answer(200, {**pulls.pull_request(ask.addresses, pull), "comments": comments})


def list_pulls(ask: Ask) -> Answer:
    """Answer with pull requests of a state, perhaps of one head (`user:branch`) or base, newest first."""
    repository = ask.repository()
    state = ask.choice("state", ("open", "closed", "all"), "open")
    order = ask.choice("sort", ("created", "updated", "popularity", "long-running"), "created")
    direction = ask.choice("direction", ("asc", "desc"), "desc" if order == "created" else "asc")
    found = [
        one
        for one in ask.world.pull_requests.values()
        if one.repository is repository
        and state in {"all", one.state}
        and ask.query.get("head") in {None, f"{one.head_repository.owner.login}:{one.head_ref}"}
        and ask.query.get("base") in {None, one.base_ref}
    ]
    found.sort(key=lambda one: _place(one, order), reverse=direction == "desc")
    return paged(ask, found, lambda one: pulls.pull_request_simple(ask.addresses, one))


def list_labels_on_issue(ask: Ask) -> Answer:
    """Answer with the labels of a pull request."""
    pull = ask.pull_request()
    return paged(ask, pull.labels, lambda one: pulls.label(ask.addresses, pull.repository, one))


def _place(pull: PullRequest, order: str) -> tuple[float, int]:
    moment = pull.updated_at if order == "updated" else pull.created_at
    return moment.timestamp(), pull.number
