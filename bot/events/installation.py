"""`installation`: the App was installed, suspended, unsuspended, granted more, or removed. Comes unasked.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#installation
"""

from gidgethub import routing, sansio

from bot.domain import facts, payloads
from bot.domain.news import News

router = routing.Router()

# Who sees something again by these is not to be known from what everybody saw before.
_OPENING = frozenset({"created", "unsuspend"})


@router.register("installation")
async def handle_installation(event: sansio.Event, news: News) -> None:
    """Record the installation and the repositories that it lists, and that people may see others now."""
    payload = payloads.parse(event.data, payloads.InstallationEvent)
    installation = facts.installation(payload.installation, payload.action, news.seen_at)
    deleted = installation.state == "deleted"
    news.told += [
        installation,
        *(
            facts.thin_repository(
                each, installation.installation_id, installation.account, news.seen_at, hidden=deleted
            )
            for each in payload.repositories or ()
        ),
        facts.SightChange(None if payload.action in _OPENING else installation.installation_id),
    ]
