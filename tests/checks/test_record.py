"""What `doctor` finds out from the database, and that it does not say again what GitHub has told."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.checks import examine
from bot.clock import ManualClock
from bot.settings import Settings
from bot.store import connected, health, models
from tests.checks.conftest import Practice, faults, patiently
from tests.cli.delivering import deliver, run_event

ACCOUNT = {"account_id": 5, "account_login": "octo-org", "version": b"", "login_version": b""}
HOUR = timedelta(hours=1)


async def install(url: str, now: datetime, **changes: Any) -> None:
    """Record an installation as a delivery would."""
    async with connected(url) as database:
        team, _ = await models.Team.get_or_create(
            {"name": "Octo", "created_at": now}, slug="octo-org", using_db=database.client
        )
        told = {"installation_id": 71, "state": "active", "created_at": now, "team_id": team.id, **ACCOUNT}
        await models.Installation.create(using_db=database.client, **told | changes)


async def beat(url: str, now: datetime) -> None:
    async with connected(url):
        await health.beat("a worker", now)


async def scan(url: str, point: datetime | None) -> None:
    async with connected(url) as database:
        await models.DeliveryScan.create(point=point, listed=False, using_db=database.client)


async def sentences(settings: Settings, clock: ManualClock, part: str) -> list[str]:
    """Return the findings that say `part`, those that are wrong in capitals."""
    found = [each for each in await examine(settings, clock) if part.lower() in each.sentence.lower()]
    return [each.sentence if each.good else each.sentence.upper() for each in found]


async def test_what_github_has_told_the_record_does_not_say_again(practice: Practice, migrated_url: str) -> None:
    now = practice.clock.now()
    installation = practice.stage.installation
    stale = {"permissions": {"metadata": "read"}, "events": [], "state": "suspended", "last_delivery_at": now - HOUR}
    await install(migrated_url, now, installation_id=installation.id, account_login="acme", **stale)
    await beat(migrated_url, now)
    settings = practice.settings(database_url=migrated_url)
    assert faults(await examine(settings, practice.clock)) == []
    assert await sentences(settings, practice.clock, f"Installation {installation.id}") == [
        f"Installation {installation.id} (acme) grants and sends all that app.yml asks for.",
        f"Installation {installation.id}: the last delivery came 60 min ago.",
    ]


async def test_the_record_answers_where_github_does_not(practice: Practice, migrated_url: str) -> None:
    now = practice.clock.now()
    await install(migrated_url, now, state="suspended", permissions={})
    await install(migrated_url, now, installation_id=72, permissions={"metadata": "read"}, events=["workflow_run"])
    await install(migrated_url, now, installation_id=73)
    await beat(migrated_url, now)
    practice.github.outages.add(HOUR)
    found = await patiently(practice.clock, examine(practice.settings(database_url=migrated_url), practice.clock))
    outage, suspended, *lacking = faults(found)
    assert "can't be asked" in outage
    assert suspended.startswith("Installation 71 (octo-org) is suspended")
    assert [sentence.removeprefix("Installation 72 (octo-org) does not ") for sentence in lacking] == [
        "grant actions: read.",
        "grant checks: write.",
        "grant pull_requests: write.",
        "send pull_request events.",
        "send repository events.",
        "send workflow_job events.",
    ]
    assert "Installation 73 (octo-org) has not said yet what it grants." in [each.sentence for each in found]


@pytest.mark.parametrize(
    ("last", "silent", "state", "wrong"),
    [
        (None, None, "active", False),
        (-5 * HOUR, None, "active", False),
        (None, -3 * HOUR, "active", True),
        (-5 * HOUR, -3 * HOUR, "active", True),
        (-3 * HOUR, -3 * HOUR, "active", True),
        (-1 * HOUR, -3 * HOUR, "active", False),
        (-5 * HOUR, -3 * HOUR, "suspended", False),
    ],
)
async def test_an_installation_that_has_gone_silent_is_told(
    migrated_sqlite: str, last: timedelta | None, silent: timedelta | None, state: str, wrong: bool
) -> None:
    clock = ManualClock()
    moments = {
        "last_delivery_at": None if last is None else clock.now() + last,
        "silent_since": None if silent is None else clock.now() + silent,
    }
    await install(migrated_sqlite, clock.now(), state=state, **moments)
    settings = Settings(_env_file=None, database_url=SecretStr(migrated_sqlite))
    told = await sentences(settings, clock, "silent")
    sentence = "Installation 71 (octo-org) is silent: GitHub shows runs since 2026-01-05 06:00 UTC, but sent nothing."
    assert told == ([sentence.upper()] if wrong else [])


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (timedelta(minutes=59), "GitHub's deliveries have been gone through up to 59 min ago."),
        (HOUR, "GitHub's deliveries have been gone through up to 60 min ago."),
        (
            HOUR + timedelta(seconds=1),
            "GITHUB'S DELIVERIES HAVE NOT BEEN GONE THROUGH SINCE 2026-01-05 07:59 UTC",
        ),
        (None, "GitHub's deliveries have not been gone through yet, so nothing tells whether all of them arrived."),
    ],
)
async def test_a_record_with_holes_is_told(
    practice: Practice, migrated_url: str, age: timedelta | None, told: str
) -> None:
    now = practice.clock.now()
    await beat(migrated_url, now)
    await scan(migrated_url, None if age is None else now - age)
    (sentence,) = await sentences(practice.settings(database_url=migrated_url), practice.clock, "gone through")
    assert sentence.startswith(told)


async def test_where_nobody_ever_went_through_deliveries_that_is_told(practice: Practice, migrated_sqlite: str) -> None:
    await beat(migrated_sqlite, practice.clock.now())
    (told,) = await sentences(practice.settings(database_url=migrated_sqlite), practice.clock, "gone through")
    assert "gone through yet" in told


async def test_without_a_worker_or_an_app_nobody_could_go_through_deliveries(
    practice: Practice, migrated_sqlite: str
) -> None:
    await scan(migrated_sqlite, practice.clock.now() - 9 * HOUR)
    settings = practice.settings(database_url=migrated_sqlite)
    assert await sentences(settings, practice.clock, "gone through") == []
    await beat(migrated_sqlite, practice.clock.now())
    unset = practice.settings(database_url=migrated_sqlite, app_id=None)
    assert await sentences(unset, practice.clock, "gone through") == []


@pytest.mark.parametrize(("waiting", "told"), [(0, "0 wait."), (1, "1 waits."), (2, "2 wait.")])
async def test_how_many_deliveries_wait_is_said_in_words(
    practice: Practice, migrated_sqlite: str, waiting: int, told: str
) -> None:
    deliveries = [run_event() for _ in range(waiting)]
    await asyncio.to_thread(deliver, migrated_sqlite, deliveries, handled=False)
    (sentence,) = await sentences(
        practice.settings(database_url=migrated_sqlite), practice.clock, "No delivery is dead"
    )
    assert sentence == f"No delivery is dead, {told}"


async def test_github_is_asked_though_the_database_is_away(practice: Practice) -> None:
    found = await examine(practice.settings(database_url="sqlite:///nonexistent/x.sqlite3"), practice.clock)
    assert [sentence[:28] for sentence in faults(found)] == ["The database can't be reache"]
    assert any("runledger (id" in each.sentence for each in found)


async def test_a_table_that_can_not_be_read_is_told(practice: Practice, migrated_sqlite: str) -> None:
    await beat(migrated_sqlite, practice.clock.now())
    path = Path(migrated_sqlite.removeprefix("sqlite://"))
    with closing(sqlite3.connect(path)) as database:
        (size,) = database.execute("PRAGMA page_size").fetchone()
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'delivery_scan'").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"x" * size)
    found = await examine(practice.settings(database_url=migrated_sqlite), practice.clock)
    (sentence,) = faults(found)
    assert sentence.startswith("The database can't be read: the database can't be used now")
    assert any("takes writes" in each.sentence for each in found)
