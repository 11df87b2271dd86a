"""GitHub's bodies, as far as we read them; whatever else they hold is passed over unread.

Shapes follow https://docs.github.com/en/webhooks/webhook-events-and-payloads and the REST API's "workflow runs" and
"workflow jobs". A field is required only where nothing can be recorded without it.
"""

from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from bot.errors import MalformedPayload

GitHubId = Annotated[int, Meta(ge=0, le=2**63 - 1)]
SmallNumber = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Moment = Annotated[datetime, Meta(tz=True)]
# PostgreSQL can't index texts that pass a third of a page, so what is looked up by value is bounded.
Name = Annotated[str, Meta(max_length=512)]
# Logins and names of repositories are joined to names anew after a rename, and what comes of it must still fit.
PartOfName = Annotated[str, Meta(max_length=255)]
Word = Annotated[str, Meta(min_length=1, max_length=64)]


class Account(Struct):
    id: GitHubId
    login: PartOfName
    type: Name | None = None


class Repository(Struct):
    id: GitHubId
    full_name: PartOfName
    owner: Account
    private: bool = True
    # The REST API lists runs with a short form of their repository, which doesn't tell.
    archived: bool | None = None
    default_branch: Name | None = None
    html_url: str | None = None


class ThinRepository(Struct):
    """A repository as `installation` events list it, without its owner."""

    id: GitHubId
    full_name: PartOfName
    private: bool = True


class RepositoryReference(Struct):
    id: GitHubId
    full_name: Name | None = None


class PullRequestEnd(Struct):
    sha: Name
    ref: Name
    repo: RepositoryReference | None = None


class PullRequestReference(Struct):
    """A pull request as a run lists it."""

    number: SmallNumber
    head: PullRequestEnd
    base: PullRequestEnd


class WorkflowRun(Struct):
    id: GitHubId
    status: Word
    created_at: Moment
    updated_at: Moment
    run_attempt: Annotated[int, Meta(ge=1, le=2**31 - 1)] = 1
    run_number: GitHubId | None = None
    name: str | None = None
    path: Name | None = None
    workflow_id: GitHubId | None = None
    display_title: str | None = None
    event: Word | None = None
    conclusion: Word | None = None
    head_branch: Name | None = None
    head_sha: Name | None = None
    html_url: str | None = None
    run_started_at: Moment | None = None
    actor: Account | None = None
    triggering_actor: Account | None = None
    head_repository: RepositoryReference | None = None
    pull_requests: list[PullRequestReference] | None = None


class Step(Struct):
    number: SmallNumber | None = None
    name: str | None = None
    status: Word | None = None
    conclusion: Word | None = None
    started_at: Moment | None = None
    completed_at: Moment | None = None


class WorkflowJob(Struct):
    id: GitHubId
    run_id: GitHubId
    name: str
    status: Word
    run_attempt: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    workflow_name: str | None = None
    conclusion: Word | None = None
    head_branch: Name | None = None
    head_sha: Name | None = None
    html_url: str | None = None
    created_at: Moment | None = None
    started_at: Moment | None = None
    completed_at: Moment | None = None
    runner_id: GitHubId | None = None
    runner_name: str | None = None
    runner_group_id: GitHubId | None = None
    runner_group_name: str | None = None
    labels: list[Name] | None = None
    steps: list[Step] | None = None


class Label(Struct):
    name: str


class PullRequest(Struct):
    id: GitHubId
    number: SmallNumber
    state: Word
    head: PullRequestEnd
    base: PullRequestEnd
    updated_at: Moment
    created_at: Moment | None = None
    closed_at: Moment | None = None
    merged_at: Moment | None = None
    title: str | None = None
    html_url: str | None = None
    user: Account | None = None
    draft: bool | None = None
    locked: bool | None = None
    labels: list[Label] | None = None


class InstallationReference(Struct):
    """The installation as most events name it."""

    id: GitHubId


class Installation(Struct):
    id: GitHubId
    account: Account
    repository_selection: Word | None = None
    permissions: dict[str, str] | None = None
    events: list[str] | None = None
    # `installation` events have seconds since the epoch where the REST API has ISO 8601.
    updated_at: Moment | GitHubId | None = None
    suspended_at: Moment | GitHubId | None = None


