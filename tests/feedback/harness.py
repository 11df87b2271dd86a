"""The house that scenes are played in: a simulated GitHub, a record and its workers, on a clock that leaps.

    async with harnessed(database, mode=Mode.SHUFFLED, workers=3) as house:
        await house.play(one_commit.one_failure)
        text = house.shown()

Everything between GitHub and the publisher is real: inbox, events, recorder, history, and requests over loopback.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from bot import events
from bot.clock import ManualClock
from bot.demo.github import SimulatedGitHub, let_pass
from bot.demo.github.simulation import PERMISSIONS
from bot.demo.github.state.accounts import Account
from bot.demo.github.state.repositories import PullRequest
from bot.demo.scenario.agreement import differences_from
from bot.feedback import Publisher, Tools
from bot.history import Historian, look_back_an_hour, opened, sweep
from bot.history import Tools as HistoryTools
from bot.inbox import Inbox, NewDelivery
from bot.store.database import Database, to_moment
from bot.worker.deliveries import Deliveries
from tests.demo.conformance import AnswersHeld
from tests.demo.stage import Stage, set_stage
from tests.feedback.post_office import Mode, PostOffice
from tests.feedback.shown import shown
from tests.history.house import settings_for

SWEPT_EVERY, LOOKED_BACK_EVERY = timedelta(minutes=5), timedelta(hours=1)
# Long enough for the hourly look to find what no delivery told of, and for what it finds to be told.
SETTLING = timedelta(minutes=95)
LOOK_AGAIN = timedelta(seconds=1)
_DUE = "SELECT min(due_at) AS due FROM {} WHERE due_at IS NOT NULL"
FEEDBACK_TABLES = ("check_summary", "failure_comment", "job_failure", "action")
HISTORY_TABLES = ("run_wanted", "backfill_window")


class Publishes(Protocol):
    """What the harness needs of a publisher."""

    async def catch_up(self) -> object:
        """Work until nothing is due at this moment."""
        ...  # pragma: no cover

    async def stop(self) -> object: ...  # pragma: no cover


Scene = Callable[["Harness"], Awaitable[None]]
MakePublisher = Callable[[Tools], Publishes]


class LeapingClock(ManualClock):
    """A clock that tells when its next sleeper wakes."""

    @property
    def next_at(self) -> datetime | None:
        awaited = (at for at, _, woken in sorted(self._sleepers[:], key=lambda one: one[:2]) if not woken.done())
        return next(awaited, None)


@dataclass
class Process:
    """One worker: what it handles, fetches and publishes. `failed` tasks fail the test."""

    history: HistoryTools
    deliveries: Deliveries
    historian: Historian
    publisher: Publishes
    tasks: dict[str, asyncio.Task[object]] = field(default_factory=dict)

    def begin(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Begin to catch up with something, unless that is under way."""
        if name not in self.tasks:
            self.tasks[name] = asyncio.ensure_future(work())

    def drop_done(self) -> None:
        for name, task in list(self.tasks.items()):
            if task.done():
                del self.tasks[name]
                task.result()


