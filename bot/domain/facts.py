"""What a payload tells, as rows: the same facts from a webhook and from the REST API, versioned by the ordering rule.

The field names are the names of the columns they go to.
"""

import struct
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
from msgspec import Struct

from bot.domain import ordering, payloads
from bot.errors import MalformedPayload


class Fact(Struct, frozen=True, tag=True, array_like=True):
    """Anything told.

    What a killed process leaves in the inbox's journal is read by the next one, perhaps of another version: so a new
    field comes last, after all others, and has a default.
    """


class Account(Struct, frozen=True, array_like=True):
    """Who owns repositories: an organisation or a user."""

    account_id: int
    login: str
    type: str | None = None


class Repository(Fact, frozen=True, kw_only=True):
    """A repository as one snapshot shows it.

    `owner` is None where only its name was told, `hidden` where it is no longer to be seen. An `announced` snapshot
    comes from an event about the repository itself; the others, which ride along with every event, are compared first.
    """

    repository_id: int
    full_name: str
    owner: Account | None
    installation_id: int | None
    private: bool
    archived: bool | None = None
    default_branch: str | None = None
    html_url: str | None = None
    hidden: bool = False
    announced: bool = False
    past_name: str | None = None
    version: bytes


class Installation(Fact, frozen=True, kw_only=True):
    """An installation of the App; `version` is None where another event merely names it."""

    installation_id: int
    account: Account
    state: Literal["active", "suspended", "deleted"] = "active"
    repository_selection: str | None = None
    permissions: dict[str, str] | None = None
    events: list[str] | None = None
    version: bytes | None = None
    login_version: bytes | None = None


class AccountRename(Fact, frozen=True):
    """An account has a new login."""

    account: Account
    version: bytes


class RunPullRequest(Struct, frozen=True, array_like=True):
    """A pull request that a run's snapshot lists."""

    run_id: int
    repository_id: int
    number: int
    head_sha: str | None
    base_ref: str | None
    run_created_at: datetime
    version: bytes


class WorkflowRun(Fact, frozen=True, kw_only=True):
    """One attempt of a run at one moment."""

    repository_id: int
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
    head_repository_id: int | None
    head_repo_full_name: str | None
    html_url: str | None
    created_at: datetime
    updated_at: datetime
    run_started_at: datetime | None
    actor_id: int | None
    actor_login: str | None
    triggering_actor_login: str | None
    version: bytes
    pull_requests: tuple[RunPullRequest, ...] = ()


class _Step(Struct, rename="camel", gc=False):
    """A step as the API shows it."""

    number: int | None
    name: str | None
    status: str | None
    conclusion: str | None
    started_at: datetime | None
    completed_at: datetime | None


class WorkflowJob(Fact, frozen=True, kw_only=True):
    """One job at one moment; `labels` and `steps` are JSON texts in the API's own shape."""

    repository_id: int
    job_id: int
    run_id: int
    run_attempt: int | None
    name: str
    workflow_name: str | None
    status: str
    conclusion: str | None
    head_branch: str | None
    head_sha: str | None
    html_url: str | None
    created_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    runner_id: int | None
    runner_name: str | None
    runner_group_id: int | None
    runner_group_name: str | None
    labels: str
    steps: str
    version: bytes


class PullRequest(Fact, frozen=True, kw_only=True):
    """A pull request at one moment."""

    repository_id: int
    number: int
    pull_request_id: int
    title: str | None
    state: str
    draft: bool
    locked: bool
    merged: bool
    html_url: str | None
    author_id: int | None
    author_login: str | None
    head_sha: str
    head_ref: str
    head_repository_id: int | None
    head_repo_full_name: str | None
    base_ref: str
    base_sha: str
    labels: str
    created_at: datetime | None
    updated_at: datetime
    closed_at: datetime | None
    version: bytes


class PullRequestHead(Fact, frozen=True):
    """A commit that is or was the head of a pull request, in the repository that its branch is of."""

    repository_id: int
    head_sha: str
    head_repository_id: int
    number: int


class ActionWanted(Fact, frozen=True, kw_only=True):
    """A button pressed on a check of the App `app_id`: rerun_failed is our own, the others are GitHub's."""

    guid: str
    kind: Literal["rerun_failed", "rerequest_check", "rerequest_suite"]
    repository_id: int
    head_sha: str
    app_id: int
    sender_id: int
    sender_login: str
    wanted_at: datetime


class SightChange(Fact, frozen=True):
    """What people see of an installation or a repository may have changed; without either, of anything."""

    installation_id: int | None = None
    repository_id: int | None = None


class AuthorizationRevoked(Fact, frozen=True):
    """A person has withdrawn what they allowed the App to do in their name."""

    user_id: int
    revoked_at: datetime


