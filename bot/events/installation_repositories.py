"""`installation_repositories`: the installation sees more repositories, or fewer. Comes unasked.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#installation_repositories
"""

from gidgethub import routing, sansio

from bot.domain import facts, payloads
from bot.domain.news import News

router = routing.Router()


@router.register("installation_repositories")
async def handle_installation_repositories(event: sansio.Event, news: News) -> None:
    """Show what was added and hide what was removed."""
    payload = payloads.parse(event.data, payloads.InstallationRepositoriesEvent)
    installation = facts.installation(payload.installation, None, news.seen_at)
    listed = [(each, False) for each in payload.repositories_added]
    listed += [(each, True) for each in payload.repositories_removed]
    news.told += [
        installation,
        *(
            facts.thin_repository(each, installation.installation_id, installation.account, news.seen_at, hidden=gone)
            for each, gone in listed
        ),
        facts.SightChange(installation.installation_id),
    ]
