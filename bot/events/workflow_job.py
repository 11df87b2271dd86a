"""`workflow_job`: a job was queued, waits, began or completed.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#workflow_job
"""

from gidgethub import routing, sansio

from bot.domain import facts, payloads
from bot.domain.news import News

router = routing.Router()


@router.register("workflow_job")
async def handle_workflow_job(event: sansio.Event, news: News) -> None:
    """Record the job as it is, whatever the action says."""
    payload = payloads.parse(event.data, payloads.WorkflowJobEvent)
    installation_id = payload.installation.id if payload.installation else None
    news.told += [
        facts.repository(payload.repository, installation_id, news.seen_at),
        facts.workflow_job(payload.workflow_job, payload.repository.id, news.made_at),
    ]
