from tortoise import fields, migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.migrations.schema_generator.state_apps import StateApps

LATE = {
    "sqlite": "julianday(job.listed_at) > julianday(workflow_run.created_at) + 0.25",
    "postgres": "job.listed_at > workflow_run.created_at + INTERVAL '6 hours'",
}
INDEXES = {
    "workflow_run_late_by_workflow": ("workflow_id", "late_job_at IS NOT NULL"),
    "workflow_run_late_by_event": ("event", "late_job_at IS NOT NULL"),
    "workflow_run_late_by_actor": ("actor_login", "late_job_at IS NOT NULL"),
    "workflow_run_late_by_path": (
        "workflow_path",
        "late_job_at IS NOT NULL AND COALESCE(workflow_name, '') <> workflow_path",
    ),
}


async def mark(_: StateApps, editor: BaseSchemaEditor) -> None:
    newest = "SELECT max(job.listed_at) FROM workflow_job AS job WHERE job.run_id = workflow_run.run_id AND {}"
    late = newest.format(LATE[editor.client.capabilities.dialect])
    await editor.client.execute_query(f"UPDATE workflow_run SET late_job_at = ({late}) WHERE ({late}) IS NOT NULL")


class Migration(migrations.Migration):
    dependencies = [("models", "0007_journal")]

    initial = False

    operations = [
        ops.AddField(
            model_name="WorkflowRun",
            name="late_job_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.RunPython(mark, ops.RunPython.noop),
        ops.RunSQL(
            [
                f"CREATE INDEX IF NOT EXISTS {name} ON workflow_run (team_id, {column}, late_job_at) WHERE {condition}"
                for name, (column, condition) in INDEXES.items()
            ],
            [f"DROP INDEX IF EXISTS {name}" for name in INDEXES],
        ),
    ]
