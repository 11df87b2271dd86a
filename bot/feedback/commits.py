"""What the record holds of one commit: where it is, what ran there, and which pull requests it is of."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from bot.domain.facts import NO_TIME
from bot.domain.feedback import pacing
from bot.domain.feedback.classes import is_set_up
from bot.domain.feedback.report import Job, Run
from bot.domain.feedback.standing import current_jobs, current_runs, going_on, is_settled
from bot.domain.triggers import triggering_pull_request
from bot.store.database import Executor, to_moment

MUTED = "ci-mute"
_Row = dict[str, Any]

_PLACE = (
    "SELECT repository.repository_id, repository.full_name, repository.html_url, repository.default_branch,"
    " installation.installation_id, installation.permissions,"
    " told.comments, told.excerpts, told.drafts, told.muted FROM repository"
    " JOIN installation ON installation.installation_id = repository.installation_id"
    " LEFT JOIN repository_settings AS told ON told.repository_id = repository.repository_id"
    " WHERE repository.repository_id = ? AND repository.hidden_at IS NULL AND installation.state = 'active'"
)
_RUNS = (
    "SELECT run_id, run_attempt, workflow_id, workflow_name, workflow_path, event, status, conclusion, html_url,"
    " head_branch, head_repository_id, run_started_at, created_at, updated_at, gone_at, jobs_attempt, display_title"
    " FROM workflow_run"
    " WHERE head_sha = ? AND repository_id = ?"
)
_JOBS = (
    "SELECT job_id, run_id, run_attempt, name, status, conclusion, html_url, started_at, completed_at,"
    " CASE WHEN conclusion IN ('failure', 'timed_out') THEN steps END AS steps"
    " FROM workflow_job WHERE run_id IN ({})"
)
_PULLS = (
    "SELECT DISTINCT pull.number, pull.title, pull.state, pull.draft, pull.locked, pull.labels, pull.author_id,"
    " pull.head_sha, pull.head_ref, pull.base_ref, pull.base_sha, told.comments, told.excerpts, told.drafts, told.muted"
    " FROM pull_request AS pull LEFT JOIN repository_settings AS told ON told.repository_id = pull.repository_id"
)
_PULLS_OF_COMMIT = (
    f"{_PULLS} JOIN pull_request_head AS head ON head.repository_id = pull.repository_id"
    " AND head.number = pull.number WHERE head.repository_id = ? AND head.head_sha = ? ORDER BY pull.number"
)
_LINKED = (
    "SELECT link.run_id, link.number, link.head_sha AS listed_sha, pull.head_sha, pull.updated_at"
    " FROM run_pull_request AS link"
    " LEFT JOIN pull_request AS pull ON pull.repository_id = link.repository_id AND pull.number = link.number"
    " WHERE link.repository_id = ? AND link.run_id IN ({}) ORDER BY link.number"
)
_PULL = f"{_PULLS} WHERE pull.repository_id = ? AND pull.number = ?"


class Wishes(Struct, frozen=True):
    """What a repository's administrators want told there: see models.RepositorySettings."""

    comments: bool = True
    excerpts: bool = True
    drafts: bool = False
    muted: bool = False


class Place(Struct, frozen=True):
    """A repository and the installation through which something may be written there."""

    repository_id: int
    installation_id: int
    full_name: str
    html_url: str
    default_branch: str | None
    permissions: Mapping[str, str] | None
    wishes: Wishes = Wishes()

    def may_write(self, what: str) -> bool:
        """Tell whether writing is granted, as far as is known."""
        return self.permissions is None or self.permissions.get(what) == "write"

    @property
    def may_rerun(self) -> bool:
        """Whether it is certain that the App may run jobs again."""
        return self.permissions is not None and self.may_write("actions")


class PullRequest(Struct, frozen=True):
    """What feedback goes by of a pull request."""

    number: int
    title: str
    author_id: int | None
    head_sha: str
    head_ref: str
    base_ref: str
    base_sha: str
    is_open: bool
    is_draft: bool
    is_locked: bool
    is_muted: bool

    @property
    def pull(self) -> pacing.Pull:
        return pacing.Pull(self.head_sha, self.is_open, self.is_draft, self.is_locked, self.is_muted)


