"""Puts bodies into the record through its one door, many in one transaction."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from bot import recorder
from bot.domain import facts, ordering, payloads
from bot.store.database import Database
from bot.store.queries import Scope, get_scope
from tests import builders as make

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def stamp(seconds: float) -> str:
    """Return the time so many seconds after noon, as GitHub writes it."""
    return (NOON + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


async def record(
    database: Database,
    repository: make.Body,
    *,
    runs: Iterable[make.Body] = (),
    jobs: Iterable[make.Body] = (),
    pull_requests: Iterable[make.Body] = (),
    installation: int | None = make.INSTALLATION,
    minute: int = 0,
) -> Scope:
    """Record what these bodies tell, as seen that many minutes after noon; return the scope of the owner's team."""
    seen = ordering.microseconds(NOON + timedelta(minutes=minute))
    home = payloads.read(repository, payloads.Repository)
    news: list[facts.Facts] = [facts.repository(home, installation, seen)]
    news += [facts.workflow_run(payloads.read(each, payloads.WorkflowRun), home.id, seen) for each in runs]
    news += [facts.workflow_job(payloads.read(each, payloads.WorkflowJob), home.id, seen) for each in jobs]
    news += [facts.pull_request(payloads.read(each, payloads.PullRequest), home.id, seen) for each in pull_requests]
    async with database.transaction() as tx:
        await recorder.record(tx, news, NOON)
    return await get_scope(home.owner.login)


async def record_installation(database: Database, action: str, minute: int, id: int = make.INSTALLATION) -> None:
    """Record an `installation` event, made that many minutes after noon."""
    payload = payloads.parse(make.installation_event(action, id), payloads.InstallationEvent)
    seen = ordering.microseconds(NOON + timedelta(minutes=minute))
    async with database.transaction() as tx:
        await recorder.record(tx, [facts.installation(payload.installation, action, seen)], NOON)