class Event(Struct):
    """What every body may carry."""

    action: Annotated[str, Meta(max_length=64)] | None = None


class RepositoryEvent(Event, kw_only=True):
    repository: Repository
    installation: InstallationReference | None = None


class WorkflowRunEvent(RepositoryEvent, kw_only=True):
    workflow_run: WorkflowRun


class WorkflowJobEvent(RepositoryEvent, kw_only=True):
    workflow_job: WorkflowJob


class PullRequestEvent(RepositoryEvent, kw_only=True):
    pull_request: PullRequest


class AppReference(Struct):
    """An App, as what it made names it."""

    id: GitHubId


class Check(Struct):
    """A check run or a check suite; `app` is whose it is."""

    head_sha: Name
    app: AppReference | None = None


class RequestedAction(Struct):
    """A button of a check run, by the name that its App gave it."""

    identifier: str | None = None


class CheckRunEvent(RepositoryEvent, kw_only=True):
    check_run: Check
    sender: Account
    requested_action: RequestedAction | None = None


class CheckSuiteEvent(RepositoryEvent, kw_only=True):
    check_suite: Check
    sender: Account


class InstallationEvent(Event, kw_only=True):
    installation: Installation
    repositories: list[ThinRepository] | None = None


class InstallationRepositoriesEvent(Event, kw_only=True):
    installation: Installation
    repositories_added: list[ThinRepository] = []
    repositories_removed: list[ThinRepository] = []


class InstallationTargetEvent(Event, kw_only=True):
    """The account that an installation is on has been renamed."""

    account: Account
    installation: InstallationReference


class AppAuthorizationEvent(Event, kw_only=True):
    """`sender` is the person whose authorization it was. No installation is named: it was none's."""

    sender: Account


_ESCAPED_NUL = b"\\u0000"
_FEW = 100

Shape = TypeVar("Shape", bound=Struct)


def parse(body: bytes, shape: type[Shape]) -> Shape:
    """Read a JSON body as `shape`.

    Raises MalformedPayload, naming what is wrong, for anything that can't be recorded on every database.
    """
    try:
        payload = msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise MalformedPayload(f"{shape.__name__}: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"the body is not JSON: {error}"
        raise MalformedPayload(message) from None
    except RecursionError:
        message = "the body is nested too deeply"
        raise MalformedPayload(message) from None
    if _has_escaped_nul(body):
        _refuse_nul(payload, shape.__name__)
    return payload


def _has_escaped_nul(body: bytes) -> bool:
    # A backslash is found twenty times as fast as the whole escape, and most bodies have none or a few.
    at = body.find(b"\\")
    for _ in range(_FEW):
        if at < 0 or body.startswith(_ESCAPED_NUL, at):
            return at >= 0
        at = body.find(b"\\", at + 2)
    return _ESCAPED_NUL in body


def read(value: Any, shape: type[Shape]) -> Shape:
    """Read an already decoded object, as the REST API gave it, as `shape`.

    Raises MalformedPayload like `parse`.
    """
    try:
        payload = msgspec.convert(value, shape)
        # What no database can store, or not each of them, shows in what would be written: in a quarter of the time that
        # it takes to write and read the whole of the object.
        written = msgspec.json.encode(payload)
    except msgspec.ValidationError as error:
        raise MalformedPayload(f"{shape.__name__}: {error}") from None
    except (TypeError, UnicodeEncodeError, RecursionError) as error:
        raise MalformedPayload(f"{shape.__name__}: {error}") from None
    if b"\\u0000" in written:
        _refuse_nul(payload, shape.__name__)
    return payload


def _refuse_nul(value: Any, where: str) -> None:
    if isinstance(value, str):
        if "\0" in value:
            message = f"{where} holds a NUL character, which PostgreSQL can't store"
            raise MalformedPayload(message)
    elif isinstance(value, Struct):
        for name in value.__struct_fields__:
            _refuse_nul(getattr(value, name), f"{where}.{name}")
    elif isinstance(value, list):
        for item in value:
            _refuse_nul(item, where)
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_nul(key, where)
            _refuse_nul(item, where)
