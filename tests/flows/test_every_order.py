"""Every order of arrival ends in what happened, from GitHub's sockets to what the API shows.

Deliveries come on several connections at once, most of them in their lane, and what REST tells comes between them by
history's own keeping. Only by that, as a story's answers are each about one thing: whoever looks at a run lists all of
its jobs, and ends those that are not listed; whoever lists runs links them by their branches to pull requests, of which
a story does not tell.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
import pytest
import uvloop
from pydantic import SecretStr

from bot import access
from bot.app import serving
from bot.clock import ManualClock
from bot.domain import facts
from bot.domain.wanting import RunState, Urgency
from bot.history.keeping import Keeper
from bot.history.looking import Found
from bot.inbox import Settle, behind
from bot.recorder import record
from bot.settings import Settings
from bot.store import models
from bot.store.database import Database, current
from bot.store.wanted import WantedRun
from bot.web.lane import Lane, Passing
from bot.web.routes import API
from bot.worker import Worker
from tests.databases import quick
from tests.inbox.deliveries import INSTALLATION_ID, NOW, count, until_recorded
from tests.oracle import Delivery
from tests.recorder.arrived import Came, Story, check_stories, crowds, repository_of
from tests.recorder.records import State, assert_truth, clear, state_of
from tests.store.shown import assert_shown_as_it_stands
from tests.web.lines import Line, get, open_lines, post
from tests.web.rooms import SECRET

EXAMPLES = 20
EXAMPLES_DEEP = 500
LINES = 4
# What is said before has mostly been read by then.
PAUSE_SECONDS = 0.001


@dataclass
class Place:
    """The service, and how many deliveries have passed in its lane."""

    settings: Settings
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    address: tuple[str, int] = ("", 0)
    passed: int = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Place"]:
        async with serving(self.settings, self.clock, with_worker=False) as address:
            there = urlsplit(address)
            self.address = there.hostname or "", there.port or 0
            yield self


@pytest.fixture
def place(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> Place:
    given: dict[str, Any] = {"database_url": SecretStr(quick(migrated_url)), "webhook_secret": SecretStr(SECRET)}
    place = Place(Settings(_env_file=None, host="127.0.0.1", port=0, api_rate_limit=0, **given))
    take_in = Lane.take_in

    def counting(lane: Lane, passing: Passing, settle: Settle) -> bool:
        place.passed += 1
        return take_in(lane, passing, settle)

    monkeypatch.setattr(Lane, "take_in", counting)
    # What is in the journal is recorded while more comes, also where a story is over in a moment.
    monkeypatch.setattr(behind, "EVERY_SECONDS", 0.01)
    return place


# What is said


class Said(NamedTuple):
    """What is said in pieces, after which so many answers are to be heard."""

    pieces: list[bytes]
    answers: int


def said_of(letters: Sequence[bytes], rng: Random) -> list[Said]:
    """Choose whether all of this is said at once, or each of it once the one before is answered."""
    if rng.random() < 0.3:
        return [Said(_pieces(b"".join(letters), rng), len(letters))]
    return [Said(_pieces(letter, rng), 1) for letter in letters]


def _pieces(said: bytes, rng: Random) -> list[bytes]:
    """Cut the last body now and then; a head that is cut would leave the lane."""
    body = said.rindex(b"\r\n\r\n") + 4
    cuts = sorted(rng.choices(range(body, len(said)), k=rng.choice((0, 0, 1, 2))))
    return [said[begin:end] for begin, end in pairwise((0, *cuts, len(said)))]


def dealt(crowd: Iterable[Delivery], lines: Sequence[Line], rng: Random) -> list[tuple[Line, list[Said]]]:
    """Choose who says what of a crowd, and how."""
    letters: dict[int, list[bytes]] = defaultdict(list)
    for each in crowd:
        letter = post(json.dumps(each.body).encode(), X_GitHub_Event=each.event, X_GitHub_Delivery=each.guid)
        letters[rng.randrange(len(lines))].append(letter)
    return [(lines[number], said_of(theirs, rng)) for number, theirs in letters.items()]


async def deliver(line: Line, said: Iterable[Said]) -> None:
    for (*before, last), answers in said:
        for piece in before:
            await line.say(piece)
            await asyncio.sleep(PAUSE_SECONDS)
        await line.say(last)
        for _ in range(answers):
            status, _, body = await line.hear()
            assert status == "HTTP/1.1 202 Accepted", body


# What REST tells


def found_in(crowd: Iterable[Came], repository: models.Repository) -> list[Found]:
    """Return what REST tells among what came, as looks find it of each run."""
    found: dict[int, Found] = {}
    for fact in (fact for each in crowd if not isinstance(each.arrival, Delivery) for fact in each.told):
        if isinstance(fact, facts.WorkflowRun | facts.WorkflowJob):
            _add(found.setdefault(fact.run_id, _nothing_found(repository, fact.run_id)), fact)
    return list(found.values())


def _nothing_found(repository: models.Repository, run_id: int) -> Found:
    wanted = WantedRun(run_id, INSTALLATION_ID, repository.repository_id, None, Urgency.OTHER, True, NOW, NOW)
    return Found(repository, wanted, RunState("in_progress", None, None, NOW, NOW, 1, 0, 0, False, False))


def _add(found: Found, fact: facts.WorkflowRun | facts.WorkflowJob) -> None:
    if isinstance(fact, facts.WorkflowJob):
        found.jobs.append(fact)
    else:
        found.told.append(fact)
        found.state = msgspec.structs.replace(found.state, status=fact.status, conclusion=fact.conclusion)


# What is shown


def lists_by(line: Line, token: str) -> Callable[[str], Awaitable[list[bytes]]]:
    """Return what asks for a team's lists as a program does."""

    async def lists_of(team: str) -> list[bytes]:
        paths = [f"{API}/{what}?team={team}&limit=100" for what in ("workflow-runs", "workflow-jobs")]
        answers = [await line.ask(get(path, f"Authorization: Bearer {token}")) for path in paths]
        assert {status for status, _, _ in answers} == {"HTTP/1.1 200 OK"}
        return [body for _, _, body in answers]

    return lists_of


