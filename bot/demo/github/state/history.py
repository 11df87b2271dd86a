"""The finished runs of a repository's past, hundreds of thousands of them, kept as columns of numbers.

A run is made into an entity when somebody looks at it, always the same one, and is rendered like any other.
"""

from __future__ import annotations

import hashlib
import random
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bot.demo.github.state.actions import Job, RunAttempt, Runner, WorkflowRun
from bot.demo.github.state.repositories import Commit
from bot.demo.github.state.steps import close_steps, planned_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bot.demo.github.state.accounts import Account
    from bot.demo.github.state.actions import Conclusion, Workflow
    from bot.demo.github.state.identity import Numbers
    from bot.demo.github.state.repositories import Repository
    from bot.demo.github.state.runs import Place, RunFilter

# No run of the past has more attempts, and the last of them ends within so many seconds of the run's creation.
MOST_ATTEMPTS = 3
LONGEST = 4 * 3600
BURST, BURST_SECONDS = 500, 10
_ID_GAP = 7
_FIRST_RUNNER = 999_000_000
_OUTCOMES: tuple[Conclusion, ...] = ("success", "failure", "cancelled", "startup_failure")
_OUTCOME_WEIGHTS = (78, 15, 5, 2)
_EVENTS = ("push", "pull_request", "schedule")
_EVENT_WEIGHTS = (30, 64, 6)
_ATTEMPT_WEIGHTS = (94, 5, 1)
_TOPICS = 40
_TITLES = ("Tidy up", "Fix a race in the queue", "Add a test", "Bump dependencies", "Speed up start", "Handle timeouts")


@dataclass(frozen=True, slots=True)
class Past:
    """How a repository's past is to be: so many runs between two moments, among them bursts of 500 within 10 s.

    In its workflows a job may only need jobs that are declared before it.
    """

    repository: Repository
    workflows: Sequence[Workflow]
    actors: Sequence[Account]
    runs: int
    since: datetime
    until: datetime
    bursts: int = 0


