"""Events only record: each turns a body into facts and decides nothing else.

To add an event, write `events/<event>.py` with a router, join it here, and name the event in app.yml unless GitHub
sends it unasked.
"""

from datetime import datetime

from gidgethub import routing, sansio

from bot.domain import ordering
from bot.domain.news import News
from bot.events import (
    check_run,
    check_suite,
    github_app_authorization,
    installation,
    installation_repositories,
    installation_target,
    ping,
    pull_request,
    repository,
    workflow_job,
    workflow_run,
)

ROUTERS = {
    "check_run": check_run.router,
    "check_suite": check_suite.router,
    "github_app_authorization": github_app_authorization.router,
    "installation": installation.router,
    "installation_repositories": installation_repositories.router,
    "installation_target": installation_target.router,
    "ping": ping.router,
    "pull_request": pull_request.router,
    "repository": repository.router,
    "workflow_job": workflow_job.router,
    "workflow_run": workflow_run.router,
}
# GitHub sends these to every App without being asked (the checks' to whoever may write checks), so app.yml doesn't
# name them.
UNASKED = frozenset(
    {
        "check_run",
        "check_suite",
        "github_app_authorization",
        "installation",
        "installation_repositories",
        "installation_target",
        "ping",
    }
)
ACTED_ON = frozenset(ROUTERS)
_NOTHING_TOLD = {"pull_request": pull_request.IGNORED_ACTIONS}
_CHECKS = {"check_run": check_run, "check_suite": check_suite}
_ONLY_TOLD = {event: module.ACTIONS for event, module in _CHECKS.items()}
# How the bodies begin of all others that there are.
_NOTHING_BEGINS = {
    event: tuple(f'{{"action":"{action}"'.encode() for action in sorted(module.IGNORED_ACTIONS))
    for event, module in _CHECKS.items()
}
_WORDS = {event: [action.encode() for action in sorted(actions)] for event, actions in _ONLY_TOLD.items()}

router = routing.Router(*ROUTERS.values())


def acts_on(event: str, action: str | None) -> bool:
    """Tell whether a delivery of `event` and `action` tells anything that is recorded."""
    if event in _ONLY_TOLD:
        return action in _ONLY_TOLD[event]
    return event in ACTED_ON - {"ping"} and action not in _NOTHING_TOLD.get(event, ())


def may_tell(event: str, body: bytes) -> bool:
    """Tell whether the body of an event that is acted on is worth keeping, without parsing it.

    Of each job of every run GitHub tells whoever may write checks at least twice, and nearly never is it a click. The
    action comes first in GitHub's bodies. Where it doesn't, its name stands there as it is all the same, since nobody
    escapes letters in JSON; it may be there by chance, too.
    """
    words = _WORDS.get(event)
    if words is None:
        return True
    return not body.startswith(_NOTHING_BEGINS[event]) and any(word in body for word in words)


async def read(guid: str, event: str, body: bytes, received_at: datetime) -> News:
    """Return what a delivery tells.

    Raises MalformedPayload when its body is not what GitHub documents.
    """
    made = ordering.made_at(guid)
    news = News(made_at=made, seen_at=made or ordering.microseconds(received_at))
    delivered = sansio.Event(body, event=event, delivery_id=guid)
    # The body stays bytes: each handler reads it as the shape that it needs.
    for handle in router.fetch(delivered):
        await handle(delivered, news)
    return news
