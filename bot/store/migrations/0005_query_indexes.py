from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.indexes import Index

# A longer name can't be asked for, and PostgreSQL can't index a text of any length.
SHORT = "length({}) <= 255"
RUNS = [
    Index(
        fields=["team_id", "created_at", "run_id", "repository_id", "conclusion", "status", "event", "head_branch"],
        name="workflow_run_by_team",
    ),
    Index(
        fields=["repository_id", "created_at", "run_id", "team_id", "conclusion", "status", "event", "head_branch"],
        name="workflow_run_by_repository",
    ),
    Index(fields=["head_sha", "created_at", "run_id"], name="workflow_run_by_head_sha"),
    Index(fields=["team_id", "workflow_id", "created_at", "run_id"], name="workflow_run_by_workflow"),
    Index(fields=["workflow_id", "head_branch", "created_at", "run_id"], name="workflow_run_by_branch"),
    Index(fields=["team_id", "head_branch", "created_at", "run_id"], name="workflow_run_by_head_branch"),
    Index(fields=["team_id", "actor_login", "created_at", "run_id"], name="workflow_run_by_actor"),
    Index(
        fields=["team_id", "event", "created_at", "run_id", "conclusion", "head_branch"], name="workflow_run_by_event"
    ),
    Index(
        fields=["team_id", "conclusion", "created_at", "run_id", "event", "head_branch"],
        name="workflow_run_by_conclusion",
    ),
]
JOBS = [
    Index(fields=["team_id", "listed_at", "job_id", "run_id"], name="workflow_job_by_team"),
    Index(fields=["run_id", "listed_at", "job_id", "run_attempt", "team_id"], name="workflow_job_by_run"),
    Index(fields=["team_id", "head_branch", "listed_at", "job_id"], name="workflow_job_by_head_branch"),
    Index(fields=["team_id", "head_sha", "listed_at", "job_id"], name="workflow_job_by_head_sha"),
]
KEPT_OF_JOBS = Index(fields=["repository_id", "listed_at", "job_id"], name="workflow_job_by_repository")
# Only here can it be said that an index is for some rows.
PARTIAL = [
    ("workflow_run_by_status", "workflow_run (team_id, status, created_at, run_id)", "status <> 'completed'"),
    (
        "workflow_run_by_workflow_name",
        "workflow_run (team_id, workflow_name, created_at, run_id)",
        SHORT.format("workflow_name"),
    ),
    # A workflow without a name is called by its path, and found by that.
    (
        "workflow_run_by_workflow_path",
        "workflow_run (team_id, workflow_path, created_at, run_id)",
        "COALESCE(workflow_name, '') <> workflow_path",
    ),
    ("workflow_job_by_status", "workflow_job (team_id, listed_at, job_id, status)", "status <> 'completed'"),
    ("workflow_job_by_conclusion", "workflow_job (team_id, conclusion, listed_at, job_id)", "conclusion <> 'success'"),
    ("workflow_job_by_attempt", "workflow_job (team_id, run_attempt, listed_at, job_id)", "run_attempt <> 1"),
    ("workflow_job_by_name", "workflow_job (team_id, name, listed_at, job_id)", SHORT.format("name")),
    (
        "workflow_job_by_workflow_name",
        "workflow_job (team_id, workflow_name, listed_at, job_id)",
        SHORT.format("workflow_name"),
    ),
    ("workflow_job_without_workflow", "workflow_job (team_id, listed_at, job_id)", "workflow_name IS NULL"),
    ("workflow_job_by_labels", "workflow_job (team_id, labels, listed_at, job_id)", "length(labels) <= 500"),
    ("workflow_job_by_long_labels", "workflow_job (team_id, listed_at, job_id)", "length(labels) > 500"),
    # A job is updated twice after it was queued, and what an index holds then has to be written anew.
    (
        "workflow_job_by_runner",
        "workflow_job (team_id, runner_name, listed_at, job_id)",
        f"status = 'completed' AND {SHORT.format('runner_name')}",
    ),
]
REPLACED = {
    "workflow_run_by_team": "workflow_run (team_id, created_at, run_id)",
    "workflow_run_by_repository": "workflow_run (repository_id, created_at, run_id)",
    "workflow_run_by_head_sha": "workflow_run (head_sha, repository_id)",
    "workflow_run_by_branch": "workflow_run (workflow_id, head_branch, created_at)",
    "workflow_job_by_team": "workflow_job (team_id, listed_at, job_id)",
    "workflow_job_by_run": "workflow_job (run_id, run_attempt)",
}


MADE: dict[str, str] = {
    **{str(each.name): f"workflow_run ({', '.join(each.fields)})" for each in RUNS},
    **{str(each.name): f"workflow_job ({', '.join(each.fields)})" for each in JOBS},
    **{name: f"{columns} WHERE {condition}" for name, columns, condition in PARTIAL},
}


class Migration(migrations.Migration):
    dependencies = [("models", "0004_people")]

    initial = False

    operations = [
        ops.AlterModelOptions(
            name="WorkflowRun",
            options={
                "table": "workflow_run",
                "app": "models",
                "indexes": RUNS,
                "pk_attr": "id",
                "table_description": "A run at its newest attempt.",
            },
        ),
        ops.AlterModelOptions(
            name="WorkflowJob",
            options={
                "table": "workflow_job",
                "app": "models",
                "indexes": [*JOBS, KEPT_OF_JOBS],
                "pk_attr": "id",
                "table_description": "One job of one attempt, where `labels` and `steps` are JSON texts in the API's own shape.",
            },
        ),
        # Versions that noted it only afterwards may have done it and been cut short before the note.
        ops.RunSQL(
            [f"DROP INDEX IF EXISTS {name}" for name in REPLACED]
            + [f"CREATE INDEX IF NOT EXISTS {name} ON {what}" for name, what in MADE.items()],
            [f"DROP INDEX IF EXISTS {name}" for name in MADE]
            + [f"CREATE INDEX IF NOT EXISTS {name} ON {what}" for name, what in REPLACED.items()],
        ),
    ]
