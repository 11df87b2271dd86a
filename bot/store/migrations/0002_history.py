from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("models", "0001_initial")]

    initial = False

    operations = [
        ops.CreateModel(
            name="BackfillWindow",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("backfill_id", fields.IntField()),
                ("installation_id", fields.BigIntField()),
                ("repository_id", fields.BigIntField()),
                ("what", fields.CharField(max_length=8)),
                ("urgency", fields.IntField()),
                ("since", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("until", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("page", fields.IntField()),
                ("due_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("tries", fields.IntField()),
            ],
            options={
                "table": "backfill_window",
                "app": "models",
                "indexes": [
                    Index(fields=["installation_id", "urgency", "until"], name="backfill_window_by_installation"),
                    Index(fields=["backfill_id"], name="backfill_window_by_backfill"),
                    Index(fields=["repository_id"], name="backfill_window_by_repository"),
                ],
                "pk_attr": "id",
                "table_description": "What a backfill has still to list page by page, where `page` is the next one to ask for.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="DeliveryScan",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("point", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("listed_to", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("began_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("cursor", fields.TextField(null=True, unique=False)),
            ],
            options={
                "table": "delivery_scan",
                "app": "models",
                "pk_attr": "id",
                "table_description": "How far GitHub's list of deliveries has been gone through: one row, which moves on when a whole range is done.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Lease",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("name", fields.CharField(unique=True, max_length=512)),
                ("holder", fields.CharField(null=True, max_length=512)),
                ("until", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("left_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "lease",
                "app": "models",
                "pk_attr": "id",
                "table_description": "The right to do something that one process at a time may do, until it is given back or its time is over.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="MissedDelivery",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("guid", fields.CharField(unique=True, max_length=100)),
                ("delivery_id", fields.BigIntField()),
                ("event", fields.CharField(max_length=64)),
                ("action", fields.CharField(null=True, max_length=64)),
                ("installation_id", fields.BigIntField(null=True)),
                ("repository_id", fields.BigIntField(null=True)),
                ("delivered_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("redeliveries", fields.IntField()),
                ("redelivered_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("settled_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "missed_delivery",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A delivery that GitHub made and the inbox does not have, with the id of an attempt to send it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RunWanted",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("run_id", fields.BigIntField(unique=True)),
                ("installation_id", fields.BigIntField()),
                ("repository_id", fields.BigIntField()),
                ("backfill_id", fields.IntField(null=True)),
                ("urgency", fields.IntField()),
                ("with_jobs", fields.BooleanField()),
                ("run_created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("due_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("tries", fields.IntField()),
            ],
            options={
                "table": "run_wanted",
                "app": "models",
                "indexes": [
                    Index(fields=["installation_id", "urgency", "run_created_at"], name="run_wanted_by_installation"),
                    Index(fields=["backfill_id"], name="run_wanted_by_backfill"),
                    Index(fields=["repository_id"], name="run_wanted_by_repository"),
                ],
                "pk_attr": "id",
                "table_description": "A run that GitHub is to be asked about once `due_at` has come, the most urgent ones and then the newest first.",
            },
            bases=["Model"],
        ),
        ops.AlterModelOptions(
            name="Backfill",
            options={
                "table": "backfill",
                "app": "models",
                "indexes": [
                    Index(fields=["team_id"], name="backfill_by_team"),
                    Index(fields=["repository_id"], name="backfill_by_repository"),
                    Index(fields=["installation_id", "kind"], name="backfill_by_installation"),
                ],
                "pk_attr": "id",
                "table_description": "A request for history, and how far it has come: of one repository, or of all that an installation sees.",
            },
        ),
        ops.AddField(
            model_name="Backfill",
            name="installation_id",
            field=fields.BigIntField(null=True),
        ),
        ops.AddField(
            model_name="Backfill",
            name="kind",
            field=fields.CharField(db_default="request", max_length=16),
        ),
        ops.AddIndex(
            model_name="Backfill",
            index=Index(fields=["repository_id"], name="backfill_by_repository"),
        ),
        ops.AddIndex(
            model_name="Backfill",
            index=Index(fields=["installation_id", "kind"], name="backfill_by_installation"),
        ),
        ops.AddField(
            model_name="Installation",
            name="silent_since",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Installation",
            name="suspended_since",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Repository",
            name="history_asked_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Repository",
            name="refused_until",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Installation",
            name="sync_due_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Installation",
            name="synced_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="WorkflowRun",
            name="gone_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="WorkflowRun",
            name="jobs_attempt",
            field=fields.IntField(db_default=0),
        ),
        ops.AddIndex(
            model_name="PullRequest",
            index=Index(fields=["repository_id", "head_ref"], name="pull_request_by_head_ref"),
        ),
        ops.RunSQL(
            "CREATE INDEX workflow_run_unfinished ON workflow_run (updated_at)"
            " WHERE status <> 'completed' OR conclusion = 'action_required'",
            "DROP INDEX workflow_run_unfinished",
        ),
        ops.RunSQL(
            "CREATE INDEX workflow_job_unfinished ON workflow_job (listed_at) WHERE status <> 'completed'",
            "DROP INDEX workflow_job_unfinished",
        ),
    ]
