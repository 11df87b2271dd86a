"""SECRET_KEY is changed: what the one before has sealed is sealed anew, and then the one before may go."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.clock import ManualClock
from bot.settings import Settings, load_settings
from bot.store.database import Database
from bot.store.registration import Registration, Secrets, find_registration, keep_registration, seal_anew
from bot.store.sealing import CannotOpen, Sealer
from bot.worker import Worker

OLD, NEW, OTHER = "an old key of thirty-two letters", "a new key of thirty-two letters.", "another key"
APP = Registration(
    app_id=7,
    slug="ledger",
    name="Ledger",
    owner_login="acme",
    html_url="https://github.com/apps/ledger",
    client_id="Iv23",
    api_url="https://api.github.com",
    server_url="https://github.com",
    public_url="https://runledger.example.org",
    secrets=Secrets("a private key", "a webhook secret", "a client secret"),
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def settings(**keys: str) -> Settings:
    told: dict[str, Any] = {**keys}
    return load_settings(**told)


async def keep(database: Database) -> None:
    async with database.transaction() as tx:
        await keep_registration(tx, Sealer(OLD), APP, replacing=None)


async def test_the_key_before_is_not_needed_any_more(database: Database) -> None:
    await keep(database)
    both = settings(secret_key=NEW, secret_key_previous=OLD)
    assert await seal_anew(database, both) == 1
    assert await find_registration(database, Sealer(NEW)) == APP
    with pytest.raises(CannotOpen):
        await find_registration(database, Sealer(OLD))
    assert await seal_anew(database, both) == 0


async def test_nothing_is_done_without_a_key_before_or_an_app(database: Database) -> None:
    assert await seal_anew(database, settings(secret_key=NEW, secret_key_previous=OLD)) == 0
    await keep(database)
    assert await seal_anew(database, settings(secret_key=NEW)) == 0
    assert await seal_anew(database, settings()) == 0
    assert await find_registration(database, Sealer(OLD)) == APP


async def test_what_neither_key_opens_stays_as_it_is(database: Database) -> None:
    await keep(database)
    with pytest.raises(CannotOpen):
        await seal_anew(database, settings(secret_key=NEW, secret_key_previous=OTHER))
    assert await find_registration(database, Sealer(OLD)) == APP


async def test_a_worker_does_it_within_a_day(database: Database) -> None:
    await keep(database)
    clock = ManualClock()
    worker = Worker(database, clock, settings(secret_key=NEW, secret_key_previous=OLD))
    await worker.run_timed_jobs()
    await clock.advance(25 * 3600)
    assert "seal-anew" in await worker.run_timed_jobs()
    assert await find_registration(database, Sealer(NEW)) == APP
