"""A fact of each kind, with something in each field that the first version with a journal had."""

from datetime import UTC, datetime

from bot.domain import facts

ACCOUNT = facts.Account(71, "octo-org", "Organization")
AT = datetime(2026, 11, 2, 12, 0, 0, 123456, tzinfo=UTC)

REPOSITORY = facts.Repository(
    repository_id=701,
    full_name="octo-org/hello-world",
    owner=ACCOUNT,
    installation_id=7001,
    private=True,
    archived=False,
    default_branch="main",
    html_url="https://github.com/octo-org/hello-world",
    hidden=False,
    announced=True,
    past_name="octo-org/hello",
    version=b"\0\1\xff",
)
INSTALLATION = facts.Installation(
    installation_id=7001,
    account=ACCOUNT,
    state="suspended",
    repository_selection="all",
    permissions={"checks": "write"},
    events=["workflow_run"],
    version=b"v",
    login_version=b"l",
)
ACCOUNT_RENAME = facts.AccountRename(ACCOUNT, b"r")
WORKFLOW_RUN = facts.WorkflowRun(
    repository_id=701,
    run_id=7,
    run_attempt=2,
    run_number=3,
    workflow_id=9,
    workflow_name="CI",
    workflow_path=".github/workflows/ci.yml",
    display_title="Größer ✓",
    event="push",
    status="completed",
    conclusion="failure",
    head_branch="main",
    head_sha="a" * 40,
    head_repository_id=701,
    head_repo_full_name="octo-org/hello-world",
    html_url="https://github.com/octo-org/hello-world/actions/runs/7",
    created_at=AT,
    updated_at=AT,
    run_started_at=AT,
    actor_id=5,
    actor_login="mona",
    triggering_actor_login="lisa",
    version=b"w",
    pull_requests=(facts.RunPullRequest(7, 701, 12, "a" * 40, "main", AT, b"p"),),
)
WORKFLOW_JOB = facts.WorkflowJob(
    repository_id=701,
    job_id=70,
    run_id=7,
    run_attempt=2,
    name="test",
    workflow_name="CI",
    status="completed",
    conclusion="failure",
    head_branch="main",
    head_sha="a" * 40,
    html_url=None,
    created_at=AT,
    started_at=AT,
    completed_at=AT,
    runner_id=1,
    runner_name="runner",
    runner_group_id=2,
    runner_group_name="group",
    labels='["ubuntu-latest"]',
    steps='[{"number":1}]',
    version=b"j",
)
PULL_REQUEST = facts.PullRequest(
    repository_id=701,
    number=12,
    pull_request_id=120,
    title="Change",
    state="open",
    draft=True,
    locked=False,
    merged=False,
    html_url=None,
    author_id=5,
    author_login="mona",
    head_sha="a" * 40,
    head_ref="change",
    head_repository_id=702,
    head_repo_full_name="mona/hello-world",
    base_ref="main",
    base_sha="b" * 40,
    labels='["bug"]',
    created_at=AT,
    updated_at=AT,
    closed_at=None,
    version=b"u",
)
PULL_REQUEST_HEAD = facts.PullRequestHead(701, "a" * 40, 702, 12)
ACTION_WANTED = facts.ActionWanted(
    guid="guid",
    kind="rerun_failed",
    repository_id=701,
    head_sha="a" * 40,
    app_id=1,
    sender_id=5,
    sender_login="mona",
    wanted_at=AT,
)
SIGHT_CHANGE = facts.SightChange(installation_id=7001, repository_id=701)
AUTHORIZATION_REVOKED = facts.AuthorizationRevoked(5, AT)

OF_EACH_KIND: tuple[facts.Facts, ...] = (
    REPOSITORY,
    INSTALLATION,
    ACCOUNT_RENAME,
    WORKFLOW_RUN,
    WORKFLOW_JOB,
    PULL_REQUEST,
    PULL_REQUEST_HEAD,
    ACTION_WANTED,
    SIGHT_CHANGE,
    AUTHORIZATION_REVOKED,
)
