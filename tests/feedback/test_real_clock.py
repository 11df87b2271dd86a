"""On the clock of the machine: a clock that is moved by hand hides what never comes about while time goes by itself."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from pydantic import SecretStr

from bot.app import serving
from bot.clock import Clock
from bot.demo.github import SimulatedGitHub
from bot.demo.github.rest.answers import Answer
from bot.demo.github.rest.ledger import Call
from bot.demo.github.state.checks import CheckRun
from bot.demo.github.state.repositories import PullRequest
from tests.demo.conformance import AnswersHeld
from tests.demo.stage import Stage, finish_run, set_stage
from tests.feedback.moves import RESUMES
from tests.feedback.shown import newest_check
from tests.history.house import settings_for
from tests.history.service import WEBHOOK

# Far more than it takes, so that a machine that is busy fails nothing.
CHECK_SECONDS, COMMENT_SECONDS = 30, 120


@dataclass
class Watch:
    """Set as `on_answer` of the simulated GitHub, wakes whoever waits for something to be written there."""

    held: AnswersHeld = field(default_factory=AnswersHeld)
    _answered: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, call: Call, answer: Answer) -> None:
        self.held(call, answer)
        self._answered.set()

    async def until(self, is_so: Callable[[], bool], seconds: float) -> None:
        """Wait until an answer after which it is so; TimeoutError when it takes longer."""
        async with asyncio.timeout(seconds):
            while not is_so():
                self._answered.clear()
                await self._answered.wait()


@dataclass
class Live:
    """GitHub and the service, which post to each other; nobody moves their clock."""

    github: SimulatedGitHub
    stage: Stage
    watch: Watch

    def fail(self) -> PullRequest:
        """Open a pull request of which a job fails at once, while others go on."""
        pull = self.stage.open()
        run = self.github.actions.start_run_for(pull, self.stage.workflow)
        unit = run.get_job("unit")
        self.github.actions.jobs.start(unit)
        self.github.actions.jobs.complete(unit, "failure", cause=RESUMES)
        return pull

    def check(self, pull: PullRequest) -> CheckRun | None:
        return newest_check(self.github, self.stage.repository, pull.head.sha)

    def comments(self, pull: PullRequest) -> list[str]:
        return [each.body for each in self.github.comments.of(pull) if each.app is self.github.app]

    def shows_failure(self, pull: PullRequest) -> bool:
        check = self.check(pull)
        return check is not None and "1 failed" in (check.title or "")


@asynccontextmanager
async def live(database_url: str) -> AsyncIterator[Live]:
    clock = Clock()
    github = SimulatedGitHub(clock, seed=7)
    github.rest.on_answer = watch = Watch()
    async with github, github.serve() as api:
        loopback = {"host": "127.0.0.1", "port": 0, "database_url": SecretStr(database_url)}
        settings = settings_for(github, api).model_copy(update=loopback)
        async with serving(settings, clock, with_worker=True) as address:
            github.webhooks.url = f"{address}{WEBHOOK}"
            yield Live(github, set_stage(github), watch)
    assert watch.held.faults == []
    assert github.rest.ledger.violations == []


async def test_a_failure_shows_on_its_commit_while_others_go_on(migrated_url: str) -> None:
    async with live(migrated_url) as here:
        pull = here.fail()
        await here.watch.until(lambda: here.shows_failure(pull), CHECK_SECONDS)
        check = here.check(pull)
        assert check is not None
        assert (check.status, check.conclusion) == ("in_progress", None)
        assert here.comments(pull) == []


@pytest.mark.deep
async def test_what_failed_is_told_in_the_end(migrated_url: str) -> None:
    async with live(migrated_url) as here:
        pull = here.fail()
        await here.watch.until(lambda: here.shows_failure(pull), CHECK_SECONDS)
        (run,) = here.github.world.runs.at_commit(here.stage.repository, pull.head.sha)
        finish_run(here.stage, run)
        await here.watch.until(lambda: bool(here.comments(pull)), COMMENT_SECONDS)
        await here.watch.until(lambda: getattr(here.check(pull), "conclusion", None) == "failure", COMMENT_SECONDS)
        (comment,) = here.comments(pull)
        assert "1 failure" in comment
        assert "test_resumes" in comment
        assert "assert 3 == 4" in comment
    assert here.github.rest.journal.unchanged() == []
