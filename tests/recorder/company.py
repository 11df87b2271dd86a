"""An organisation as the directory's events tell of it: bodies as full as GitHub's, each told at a time."""

import itertools
import json
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from bot import events
from bot.errors import NotFound
from bot.store.database import Database
from bot.store.queries import get_workflow_runs
from tests.domain.sent import NOON, changed, sent
from tests.oracle.bodies import SECOND
from tests.oracle.guids import timed_guid
from tests.recorder.arrived import handle
from tests.recorder.records import clear

Body = dict[str, Any]
START = datetime(2026, 11, 2, 12, tzinfo=UTC)


class Owner(NamedTuple):
    """An account, and the App's installation on it, or None."""

    account_id: int = 11
    login: str = "octo-org"
    installation_id: int | None = 5

    @property
    def account(self) -> Body:
        return {"id": self.account_id, "login": self.login, "type": "Organization"}


class Repo(NamedTuple):
    """A repository at one moment."""

    id: int = 10
    name: str = "hello"
    archived: bool = False
    default_branch: str = "main"
    private: bool = False


OCTO, OTHER, HELLO, WORLD = Owner(), Owner(99, "other-org", 6), Repo(), Repo(12, "world")
AGAIN = OCTO._replace(installation_id=7)


class Told(NamedTuple):
    """An event and its body."""

    event: str
    body: Body


def _with_repository(event: str, owner: Owner, repo: Repo, **more: Any) -> Told:
    repository = {
        "id": repo.id,
        "name": repo.name,
        "full_name": f"{owner.login}/{repo.name}",
        "owner": owner.account,
        "private": repo.private,
        "archived": repo.archived,
        "default_branch": repo.default_branch,
        "html_url": f"https://github.com/{owner.login}/{repo.name}",
    }
    body = {**sent(event), "repository": repository, **more}
    body.pop("installation")
    if owner.installation_id is not None:
        body["installation"] = {"id": owner.installation_id}
    return Told(event, body)


def ran(owner: Owner = OCTO, repo: Repo = HELLO, run_id: int = 100) -> Told:
    """A run of the repository has completed."""
    told = _with_repository("workflow_run", owner, repo)
    run = {"id": run_id, "workflow_id": 1000 + repo.id, "pull_requests": []}
    return Told("workflow_run", {**told.body, "workflow_run": told.body["workflow_run"] | run})


def worked(owner: Owner = OCTO, repo: Repo = HELLO, job_id: int = 200) -> Told:
    """A job of the repository has completed."""
    told = _with_repository("workflow_job", owner, repo)
    return Told("workflow_job", changed(told.body, ("workflow_job", "id"), job_id))


def renamed(owner: Owner, repo: Repo, before: str) -> Told:
    """The repository, which has its new name already, was called `before`."""
    changes = {"repository": {"name": {"from": before}}}
    return _with_repository("repository", owner, repo, action="renamed", changes=changes)


def transferred(owner: Owner, repo: Repo, before: Owner) -> Told:
    """The repository was another owner's before."""
    changes = {"owner": {"from": {"organization": before.account}}}
    return _with_repository("repository", owner, repo, action="transferred", changes=changes)


def edited(owner: Owner, repo: Repo, action: str) -> Told:
    """The repository was archived, privatized, deleted or the like."""
    return _with_repository("repository", owner, repo, action=action, changes={})


def _installation(owner: Owner, suspended: bool) -> Body:
    account = {"id": owner.installation_id, "account": owner.account}
    return {
        **sent("installation")["installation"],
        **account,
        "suspended_at": "2026-11-02T12:00:00Z" if suspended else None,
    }


def _thin(owner: Owner, repos: Iterable[Repo]) -> list[Body]:
    return [{"id": repo.id, "full_name": f"{owner.login}/{repo.name}", "private": repo.private} for repo in repos]


def installed(action: str, owner: Owner = OCTO, repos: Iterable[Repo] = (), *, suspended: bool = False) -> Told:
    """Something happened to the installation: created, deleted, suspend, unsuspend."""
    body = {"action": action, "installation": _installation(owner, suspended), "repositories": _thin(owner, repos)}
    return Told("installation", body)


def chosen(owner: Owner, added: Iterable[Repo] = (), removed: Iterable[Repo] = (), *, suspended: bool = False) -> Told:
    """The installation sees more repositories, or fewer."""
    listed = {"repositories_added": _thin(owner, added), "repositories_removed": _thin(owner, removed)}
    return Told("installation_repositories", {"installation": _installation(owner, suspended), **listed})


def account_renamed(owner: Owner) -> Told:
    """The account has the login that `owner` has."""
    return Told(
        "installation_target",
        {"action": "renamed", "account": owner.account, "installation": {"id": owner.installation_id}},
    )


async def tell(database: Database, told: Told, at: float, now: datetime | None = None) -> None:
    """Record a delivery that GitHub made `at` seconds after the start, and that was handled at `now`."""
    await tell_together(database, [(at, told)], now)


async def tell_together(
    database: Database, happened: Iterable[tuple[float, Told]], now: datetime | None = None
) -> None:
    """Record deliveries in one transaction, each made at its own time."""
    now, news = now or START + timedelta(days=1), []
    for at, told in happened:
        guid = timed_guid(NOON + int(at * SECOND), 0, 1)
        news += (await events.read(guid, told.event, json.dumps(told.body).encode(), now)).told
    async with database.transaction() as tx:
        await handle(tx, news, now)


async def tell_all(database: Database, happened: Iterable[tuple[float, Told]]) -> None:
    """Record deliveries in this order, each made at its own time."""
    for at, told in happened:
        await tell(database, told, at)


async def in_every_order(database: Database, happened: list[tuple[float, Told]]) -> AsyncIterator[None]:
    """Begin anew for each order in which these deliveries can come."""
    for order in itertools.permutations(happened):
        await clear(database)
        await tell_all(database, order)
        yield


async def runs_of(team: str, full_name: str | None = None) -> list[int]:
    """Return the ids of the runs that a team sees, of one repository or of all; none where there is no such team."""
    try:
        page = await get_workflow_runs(team, full_name)
    except NotFound:
        return []
    assert page.total == len(page.runs)
    return sorted(run.run_id for run in page.runs)


REINSTALLED: list[tuple[float, Told]] = [
    (1, ran()),
    (2, installed("deleted", repos=[HELLO])),
    (3, installed("created", AGAIN, [HELLO])),
    (4, ran(AGAIN, run_id=101)),
]
