"""Links to the set-up page: each opens once, within a day, and none does once there is an App."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bot.access.secrets import hash_of
from bot.settings import Settings
from bot.setup import links
from bot.store import models
from bot.store.database import Database

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
MOMENT = timedelta(seconds=1)


async def test_a_link_opens_once(database: Database) -> None:
    token = await links.new_link(NOW)
    opened = await asyncio.gather(*[links.open_link(token, NOW) for _ in range(8)])
    assert sorted(opened) == [False] * 7 + [True]


async def test_looking_at_a_link_leaves_it_good(database: Database) -> None:
    token = await links.new_link(NOW, links.CARRIED_LASTS)
    assert [await links.is_good(token, NOW) for _ in range(2)] == [True, True]
    assert not await links.is_good(token, NOW + links.CARRIED_LASTS)
    assert not await links.is_good("another", NOW)
    assert await links.open_link(token, NOW)
    assert not await links.is_good(token, NOW)


async def test_a_link_opens_within_a_day(database: Database) -> None:
    token, another = await links.new_link(NOW), await links.new_link(NOW)
    assert await links.open_link(token, NOW + links.LASTS - MOMENT)
    assert not await links.open_link(another, NOW + links.LASTS)


async def test_each_of_several_opens_and_nothing_else(database: Database) -> None:
    tokens = [await links.new_link(NOW) for _ in range(3)]
    for wrong in ("", tokens[0][:-1], hash_of(tokens[0]), "\ud800", "\0"):
        assert not await links.open_link(wrong, NOW)
    assert [await links.open_link(token, NOW) for token in tokens] == [True] * 3


async def test_a_link_is_kept_as_a_hash_until_it_is_over(database: Database) -> None:
    token = await links.new_link(NOW)
    (kept,) = await models.SetupLink.all(using_db=database.client)
    assert kept.hash == hash_of(token)
    await links.new_link(NOW + links.LASTS)
    assert not await models.SetupLink.filter(hash=hash_of(token)).using_db(database.client).exists()


async def test_links_that_were_not_opened_can_be_voided(database: Database) -> None:
    opened, unopened = await links.new_link(NOW), await links.new_link(NOW)
    assert await links.open_link(opened, NOW)
    async with database.transaction() as tx:
        await links.void_links(tx)
    assert not await links.open_link(unopened, NOW)
    assert await models.SetupLink.all(using_db=database.client).count() == 1


@pytest.mark.parametrize(
    ("host", "public_url", "port", "address"),
    [
        ("0.0.0.0", None, None, "http://localhost:8080"),
        ("::", None, 9000, "http://localhost:9000"),
        ("127.0.0.1", None, None, "http://127.0.0.1:8080"),
        ("::1", None, None, "http://[::1]:8080"),
        ("0.0.0.0", "https://runledger.example.org/", 9000, "https://runledger.example.org"),
    ],
)
def test_the_address_of_a_link(host: str, public_url: str | None, port: int | None, address: str) -> None:
    settings = Settings(_env_file=None, host=host, public_url=public_url)
    link = links.link_of("token", settings, port)
    assert link == f"{address}/setup/link/token"
    told = links.invitation(link, settings)
    assert link in told
    assert (links.ELSEWHERE in told) == (public_url is None)
    assert ("in its place" in links.log_line(settings)) == (public_url is None)