class Commit(Struct, frozen=True):
    """A commit: its current runs, all jobs of theirs by run, and the pull requests it is or was the head of."""

    place: Place
    sha: str
    runs: tuple[Run, ...]
    jobs: Mapping[int, Sequence[Job]]
    pulls: tuple[PullRequest, ...]
    untold: tuple[int, ...] = ()
    """The numbers of pull requests whose head it seems to be, though no delivery told so."""
    unsettled: tuple[Run, ...] = ()
    """Those of the runs that have ended by what was told, though not all was: among `runs` they go on."""

    @property
    def heads(self) -> tuple[PullRequest, ...]:
        """The open pull requests whose head it is."""
        return tuple(pull for pull in self.pulls if pull.is_open and pull.head_sha == self.sha)

    @property
    def queued(self) -> int | None:
        """The number of the pull request for which a merge queue tests it."""
        numbers = (triggering_pull_request(run.event, run.head_branch, ()) for run in self.runs)
        return next((number for number in numbers if number is not None), None)

    @property
    def is_told(self) -> bool:
        """Whether somebody waits for what becomes of it."""
        return bool(self.heads) or self.queued is not None

    @property
    def has_begun(self) -> bool:
        """Whether there is anything to tell: a job, or a run that ended without any."""
        return any(self.jobs.get(run.run_id) or run.is_done for run in self.runs)

    def current_jobs(self) -> dict[int, list[Job]]:
        """Return the jobs of each run as they stand now."""
        return {run.run_id: current_jobs(run, self.jobs.get(run.run_id, ())) for run in self.runs}


async def find_place(reader: Executor, repository_id: int, server_url: str) -> Place | None:
    """Return where a repository is, None where nothing may be written there now."""
    rows = await reader.fetch(_PLACE, repository_id)
    if not rows:
        return None
    row = rows[0]
    granted = row["permissions"]
    permissions = json.loads(granted) if isinstance(granted, str) else granted
    return Place(
        repository_id=row["repository_id"],
        installation_id=row["installation_id"],
        full_name=row["full_name"],
        html_url=row["html_url"] or f"{server_url.rstrip('/')}/{row['full_name']}",
        default_branch=row["default_branch"],
        permissions=permissions,
        wishes=_wishes(row),
    )


def _wishes(row: Mapping[str, Any]) -> Wishes:
    if row["comments"] is None:
        return Wishes()
    return Wishes(**{name: bool(row[name]) for name in Wishes.__struct_fields__})


async def read_commit(reader: Executor, place: Place, sha: str) -> Commit:
    """Return what is recorded of a commit."""
    every, links = await _recorded(reader, place.repository_id, sha)
    # Somebody has deleted the others; where all are gone, what was begun has to end.
    runs = _current(_there(every) or every, links)
    jobs: dict[int, list[Job]] = defaultdict(list)
    if runs:
        ids = [run.run_id for run in runs]
        for row in await reader.fetch(_JOBS.format(", ".join("?" * len(ids))), *ids):
            jobs[row["run_id"]].append(_job(row))
    pulls = await reader.fetch(_PULLS_OF_COMMIT, place.repository_id, sha)
    untold = _untold(sha, runs, links)
    return Commit(place, sha, tuple(runs), dict(jobs), tuple(_pull_request(row) for row in pulls), untold)


def while_unsettled(commit: Commit) -> Commit:
    """Return a commit on which runs go on of which not all is known."""
    jobs = commit.current_jobs()
    unsettled = tuple(run for run in commit.runs if run.is_done and not is_settled(run, jobs[run.run_id]))
    runs = tuple(going_on(run) if run in unsettled else run for run in commit.runs)
    return msgspec.structs.replace(commit, runs=runs, unsettled=unsettled)


async def read_runs(reader: Executor, repository_id: int, sha: str) -> list[Run]:
    """Return the current runs of a commit that GitHub still has."""
    every, links = await _recorded(reader, repository_id, sha)
    return _current(_there(every), links)


