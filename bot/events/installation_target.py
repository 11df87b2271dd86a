"""`installation_target`: the account that an installation is on has a new login. Comes unasked.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#installation_target
"""

from gidgethub import routing, sansio

from bot.domain import facts, payloads
from bot.domain.news import News

router = routing.Router()


@router.register("installation_target")
async def handle_installation_target(event: sansio.Event, news: News) -> None:
    """Record the new login, and with it the new full names of the account's repositories."""
    if payloads.parse(event.data, payloads.Event).action != "renamed":
        news.ignored = True
        return
    payload = payloads.parse(event.data, payloads.InstallationTargetEvent)
    version = facts.login_version(payload.account.login, news.seen_at)
    news.told += [facts.AccountRename(facts.account(payload.account), version)]
