"""Going through GitHub's list of deliveries: up to which point, through interruptions, and where it does not reach."""

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.demo.github import Fail
from bot.github import Answer, Client, Json, apps
from bot.history import deliveries
from bot.history.deliveries import LONGEST_QUIET, OVERLAP, REACH, Hole, find_hole
from bot.history.missed import MOST_REDELIVERIES, SLACK
from bot.history.requests import Kind
from bot.store.database import Database
from tests.history.post import BETWEEN_CYCLES, Post, acted_on, posting


@pytest.fixture
async def post(database: Database) -> AsyncIterator[Post]:
    async with posting(database) as opened:
        yield opened


async def test_the_point_moves_once_nothing_is_missing(post: Post) -> None:
    started = post.house.clock.now()
    await post.cycle()
    first = await post.listed_to()
    assert started <= first + OVERLAP <= post.house.clock.now()
    assert (await post.scan()).point == first
    post.faults.add(Fail(), times=None, redeliveries=True)
    lost = acted_on(await post.work())
    await post.cycles(2)
    assert set(await post.missed()) == set(lost)
    assert (await post.scan()).point == first < await post.listed_to()
    post.faults.clear()
    await post.cycles(1)
    assert await post.missed() == {}
    assert (await post.scan()).point == first
    started = post.house.clock.now()
    await post.cycle()
    assert (await post.scan()).point == await post.listed_to() >= started - OVERLAP


async def test_the_point_never_moves_back(post: Post) -> None:
    await post.cycle()
    ahead = post.house.clock.now() + timedelta(hours=1)
    await post.house.database.execute("UPDATE delivery_scan SET point = ?, listed_to = ?", ahead, ahead)
    await post.cycle()
    scan = await post.scan()
    assert (scan.point, scan.listed_to) == (ahead, ahead)


# Interruptions


class Killed(BaseException):
    """The process ends."""


def kill_at(
    monkeypatch: pytest.MonkeyPatch, place: Any, name: str, calls: int, *, after: bool = False
) -> Callable[[], None]:
    """Let the process end at the call of that number; return what lets it live again."""
    does, made = getattr(place, name), 0

    async def until_killed(*arguments: Any, **named: Any) -> Any:
        nonlocal made
        made += 1
        if made == calls and not after:
            raise Killed
        outcome = await does(*arguments, **named)
        if made == calls:
            raise Killed
        return outcome

    monkeypatch.setattr(place, name, until_killed)
    return lambda: monkeypatch.setattr(place, name, does)


async def lose_pages(post: Post) -> list[str]:
    """Lose most of what fills a little over three pages; the newest of it arrives."""
    lost = await post.lose(16)
    await post.work()
    assert 300 < len(post.house.github.webhooks.log.attempts) < 400
    return lost


