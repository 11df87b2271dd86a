from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("models", "0002_history")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Action",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("guid", fields.CharField(unique=True, max_length=100)),
                ("kind", fields.CharField(max_length=64)),
                ("repository_id", fields.BigIntField()),
                ("head_sha", fields.CharField(max_length=512)),
                ("app_id", fields.BigIntField()),
                ("sender_id", fields.BigIntField()),
                ("sender_login", fields.CharField(max_length=512)),
                ("wanted_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("until", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("state", fields.CharField(db_default="wanted", max_length=16)),
                ("due_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("tries", fields.IntField(db_default=0)),
                ("asked", fields.TextField(null=True, unique=False)),
                ("outcome", fields.TextField(null=True, unique=False)),
            ],
            options={
                "table": "action",
                "app": "models",
                "indexes": [Index(fields=["repository_id", "head_sha"], name="action_by_head_sha")],
                "pk_attr": "id",
                "table_description": "What somebody asked for by a button on GitHub: once for each delivery, until `until`.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="CheckSummary",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("repository_id", fields.BigIntField()),
                ("head_sha", fields.CharField(max_length=512)),
                ("revision", fields.BigIntField(db_default=1)),
                ("changed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("due_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("urgency", fields.IntField(db_default=0)),
                ("tries", fields.IntField(db_default=0)),
                ("generation", fields.IntField(db_default=0)),
                ("check_run_id", fields.BigIntField(null=True)),
                ("creating_since", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("status", fields.CharField(null=True, max_length=64)),
                ("shows_failure", fields.BooleanField(db_default=False)),
                ("body_hash", fields.CharField(null=True, max_length=64)),
                ("written_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("annotated", fields.TextField(null=True, unique=False)),
                ("renew_wanted", fields.BooleanField(db_default=False)),
            ],
            options={
                "table": "check_summary",
                "app": "models",
                "unique_together": (("repository_id", "head_sha"),),
                "pk_attr": "id",
                "table_description": "A commit on which something ran, and the check run that tells of it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="FailureComment",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("repository_id", fields.BigIntField()),
                ("number", fields.IntField()),
                ("revision", fields.BigIntField(db_default=1)),
                ("changed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("due_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("urgency", fields.IntField(db_default=0)),
                ("tries", fields.IntField(db_default=0)),
                ("state", fields.CharField(db_default="none", max_length=16)),
                ("sequence", fields.IntField(db_default=0)),
                ("comment_id", fields.BigIntField(null=True)),
                ("creating_since", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("head_sha", fields.CharField(null=True, max_length=512)),
                ("body_hash", fields.CharField(null=True, max_length=64)),
                ("written_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("differs_since", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("queue_sha", fields.CharField(null=True, max_length=512)),
            ],
            options={
                "table": "failure_comment",
                "app": "models",
                "unique_together": (("repository_id", "number"),),
                "pk_attr": "id",
                "table_description": "The comment on a pull request: whether it tells of a failure (`red`), of its end (`green`) or is not there.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="JobFailure",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("job_id", fields.BigIntField(unique=True)),
                ("repository_id", fields.BigIntField()),
                ("run_id", fields.BigIntField()),
                ("run_attempt", fields.IntField()),
                ("head_sha", fields.CharField(max_length=512)),
                ("failed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("urgency", fields.IntField(db_default=0)),
                ("due_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("tries", fields.IntField(db_default=0)),
                ("source", fields.CharField(null=True, max_length=16)),
                ("kind", fields.CharField(null=True, max_length=64)),
                ("step", fields.TextField(null=True, unique=False)),
                ("test", fields.TextField(null=True, unique=False)),
                ("exit_code", fields.IntField(null=True)),
                ("anchor", fields.TextField(null=True, unique=False)),
                ("lines", fields.TextField(null=True, unique=False)),
                ("further", fields.TextField(null=True, unique=False)),
                ("annotations", fields.TextField(null=True, unique=False)),
                ("fingerprint", fields.CharField(null=True, max_length=32)),
                ("is_generic", fields.BooleanField(db_default=True)),
            ],
            options={
                "table": "job_failure",
                "app": "models",
                "indexes": [
                    Index(fields=["repository_id", "fingerprint", "failed_at"], name="job_failure_by_fingerprint"),
                    Index(fields=["repository_id", "head_sha"], name="job_failure_by_head_sha"),
                    Index(fields=["run_id"], name="job_failure_by_run"),
                ],
                "pk_attr": "id",
                "table_description": "What a failed job said: its annotations, the excerpt of its log, and the fingerprint of the failure.",
            },
            bases=["Model"],
        ),
        ops.AddIndex(
            model_name="WorkflowRun",
            index=Index(fields=["workflow_id", "head_branch", "created_at"], name="workflow_run_by_branch"),
        ),
        ops.RunSQL(
            "CREATE INDEX pull_request_open ON pull_request (repository_id, base_ref) WHERE state = 'open'",
            "DROP INDEX pull_request_open",
        ),
        ops.RunSQL(
            "CREATE INDEX check_summary_due ON check_summary (due_at) WHERE due_at IS NOT NULL",
            "DROP INDEX check_summary_due",
        ),
        ops.RunSQL(
            "CREATE INDEX failure_comment_due ON failure_comment (due_at) WHERE due_at IS NOT NULL",
            "DROP INDEX failure_comment_due",
        ),
        ops.RunSQL(
            "CREATE INDEX job_failure_due ON job_failure (due_at) WHERE due_at IS NOT NULL",
            "DROP INDEX job_failure_due",
        ),
        ops.RunSQL(
            "CREATE INDEX action_due ON action (due_at) WHERE due_at IS NOT NULL",
            "DROP INDEX action_due",
        ),
    ]
