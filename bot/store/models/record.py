"""What happened: workflows, runs, attempts, jobs, pull requests, and which belongs to which."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from bot.store.models.sizes import NAME, WORD


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


# Each filter of a list has an index in the list's own order, so that a page is read where it begins and nothing is
# sorted. What those that serve most lists carry along is looked at without the row, as where 1,000 are counted.
_LISTED = ("created_at", "run_id")
_ALONG = ("conclusion", "status", "event", "head_branch")


class WorkflowRun(RunColumns):
    """A run at its newest attempt.

    `jobs_attempt` is the attempt up to which GitHub's own list of jobs has been recorded once they had ended, and
    `gone_at` when GitHub was found to have the run no more. `late_job_at` is when the newest of its late or early jobs
    is listed (`bot.domain.lateness`), or later. Of a run marked `without_jobs` none is recorded; of others some need
    not be either (`bot.recorder.run_marks`). The indexes on these two, on status and on the workflow's name and path
    are partial ones, as is that on unfinished runs.
    """

    run_id = fields.BigIntField(unique=True)
    team_id = fields.IntField()
    jobs_attempt = fields.IntField(db_default=0)
    gone_at = fields.DatetimeField(null=True)
    late_job_at = fields.DatetimeField(null=True)
    without_jobs = fields.BooleanField(db_default=False)

    class Meta:
        table = "workflow_run"
        indexes = [
            Index(fields=["team_id", *_LISTED, "repository_id", *_ALONG], name="workflow_run_by_team"),
            Index(fields=["repository_id", *_LISTED, "team_id", *_ALONG], name="workflow_run_by_repository"),
            Index(fields=["head_sha", *_LISTED], name="workflow_run_by_head_sha"),
            Index(fields=["workflow_id", "head_branch", *_LISTED], name="workflow_run_by_branch"),
            *(
                Index(fields=["team_id", column, *_LISTED], name=f"workflow_run_by_{name}")
                for name, column in (
                    ("workflow", "workflow_id"),
                    ("head_branch", "head_branch"),
                    ("actor", "actor_login"),
                )
            ),
            Index(fields=["team_id", "event", *_LISTED, "conclusion", "head_branch"], name="workflow_run_by_event"),
            Index(
                fields=["team_id", "conclusion", *_LISTED, "event", "head_branch"], name="workflow_run_by_conclusion"
            ),
        ]


class WorkflowRunAttempt(RunColumns):
    """One attempt of a run."""

    run_id = fields.BigIntField()

    class Meta:
        table = "workflow_run_attempt"
        unique_together = (("run_id", "run_attempt"),)


class WorkflowJob(Model):
    """One job of one attempt, where `labels` and `steps` are JSON texts in the API's own shape.

    `listed_at` is what lists are ordered by: the creation time, or where GitHub told none the start. Jobs are most of
    what is written, so that most indexes for their filters are partial ones: of few rows, or without texts of any
    length, which PostgreSQL can't index.
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
            Index(fields=["team_id", "listed_at", "job_id", "run_id"], name="workflow_job_by_team"),
            Index(fields=["repository_id", "listed_at", "job_id"], name="workflow_job_by_repository"),
            Index(fields=["run_id", "listed_at", "job_id", "run_attempt", "team_id"], name="workflow_job_by_run"),
            Index(fields=["team_id", "head_branch", "listed_at", "job_id"], name="workflow_job_by_head_branch"),
            Index(fields=["team_id", "head_sha", "listed_at", "job_id"], name="workflow_job_by_head_sha"),
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
        indexes = [Index(fields=["repository_id", "head_ref"], name="pull_request_by_head_ref")]


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
