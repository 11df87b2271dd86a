"""The tables. GitHub's numeric ids are the keys that everything is joined by; names change, ids don't.

Each table has a surrogate `id` beside GitHub's, because Tortoise's migrations lose a primary key that is not generated.
Texts that are looked up by value are bounded, so that PostgreSQL can index them.
"""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

NAME = 512
WORD = 64


class Team(Model):
    """Who reads a record together, made from the account that the App is installed on."""

    id = fields.IntField(primary_key=True)
    slug = fields.CharField(max_length=100, unique=True)
    name = fields.CharField(max_length=NAME)
    account_id = fields.BigIntField(unique=True, null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "team"


class Installation(Model):
    """The App on one account."""

    id = fields.IntField(primary_key=True)
    installation_id = fields.BigIntField(unique=True)
    team: fields.ForeignKeyRelation[Team] = fields.ForeignKeyField("models.Team", related_name="installations")
    account_id = fields.BigIntField()
    account_login = fields.CharField(max_length=NAME)
    account_type = fields.CharField(max_length=WORD, null=True)
    state = fields.CharField(max_length=16)
    repository_selection = fields.CharField(max_length=16, null=True)
    permissions = fields.JSONField[dict[str, str] | None](null=True)
    events = fields.JSONField[list[str] | None](null=True)
    version = fields.BinaryField()
    # A rename tells the login alone, so what it is newer than has a version of its own.
    login_version = fields.BinaryField()
    created_at = fields.DatetimeField()
    deleted_at = fields.DatetimeField(null=True)
    last_delivery_at = fields.DatetimeField(null=True)

    class Meta:
        table = "installation"
        indexes = [Index(fields=["account_id"], name="installation_by_account")]


class Repository(Model):
    """A repository, whose team is that of its installation, or its owner's where there is none."""

    id = fields.IntField(primary_key=True)
    repository_id = fields.BigIntField(unique=True)
    installation_id = fields.BigIntField(null=True)
    team: fields.ForeignKeyRelation[Team] = fields.ForeignKeyField("models.Team", related_name="repositories")
    account_id = fields.BigIntField()
    full_name = fields.CharField(max_length=NAME)
    private = fields.BooleanField()
    archived = fields.BooleanField()
    default_branch = fields.CharField(max_length=NAME, null=True)
    html_url = fields.TextField(null=True)
    hidden_at = fields.DatetimeField(null=True)
    version = fields.BinaryField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "repository"
        indexes = [
            Index(fields=["team_id", "full_name"], name="repository_by_team"),
            Index(fields=["installation_id"], name="repository_by_installation"),
        ]


class RepositoryName(Model):
    """Every name that a repository has had, in lower case, as GitHub compares them."""

    id = fields.IntField(primary_key=True)
    repository_id = fields.BigIntField()
    name = fields.CharField(max_length=NAME)
    full_name = fields.CharField(max_length=NAME)

    class Meta:
        table = "repository_name"
        unique_together = (("name", "repository_id"),)


class Workflow(Model):
    """A workflow as its newest run shows it."""

    id = fields.IntField(primary_key=True)
    workflow_id = fields.BigIntField(unique=True)
    repository_id = fields.BigIntField()
    name = fields.TextField(null=True)
    path = fields.CharField(max_length=NAME, null=True)
    version = fields.BinaryField()

    class Meta:
        table = "workflow"
        indexes = [Index(fields=["repository_id"], name="workflow_by_repository")]


class RunColumns(Model):
    """What a run and each attempt of it have in common."""

    id = fields.BigIntField(primary_key=True)
    repository_id = fields.BigIntField()
    run_attempt = fields.IntField()
    run_number = fields.BigIntField(null=True)
    workflow_id = fields.BigIntField(null=True)
    workflow_name = fields.TextField(null=True)
    workflow_path = fields.CharField(max_length=NAME, null=True)
    display_title = fields.TextField(null=True)
    event = fields.CharField(max_length=WORD, null=True)
    status = fields.CharField(max_length=WORD)
    conclusion = fields.CharField(max_length=WORD, null=True)
    head_branch = fields.CharField(max_length=NAME, null=True)
    head_sha = fields.CharField(max_length=NAME, null=True)
    head_repository_id = fields.BigIntField(null=True)
    head_repo_full_name = fields.CharField(max_length=NAME, null=True)
    html_url = fields.TextField(null=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    run_started_at = fields.DatetimeField(null=True)
    actor_id = fields.BigIntField(null=True)
    actor_login = fields.CharField(max_length=NAME, null=True)
    triggering_actor_login = fields.CharField(max_length=NAME, null=True)
    version = fields.BinaryField()

    class Meta:
        abstract = True


class WorkflowRun(RunColumns):
    """A run at its newest attempt."""

    run_id = fields.BigIntField(unique=True)
    team_id = fields.IntField()

    class Meta:
        table = "workflow_run"
        indexes = [
            Index(fields=["team_id", "created_at", "run_id"], name="workflow_run_by_team"),
            Index(fields=["repository_id", "created_at", "run_id"], name="workflow_run_by_repository"),
            Index(fields=["head_sha", "repository_id"], name="workflow_run_by_head_sha"),
        ]


class WorkflowRunAttempt(RunColumns):
    """One attempt of a run."""

    run_id = fields.BigIntField()

    class Meta:
        table = "workflow_run_attempt"
        unique_together = (("run_id", "run_attempt"),)


class WorkflowJob(Model):
    """One job of one attempt, where `labels` and `steps` are JSON texts in the API's own shape.

    `listed_at` is what lists are ordered by: the creation time, or where GitHub told none the start.
    """

    id = fields.BigIntField(primary_key=True)
    job_id = fields.BigIntField(unique=True)
    repository_id = fields.BigIntField()
    team_id = fields.IntField()
    run_id = fields.BigIntField()
    run_attempt = fields.IntField(null=True)
    name = fields.TextField()
    workflow_name = fields.TextField(null=True)
    status = fields.CharField(max_length=WORD)
    conclusion = fields.CharField(max_length=WORD, null=True)
    head_branch = fields.CharField(max_length=NAME, null=True)
    head_sha = fields.CharField(max_length=NAME, null=True)
    html_url = fields.TextField(null=True)
    created_at = fields.DatetimeField(null=True)
    started_at = fields.DatetimeField(null=True)
    completed_at = fields.DatetimeField(null=True)
    runner_id = fields.BigIntField(null=True)
    runner_name = fields.TextField(null=True)
    runner_group_id = fields.BigIntField(null=True)
    runner_group_name = fields.TextField(null=True)
    labels = fields.TextField()
    steps = fields.TextField()
    listed_at = fields.DatetimeField()
    version = fields.BinaryField()

    class Meta:
        table = "workflow_job"
        indexes = [
            Index(fields=["team_id", "listed_at", "job_id"], name="workflow_job_by_team"),
            Index(fields=["repository_id", "listed_at", "job_id"], name="workflow_job_by_repository"),
            Index(fields=["run_id", "run_attempt"], name="workflow_job_by_run"),
        ]


class PullRequest(Model):
    """A pull request as its newest event shows it."""

    id = fields.IntField(primary_key=True)
    repository_id = fields.BigIntField()
    number = fields.IntField()
    pull_request_id = fields.BigIntField()
    title = fields.TextField(null=True)
    state = fields.CharField(max_length=WORD)
    draft = fields.BooleanField()
    locked = fields.BooleanField()
    merged = fields.BooleanField()
    html_url = fields.TextField(null=True)
    author_id = fields.BigIntField(null=True)
    author_login = fields.CharField(max_length=NAME, null=True)
    head_sha = fields.CharField(max_length=NAME)
    head_ref = fields.CharField(max_length=NAME)
    head_repository_id = fields.BigIntField(null=True)
    head_repo_full_name = fields.CharField(max_length=NAME, null=True)
    base_ref = fields.CharField(max_length=NAME)
    base_sha = fields.CharField(max_length=NAME)
    labels = fields.TextField()
    created_at = fields.DatetimeField(null=True)
    updated_at = fields.DatetimeField()
    closed_at = fields.DatetimeField(null=True)
    version = fields.BinaryField()

    class Meta:
        table = "pull_request"
        unique_together = (("repository_id", "number"),)


class PullRequestHead(Model):
    """Every commit that has been the head of a pull request, so that runs of forks find theirs."""

    id = fields.BigIntField(primary_key=True)
    repository_id = fields.BigIntField()
    head_sha = fields.CharField(max_length=NAME)
    head_repository_id = fields.BigIntField()
    number = fields.IntField()

    class Meta:
        table = "pull_request_head"
        unique_together = (("repository_id", "head_sha", "head_repository_id", "number"),)


class RunPullRequest(Model):
    """A run belongs to a pull request: because GitHub listed it, or by head commit and head repository.

    `head_sha` and `base_ref` are what GitHub listed; None where the link was found by the head.
    """

    id = fields.BigIntField(primary_key=True)
    run_id = fields.BigIntField()
    repository_id = fields.BigIntField()
    number = fields.IntField()
    head_sha = fields.CharField(max_length=NAME, null=True)
    base_ref = fields.CharField(max_length=NAME, null=True)
    run_created_at = fields.DatetimeField()
    version = fields.BinaryField()

    class Meta:
        table = "run_pull_request"
        unique_together = (("run_id", "repository_id", "number"),)
        indexes = [
            Index(
                fields=["repository_id", "number", "run_created_at", "run_id"], name="run_pull_request_by_pull_request"
            )
        ]


class Delivery(Model):
    """A webhook delivery, the inbox's row: waiting, handled, ignored or dead.

    A waiting one is taken once `available_at` has come. `body` is compressed (zstd) and goes once it is no longer
    needed. `handlings` counts how often its facts were committed, which is once unless an operator replays it.
    The indexes on waiting and dead rows are partial ones, which only a migration can say.
    """

    id = fields.BigIntField(primary_key=True)
    guid = fields.CharField(max_length=100, unique=True)
    event = fields.CharField(max_length=WORD)
    state = fields.CharField(max_length=16)
    body = fields.BinaryField(null=True)
    received_at = fields.DatetimeField()
    available_at = fields.DatetimeField()
    tries = fields.IntField()
    handlings = fields.IntField()
    handled_at = fields.DatetimeField(null=True)
    error = fields.TextField(null=True)

    class Meta:
        table = "delivery"
        indexes = [Index(fields=["received_at"], name="delivery_by_received_at")]


class ApiToken(Model):
    """A credential for the API, of which only the SHA-256 is kept."""

    id = fields.IntField(primary_key=True)
    team: fields.ForeignKeyRelation[Team] = fields.ForeignKeyField("models.Team", related_name="tokens")
    name = fields.CharField(max_length=NAME)
    hash = fields.CharField(max_length=64, unique=True)
    hint = fields.CharField(max_length=16)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "api_token"


class Backfill(Model):
    """A request for history, and how far it has come."""

    id = fields.IntField(primary_key=True)
    team_id = fields.IntField()
    repository_id = fields.BigIntField(null=True)
    state = fields.CharField(max_length=16)
    since = fields.DatetimeField(null=True)
    until = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()
    finished_at = fields.DatetimeField(null=True)
    runs_at_github = fields.BigIntField(null=True)
    runs_stored = fields.BigIntField(default=0)
    jobs_stored = fields.BigIntField(default=0)
    error = fields.TextField(null=True)

    class Meta:
        table = "backfill"
        indexes = [Index(fields=["team_id"], name="backfill_by_team")]


class Heartbeat(Model):
    """When each worker last said that it is alive."""

    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=NAME, unique=True)
    at = fields.DatetimeField()

    class Meta:
        table = "heartbeat"


class TimedJob(Model):
    """When each timed job is due next, where whoever moves `due_at` on does the work."""

    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=WORD, unique=True)
    due_at = fields.DatetimeField()

    class Meta:
        table = "timed_job"
