"""`workflow_run`: a run was requested, began or completed.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#workflow_run
"""

from gidgethub import routing, sansio

from bot.domain import facts, payloads
from bot.domain.news import News

router = routing.Router()


@router.register("workflow_run")
async def handle_workflow_run(event: sansio.Event, news: News) -> None:
    """Record the attempt as it is, whatever the action says: the snapshot tells more than the verb."""
    payload = payloads.parse(event.data, payloads.WorkflowRunEvent)
    installation_id = payload.installation.id if payload.installation else None
    news.told += [
        facts.repository(payload.repository, installation_id, news.seen_at),
        facts.workflow_run(payload.workflow_run, payload.repository.id, news.made_at),
    ]
