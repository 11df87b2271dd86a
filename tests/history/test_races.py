"""Whatever the order in which deliveries, lists and looks tell of the same runs, the record ends as GitHub has it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from shutil import copy

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bot import events
from bot.clock import ManualClock
from bot.demo.github import JobSpec, SimulatedGitHub, let_pass
from bot.demo.github.rest.faults import Slow
from bot.demo.github.state.accounts import Account, Installation
from bot.demo.github.state.actions import Conclusion, Job, Workflow, WorkflowRun
from bot.demo.github.state.repositories import Repository
from bot.demo.github.webhooks.deliveries import Delivery
from bot.demo.scenario.agreement import differences_from
from bot.history import Tools, opened, sweep
from bot.history.refusals import Refusals
from bot.history.requests import Kind, ask_of_installation
from bot.history.shift import Shift
from bot.inbox import Inbox, NewDelivery
from bot.store import connected
from bot.store.database import Database
from bot.worker.deliveries import Deliveries
from tests.history.house import settings_for

ON_SQLITE, ON_POSTGRESQL, DEEP = 15, 4, 2000
JOBS = [JobSpec("unit", ("Test",)), JobSpec("package", ("Build",), needs=("unit",))]
calm = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)

# A move is what is done and a number that says to which of all there are.
Move = tuple[str, int]
AT_GITHUB, ARRIVING = ("act", "act", "end", "run again"), ("deliver", "deliver", "deliver all", "lose", "lose all")
_moves = st.tuples(st.sampled_from([*AT_GITHUB, *ARRIVING, "history", "history", "wait"]), st.integers(0, 99))


@dataclass
class Theatre:
    """One GitHub and one record for many scenes."""

    github: SimulatedGitHub
    clock: ManualClock
    database: Database
    tools: Tools
    inbox: Inbox
    scenes: int = 0

    async def pass_time(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        await let_pass(self.github, self.clock, seconds, step=seconds, until=until)


@dataclass
class Scene:
    """The short life of some runs in a repository of its own."""

    theatre: Theatre
    account: Account
    person: Account
    repository: Repository
    workflow: Workflow
    installation: Installation
    runs: list[WorkflowRun] = field(default_factory=list)
    made: int = 0
    undelivered: list[Delivery] = field(default_factory=list)
    delivered: list[Delivery] = field(default_factory=list)

    # What happens at GitHub

    def happen(self, kind: str, number: int) -> None:
        """Let something happen that can happen now, if there is anything of its kind."""
        possible = [*{"act": self._acts, "end": self._ends, "run again": self._reruns}[kind]()]
        if possible:
            possible[number % len(possible)]()
        self.take_note()

    def _acts(self) -> Iterator[Callable[[], object]]:
        if len(self.runs) < 3:
            yield self.start
            yield partial(self.start, needs_approval=True)
            yield partial(self.start, fork=True)
        for run in self.runs:
            if run.conclusion == "action_required":
                yield partial(self.theatre.github.actions.approve_run, run, self.person)
            for job in run.latest.open_jobs():
                yield partial(self.move_on, job)
                yield partial(self.move_on, job, "failure")

    def _ends(self) -> Iterator[Callable[[], object]]:
        for run in self.runs:
            if run.status != "completed":
                yield partial(self.finish, run)
                yield partial(self.finish, run, "failure")
                yield partial(self.theatre.github.actions.cancel, run, self.person)

    def _reruns(self) -> Iterator[Callable[[], object]]:
        for run in self.runs:
            if run.status == "completed" and run.conclusion != "action_required" and len(run.attempts) < 3:
                yield partial(self.theatre.github.actions.rerun, run, self.person)

    def start(self, *, needs_approval: bool = False, fork: bool = False) -> None:
        github, person = self.theatre.github, self.person
        head = github.repositories.fork(self.repository, person) if fork else None
        branch = f"topic-{len(self.runs)}"
        pull = github.pulls.open(self.repository, "A change", person, branch=branch, head_repository=head)
        self.runs.append(github.actions.start_run_for(pull, self.workflow, needs_approval=needs_approval))

    def move_on(self, job: Job, conclusion: Conclusion = "success") -> None:
        jobs = self.theatre.github.actions.jobs
        if job.status == "queued":
            jobs.start(job)
        else:
            jobs.complete(job, conclusion)

    def finish(self, run: WorkflowRun, conclusion: Conclusion = "success") -> None:
        while jobs := run.latest.open_jobs():
            self.move_on(jobs[0], conclusion)

    def finish_all(self) -> None:
        """Let all that has begun come to its end."""
        for run in self.runs:
            if run.conclusion == "action_required":
                self.theatre.github.actions.approve_run(run, self.person)
            self.finish(run)
        self.take_note()

    def take_note(self) -> None:
        """Remember what GitHub has made to deliver."""
        github = self.theatre.github
        new = [one for one in github.deliveries if one.number > self.made]
        self.undelivered += [one for one in new if one.installation_id == self.installation.id]
        self.made = github.webhooks.log.counts["made"]

    # What the service does

    async def arrive(self, kind: str, number: int) -> None:
        """Deliver one thing or all of them, perhaps once more, or lose them."""
        if kind == "deliver" and number % 5 == 0 and self.delivered:
            await self.hand_over(self.delivered[number % len(self.delivered)])
        elif kind == "deliver all":
            await self.deliver_all()
        elif kind == "lose all":
            self.undelivered.clear()
        elif self.undelivered:
            one = self.undelivered.pop(number % len(self.undelivered))
            await self.hand_over(*[one] * (kind == "deliver"))

    async def hand_over(self, *several: Delivery) -> None:
        theatre = self.theatre
        for one in several:
            # The inbox would drop what comes twice.
            await theatre.database.execute("DELETE FROM delivery WHERE guid = ?", one.guid)
            await theatre.inbox.append(NewDelivery(one.guid, one.event, one.body, theatre.clock.now()))
            self.delivered.append(one)
        await Deliveries(theatre.database, theatre.clock).handle_all()

    async def deliver_all(self) -> None:
        several, self.undelivered = self.undelivered, []
        await self.hand_over(*several)

    async def history(self, meanwhile: Callable[[], Awaitable[None]]) -> bool:
        """Do one step; what GitHub answers is under way while something else happens."""
        step = asyncio.ensure_future(Shift(self.theatre.tools, self.installation.id, Refusals()).fetch())
        await self.theatre.pass_time(0.5, step.done)
        while not step.done():
            await meanwhile()
            await self.theatre.pass_time(1, step.done)
        return step.result()

    async def ask(self, kind: Kind, span: timedelta) -> None:
        now = self.theatre.clock.now()
        async with self.theatre.database.transaction() as tx:
            await ask_of_installation(tx, kind, self.installation.id, now - span, now, now)

    async def work_off(self) -> None:
        """Do whatever is due, until nothing is."""

        async def nothing() -> None:
            pass

        while await self.history(nothing):
            pass

    async def look_after(self) -> None:
        """What the worker does of itself within a day."""
        await self.theatre.pass_time(1200)
        await sweep(self.theatre.tools)
        await self.work_off()
        await self.ask(Kind.NIGHTLY, timedelta(days=31))
        await self.work_off()
        for _ in range(3):
            await self.theatre.pass_time(7200)
            await sweep(self.theatre.tools)
            await self.work_off()

    async def differences(self) -> list[str]:
        truth = self.theatre.github.truth(self.installation)
        return [each async for each in differences_from(truth, self.account.login)]


async def begin(theatre: Theatre) -> Scene:
    """Set up a scene in an organisation of its own, of which the record has heard."""
    github = theatre.github
    theatre.scenes += 1
    account = github.add_organization(f"org-{theatre.scenes}")
    repository = github.repositories.create(account, "rocket")
    workflow = github.actions.add_workflow(repository, "CI", ".github/workflows/ci.yml", JOBS)
    person, made = github.add_user(f"mona-{theatre.scenes}"), github.webhooks.log.counts["made"]
    scene = Scene(theatre, account, person, repository, workflow, github.installations.install(account), made=made)
    scene.take_note()
    await scene.deliver_all()
    return scene


async def play(theatre: Theatre, moves: list[Move], told_in_the_end: bool) -> None:
    """Play a scene to its end and hold the record against GitHub's truth."""
    scene = await begin(theatre)
    rest = iter(moves)

    async def make(kind: str, number: int) -> None:
        if kind in AT_GITHUB:
            scene.happen(kind, number)
        elif kind in ARRIVING:
            await scene.arrive(kind, number)

    async def make_another() -> None:
        await make(*next(rest, ("", 0)))

    for kind, number in rest:
        if kind == "history":
            await scene.ask(Kind.OVERLAP, timedelta(hours=3))
            for _ in range(number % 4 + 1):
                await scene.history(make_another)
        elif kind == "wait":
            await theatre.pass_time(30 * number)
            await sweep(theatre.tools)
        else:
            await make(kind, number)
    scene.finish_all()
    if told_in_the_end:
        await scene.deliver_all()
    await scene.look_after()
    await scene.deliver_all()
    assert await scene.differences() == []