Facts = (
    Repository
    | Installation
    | AccountRename
    | WorkflowRun
    | WorkflowJob
    | PullRequest
    | PullRequestHead
    | ActionWanted
    | SightChange
    | AuthorizationRevoked
)

# What jobs that GitHub told no time for are listed under.
NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)

_json = msgspec.json.Encoder()


def _utc(moment: datetime) -> datetime:
    # As GitHub tells nearly all of them.
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        message = f"the time {moment.isoformat()} lies outside the calendar in UTC"
        raise MalformedPayload(message) from None


def _utc_or_none(moment: datetime | None) -> datetime | None:
    return None if moment is None else _utc(moment)


def _text(value: Any) -> str:
    return _json.encode(value).decode()


def account(payload: payloads.Account) -> Account:
    """Return an account as any body names it."""
    return Account(payload.id, payload.login, payload.type)


def repository(
    payload: payloads.Repository, installation_id: int | None, seen_at: int, *, announced: bool = False, **changes: Any
) -> Repository:
    """Return what an event tells of its repository; `seen_at` is in microseconds, see `ordering.made_at`."""
    told = Repository(
        repository_id=payload.id,
        full_name=payload.full_name,
        owner=account(payload.owner),
        installation_id=installation_id,
        private=payload.private,
        archived=payload.archived,
        default_branch=payload.default_branch,
        html_url=payload.html_url,
        announced=announced,
        version=ordering.NO_VERSION,
    )
    return _versioned_repository(msgspec.structs.replace(told, **changes), seen_at)


def thin_repository(
    payload: payloads.ThinRepository, installation_id: int, owner: Account, seen_at: int, *, hidden: bool = False
) -> Repository:
    """Return what an event about an installation tells of one of its repositories."""
    told = Repository(
        repository_id=payload.id,
        full_name=payload.full_name,
        owner=owner,
        installation_id=installation_id,
        private=payload.private,
        hidden=hidden,
        announced=True,
        version=ordering.NO_VERSION,
    )
    return _versioned_repository(told, seen_at)


def _versioned_repository(told: Repository, seen_at: int) -> Repository:
    digest = ordering.digest(told.full_name, told.installation_id, told.private, told.archived, told.hidden)
    return msgspec.structs.replace(told, version=ordering.entity_version(None, seen_at, digest))


def installation(payload: payloads.Installation, action: str | None, seen_at: int) -> Installation:
    """Return what an `installation` event tells of the installation itself."""
    state: Literal["active", "suspended", "deleted"] = "active"
    if action == "deleted":
        state = "deleted"
    elif payload.suspended_at is not None and action != "unsuspend":
        state = "suspended"
    digest = ordering.digest(state, payload.account.login, payload.permissions, payload.events)
    return Installation(
        installation_id=payload.id,
        account=account(payload.account),
        state=state,
        repository_selection=payload.repository_selection,
        permissions=payload.permissions,
        events=payload.events,
        version=ordering.entity_version(None, seen_at, digest, last=state == "deleted"),
        login_version=login_version(payload.account.login, seen_at),
    )


def login_version(login: str, seen_at: int) -> bytes:
    """Return the version of a login, which an account may change apart from everything else."""
    return ordering.entity_version(None, seen_at, ordering.digest(login))


def workflow_run(payload: payloads.WorkflowRun, repository_id: int, made_at: int) -> WorkflowRun:
    """Return what a run's body tells, from a webhook or from the REST API alike.

    `made_at` is in microseconds, see `ordering.made_at`. Pull requests of other repositories, which GitHub lists too
    when they share the commit, are left out.
    """
    updated_at = _utc(payload.updated_at)
    started_at = _utc_or_none(payload.run_started_at)
    version = ordering.run_version(
        payload.status,
        payload.conclusion,
        updated_at,
        made_at,
        ordering.digest(payload.status, payload.conclusion, updated_at, started_at),
    )
    created_at = _utc(payload.created_at)
    actor, head = payload.actor, payload.head_repository
    return WorkflowRun(
        repository_id=repository_id,
        run_id=payload.id,
        run_attempt=payload.run_attempt,
        run_number=payload.run_number,
        workflow_id=payload.workflow_id,
        workflow_name=payload.name,
        workflow_path=payload.path,
        display_title=payload.display_title,
        event=payload.event,
        status=payload.status,
        conclusion=payload.conclusion,
        head_branch=payload.head_branch,
        head_sha=payload.head_sha,
        head_repository_id=head.id if head else None,
        head_repo_full_name=head.full_name if head else None,
        html_url=payload.html_url,
        created_at=created_at,
        updated_at=updated_at,
        run_started_at=started_at,
        actor_id=actor.id if actor else None,
        actor_login=actor.login if actor else None,
        triggering_actor_login=payload.triggering_actor.login if payload.triggering_actor else None,
        version=version,
        pull_requests=tuple(
            RunPullRequest(payload.id, repository_id, each.number, each.head.sha, each.base.ref, created_at, version)
            for each in payload.pull_requests or ()
            if each.base.repo is None or each.base.repo.id == repository_id
        ),
    )


