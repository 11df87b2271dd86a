"""`check_suite`: somebody pressed "Re-run all checks". Comes unasked to whoever may write checks.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#check_suite
"""

from gidgethub import routing, sansio

from bot.domain import facts, payloads
from bot.domain.news import News

router = routing.Router()

# All others tell of suites as they come and go, those of every App.
ACTIONS = frozenset({"rerequested"})
IGNORED_ACTIONS = frozenset({"completed", "requested"})


@router.register("check_suite")
async def handle_check_suite(event: sansio.Event, news: News) -> None:
    """Record what is wanted, and by whom; whether it is done is decided when it is to be done."""
    if payloads.parse(event.data, payloads.Event).action not in ACTIONS:
        news.ignored = True
        return
    payload = payloads.parse(event.data, payloads.CheckSuiteEvent)
    wanted = facts.action_wanted("rerequest_suite", payload, event.delivery_id, news.seen_at)
    if wanted is None:
        news.ignored = True
        return
    installation_id = payload.installation.id if payload.installation else None
    news.told += [facts.repository(payload.repository, installation_id, news.seen_at), wanted]