async def _recorded(reader: Executor, repository_id: int, sha: str) -> tuple[list[_Row], dict[int, list[_Row]]]:
    """Return the rows of all runs of a commit, and by run those of the pull requests they belong to."""
    rows = await reader.fetch(_RUNS, sha, repository_id)
    links: dict[int, list[_Row]] = defaultdict(list)
    if rows:
        ids = [row["run_id"] for row in rows]
        for link in await reader.fetch(_LINKED.format(", ".join("?" * len(ids))), repository_id, *ids):
            links[link["run_id"]].append(link)
    return rows, links


def _there(rows: Sequence[_Row]) -> list[_Row]:
    return [row for row in rows if row["gone_at"] is None]


def _current(rows: Sequence[_Row], links: Mapping[int, Sequence[_Row]]) -> list[Run]:
    return current_runs(_run(row, links.get(row["run_id"], ())) for row in rows)


def _untold(sha: str, runs: Sequence[Run], links: Mapping[int, Sequence[_Row]]) -> tuple[int, ...]:
    """Return the pull requests that runs name, and that are not known, or were changed before the runs began."""
    if not runs:
        return ()
    began = max(run.began_at for run in runs)
    told = {
        link["number"]
        for run in runs
        for link in links.get(run.run_id, ())
        if link["head_sha"] is None or (link["head_sha"] != sha and (to_moment(link["updated_at"]) or began) <= began)
    }
    return tuple(sorted(told))


async def find_pull_request(reader: Executor, repository_id: int, number: int) -> PullRequest | None:
    """Return a pull request as it is recorded."""
    rows = await reader.fetch(_PULL, repository_id, number)
    return _pull_request(rows[0]) if rows else None


def _run(row: _Row, links: Sequence[_Row]) -> Run:
    path = row["workflow_path"] or ""
    return Run(
        run_id=row["run_id"],
        attempt=row["run_attempt"],
        workflow_id=row["workflow_id"],
        workflow_name=row["workflow_name"] or path or "workflow",
        workflow_path=path,
        event=row["event"],
        status=row["status"],
        conclusion=row["conclusion"],
        html_url=row["html_url"],
        head_branch=row["head_branch"],
        began_at=to_moment(row["run_started_at"] or row["created_at"]) or NO_TIME,
        are_jobs_listed=row["jobs_attempt"] >= row["run_attempt"],
        head_repository_id=row["head_repository_id"],
        pulls=_pulls(links),
        title=row["display_title"],
        created_at=to_moment(row["created_at"]),
        ended_at=to_moment(row["updated_at"]) if row["status"] == "completed" else None,
    )


def _pulls(links: Sequence[_Row]) -> tuple[int, ...]:
    """Return what GitHub itself lists; only for a run that lists nothing, as those of forks do, the commit tells."""
    listed = [link for link in links if link["listed_sha"] is not None]
    return tuple(sorted({link["number"] for link in listed or links}))


def _job(row: Mapping[str, Any]) -> Job:
    steps = _steps_to_failure(row["steps"])
    return Job(
        job_id=row["job_id"],
        run_id=row["run_id"],
        attempt=row["run_attempt"] or 1,
        name=row["name"],
        status=row["status"],
        conclusion=row["conclusion"],
        html_url=row["html_url"],
        started_at=to_moment(row["started_at"]),
        completed_at=to_moment(row["completed_at"]),
        step=steps[-1] if steps else None,
        in_set_up=is_set_up(steps),
    )


def _steps_to_failure(steps: str | None) -> list[str]:
    """Return the names of the steps up to the first that failed; none where none did.

    What runs always after it may fail as well, for want of what it needs.
    """
    names: list[str] = []
    for step in json.loads(steps) if steps else ():
        names.append(str(step["name"]))
        if step["conclusion"] in {"failure", "timed_out"}:
            return names
    return []


def _pull_request(row: Mapping[str, Any]) -> PullRequest:
    wishes = _wishes(row)
    return PullRequest(
        number=row["number"],
        title=row["title"] or "",
        author_id=row["author_id"],
        head_sha=row["head_sha"],
        head_ref=row["head_ref"],
        base_ref=row["base_ref"],
        base_sha=row["base_sha"],
        is_open=row["state"] == "open",
        # Where drafts are commented on, a draft is as any other.
        is_draft=bool(row["draft"]) and not wishes.drafts,
        is_locked=bool(row["locked"]),
        is_muted=wishes.muted or not wishes.comments or MUTED in json.loads(row["labels"]),
    )
