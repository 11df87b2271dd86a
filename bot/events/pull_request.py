"""`pull_request`: its head tells which runs belong to it, also those of forks, which list none.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request
"""

from gidgethub import routing, sansio

from bot.domain import facts, payloads
from bot.domain.news import News

router = routing.Router()

# Nothing that we keep of a pull request changes with these.
IGNORED_ACTIONS = frozenset(
    {
        "assigned",
        "auto_merge_disabled",
        "auto_merge_enabled",
        "demilestoned",
        "dequeued",
        "enqueued",
        "milestoned",
        "review_request_removed",
        "review_requested",
        "unassigned",
    }
)


@router.register("pull_request")
async def handle_pull_request(event: sansio.Event, news: News) -> None:
    """Record the pull request as it is."""
    payload = payloads.parse(event.data, payloads.PullRequestEvent)
    if payload.action in IGNORED_ACTIONS:
        news.ignored = True
        return
    installation_id = payload.installation.id if payload.installation else None
    news.told += [
        facts.repository(payload.repository, installation_id, news.seen_at),
        facts.pull_request(payload.pull_request, payload.repository.id, news.made_at),
    ]
