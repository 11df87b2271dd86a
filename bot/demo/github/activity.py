"""Believable work in one organisation, drawn from a seed: pull requests, pushes, and how their runs go.

`async for moment in activity(github, company, TOUR): print(moment.text)` is all that a caller needs.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.demo.github.company import TITLES
from bot.demo.github.plays import Beat, Moment, Pace, fails_in, perform, play_run, together
from bot.demo.github.state.causes import fitting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

    from bot.demo.github.company import Company
    from bot.demo.github.plays import Failing
    from bot.demo.github.simulation import SimulatedGitHub
    from bot.demo.github.state.accounts import Account
    from bot.demo.github.state.actions import Job, WorkflowRun
    from bot.demo.github.state.repositories import PullRequest, Repository


def _all_pass(_: Job) -> None:
    return None


@dataclass(slots=True)
class Scene:
    """Where one story plays: its chance, its people, and the moves that stories share."""

    github: SimulatedGitHub
    company: Company
    random: random.Random
    story: str

    @property
    def pace(self) -> Pace:
        return Pace(self.random)

    def author(self) -> Account:
        return self.random.choice(self.company.people)

    def repository(self, *names: str) -> Repository:
        """Choose a repository, among those of these names if any are given."""
        return self.company.repositories[self.random.choice(names or tuple(self.company.repositories))]

    def tell(
        self,
        kind: str,
        text: str,
        repository: Repository,
        *,
        pull: PullRequest | None = None,
        run: WorkflowRun | None = None,
    ) -> Moment:
        return Moment(self.github.world.now(), self.story, kind, text, repository, pull, run)

    def about(self, pull: PullRequest, kind: str, text: str, run: WorkflowRun | None = None) -> Moment:
        """Tell something of a pull request, naming it in front."""
        fork = " (fork)" if pull.from_fork else ""
        name = f"{pull.repository.name} PR #{pull.number} '{pull.title}'{fork}"
        return self.tell(kind, f"{name}: {text}", pull.repository, pull=pull, run=run)

    def open(self, repository: Repository, author: Account | None = None, *, fork: bool = False) -> PullRequest:
        """Open a pull request, from the author's fork if asked for; strangers like to work on a branch named main."""
        author = author or self.author()
        titles = TITLES.get(repository.name, TITLES["uploader"])
        title = titles[repository.last_number % len(titles)]
        branch = f"{author.login}/{_slug(title)}-{self.random.randrange(16**4):04x}"
        head = self.github.repositories.fork(repository, author) if fork else None
        if head is not None and self.github.pulls.find_open(repository, head, "main") is None:
            branch = "main"
        return self.github.pulls.open(repository, title, author, branch=branch, head_repository=head)

    def start_runs(self, pull: PullRequest, *, needs_approval: bool = False) -> list[WorkflowRun]:
        """Start what a pull request's new head starts."""
        actions = self.github.actions
        workflows = actions.workflows_of(pull.repository, "pull_request")
        return [actions.start_run_for(pull, one, needs_approval=needs_approval) for one in workflows]

    def start_push_runs(self, repository: Repository, actor: Account) -> list[WorkflowRun]:
        """Start what a push to the default branch starts."""
        actions, tip = self.github.actions, repository.tip()
        workflows = actions.workflows_of(repository, "push")
        return [actions.start_run(one, event="push", tip=tip, actor=actor) for one in workflows]

    def play(
        self,
        runs: Sequence[WorkflowRun],
        pull: PullRequest | None = None,
        failing: Failing = _all_pass,
    ) -> Iterator[Beat]:
        """Play runs at once, each to its end, and tell how each ended."""
        return together(*(self._play(run, pull, failing) for run in runs))

    def _play(self, run: WorkflowRun, pull: PullRequest | None, failing: Failing) -> Iterator[Beat]:
        reviewer = self.author()
        yield from play_run(self.github, run, self.pace, failing=failing, reviewer=reviewer)
        if run.conclusion == "cancelled":
            return  # Whoever cancelled it has told so.
        attempt = f" (attempt {run.latest.number})" if run.latest.number > 1 else ""
        text = f"{run.workflow.name} #{run.number}{attempt} {_outcome(run)}"
        if pull is None:
            yield self.tell("run", f"{run.repository.name} {run.head_branch}: {text}", run.repository, run=run)
        else:
            yield self.about(pull, "run", text, run)

    def merge(self, pull: PullRequest) -> Iterator[Beat]:
        """Merge after a while, and play what the push to the base branch starts."""
        yield self.pace.review()
        by = self.author()
        self.github.pulls.merge(pull, by)
        yield self.about(pull, "merged", f"merged by {by.login}")
        yield from self.play(self.start_push_runs(pull.repository, by))

    def some_jobs(self, runs: Iterable[WorkflowRun], count: int) -> list[str]:
        """Choose names of jobs that the first of `runs` has now."""
        names = [job.name for job in next(iter(runs)).jobs]
        return self.random.sample(names, min(count, len(names)))


