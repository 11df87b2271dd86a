"""Which events let GitHub be asked again what people see, and for whom."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot import events
from bot.access import audit
from bot.domain import facts
from bot.recorder import record
from bot.recorder.sight import sight_statements
from bot.store.database import Database, to_moment
from bot.store.queries import Scope
from tests import builders as make

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
ADA, EVE, NEW, OUT = 1, 2, 3, 4
Body = dict[str, Any]


@pytest.fixture
async def people(database: Database) -> Database:
    """Give a record of Ada, who sees repository 9 in 71, Eve, who sees 20 in 72, one not asked about yet, one gone."""
    insert = (
        "INSERT INTO person (user_id, login, created_at, access_token, granted_at, looked_at) VALUES (?, ?, ?, ?, ?, ?)"
    )
    for user_id in (ADA, EVE, NEW, OUT):
        looked_at = NOW if user_id in (ADA, EVE) else None
        sealed = None if user_id == OUT else b"sealed"
        await database.execute(insert, user_id, f"user-{user_id}", NOW, sealed, NOW, looked_at)
    for user_id, installation_id, repository_id in ((ADA, 71, 9), (EVE, 72, 20)):
        await database.execute(
            "INSERT INTO person_installation (user_id, installation_id) VALUES (?, ?)", user_id, installation_id
        )
        await database.execute(
            "INSERT INTO person_repository (user_id, repository_id, installation_id, is_admin) VALUES (?, ?, ?, ?)",
            user_id,
            repository_id,
            installation_id,
            False,
        )
    return database


def installation(action: str, **changes: Any) -> Body:
    return {"action": action, "installation": {"id": 71, "account": make.owner()} | changes}


def repositories(action: str) -> Body:
    thin = {"id": 10, "full_name": "octo-org/new", "private": True}
    return installation(action) | {f"repositories_{action}": [thin]}


def repository(action: str) -> Body:
    return {"action": action, "repository": make.repository(), "installation": {"id": 71}}


EVENTS = [
    ("installation", installation("created"), {ADA, EVE, NEW}),
    ("installation", installation("unsuspend"), {ADA, EVE, NEW}),
    ("installation", installation("suspend", suspended_at="2026-01-05T09:00:00Z"), {ADA, NEW}),
    ("installation", installation("deleted"), {ADA, NEW}),
    ("installation", installation("new_permissions_accepted"), {ADA, NEW}),
    ("installation_repositories", repositories("added"), {ADA, NEW}),
    ("installation_repositories", repositories("removed"), {ADA, NEW}),
    *(
        ("repository", repository(action), {ADA, NEW})
        for action in ("privatized", "publicized", "transferred", "deleted", "renamed")
    ),
    *(("repository", repository(action), set[int]()) for action in ("created", "edited", "archived", "unarchived")),
]


async def told_by(event: str, body: Body, guid: str | None = None) -> list[facts.Facts]:
    return (await events.read(guid or make.guid(), event, json.dumps(body).encode(), NOW)).told


async def hear(database: Database, event: str, body: Body) -> None:
    async with database.transaction() as tx:
        await record(tx, await told_by(event, body), NOW)


@pytest.mark.parametrize(("event", "body", "concerned"), EVENTS, ids=lambda value: str(value)[:40])
async def test_whom_an_event_concerns(people: Database, event: str, body: Body, concerned: set[int]) -> None:
    await hear(people, event, body)
    rows = await people.fetch("SELECT user_id, looked_at, revision FROM person")
    assert {row["user_id"] for row in rows if row["revision"]} == concerned
    assert {row["user_id"] for row in rows if row["looked_at"] is not None} == {ADA, EVE} - concerned


@pytest.mark.parametrize(
    ("event", "body"),
    [
        ("workflow_run", {"action": "completed", "workflow_run": make.run(), "repository": make.repository()}),
        ("pull_request", None),
    ],
)
async def test_what_comes_with_every_run_costs_no_statement(event: str, body: Body | None) -> None:
    told = [facts.AccountRename(facts.Account(5, "octo"), b"")] if body is None else await told_by(event, body)
    assert sight_statements(told, NOW) == []


def guid_at(moment: datetime) -> str:
    """Return the GUID of a delivery made then."""
    ticks = int((moment - datetime(1582, 10, 15, tzinfo=UTC)) / timedelta(microseconds=1)) * 10
    return str(uuid.UUID(fields=(ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 | 0x1000, 0x80, 0, 7)))


REVOKED = {"action": "revoked", "sender": {"login": "ada", "id": ADA, "type": "User"}}


@pytest.mark.parametrize(
    ("revoked_at", "is_forgotten"),
    [(NOW + timedelta(seconds=1), True), (NOW, True), (NOW - timedelta(seconds=1), False)],
)
async def test_a_withdrawal_ends_what_was_granted_before(
    people: Database, revoked_at: datetime, is_forgotten: bool
) -> None:
    session = "INSERT INTO session (hash, user_id, created_at, used_at, expires_at) VALUES (?, ?, ?, ?, ?)"
    for user_id in (ADA, EVE):
        await people.execute(session, f"of {user_id}", user_id, NOW, NOW, NOW + timedelta(days=1))
    told = await told_by("github_app_authorization", REVOKED, guid_at(revoked_at))
    for _ in range(2):
        async with people.transaction() as tx:
            await record(tx, told, NOW + timedelta(hours=1))
    granted = await people.fetch("SELECT user_id FROM person WHERE access_token IS NOT NULL")
    assert {row["user_id"] for row in granted} == ({EVE, NEW} if is_forgotten else {ADA, EVE, NEW})
    for table in ("person_installation", "person_repository"):
        seen = await people.fetch(f"SELECT user_id FROM {table}")
        assert {row["user_id"] for row in seen} == ({EVE} if is_forgotten else {ADA, EVE})
    ended = await people.fetch("SELECT user_id, revoked_at FROM session WHERE revoked_at IS NOT NULL")
    assert [(row["user_id"], to_moment(row["revoked_at"])) for row in ended] == (
        [(ADA, NOW + timedelta(hours=1))] if is_forgotten else []
    )


async def test_a_withdrawal_ends_the_tokens_made_before_for_good_and_says_so(people: Database) -> None:
    later = NOW + timedelta(hours=1)
    await people.execute("INSERT INTO team (slug, name, created_at) VALUES (?, ?, ?)", "octo", "octo", NOW)
    (team,) = await people.fetch("SELECT id FROM team")
    token = "INSERT INTO api_token (team_id, name, hash, hint, user_id, created_at) VALUES (?, ?, ?, ?, ?, ?)"
    for name, user_id, made_at in (
        ("ada's", ADA, NOW),
        ("her second", ADA, NOW),
        ("newer", ADA, later),
        ("eve's", EVE, NOW),
        ("operator's", None, NOW),
    ):
        await people.execute(token, team["id"], name, name, "rlt_12345678", user_id, made_at)
    told = await told_by("github_app_authorization", REVOKED, guid_at(NOW + timedelta(seconds=1)))
    for _ in range(2):
        async with people.transaction() as tx:
            await record(tx, told, later)
    rows = await people.fetch("SELECT name, revoked_at FROM api_token WHERE revoked_at IS NOT NULL ORDER BY id")
    assert [(row["name"], to_moment(row["revoked_at"])) for row in rows] == [("ada's", later), ("her second", later)]
    noted = await audit.list_audit(Scope(team["id"], "octo"), audit.OPERATOR)
    why = {"why": "authorization withdrawn at GitHub"}
    assert [(line.at, line.actor_kind, line.actor, line.action, line.subject, line.details) for line in noted] == [
        (later, "person", "user-1", "token.revoked", name, why) for name in ("her second", "ada's")
    ]


async def test_other_actions_say_nothing() -> None:
    read: Callable[..., Any] = events.read
    body = json.dumps(REVOKED | {"action": "granted"}).encode()
    news = await read(make.guid(), "github_app_authorization", body, NOW)
    assert (news.ignored, news.told) == (True, [])
