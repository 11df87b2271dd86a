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
    """Record the installation and the repositories that it lists, and that people may see others now.

    One that is deleted takes out of sight what it still has; what another one sees by now is not for it to say.
    """
    payload = payloads.parse(event.data, payloads.InstallationEvent)
    installation = facts.installation(payload.installation, payload.action, news.seen_at)
    listed = [] if installation.state == "deleted" else payload.repositories or []
    news.told += [
        installation,
        *(
            facts.thin_repository(each, installation.installation_id, installation.account, news.seen_at)
            for each in listed
        ),
        facts.SightChange(None if payload.action in _OPENING else installation.installation_id),
    ]