def green(scene: Scene) -> Iterator[Beat]:
    """A pull request passes at once and is merged; on the base branch a deployment waits for its reviewer."""
    pull = scene.open(scene.repository())
    yield scene.about(pull, "opened", f"opened by {pull.user.login}")
    yield from scene.play(scene.start_runs(pull), pull)
    yield from scene.merge(pull)
    yield scene.about(pull, "story", "green, merged")


def one_failing(scene: Scene) -> Iterator[Beat]:
    """One job fails, the author pushes a fix, and all is well."""
    pull = scene.open(scene.repository("uploader", "web-console"))
    yield scene.about(pull, "opened", f"opened by {pull.user.login}")
    runs = scene.start_runs(pull)
    culprits = scene.some_jobs(runs, 1)
    yield from scene.play(runs, pull, fails_in(*culprits))
    yield scene.pace.review()
    scene.github.pulls.push(pull, f"Fix {culprits[0]}")
    yield scene.about(pull, "pushed", "fix pushed")
    yield from scene.play(scene.start_runs(pull), pull)
    yield scene.about(pull, "story", f"{culprits[0]} failed, fixed by another push")


def many_failing(scene: Scene) -> Iterator[Beat]:
    """Most jobs fail, what depends on them is skipped, and the author leaves it so."""
    pull = scene.open(scene.repository("uploader"))
    yield scene.about(pull, "opened", f"opened by {pull.user.login}")
    runs = scene.start_runs(pull)
    culprits = scene.some_jobs(runs, 5)
    yield from scene.play(runs, pull, fails_in(*culprits, "mypy"))
    yield scene.about(pull, "story", f"{len(culprits) + 1} jobs failed")


def broken_base(scene: Scene) -> Iterator[Beat]:
    """The base branch breaks, so that a pull request fails where it already failed before."""
    repository, author = scene.repository("uploader", "web-console"), scene.author()
    scene.github.repositories.push(repository, "Update the lock file", author)
    yield scene.tell("pushed", f"{repository.name} main: pushed by {author.login}", repository)
    runs = scene.start_push_runs(repository, author)
    culprit = scene.some_jobs(runs, 1)
    step = next(job.spec.steps[-1] for job in runs[0].jobs if job.name in culprit)
    cause = fitting(step, repository.tip().commit.sha)
    yield from scene.play(runs, None, fails_in(*culprit, cause=cause))
    pull = scene.open(repository)
    yield scene.about(pull, "opened", f"opened by {pull.user.login}")
    yield from scene.play(scene.start_runs(pull), pull, fails_in(*culprit, cause=cause))
    yield scene.about(pull, "story", f"{culprit[0]} failed, as it does on main")


def flaky(scene: Scene) -> Iterator[Beat]:
    """A job fails and passes when the failed jobs are run again."""
    pull = scene.open(scene.repository("uploader", "web-console"))
    yield scene.about(pull, "opened", f"opened by {pull.user.login}")
    yield from _fail_and_rerun(scene, pull, scene.start_runs(pull))


def fork(scene: Scene) -> Iterator[Beat]:
    """A stranger's first pull request waits for approval, fails, and passes when run again."""
    stranger = scene.random.choice(scene.company.strangers)
    pull = scene.open(scene.repository("uploader", "web-console"), stranger, fork=True)
    yield scene.about(pull, "opened", f"opened by {stranger.login}")
    runs = scene.start_runs(pull, needs_approval=True)
    yield scene.pace.review()
    approver = scene.author()
    for run in runs:
        scene.github.actions.approve_run(run, approver)
    yield scene.about(pull, "approved", f"runs approved by {approver.login}")
    yield from _fail_and_rerun(scene, pull, runs)


def _fail_and_rerun(scene: Scene, pull: PullRequest, runs: list[WorkflowRun]) -> Iterator[Beat]:
    culprits = scene.some_jobs(runs, 1)
    yield from scene.play(runs, pull, fails_in(*culprits))
    yield scene.pace.review()
    failed = next(run for run in runs if run.conclusion == "failure")
    maintainer = scene.author()
    scene.github.actions.rerun(failed, maintainer, failed_only=True)
    yield scene.about(pull, "rerun", f"failed jobs of {failed.workflow.name} re-run by {maintainer.login}", failed)
    yield from scene.play([failed], pull)
    yield scene.about(pull, "story", f"{failed.workflow.name} failed, re-run {_outcome(failed)}")


