from tortoise import fields, migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.migrations.schema_generator.state_apps import StateApps

# Jobs of a run that is younger may be on their way; a worker marks it later.
OLD = {
    "sqlite": "julianday(created_at) < julianday('now') - 1",
    "postgres": "created_at < now() - INTERVAL '1 day'",
}
LATE_BY_NAME = (
    "CREATE INDEX IF NOT EXISTS workflow_run_late_by_name ON workflow_run (team_id, workflow_name, late_job_at)"
    " WHERE late_job_at IS NOT NULL AND length(workflow_name) <= 255"
)
# Late ones are marked since the migration before.
EARLY = {
    "sqlite": "julianday(job.listed_at) < julianday(workflow_run.created_at) - 1.0 / 24",
    "postgres": "job.listed_at < workflow_run.created_at - INTERVAL '1 hour'",
}
INDEXES = {
    "workflow_run_with_jobs_by_workflow": ("workflow_id", "NOT without_jobs"),
    "workflow_run_with_jobs_by_event": ("event", "NOT without_jobs"),
    "workflow_run_with_jobs_by_actor": ("actor_login", "NOT without_jobs"),
    "workflow_run_with_jobs_by_path": (
        "workflow_path",
        "NOT without_jobs AND COALESCE(workflow_name, '') <> workflow_path",
    ),
}


async def mark(_: StateApps, editor: BaseSchemaEditor) -> None:
    of_run = "job.run_id = workflow_run.run_id"
    has_jobs = f"EXISTS (SELECT 1 FROM workflow_job AS job WHERE {of_run})"
    old = OLD[editor.client.capabilities.dialect]
    await editor.client.execute_query(f"UPDATE workflow_run SET without_jobs = TRUE WHERE {old} AND NOT {has_jobs}")
    early = f"EXISTS (SELECT 1 FROM workflow_job AS job WHERE {of_run} AND {EARLY[editor.client.capabilities.dialect]})"
    newest = f"(SELECT max(job.listed_at) FROM workflow_job AS job WHERE {of_run})"
    await editor.client.execute_query(f"UPDATE workflow_run SET late_job_at = {newest} WHERE {early}")


class Migration(migrations.Migration):
    dependencies = [("models", "0008_late_jobs")]

    initial = False

    operations = [
        ops.AddField(
            model_name="WorkflowRun",
            name="without_jobs",
            field=fields.BooleanField(db_default=False),
        ),
        ops.RunPython(mark, ops.RunPython.noop),
        ops.RunSQL(LATE_BY_NAME, "DROP INDEX IF EXISTS workflow_run_late_by_name"),
        ops.RunSQL(
            [
                f"CREATE INDEX IF NOT EXISTS {name} ON workflow_run (team_id, {column}, created_at, run_id)"
                f" WHERE {condition}"
                for name, (column, condition) in INDEXES.items()
            ],
            [f"DROP INDEX IF EXISTS {name}" for name in INDEXES],
        ),
    ]