@pytest.mark.parametrize("after", [False, True])
async def test_a_killed_listing_asks_for_one_page_again_at_the_most(
    post: Post, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = await lose_pages(post)
    revive = kill_at(monkeypatch, deliveries, "_go_on", 3, after=after)
    with pytest.raises(Killed):
        await post.cycle()
    revive()
    await post.house.clock.advance(60)
    begun = await post.began_at()
    assert post.lists() == 3
    kept = await post.house.count("missed_delivery")
    assert 0 < kept == len(await post.missed()) < len(lost)
    monkeypatch.setattr(deliveries, "redeliver_missing", _not_now)
    await post.cycle()
    assert post.lists() == 5
    assert await post.house.count("missed_delivery") == len(lost)
    assert set(await post.missed()) == set(lost)
    assert await post.listed_to() == begun - OVERLAP


async def _not_now(*_: Any) -> None:
    """Leave what is missing alone."""


async def test_what_was_listed_is_not_listed_again(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = await lose_pages(post)
    monkeypatch.setattr(deliveries, "redeliver_missing", _not_now)
    await post.house.clock.advance(OVERLAP.total_seconds() + 1)
    await post.cycles(1)
    assert post.lists() == 4
    await post.cycles(2)
    assert post.lists() == 6
    assert set(await post.missed()) == set(lost)


async def test_a_killed_process_asks_for_no_sixth_redelivery(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    post.faults.add(Fail(), times=None, redeliveries=True)
    post.house.stage.open()
    await post.house.github.settle()
    for _ in range(MOST_REDELIVERIES + 2):
        revive = kill_at(monkeypatch, apps, "redeliver", 1, after=True)
        with contextlib.suppress(Killed):
            await post.cycle()
        revive()
        await post.house.clock.advance(BETWEEN_CYCLES)
    assert post.redeliveries() == MOST_REDELIVERIES


async def test_a_cursor_that_github_takes_no_more_begins_the_listing_anew(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = await lose_pages(post)
    revive = kill_at(monkeypatch, deliveries, "_go_on", 2)
    with pytest.raises(Killed):
        await post.cycle()
    revive()
    await post.house.database.execute("UPDATE delivery_scan SET cursor = 'gone'")
    await post.house.clock.advance(60)
    begun = post.house.clock.now()
    monkeypatch.setattr(deliveries, "redeliver_missing", _not_now)
    await post.cycle()
    assert await post.listed_to() >= begun - OVERLAP
    assert set(await post.missed()) == set(lost)


async def test_when_github_is_down_the_listing_goes_on_later(
    post: Post, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = await lose_pages(post)
    revive = kill_at(monkeypatch, deliveries, "_go_on", 3)
    with pytest.raises(Killed):
        await post.cycle()
    revive()
    begun = await post.began_at()
    post.house.github.outages.add(timedelta(minutes=10))
    assert await post.cycles(2) == [0, 0]
    assert [line.levelname for line in caplog.records if "left for later" in line.message] == ["WARNING"] * 2
    assert await post.began_at() == begun
    await post.house.clock.advance(600)
    before = post.lists()
    monkeypatch.setattr(deliveries, "redeliver_missing", _not_now)
    await post.cycle()
    assert post.lists() - before == 2
    assert set(await post.missed()) == set(lost)


async def test_what_can_not_be_read_is_passed_over(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = await post.lose()
    broken: list[Json] = [
        {"id": "x"},
        {"id": 1, "guid": "g" * 101, "delivered_at": "2026-01-05T09:00:00Z", "event": "ping"},
    ]
    list_deliveries = apps.list_deliveries

    async def and_more(app: Client, cursor: str | None = None) -> Answer[list[Json]]:
        return (await list_deliveries(app, cursor)).map(lambda listed: [*broken, *listed])

    monkeypatch.setattr(apps, "list_deliveries", and_more)
    assert await post.cycle() == len(lost)


async def test_a_list_that_goes_round_ends(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    lost, list_deliveries = await lose_pages(post), apps.list_deliveries

    async def and_begins_again(app: Client, cursor: str | None = None) -> Answer[list[Json]]:
        answer = await list_deliveries(app, cursor)
        return (
            answer if cursor is None else dataclasses.replace(answer, links={"next": f"{answer.url}&cursor={cursor}"})
        )

    monkeypatch.setattr(apps, "list_deliveries", and_begins_again)
    monkeypatch.setattr(deliveries, "redeliver_missing", _not_now)
    await post.cycle()
    assert post.lists() == 2
    assert 0 < len(await post.missed()) < len(lost)


# Holes

NOW = datetime(2026, 3, 9, 12, tzinfo=UTC)
HORIZON = NOW - REACH


@pytest.mark.parametrize(
    ("listed_to", "end", "hole"),
    [
        pytest.param(None, HORIZON, None, id="the first time"),
        pytest.param(NOW - timedelta(minutes=15), HORIZON, None, id="as usual"),
        pytest.param(HORIZON, HORIZON, None, id="just in time"),
        pytest.param(HORIZON - timedelta(days=2), HORIZON, HORIZON, id="away for too long"),
        pytest.param(HORIZON - timedelta(days=2), NOW - timedelta(hours=5), NOW - timedelta(hours=5), id="and cut off"),
        pytest.param(NOW - timedelta(minutes=15), NOW, None, id="quiet"),
        pytest.param(NOW - LONGEST_QUIET, NOW, None, id="quiet for as long as can be"),
        pytest.param(NOW - timedelta(hours=9), NOW - timedelta(hours=5), NOW - timedelta(hours=5), id="cut off"),
    ],
)
def test_a_hole_is_what_github_does_not_list(listed_to: datetime | None, end: datetime, hole: datetime | None) -> None:
    expected = None if listed_to is None or hole is None else Hole(listed_to, hole)
    assert find_hole(listed_to, HORIZON, end) == expected


async def test_after_five_days_away_what_github_does_not_list_is_asked_for_once(post: Post) -> None:
    clock = post.house.clock
    await post.cycles(2)
    listed_to = await post.listed_to()
    forgotten = await post.lose()
    for _ in range(5):
        await clock.advance(86_400)
        lost = await post.lose()
    await clock.advance(3600)
    horizon = clock.now() - REACH
    await post.cycles(3)
    arrived = await post.arrived()
    assert set(lost) <= arrived
    assert not set(forgotten) & arrived
    oldest = min(one.delivered_at for one in post.house.github.webhooks.log.attempts if one.delivered_at > horizon)
    assert await post.asked_for(Kind.GAP) == [
        (post.house.installation_id, listed_to - SLACK, oldest.replace(microsecond=0))
    ]
    assert len(await post.asked_for(Kind.NIGHTLY)) == 1
    assert (await post.scan()).point == await post.listed_to() > clock.now() - timedelta(hours=1)


async def test_what_a_short_list_leaves_out_is_asked_for_once(post: Post) -> None:
    await post.cycle()
    listed_to = await post.listed_to()
    await post.house.clock.advance(5 * 3600)
    await post.lose(3)
    log = post.house.github.webhooks.log
    log.most = 10
    post.house.github.ping()
    await post.house.github.settle()
    await post.cycles(3)
    ((_, since, until),) = await post.asked_for(Kind.GAP)
    assert (since, until) == (listed_to - SLACK, log.attempts[0].delivered_at.replace(microsecond=0))


async def test_a_quiet_organisation_has_no_holes(post: Post) -> None:
    await post.cycles(5)
    await post.lose()
    await post.cycles(2)
    assert await post.asked_for(Kind.GAP) == []


async def test_the_first_time_there_is_no_hole(post: Post) -> None:
    await post.house.clock.advance(30 * 86_400)
    lost = await post.lose()
    assert await post.cycle() == len(lost)
    assert await post.asked_for(Kind.GAP) == []