def superseded(scene: Scene) -> Iterator[Beat]:
    """A second push comes while the first one's runs are under way; they are cancelled."""
    pull = scene.open(scene.repository("uploader", "web-console"))
    yield scene.about(pull, "opened", f"opened by {pull.user.login}")
    runs = scene.start_runs(pull)
    yield from together(scene.play(runs, pull), _supersede(scene, pull, runs))
    yield scene.about(pull, "story", "first runs cancelled by a second push")


def _supersede(scene: Scene, pull: PullRequest, runs: list[WorkflowRun]) -> Iterator[Beat]:
    # No job ends before half a minute, so all runs are still open now.
    yield 30.0
    scene.github.pulls.push(pull, "Address review")
    for run in runs:
        scene.github.actions.cancel(run, pull.user)
    yield scene.about(pull, "pushed", "another commit, earlier runs cancelled")
    yield from scene.play(scene.start_runs(pull), pull)


def second_thoughts(scene: Scene) -> Iterator[Beat]:
    """A pull request is closed, opened again and merged after all."""
    pull = scene.open(scene.repository())
    yield scene.about(pull, "opened", f"opened by {pull.user.login}")
    yield from scene.play(scene.start_runs(pull), pull)
    scene.github.pulls.close(pull)
    yield scene.about(pull, "closed", "closed")
    yield scene.pace.review()
    scene.github.pulls.reopen(pull)
    yield scene.about(pull, "reopened", "reopened")
    yield from scene.play(scene.start_runs(pull), pull)
    yield from scene.merge(pull)
    yield scene.about(pull, "story", "closed, reopened, merged")


def direct_push(scene: Scene) -> Iterator[Beat]:
    """A push to the default branch; the deployment waits for a reviewer."""
    repository, author = scene.repository("uploader"), scene.author()
    scene.github.repositories.push(repository, "Prepare release", author)
    yield scene.tell("pushed", f"{repository.name} main: pushed by {author.login}", repository)
    yield from scene.play(scene.start_push_runs(repository, author))
    yield scene.tell("story", f"{repository.name} main: released", repository)


STORIES: dict[str, Callable[[Scene], Iterator[Beat]]] = {
    "green": green,
    "one_failing": one_failing,
    "many_failing": many_failing,
    "broken_base": broken_base,
    "flaky": flaky,
    "fork": fork,
    "superseded": superseded,
    "second_thoughts": second_thoughts,
    "direct_push": direct_push,
}
TOUR = tuple(STORIES)
_WEIGHTS = {"green": 6, "one_failing": 3, "direct_push": 2}


def endless(seed: int) -> Iterator[str]:
    """Yield names of stories without end, green ones most often."""
    chance = random.Random(f"stories {seed}")
    weights = [_WEIGHTS.get(name, 1) for name in STORIES]
    while True:
        yield from chance.choices(list(STORIES), weights)


async def activity(
    github: SimulatedGitHub,
    company: Company,
    stories: Sequence[str] | None = None,
    *,
    over: timedelta | None = None,
    speed: float | None = None,
) -> AsyncIterator[Moment]:
    """Play stories (names of `STORIES`, by default `endless` ones) one after another, yielding their moments.

    They take next to no time: each tells of the past, and their beginnings are spread evenly `over` so long a time up
    to now (by default ten minutes for each; endless ones have all just ended). With a `speed` they take the clock's
    time instead: see `plays.perform`. What happens follows from the simulation's seed and from how many stories the
    company has played.
    """
    count = 0 if stories is None else len(stories)
    gap = timedelta(minutes=10) if over is None else over / max(count, 1)
    for played, name in enumerate(endless(github.seed) if stories is None else stories, start=1):
        company.stories_played += 1
        chance = random.Random(f"story {github.seed} {company.stories_played}")
        play = STORIES[name](Scene(github, company, chance, name))
        ago = max(count - played, 0) * gap
        async for moment in perform(github, play, ago=ago, speed=speed):
            yield moment


def _outcome(run: WorkflowRun) -> str:
    words = {"success": "passed", "failure": "failed", None: "is still running"}
    return words.get(run.conclusion, str(run.conclusion))


def _slug(title: str) -> str:
    words = "".join(letter if letter.isalnum() else " " for letter in title.lower()).split()
    return "-".join(itertools.islice(words, 4))
