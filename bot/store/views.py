"""The shapes that queries answer with: one declaration validates, serializes and documents each of them.

Attribute names are Python's, the JSON names are their camelCase. Times are aware and in UTC, durations are in
seconds, and what GitHub never told is None.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

Timestamp = Annotated[datetime, Meta(tz=True, description="ISO 8601, in UTC")]
Seconds = Annotated[float, Meta(description="Seconds")]


class View(Struct, rename="camel", kw_only=True):
    """The base of every answer."""


class LinkedPullRequest(View):
    """A pull request that a run belongs to."""

    number: int
    head_sha: str | None
    base_ref: str | None


class Run(View):
    """A workflow run at its newest attempt, or one attempt of it."""

    provider: Literal["github"]
    team: Annotated[str, Meta(description="Slug of the team that the repository's installation maps to")]
    installation_id: int | None
    repository_id: int
    repo_full_name: str
    run_id: int
    run_attempt: int
    run_number: int | None
    workflow_id: int | None
    workflow_name: str | None
    workflow_path: str | None
    display_title: str | None
    event: str | None
    status: str
    conclusion: str | None
    head_branch: str | None
    head_sha: str | None
    html_url: str | None
    created_at: Timestamp
    updated_at: Timestamp
    run_started_at: Timestamp | None
    run_completed_at: Timestamp | None
    run_duration: Seconds | None
    actor_login: str | None
    actor_id: int | None
    triggering_actor_login: str | None
    head_repo_full_name: str | None
    pull_requests: list[LinkedPullRequest]
    triggering_pr_number: Annotated[
        int | None,
        Meta(description="The pull request that caused the run, where its event or merge-queue branch tells"),
    ]
    gone_at: Annotated[Timestamp | None, Meta(description="When GitHub was found to have the run no more")]


class Step(View):
    """One step of a job."""

    number: int | None
    name: str | None
    status: str | None
    conclusion: str | None
    started_at: Timestamp | None
    completed_at: Timestamp | None


class Job(View):
    """One job of one attempt of a run."""

    job_id: int
    run_id: int
    run_attempt: int | None
    name: str
    workflow_name: str | None
    status: str
    conclusion: str | None
    head_sha: str | None
    head_branch: str | None
    html_url: str | None
    created_at: Timestamp | None
    started_at: Timestamp | None
    completed_at: Timestamp | None
    queued_seconds: Seconds | None
    duration: Seconds | None
    runner_name: str | None
    runner_group_name: str | None
    labels: list[str]
    steps: list[Step]


Total = Annotated[int, Meta(ge=0, description="How many match in all: exact up to 1,000")]
Cursor = Annotated[str | None, Meta(description="Pass it as `cursor` for the next page; null on the last one")]


class RunPage(View):
    """A page of runs, newest first by creation time."""

    runs: list[Run]
    total: Total
    total_is_exact: bool
    next_cursor: Cursor


class JobPage(View):
    """A page of jobs, newest first by creation time."""

    jobs: list[Job]
    total: Total
    total_is_exact: bool
    next_cursor: Cursor


class RunDetails(View):
    """A run with every attempt of it, newest first, and the jobs of the attempt asked for."""

    run: Run
    attempts: list[Run]
    jobs: list[Job]
    jobs_pending: Annotated[
        bool, Meta(description="Whether the attempt has ended and its jobs have still to be asked for at GitHub")
    ]


class Repository(View):
    """A repository that the App can see."""

    repository_id: int
    full_name: str
    past_names: list[str]
    private: bool
    archived: bool
    default_branch: str | None
    html_url: str | None
    installation_id: int | None
    last_run_at: Timestamp | None


class RepositoryList(View):
    """The repositories of a team, by name."""

    repositories: list[Repository]


class RepositorySettings(View):
    """What is told on GitHub about a repository.

    `comments`: the failure comment; `excerpts`: lines of logs in it and in the check summary; `drafts`: comments on
    drafts too; `muted`: neither comments nor check summaries. `changed_at` is null while the defaults hold.
    """

    repository_id: int
    repo_full_name: str
    comments: bool = True
    excerpts: bool = True
    drafts: bool = False
    muted: bool = False
    changed_at: Timestamp | None = None


class RepositorySettingsAnswer(View):
    """The settings of one repository, as they hold now."""

    settings: RepositorySettings


class TeamInstallation(View):
    """An installation of the App that maps to a team."""

    installation_id: int | None
    account_login: str
    account_type: str | None
    state: Literal["active", "suspended"]


class Team(View):
    """A team that the caller may read."""

    id: int
    slug: str
    name: str
    installations: list[TeamInstallation]


class TeamList(View):
    """The teams that the caller may read, by slug."""

    teams: list[Team]


class BackfillProgress(View):
    """A request for history and how far it has come."""

    id: int
    kind: Annotated[
        Literal["request", "installation", "gap", "overlap", "nightly"],
        Meta(description="Who asked: somebody, a new repository, or what looks after the record by itself"),
    ]
    state: Literal["waiting", "running", "done", "failed"]
    installation_id: int | None
    repo_full_name: str | None
    since: Timestamp | None
    until: Timestamp | None
    created_at: Timestamp
    finished_at: Timestamp | None
    runs_at_github: Annotated[int | None, Meta(description="How many runs GitHub tells of, as far as it was asked")]
    runs_stored: int
    jobs_stored: int
    jobs_pending: Annotated[int, Meta(description="Runs whose attempts and jobs are still to be asked for")]
    requests_left: Annotated[int, Meta(description="About how many requests to GitHub it still takes")]
    error: str | None