@dataclass
class Harness:
    """The organisation `acme` with the repository `rocket` and the App installed; mona, hubot and octo may write there.

    `kestrel` is a stranger with a fork.
    """

    github: SimulatedGitHub
    stage: Stage
    clock: LeapingClock
    database: Database
    inbox: Inbox
    post: PostOffice
    processes: list[Process] = field(default_factory=list)
    people: dict[str, Account] = field(default_factory=dict)
    handed_over: int = 0
    steps: int = 0
    _swept_at: datetime | None = None
    _looked_back_at: datetime | None = None

    # Scenes

    async def play(self, scene: Scene) -> None:
        """Play a scene, and let everything that follows from it come to rest."""
        await scene(self)
        await self.settle()

    async def settle(self) -> None:
        """Let so much time pass that whatever happened is known and told, by whichever way."""
        await self.passes(SETTLING.total_seconds())

    async def passes(self, seconds: float) -> None:
        """Let exactly so much time pass, while the workers do what is due, however busy they are."""
        end = self.clock.now() + timedelta(seconds=seconds)
        while True:
            await self._work()
            now = self.clock.now()
            if now >= end:
                return
            self.steps += 1
            await self.clock.advance((min(end, await self._next_at(now)) - now).total_seconds())

    # What stands there in the end

    def shown(self) -> str:
        """Return as Markdown what people see on the simulated GitHub: check summaries of commits, comments."""
        return shown(self.github)

    async def differences(self) -> list[str]:
        """Return where the record strays from what the simulated GitHub knows."""
        truth = self.github.truth(self.stage.installation)
        return [each async for each in differences_from(truth, self.stage.organization.login)]

    def writes(self) -> dict[int, Counter[str]]:
        """Return how many writes each pull request saw, as `check create`, and `untuned`: the deliveries about it.

        A bot that writes its check and its comment for each of those would write twice as much.
        """
        counts = {number: found.copy() for (_, number), found in self.github.rest.journal.counts().items()}
        for pull in self.github.world.pull_requests.values():
            counts.setdefault(pull.number, Counter())["untuned"] = 2 * self._told_of(pull)
        return counts

    def _told_of(self, pull: PullRequest) -> int:
        shas = {commit.sha.encode() for commit in pull.commits}
        told = (one for one in self.github.deliveries if one.event in {"workflow_run", "workflow_job"})
        return sum(any(sha in one.body for sha in shas) for one in told)

    # How time goes by

    async def _work(self) -> None:
        """Do what is due now, as far as it can be done without waiting for the clock."""
        await self._hand_over()
        await self._look_after()
        now = self.clock.now()
        if await self._due_at(HISTORY_TABLES, now) is not None:
            for process in self.processes:
                process.begin("history", process.historian.catch_up)
        if await self._due_at(FEEDBACK_TABLES, now) is not None:
            for process in self.processes:
                process.begin("feedback", process.publisher.catch_up)
        await self._come_to_rest([task for process in self.processes for task in process.tasks.values()])
        for process in self.processes:
            process.drop_done()

    async def _come_to_rest(self, tasks: list[asyncio.Task[object]]) -> None:
        """Wait until these are done or nothing but the clock can bring them on."""
        if not tasks:
            return
        stuck = asyncio.ensure_future(let_pass(self.github, self.clock, 0, busy=lambda: self.database.is_working))
        done = asyncio.ensure_future(asyncio.wait(tasks))
        await asyncio.wait((done, stuck), return_when=asyncio.FIRST_COMPLETED)
        for waiting in (done, stuck):
            waiting.cancel()
        await asyncio.gather(done, stuck, return_exceptions=True)

    async def _hand_over(self) -> None:
        self.post.collect()
        now = self.clock.now()
        letters = [NewDelivery(one.guid, one.event, one.body, now) for one in self.post.due(now)]
        if letters:
            self.handed_over += len(letters)
            await asyncio.gather(*(self.inbox.append(letter) for letter in letters))
            await asyncio.gather(*(process.deliveries.handle_all() for process in self.processes))

    async def _look_after(self) -> None:
        """Sweep and look back as often as a worker does; one of them has the turn."""
        now, tools = self.clock.now(), self.processes[0].history
        if self._swept_at is None or now >= self._swept_at + SWEPT_EVERY:
            self._swept_at = now
            await sweep(tools)
        if self._looked_back_at is None or now >= self._looked_back_at + LOOKED_BACK_EVERY:
            is_first, self._looked_back_at = self._looked_back_at is None, now
            if not is_first:
                await look_back_an_hour(tools)

    async def _next_at(self, now: datetime) -> datetime:
        """Return when something is to be done next."""
        soon = now + LOOK_AGAIN
        moments = [self.post.next_at, await self._due_at((*FEEDBACK_TABLES, *HISTORY_TABLES))]
        moments += [(self._swept_at or now) + SWEPT_EVERY, (self._looked_back_at or now) + LOOKED_BACK_EVERY]
        if any(process.tasks for process in self.processes):
            moments += [self.clock.next_at, soon]
        return min(moment if moment > now else soon for moment in moments if moment is not None)

    async def _due_at(self, tables: tuple[str, ...], by: datetime | None = None) -> datetime | None:
        """Return the earliest moment at which a row of these tables is due, None where none is (by then)."""
        sql = " UNION ALL ".join(_DUE.format(table) for table in tables)
        rows = await self.database.fetch(f"SELECT min(due) AS due FROM ({sql}) AS each_of")
        due = to_moment(rows[0]["due"])
        return due if due is not None and (by is None or due <= by) else None


@asynccontextmanager
async def harnessed(
    database: Database,
    *,
    mode: Mode = Mode.STRAIGHT,
    workers: int = 1,
    seed: int = 7,
    permissions: dict[str, str] | None = None,
    publisher: MakePublisher = Publisher,
) -> AsyncIterator[Harness]:
    """Give a house in which so far the App was installed, and nothing else has happened.

    The App may run jobs again unless other `permissions` are given. In the end GitHub holds nothing against us.
    """
    clock = LeapingClock()
    github = SimulatedGitHub(clock, seed=seed, permissions=permissions or {**PERMISSIONS, "actions": "write"})
    github.rest.on_answer = held = AnswersHeld()
    stage = set_stage(github)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(github)
        settings = settings_for(github, await stack.enter_async_context(github.serve()))
        inbox = await stack.enter_async_context(Inbox(database, clock, events.ACTED_ON))
        house = Harness(github, stage, clock, database, inbox, PostOffice(github, mode, seed), people=_people(stage))
        for _ in range(workers):
            tools = await stack.enter_async_context(opened(settings, database, clock, events.acts_on))
            process = _process(house, tools, publisher)
            house.processes.append(process)
            stack.push_async_callback(_stop, process)
        await house.passes(1)
        yield house
        for process in house.processes:
            process.drop_done()
    assert held.faults == []
    assert github.rest.ledger.violations == []


def _people(stage: Stage) -> dict[str, Account]:
    github = stage.github
    people = {login: github.add_user(login) for login in ("hubot", "octo", "kestrel")}
    for login in ("hubot", "octo"):
        github.add_member(stage.organization, people[login])
    return {"mona": stage.person, **people}


def _process(house: Harness, tools: HistoryTools, make: MakePublisher) -> Process:
    feedback = Tools(
        database=house.database,
        github=tools.github,
        clock=house.clock,
        leases=tools.leases,
        app_id=house.github.app.id,
        server_url=house.github.world.addresses.html,
    )
    return Process(tools, Deliveries(house.database, house.clock), Historian(tools), make(feedback))


async def _stop(process: Process) -> None:
    for task in process.tasks.values():
        task.cancel()
    await asyncio.gather(*process.tasks.values(), return_exceptions=True)
    await process.historian.stop()
    await process.publisher.stop()
