"""`github_app_authorization`: a person has withdrawn what the App may do in their name. Comes unasked.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#github_app_authorization
"""

from gidgethub import routing, sansio

from bot.domain import facts, payloads
from bot.domain.news import News

router = routing.Router()
ACTION = "revoked"


@router.register("github_app_authorization")
async def handle_github_app_authorization(event: sansio.Event, news: News) -> None:
    """Record who is not to be asked for any more, and from when."""
    if payloads.parse(event.data, payloads.Event).action != ACTION:
        news.ignored = True
        return
    payload = payloads.parse(event.data, payloads.AppAuthorizationEvent)
    news.told += [facts.authorization_revoked(payload.sender, news.seen_at)]