class History:
    """Runs numbered from 0 in the order of their creation; whatever a column does not hold follows from the number."""

    def __init__(self, past: Past, numbers: Numbers, seed: int) -> None:
        self._past = past
        self._tag = hashlib.sha256(f"past {seed} {past.repository.id} {past.runs}".encode()).hexdigest()
        self._most_jobs = max(len(workflow.jobs) for workflow in past.workflows)
        self._first_run = numbers.reserve("run", past.runs * _ID_GAP)
        self._first_suite = numbers.reserve("check_suite", past.runs * _ID_GAP)
        self._first_job = numbers.reserve("job", past.runs * MOST_ATTEMPTS * self._most_jobs)
        self._gone: set[int] = set()
        self._draw(random.Random(f"past {seed} {past.repository.id}"))

    def __len__(self) -> int:
        return len(self._created) - len(self._gone)

    def _draw(self, chance: random.Random) -> None:
        past, count = self._past, self._past.runs
        self._created = array("q", _moments(past, chance))
        self._workflow = array("B", chance.choices(range(len(past.workflows)), k=count))
        self._actor = array("B", chance.choices(range(len(past.actors)), k=count))
        self._event = array("B", chance.choices(range(len(_EVENTS)), _EVENT_WEIGHTS, k=count))
        self._outcome = array("B", chance.choices(range(len(_OUTCOMES)), _OUTCOME_WEIGHTS, k=count))
        self._attempts = array("B", chance.choices(range(1, MOST_ATTEMPTS + 1), _ATTEMPT_WEIGHTS, k=count))
        self._number = array("L")
        for which in self._workflow:
            past.workflows[which].runs_so_far += 1
            self._number.append(past.workflows[which].runs_so_far)

    def forget(self, number: int) -> None:
        """Leave out the run of this id from now on, if there is one: it lives elsewhere, or is deleted."""
        index = self._index(number)
        if index is not None:
            self._gone.add(index)

    def get(self, number: int) -> WorkflowRun:
        """Return the run of this id without its jobs; KeyError when there is none."""
        index = self._index(number)
        if index is None:
            raise KeyError(number)
        return self._run(index)

    def find(self, number: int) -> WorkflowRun | None:
        """Return the run of this id with all its jobs."""
        index = self._index(number)
        return None if index is None else self._filled(index)

    def find_job(self, number: int) -> Job | None:
        index = (number - self._first_job) // (MOST_ATTEMPTS * self._most_jobs)
        if not 0 <= index < len(self._created) or index in self._gone:
            return None
        return next((job for job in self._filled(index).all_jobs() if job.id == number), None)

    def knows_commit(self, sha: str) -> bool:
        return self._index_of_sha(sha) is not None

    def every(self, *, with_jobs: bool) -> Iterator[WorkflowRun]:
        """Yield all runs sorted by id, with their jobs or without."""
        make = self._filled if with_jobs else self._run
        return (make(index) for index in range(len(self._created)) if index not in self._gone)

    def totals(self) -> dict[str, int]:
        """Return how many runs, attempts and jobs there are, without making them."""
        sizes = [len(workflow.jobs) for workflow in self._past.workflows]
        attempts = jobs = 0
        for index in range(len(self._created)):
            if index not in self._gone:
                attempts += self._attempts[index]
                jobs += sizes[self._workflow[index]] * self._attempts_with_jobs(index)
        return {"runs": len(self), "attempts": attempts, "jobs": jobs}

    def count(self, wanted: RunFilter) -> int:
        """Return how many runs meet a filter; at once when it is about nothing but the time."""
        window, admits = self._window(wanted), self._admits(wanted)
        if admits is None:
            return len(window) - sum(1 for index in self._gone if index in window)
        return sum(1 for index in window if admits(index) and index not in self._gone)

    def places(self, wanted: RunFilter) -> Iterator[tuple[Place, History]]:
        """Yield where those that meet a filter stand, newest first."""
        admits = self._admits(wanted)
        for index in reversed(self._window(wanted)):
            if index not in self._gone and (admits is None or admits(index)):
                yield (self._created[index], self._id(index)), self

    def _window(self, wanted: RunFilter) -> range:
        if wanted.head_sha is not None:
            index = self._index_of_sha(wanted.head_sha)
            found = range(0) if index is None else range(index, index + 1)
        else:
            found = range(len(self._created))
        first, last = bisect_left(self._created, wanted.since), bisect_right(self._created, wanted.until)
        start = max(found.start, first)
        return range(start, max(min(found.stop, last), start))

    def _admits(self, wanted: RunFilter) -> Callable[[int], bool] | None:
        """Return the test by columns of what is asked beside the time, None when nothing is."""
        tests: list[Callable[[int], bool]] = []
        past = self._past
        if wanted.workflow_id is not None:
            tests.append(lambda index: past.workflows[self._workflow[index]].id == wanted.workflow_id)
        if wanted.actor is not None:
            tests.append(lambda index: past.actors[self._actor[index]].login == wanted.actor)
        if wanted.event is not None:
            tests.append(lambda index: _EVENTS[self._event[index]] == wanted.event)
        if wanted.branch is not None:
            tests.append(lambda index: self._branch(index) == wanted.branch)
        if wanted.status not in {None, "completed"}:
            tests.append(lambda index: _OUTCOMES[self._outcome[index]] == wanted.status)
        if wanted.check_suite_id is not None:
            tests.append(lambda index: self._first_suite + index * _ID_GAP == wanted.check_suite_id)
        return (lambda index: all(test(index) for test in tests)) if tests else None

    def _id(self, index: int) -> int:
        return self._first_run + index * _ID_GAP

    def _index(self, number: int) -> int | None:
        index, rest = divmod(number - self._first_run, _ID_GAP)
        there = rest == 0 and 0 <= index < len(self._created) and index not in self._gone
        return index if there else None

    def _mix(self, index: int) -> int:
        return (index * 2_654_435_761 + self._first_run) & 0xFFFFFFFF

    def _sha(self, index: int) -> str:
        # The number is part of it, so that a run is found by its commit without a search.
        return hashlib.sha1(f"{self._tag} {index}".encode(), usedforsecurity=False).hexdigest()[:32] + f"{index:08x}"

    def _index_of_sha(self, sha: str) -> int | None:
        try:
            index = int(sha[32:], 16)
        except ValueError:
            return None
        return index if 0 <= index < len(self._created) and self._sha(index) == sha else None

    def _branch(self, index: int) -> str:
        if _EVENTS[self._event[index]] == "pull_request":
            return f"topic-{self._mix(index) % _TOPICS}"
        return self._past.repository.default_branch

    def _attempts_with_jobs(self, index: int) -> int:
        broken = _OUTCOMES[self._outcome[index]] == "startup_failure"
        return self._attempts[index] - broken

    def _run(self, index: int) -> WorkflowRun:
        past, created = self._past, datetime.fromtimestamp(self._created[index], UTC)
        actor = past.actors[self._actor[index]]
        title = _TITLES[index % len(_TITLES)]
        head = Commit(self._sha(index), self._sha(index)[::-1], title, actor, created)
        run = WorkflowRun(
            id=self._id(index),
            workflow=past.workflows[self._workflow[index]],
            number=self._number[index],
            event=_EVENTS[self._event[index]],
            head_branch=self._branch(index),
            head=head,
            head_repository=past.repository,
            actor=actor,
            display_title=title,
            check_suite_id=self._first_suite + index * _ID_GAP,
            created_at=created,
        )
        run.attempts = [self._attempt(run, index, number) for number in range(1, self._attempts[index] + 1)]
        return run

    def _attempt(self, run: WorkflowRun, index: int, number: int) -> RunAttempt:
        """Return one attempt without jobs; all but the last one failed."""
        mix = self._mix(index)
        begun = run.created_at + timedelta(seconds=(number - 1) * (1200 + mix % 2400))
        last = number == self._attempts[index]
        conclusion = _OUTCOMES[self._outcome[index]] if last else "failure"
        lasting = 3 if conclusion == "startup_failure" else 60 + (mix >> 5) % 900
        return RunAttempt(
            run,
            number,
            triggering_actor=run.actor,
            run_started_at=begun,
            updated_at=begun + timedelta(seconds=lasting),
            status="completed",
            conclusion=conclusion,
            begun=conclusion != "startup_failure",
        )

    def _filled(self, index: int) -> WorkflowRun:
        run = self._run(index)
        for attempt in run.attempts:
            if attempt.conclusion != "startup_failure":
                self._fill(attempt, index)
        return run

    def _fill(self, attempt: RunAttempt, index: int) -> None:
        specs = attempt.run.workflow.jobs
        first = self._first_job + (index * MOST_ATTEMPTS + attempt.number - 1) * self._most_jobs
        culprit = None if attempt.conclusion == "success" else specs[self._mix(index) % len(specs)].name
        depths: dict[str, int] = {}
        for spec in specs:
            depths[spec.name] = 1 + max((depths.get(need, 0) for need in spec.needs), default=-1)
        share = (attempt.updated_at - attempt.run_started_at) / (1 + max(depths.values()))
        for place, spec in enumerate(specs):
            begun = (attempt.run_started_at + depths[spec.name] * share).replace(microsecond=0)
            job = Job(first + place, attempt, spec, "completed", created_at=begun, started_at=begun)
            attempt.jobs.append(job)
            needed = [attempt.find_job(name) for name in spec.needs]
            if all(one is not None and one.passed for one in needed):
                self._play(job, culprit, begun + timedelta(seconds=3), begun + share)
            else:
                job.conclusion, job.completed_at = "skipped", begun

    def _play(self, job: Job, culprit: str | None, begun: datetime, ended: datetime) -> None:
        """Let a job run; the one that is to blame ends as its attempt did."""
        blamed = job.name == culprit
        job.started_at, job.completed_at = begun, ended.replace(microsecond=0)
        job.conclusion = job.attempt.conclusion if blamed else "success"
        number = _FIRST_RUNNER + job.id % 1000
        job.runner = Runner(number, f"GitHub Actions {number}", 0, "GitHub Actions", job.spec.labels)
        job.steps = planned_steps(job.spec)
        close_steps(job, job.spec.steps[-1] if blamed else None)


def _moments(past: Past, chance: random.Random) -> list[int]:
    """Draw when runs are created, in whole seconds since the epoch, sorted."""
    first, last = int(past.since.timestamp()), int(past.until.timestamp())
    found: list[int] = []
    for _ in range(past.bursts):
        begun = chance.randrange(first, last - BURST_SECONDS)
        found.extend(begun + place * BURST_SECONDS // BURST for place in range(BURST))
    if len(found) > past.runs:
        raise ValueError(f"{past.bursts} bursts are more than {past.runs} runs")
    found.extend(chance.choices(range(first, last + 1), k=past.runs - len(found)))
    return sorted(found)