@contextmanager
def opened_theatre(runner: asyncio.Runner, url: str) -> Iterator[Theatre]:
    stack = AsyncExitStack()

    async def open_up() -> Theatre:
        clock = ManualClock()
        github = SimulatedGitHub(clock, seed=7)
        github.rest.scripted_faults.add(Slow(1), times=None)
        api = await _enter(stack, github)
        database = await stack.enter_async_context(connected(url))
        tools = await stack.enter_async_context(opened(settings_for(github, api), database, clock, events.acts_on))
        inbox = await stack.enter_async_context(Inbox(database, clock, events.ACTED_ON))
        return Theatre(github, clock, database, tools, inbox)

    theatre = runner.run(open_up())
    try:
        yield theatre
    finally:
        runner.run(stack.aclose())
    assert theatre.github.rest.ledger.violations == []


async def _enter(stack: AsyncExitStack, github: SimulatedGitHub) -> str:
    await stack.enter_async_context(github)
    return await stack.enter_async_context(github.serve())


def play_many(url: str, examples: int) -> None:
    with asyncio.Runner() as runner, opened_theatre(runner, url) as theatre:

        @settings(calm, max_examples=examples)
        @given(st.lists(_moves, min_size=12, max_size=40), st.booleans())
        def any_scene(moves: list[Move], told_in_the_end: bool) -> None:
            runner.run(play(theatre, moves, told_in_the_end))

        any_scene()


@pytest.fixture
def quick_sqlite(sqlite_template: Path, tmp_path: Path) -> str:
    """Give the URL of a database that need not outlive a power cut."""
    return f"sqlite://{copy(sqlite_template, tmp_path)}?synchronous=OFF"


@pytest.mark.timeout(300)
def test_any_interleaving_ends_as_github_has_it(quick_sqlite: str) -> None:
    play_many(quick_sqlite, ON_SQLITE)


@pytest.mark.timeout(300)
def test_any_interleaving_ends_as_github_has_it_on_postgresql(migrated_postgres: str) -> None:
    play_many(migrated_postgres, ON_POSTGRESQL)


@pytest.mark.deep
@pytest.mark.timeout(3600)
def test_any_interleaving_ends_as_github_has_it_deep(quick_sqlite: str) -> None:
    play_many(quick_sqlite, DEEP)
