"""`ping`: GitHub tries the webhook's address. That it arrived is all there is to it. Comes unasked.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#ping
"""

from gidgethub import routing, sansio

from bot.domain import payloads
from bot.domain.news import News

router = routing.Router()


@router.register("ping")
async def handle_ping(event: sansio.Event, _news: News) -> None:
    """Check that the body is one that can be read."""
    payloads.parse(event.data, payloads.Event)
