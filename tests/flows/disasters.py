"""A small company with the service beside it, what happens there, and what must be so after any disaster."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bot.clock import ManualClock
from bot.demo.github import JobSpec, Past, SimulatedGitHub
from bot.demo.github.activity import Scene, green
from bot.demo.github.company import Company
from bot.demo.github.plays import Beat, fails_in, perform
from bot.demo.scenario.agreement import differences
from bot.demo.scenario.stage import SHORT_STEP, Stage, staged
from tests.demo.conformance import AnswersHeld
from tests.durability.audit import install_audit
from tests.durability.books import rows_of

Story = Callable[[Scene], Iterator[Beat]]
JOBS = [
    JobSpec("unit", ("Run actions/checkout@v4", "Run tests")),
    JobSpec("lint", ("Run actions/checkout@v4", "Run linter")),
    JobSpec("package", ("Build", "Upload"), needs=("unit", "lint")),
]
# A story of a quarter of an hour takes a minute and a half.
SPEED = 10.0
KEYS = {
    "workflow_run": "run_id",
    "workflow_run_attempt": "run_id, run_attempt",
    "workflow_job": "job_id",
    "run_pull_request": "run_id, repository_id, number",
    "pull_request": "repository_id, number",
    "delivery": "guid",
}


def small_company(github: SimulatedGitHub) -> Company:
    """Found an organisation with one repository and one workflow, and a few runs of the last days."""
    now = github.clock.now()
    with github.at(now - timedelta(days=365)):
        acme = github.add_organization("acme")
        people = [github.add_user("mona"), github.add_user("hubot")]
        rocket = github.repositories.create(acme, "rocket")
        workflow = github.actions.add_workflow(rocket, "CI", ".github/workflows/ci.yml", JOBS, ("push", "pull_request"))
        company = Company(acme, people, [github.add_user("ghost")], {"rocket": rocket})
    until = now - timedelta(hours=5)
    github.add_history(Past(rocket, [workflow], people, 5, until - timedelta(days=12), until))
    return company


def from_a_fork(scene: Scene) -> Iterator[Beat]:
    """A stranger's run waits for approval and fails, so that a job is skipped; run again, it passes."""
    pull = scene.open(scene.repository(), scene.company.strangers[0], fork=True)
    runs = scene.start_runs(pull, needs_approval=True)
    yield scene.pace.review()
    for run in runs:
        scene.github.actions.approve_run(run, scene.author())
    yield from scene.play(runs, pull, fails_in("unit"))
    yield scene.pace.review()
    scene.github.actions.rerun(runs[0], scene.author(), failed_only=True)
    yield from scene.play(runs, pull)


STORIES: tuple[Story, ...] = (green, from_a_fork)


@dataclass
class Trial:
    """The stage of a disaster; the database keeps book of each handling of a delivery."""

    stage: Stage
    url: str
    begun: "list[asyncio.Task[None]]" = field(default_factory=list)

    @property
    def github(self) -> SimulatedGitHub:
        return self.stage.github

    @property
    def clock(self) -> ManualClock:
        assert isinstance(self.stage.clock, ManualClock)
        return self.stage.clock

    # What happens

    async def play(self, story: Story, speed: float | None = None) -> None:
        company = self.stage.company
        company.stories_played += 1
        scene = Scene(self.github, company, random.Random(company.stories_played), story.__name__)
        async for _ in perform(self.github, story(scene), speed=speed):
            pass

    async def begin(self, story: Story = from_a_fork) -> None:
        """Let a story begin, and go on by itself while time passes."""
        playing = asyncio.create_task(self.play(story, SPEED))
        assert not await self.stage.step(40, until=playing.done)
        self.begun.append(playing)

    async def live(self, lasting: timedelta) -> None:
        """Let time go by, and life go on in it."""
        for story in STORIES:
            await self.play(story)
            await self.stage.pass_time(lasting / len(STORIES))
        await self.stage.awaiting(self.github.settle())

    async def pass_time(self, lasting: timedelta) -> None:
        """Let time go by, in which what was begun comes to its end."""
        await self.stage.pass_time(lasting)
        await asyncio.gather(*self.begun)
        await self.stage.settle()

    # What came of it

    def lost(self) -> int:
        """Return how many deliveries GitHub has made of which none has arrived."""
        return len(list(self.github.webhooks.log.undelivered()))

    async def unknown_runs(self) -> list[dict[str, Any]]:
        """Return the runs that GitHub knows and the record does not."""
        known = {row[0] for row in await rows_of(self.url, "SELECT run_id FROM workflow_run")}
        return [run for run in self.github.truth(self.stage.installation)["runs"] if run["id"] not in known]

    async def faults(self) -> list[str]:
        """Return where the record is not what GitHub knows, and what is in it twice or besides."""
        found = [each async for each in differences(self.stage)]
        truth = self.github.truth(self.stage.installation)
        links = [number for run in truth["runs"] for number in run["pull_requests"]]
        told = (truth["runs"], truth["attempts"], truth["jobs"], links, truth["pull_requests"])
        for table, records in zip(KEYS, told, strict=False):
            number = await self._count(f"SELECT * FROM {table}")
            if number != len(records):
                found.append(f"{table} has {number} rows, GitHub knows {len(records)}")
        pulls = set(await rows_of(self.url, "SELECT number, state, head_sha FROM pull_request"))
        theirs = {(pull["number"], pull["state"], pull["head_sha"]) for pull in truth["pull_requests"]}
        found += [f"pull request {number} is not as GitHub has it" for number, _, _ in theirs - pulls]
        return [*found, *[each async for each in doubled(self.url)]]

    async def _count(self, sql: str) -> int:
        return len(await rows_of(self.url, sql))


async def doubled(url: str) -> AsyncIterator[str]:
    """Yield what is in the database twice, was handled twice, or is dead; the database keeps its audit."""
    doubles = {table: f"SELECT {key} FROM {table} GROUP BY {key} HAVING count(*) > 1" for table, key in KEYS.items()}
    doubles["handled again"] = "SELECT guid FROM audit GROUP BY guid HAVING count(*) > 1"
    doubles["counted again"] = "SELECT guid FROM delivery WHERE handlings > 1"
    doubles["dead"] = "SELECT guid FROM delivery WHERE state = 'dead'"
    for name, sql in doubles.items():
        if number := len(await rows_of(url, sql)):
            yield f"{name}: {number}"


@asynccontextmanager
async def tried(
    url: str, prepare: Callable[[SimulatedGitHub], None] = lambda _: None, *, seed: int = 3
) -> AsyncIterator[Trial]:
    """Give a company that lives with the service on the database at `url`, its past recorded.

    `prepare` is called before the App is installed. In the end GitHub has nothing to hold against us, and has kept to
    its own models.
    """
    held = AnswersHeld()

    def founding(github: SimulatedGitHub) -> Company:
        github.rest.on_answer = held
        # The clock may move on by so much while an answer is on its way.
        github.rest.ledger.grace = SHORT_STEP
        prepare(github)
        return small_company(github)

    await install_audit(url)
    async with staged(ManualClock(), seed=seed, port=0, database_url=url, founding=founding) as stage:
        await stage.until_backfilled()
        yield Trial(stage, url)
        assert held.faults == []
        assert stage.github.rest.ledger.violations == []
