"""What is to be told on GitHub and what has been: summaries of commits, comments, what failed jobs said, wishes."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from bot.store.models.sizes import NAME, WORD


class CheckSummary(Model):
    """A commit on which something ran, and the check run that tells of it.

    Whoever records anything of the commit counts `revision` up and lets the row be due with the urgency of a look;
    what a look finds is due then with an urgency of its own. `generation` counts the check runs made for the commit,
    of which `check_run_id` is the newest; while `creating_since` is set, one more may have been made then.
    `annotated` is a JSON list of digests of the annotations sent; `told_classes` are those of the failed jobs, by their
    ids, that one was last completed with, in JSON. The index on what is due is a partial one.
    """

    id = fields.BigIntField(primary_key=True)
    repository_id = fields.BigIntField()
    head_sha = fields.CharField(max_length=NAME)
    revision = fields.BigIntField(db_default=1)
    changed_at = fields.DatetimeField()
    due_at = fields.DatetimeField(null=True)
    urgency = fields.IntField(db_default=0)
    tries = fields.IntField(db_default=0)
    generation = fields.IntField(db_default=0)
    check_run_id = fields.BigIntField(null=True)
    creating_since = fields.DatetimeField(null=True)
    status = fields.CharField(max_length=WORD, null=True)
    shows_failure = fields.BooleanField(db_default=False)
    body_hash = fields.CharField(max_length=64, null=True)
    written_at = fields.DatetimeField(null=True)
    annotated = fields.TextField(null=True)
    renew_wanted = fields.BooleanField(db_default=False)
    conclusion = fields.CharField(max_length=WORD, null=True)
    told_classes = fields.TextField(null=True)

    class Meta:
        table = "check_summary"
        unique_together = (("repository_id", "head_sha"),)


class FailureComment(Model):
    """The comment on a pull request: whether it tells of a failure (`red`), of its end (`green`) or is not there.

    `sequence` counts the comments made there. `differs_since` is when what it should say was first found to differ from
    what it says, `queue_sha` the newest commit that a merge queue tested for the pull request, `queue_head_sha` what
    its head was then. `told_causes` is what a version before still writes. It is due as check summaries are.
    """

    id = fields.BigIntField(primary_key=True)
    repository_id = fields.BigIntField()
    number = fields.IntField()
    revision = fields.BigIntField(db_default=1)
    changed_at = fields.DatetimeField()
    due_at = fields.DatetimeField(null=True)
    urgency = fields.IntField(db_default=0)
    tries = fields.IntField(db_default=0)
    state = fields.CharField(max_length=16, db_default="none")
    sequence = fields.IntField(db_default=0)
    comment_id = fields.BigIntField(null=True)
    creating_since = fields.DatetimeField(null=True)
    head_sha = fields.CharField(max_length=NAME, null=True)
    body_hash = fields.CharField(max_length=64, null=True)
    written_at = fields.DatetimeField(null=True)
    differs_since = fields.DatetimeField(null=True)
    queue_sha = fields.CharField(max_length=NAME, null=True)
    queue_head_sha = fields.CharField(max_length=NAME, null=True)
    told_causes = fields.TextField(null=True)

    class Meta:
        table = "failure_comment"
        unique_together = (("repository_id", "number"),)


class JobFailure(Model):
    """What a failed job said: its annotations, the excerpt of its log, and the fingerprint of the failure.

    `source` is where the anchor was found (annotations, log or step), None while that is still to be asked for, which
    is due at `due_at`; so is a later look for a log that was not there, while what is known stands. `lines`, `further`,
    `annotations` and `fingerprints` are JSON; these are of all that the job said failed, None where not all of it is
    known. The index on what is due is a partial one.
    """

    id = fields.BigIntField(primary_key=True)
    job_id = fields.BigIntField(unique=True)
    repository_id = fields.BigIntField()
    run_id = fields.BigIntField()
    run_attempt = fields.IntField()
    head_sha = fields.CharField(max_length=NAME)
    failed_at = fields.DatetimeField()
    urgency = fields.IntField(db_default=0)
    due_at = fields.DatetimeField(null=True)
    tries = fields.IntField(db_default=0)
    source = fields.CharField(max_length=16, null=True)
    kind = fields.CharField(max_length=WORD, null=True)
    step = fields.TextField(null=True)
    test = fields.TextField(null=True)
    exit_code = fields.IntField(null=True)
    anchor = fields.TextField(null=True)
    lines = fields.TextField(null=True)
    further = fields.TextField(null=True)
    annotations = fields.TextField(null=True)
    fingerprint = fields.CharField(max_length=32, null=True)
    is_generic = fields.BooleanField(db_default=True)
    fingerprints = fields.TextField(null=True)

    class Meta:
        table = "job_failure"
        indexes = [
            Index(fields=["repository_id", "fingerprint", "failed_at"], name="job_failure_by_fingerprint"),
            Index(fields=["repository_id", "head_sha"], name="job_failure_by_head_sha"),
            Index(fields=["run_id"], name="job_failure_by_run"),
        ]


class Action(Model):
    """What somebody asked for by a button on GitHub: once for each delivery, until `until`.

    `kind` is rerun_failed (our own button), rerequest_check or rerequest_suite (GitHub's), on a check of the App
    `app_id`; `state` is wanted, done, refused, failed or expired, and `outcome` says in words what became of it.
    `asked` is a JSON object: the runs that GitHub may have been asked for already, each with its attempt before that.
    `generation` is that of the commit's check run when the action was begun. The index on what is due is a partial one.
    """

    id = fields.BigIntField(primary_key=True)
    guid = fields.CharField(max_length=100, unique=True)
    kind = fields.CharField(max_length=WORD)
    repository_id = fields.BigIntField()
    head_sha = fields.CharField(max_length=NAME)
    app_id = fields.BigIntField()
    sender_id = fields.BigIntField()
    sender_login = fields.CharField(max_length=NAME)
    wanted_at = fields.DatetimeField()
    until = fields.DatetimeField()
    state = fields.CharField(max_length=16, db_default="wanted")
    due_at = fields.DatetimeField(null=True)
    tries = fields.IntField(db_default=0)
    asked = fields.TextField(null=True)
    generation = fields.IntField(null=True)
    outcome = fields.TextField(null=True)

    class Meta:
        table = "action"
        indexes = [Index(fields=["repository_id", "head_sha"], name="action_by_head_sha")]


class RepositorySettings(Model):
    """What the administrators of a repository want told there. Without a row it is as the defaults here say."""

    id = fields.IntField(primary_key=True)
    repository_id = fields.BigIntField(unique=True)
    comments = fields.BooleanField(db_default=True)
    excerpts = fields.BooleanField(db_default=True)
    drafts = fields.BooleanField(db_default=False)
    muted = fields.BooleanField(db_default=False)
    changed_at = fields.DatetimeField()

    class Meta:
        table = "repository_settings"
