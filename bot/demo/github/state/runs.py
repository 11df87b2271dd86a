"""Where runs are found: living ones by id and by time, and the past of each repository beside them."""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bot.demo.github.state.actions import Job, WorkflowRun
    from bot.demo.github.state.history import History
    from bot.demo.github.state.repositories import Repository

END_OF_TIME = 2**40


@dataclass(frozen=True, slots=True)
class RunFilter:
    """What a list of runs is narrowed to; `since` and `until` are seconds since the epoch, both included.

    `status` is a status or a conclusion, of the newest attempt.
    """

    workflow_id: int | None = None
    actor: str | None = None
    branch: str | None = None
    event: str | None = None
    status: str | None = None
    head_sha: str | None = None
    check_suite_id: int | None = None
    since: int = 0
    until: int = END_OF_TIME

    def admits(self, run: WorkflowRun) -> bool:
        """Tell whether a run meets all that is asked but the time."""
        return (
            self.workflow_id in {None, run.workflow.id}
            and self.actor in {None, run.actor.login}
            and self.branch in {None, run.head_branch}
            and self.event in {None, run.event}
            and self.status in {None, run.status, run.conclusion}
            and self.head_sha in {None, run.head.sha}
            and self.check_suite_id in {None, run.check_suite_id}
        )


# When a run was created and its id: what lists are ordered by.
Place = tuple[int, int]


class Runs:
    """Every run. Those of the past are made into entities when they are looked at; what changes is adopted first."""

    def __init__(self) -> None:
        self.living: dict[int, WorkflowRun] = {}
        self.histories: defaultdict[int, list[History]] = defaultdict(list)
        self._jobs: dict[int, Job] = {}
        self._places: defaultdict[int, list[Place]] = defaultdict(list)

    def add(self, run: WorkflowRun) -> None:
        self.living[run.id] = run
        insort(self._places[run.repository.id], _place(run))

    def add_job(self, job: Job) -> None:
        self._jobs[job.id] = job

    def adopt(self, run: WorkflowRun) -> None:
        """Let a run of the past live, with what is about to happen to it; nothing for one that does."""
        if run.id in self.living:
            return
        for history in self.histories[run.repository.id]:
            history.forget(run.id)
        self.add(run)
        for job in run.all_jobs():
            self.add_job(job)

    def remove(self, run: WorkflowRun) -> None:
        """Delete a run with all its jobs."""
        self.adopt(run)
        del self.living[run.id]
        self._places[run.repository.id].remove(_place(run))
        for job in run.all_jobs():
            del self._jobs[job.id]

    def find(self, number: int) -> WorkflowRun | None:
        """Return a run by its id, with its jobs."""
        if number in self.living:
            return self.living[number]
        return next((run for history in self._every_history() if (run := history.find(number)) is not None), None)

    def find_job(self, number: int) -> Job | None:
        if number in self._jobs:
            return self._jobs[number]
        return next((job for history in self._every_history() if (job := history.find_job(number)) is not None), None)

    def at_commit(self, repository: Repository, sha: str) -> list[WorkflowRun]:
        """Return a repository's runs on one commit, with their jobs."""
        found = self.newest_first(repository, RunFilter(head_sha=sha), 0, END_OF_TIME)
        return [self.find(run.id) or run for run in found]

    def count(self, repository: Repository, wanted: RunFilter) -> int:
        """Return how many runs of a repository meet a filter."""
        past = sum(history.count(wanted) for history in self.histories[repository.id])
        return past + sum(1 for _ in self._living_places(repository, wanted))

    def newest_first(self, repository: Repository, wanted: RunFilter, start: int, stop: int) -> Iterator[WorkflowRun]:
        """Yield those of a repository from place `start` up to `stop`; past ones come without their jobs."""
        histories = self.histories[repository.id]
        lines: list[Iterable[tuple[Place, History | None]]] = [
            ((place, None) for place in self._living_places(repository, wanted)),
            *(history.places(wanted) for history in histories),
        ]
        merged = heapq.merge(*lines, key=lambda found: found[0], reverse=True)
        for number, (place, history) in enumerate(merged):
            if number >= stop:
                return
            if number >= start:
                yield self.living[place[1]] if history is None else history.get(place[1])

    def every(self, repositories: Iterable[int], *, with_jobs: bool = True) -> Iterator[WorkflowRun]:
        """Yield all runs of the repositories of these ids, sorted by their own, past ones with jobs if asked."""
        wanted = set(repositories)
        lines = [
            history.every(with_jobs=with_jobs)
            for number, some in self.histories.items()
            if number in wanted
            for history in some
        ]
        living = sorted((run for run in self.living.values() if run.repository.id in wanted), key=lambda run: run.id)
        return heapq.merge(iter(living), *lines, key=lambda run: run.id)

    def _every_history(self) -> Iterator[History]:
        return (history for some in self.histories.values() for history in some)

    def _living_places(self, repository: Repository, wanted: RunFilter) -> Iterator[Place]:
        places = self._places[repository.id]
        first, last = bisect_left(places, (wanted.since, 0)), bisect_right(places, (wanted.until, END_OF_TIME))
        return (place for place in reversed(places[first:last]) if wanted.admits(self.living[place[1]]))


def _place(run: WorkflowRun) -> Place:
    return int(run.created_at.timestamp()), run.id
