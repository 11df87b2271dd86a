"""`check_run`: somebody pressed a button of a check run, or "Re-run". Comes unasked to whoever may write checks.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#check_run
"""

from gidgethub import routing, sansio

from bot.domain import facts, payloads
from bot.domain.feedback.buttons import RERUN_FAILED
from bot.domain.news import News

router = routing.Router()

# GitHub sends these to the App alone whose check run it is; all others come of the check runs of every App.
ACTIONS = frozenset({"requested_action", "rerequested"})
IGNORED_ACTIONS = frozenset({"completed", "created"})


@router.register("check_run")
async def handle_check_run(event: sansio.Event, news: News) -> None:
    """Record what is wanted, and by whom; whether it is done is decided when it is to be done."""
    if payloads.parse(event.data, payloads.Event).action not in ACTIONS:
        news.ignored = True
        return
    payload = payloads.parse(event.data, payloads.CheckRunEvent)
    wanted = _wanted(payload, event.delivery_id, news.seen_at)
    if wanted is None:
        news.ignored = True
        return
    installation_id = payload.installation.id if payload.installation else None
    news.told += [facts.repository(payload.repository, installation_id, news.seen_at), wanted]


def _wanted(payload: payloads.CheckRunEvent, guid: str, seen_at: int) -> facts.ActionWanted | None:
    if payload.action == "rerequested":
        return facts.action_wanted("rerequest_check", payload, guid, seen_at)
    button = payload.requested_action.identifier if payload.requested_action else None
    return facts.action_wanted(RERUN_FAILED, payload, guid, seen_at) if button == RERUN_FAILED else None
