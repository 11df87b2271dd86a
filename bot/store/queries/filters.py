"""What a list can be narrowed by: declared once, for the routes, their documentation and Python callers alike.

Attribute names are Python's; over HTTP they are the camelCase of the same words.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

GITHUB_ID_MAX = 2**63 - 1

Status = Literal["requested", "pending", "waiting", "queued", "in_progress", "completed"]
Conclusion = Literal[
    "success",
    "failure",
    "neutral",
    "cancelled",
    "skipped",
    "timed_out",
    "action_required",
    "startup_failure",
    "stale",
]
GitHubId = Annotated[int, Meta(ge=1, le=GITHUB_ID_MAX)]
Text = Annotated[str, Meta(min_length=1, max_length=255)]
RepoFullName = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}$", description="OWNER/NAME, also a past name")
]
Sha = Annotated[str, Meta(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$", description="The full SHA of the head commit")]
Since = Annotated[datetime, Meta(description="Created at or after this ISO 8601 date or time; UTC unless it says so")]
# A date alone takes the whole day in, as GitHub's own search does; `extra` tells whoever reads the text.
Until = Annotated[
    datetime,
    Meta(
        description="Created at or before this ISO 8601 time, or on this date or before it; UTC unless it says so",
        extra={"whole_day": True},
    ),
]
CursorText = Annotated[str, Meta(min_length=1, max_length=200, description="The `nextCursor` of the page before")]
TeamName = Annotated[str, Meta(min_length=1, max_length=100, description="Slug or id of the team")]


class TeamQuery(Struct, frozen=True, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """What every query about a team's record asks for."""

    team: TeamName


class RunFilter(TeamQuery, frozen=True, kw_only=True):
    """Narrowings that runs and jobs share."""

    repo_full_name: RepoFullName | None = None
    installation_id: Annotated[GitHubId, Meta(description="GitHub's id of the installation")] | None = None
    workflow_id: Annotated[GitHubId, Meta(description="GitHub's id of the workflow")] | None = None
    workflow: Annotated[Text | None, Meta(description="Name or path of the workflow")] = None
    branch: Annotated[Text | None, Meta(description="Head branch")] = None
    event: Annotated[Text | None, Meta(description="What triggered the run, such as `push`")] = None
    status: Annotated[Status, Meta(description="How far along")] | None = None
    conclusion: Annotated[Conclusion, Meta(description="How it ended")] | None = None
    actor: Annotated[Text | None, Meta(description="Login of who caused the run")] = None
    head_sha: Sha | None = None
    since: Since | None = None
    until: Until | None = None


class RunsQuery(RunFilter, frozen=True, kw_only=True):
    """`GET …/workflow-runs`."""

    limit: Annotated[int, Meta(ge=1, le=100, description="Rows a page")] = 50
    cursor: CursorText | None = None


class JobsQuery(RunFilter, frozen=True, kw_only=True):
    """`GET …/workflow-jobs`."""

    run_id: Annotated[GitHubId, Meta(description="GitHub's id of the run")] | None = None
    attempt: Annotated[int, Meta(ge=1, le=10_000, description="Attempt of the run")] | None = None
    name: Annotated[Text | None, Meta(description="Name of the job")] = None
    runner_name: Annotated[Text | None, Meta(description="Name of the runner")] = None
    label: Annotated[Text | None, Meta(description="A label that the job asks its runner to have")] = None
    limit: Annotated[int, Meta(ge=1, le=100, description="Rows a page")] = 50
    cursor: CursorText | None = None


class PullRequestRunsQuery(TeamQuery, frozen=True, kw_only=True):
    """`GET …/workflow-runs/pr`."""

    repo_full_name: RepoFullName
    pr_number: Annotated[int, Meta(ge=1, le=2**31 - 1, description="Number of the pull request")]
    head_sha: Sha | None = None
    latest: Annotated[bool, Meta(description="Only the newest run of each workflow and event at the head")] = False
    limit: Annotated[int, Meta(ge=1, le=50, description="Rows a page")] = 20
    cursor: CursorText | None = None


class BackfillRequest(TeamQuery, frozen=True, kw_only=True):
    """`POST …/backfills`."""

    repo_full_name: RepoFullName
    since: Since | None = None
    until: Until | None = None


class RunDetailsQuery(TeamQuery, frozen=True, kw_only=True):
    """`GET …/workflow-runs/{runId}`."""

    attempt: Annotated[int, Meta(ge=1, le=10_000, description="Whose jobs to show; the newest by default")] | None = (
        None
    )