def workflow_version(run: WorkflowRun) -> bytes:
    """Return the version of what a run tells of its workflow: the newest run knows its name best.

    A snapshot that leaves out the name or the path must not blank what another one told.
    """
    whole = run.workflow_name is not None and run.workflow_path is not None
    return struct.pack(">BQQ", whole, ordering.microseconds(run.created_at), run.run_id) + run.version


def workflow_job(payload: payloads.WorkflowJob, repository_id: int, made_at: int) -> WorkflowJob:
    """Return what a job's body tells, from a webhook or from the REST API alike."""
    started_at, completed_at = _utc_or_none(payload.started_at), _utc_or_none(payload.completed_at)
    labels, steps = _text(payload.labels or []), _json.encode([_step(step) for step in payload.steps or ()])
    mutable = ordering.digest(
        payload.status,
        payload.conclusion,
        started_at,
        completed_at,
        payload.runner_id,
        payload.runner_name,
        payload.runner_group_id,
        payload.runner_group_name,
        labels,
        text=steps,
    )
    return WorkflowJob(
        repository_id=repository_id,
        job_id=payload.id,
        run_id=payload.run_id,
        run_attempt=payload.run_attempt,
        name=payload.name,
        workflow_name=payload.workflow_name,
        status=payload.status,
        conclusion=payload.conclusion,
        head_branch=payload.head_branch,
        head_sha=payload.head_sha,
        html_url=payload.html_url,
        created_at=_utc_or_none(payload.created_at),
        started_at=started_at,
        completed_at=completed_at,
        runner_id=payload.runner_id,
        runner_name=payload.runner_name,
        runner_group_id=payload.runner_group_id,
        runner_group_name=payload.runner_group_name,
        labels=labels,
        steps=steps.decode(),
        version=ordering.job_version(payload.status, payload.conclusion, made_at, mutable),
    )


def _step(step: payloads.Step) -> _Step:
    return _Step(
        step.number,
        step.name,
        step.status,
        step.conclusion,
        _utc_or_none(step.started_at),
        _utc_or_none(step.completed_at),
    )


def pull_request(payload: payloads.PullRequest, repository_id: int, made_at: int) -> PullRequest:
    """Return what a pull request's body tells."""
    updated_at = _utc(payload.updated_at)
    labels = _text(sorted(label.name for label in payload.labels or ()))
    head, base, author = payload.head, payload.base, payload.user
    digest = ordering.digest(
        payload.title, payload.state, payload.draft, payload.locked, head.sha, head.ref, base.ref, base.sha, labels
    )
    return PullRequest(
        repository_id=repository_id,
        number=payload.number,
        pull_request_id=payload.id,
        title=payload.title,
        state=payload.state,
        draft=bool(payload.draft),
        locked=bool(payload.locked),
        merged=payload.merged_at is not None,
        html_url=payload.html_url,
        author_id=author.id if author else None,
        author_login=author.login if author else None,
        head_sha=head.sha,
        head_ref=head.ref,
        head_repository_id=head.repo.id if head.repo else None,
        head_repo_full_name=head.repo.full_name if head.repo else None,
        base_ref=base.ref,
        base_sha=base.sha,
        labels=labels,
        created_at=_utc_or_none(payload.created_at),
        updated_at=updated_at,
        closed_at=_utc_or_none(payload.closed_at),
        version=ordering.entity_version(updated_at, made_at, digest),
    )


def action_wanted(
    kind: Literal["rerun_failed", "rerequest_check", "rerequest_suite"],
    payload: payloads.CheckRunEvent | payloads.CheckSuiteEvent,
    guid: str,
    seen_at: int,
) -> ActionWanted | None:
    """Return what somebody wants by a button, None where the body doesn't tell of which App.

    `seen_at` is in microseconds, see `ordering.made_at`; what is delivered again was wanted when it was first.
    """
    check = payload.check_run if isinstance(payload, payloads.CheckRunEvent) else payload.check_suite
    if check.app is None:
        return None
    return ActionWanted(
        guid=guid,
        kind=kind,
        repository_id=payload.repository.id,
        head_sha=check.head_sha,
        app_id=check.app.id,
        sender_id=payload.sender.id,
        sender_login=payload.sender.login,
        wanted_at=_moment(seen_at),
    )


def authorization_revoked(sender: payloads.Account, seen_at: int) -> AuthorizationRevoked:
    """Return that a person has withdrawn their authorization; `seen_at` is in microseconds, see `ordering.made_at`."""
    return AuthorizationRevoked(sender.id, _moment(seen_at))


def _moment(seen_at: int) -> datetime:
    return datetime.min.replace(tzinfo=UTC) + timedelta(microseconds=seen_at)