def assert_shows(lists: Sequence[bytes], state: State) -> None:
    """Hold what the lists of runs and jobs show against the rows."""
    runs, jobs = map(json.loads, lists)
    for table, key, shown in (("workflow_run", "run", runs["runs"]), ("workflow_job", "job", jobs["jobs"])):
        rows = {row[f"{key}_id"]: (row["run_attempt"], row["status"], row["conclusion"]) for row in state[table]}
        assert {row[f"{key}Id"]: (row["runAttempt"], row["status"], row["conclusion"]) for row in shown} == rows


# What is held


async def begun(database: Database, story: Story) -> tuple[models.Repository, str]:
    """Begin with no more than the repository of the story; return it, and the slug of its team."""
    for table in ("delivery", "api_token"):
        await database.execute(f"DELETE FROM {table}")
    await clear(database)
    async with database.transaction() as tx:
        await record(tx, [facts.repository(repository_of(story.history), None, 1)], NOW)
    (team,) = await models.Team.all()
    return await models.Repository.get(), team.slug


async def arrive(
    place: Place, story: Story, lines: Sequence[Line], repository: models.Repository, look: Callable[[], Awaitable[Any]]
) -> None:
    """Let all of a story arrive, and look at the lists meanwhile; hold that what is to pass in the lane does."""
    rng, keeper, passed = Random(story.seed), Keeper(current(), place.clock), place.passed
    # Where anything else was asked before, deliveries go past the lane.
    await lines[-1].ask(get("/healthz"))
    for crowd in await crowds(story, rng):
        told = [each.arrival for each in crowd if isinstance(each.arrival, Delivery)]
        told += rng.choices(told, k=rng.choice((0, 0, 3))) if told else []
        posted = dealt(told, lines, rng)
        passed += sum(each.answers for line, said in posted if line is not lines[-1] for each in said)
        posting = [deliver(line, said) for line, said in posted]
        await asyncio.gather(*posting, *map(keeper.keep, found_in(crowd, repository)))
        await look()
    assert place.passed == passed


async def check(place: Place, story: Story) -> None:
    database = current()
    repository, team = await begun(database, story)
    token = await access.create_token(team, "ci", NOW)
    async with open_lines(LINES + 1, *place.address) as (asking, *lines):
        lists_of = lists_by(asking, token)
        await arrive(place, story, lines, repository, lambda: lists_of(team))
        await until_recorded(database)
        # What PostgreSQL can't record soon, as others hold the rows, is a worker's.
        await Worker(database, place.clock, place.settings).handle_all()
        guids = {each.guid for each in story.arrived if isinstance(each, Delivery)}
        assert await count(database, "handled") == await count(database) == len(guids)
        state = await state_of(database)
        assert_truth(state, story.history.truth)
        assert_shows(await lists_of(team), state)
        await assert_shown_as_it_stands(database, team, lists_of)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("examples", [EXAMPLES, pytest.param(EXAMPLES_DEEP, marks=pytest.mark.deep)])
def test_every_order_ends_in_what_happened(place: Place, examples: int) -> None:
    check_stories(place.open(), check, examples, uvloop.new_event_loop)
    assert place.passed
