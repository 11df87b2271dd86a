from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.migrations.schema_generator.state_apps import StateApps

# An index leads to jobs with one label; what is longer is in no index.
HAS_ROWS = {
    "sqlite": "(json_array_length({row}.labels) > 1 OR length({row}.labels) > 500)",
    "postgres": "(jsonb_array_length({row}.labels::jsonb) > 1 OR length({row}.labels) > 500)",
}
LABELS_OF = {
    "sqlite": "SELECT label.value FROM json_each({row}.labels) AS label",
    "postgres": "SELECT label.value FROM jsonb_array_elements_text({row}.labels::jsonb) AS label(value)",
}
TRIGGER = "CREATE TRIGGER workflow_job_label_{} ON workflow_job"
# A longer label can't be asked for.
SHORT = "length(label.value) <= 255"
TABLES = {
    "sqlite": "CREATE TABLE IF NOT EXISTS workflow_job_label (team_id INT NOT NULL, label VARCHAR(255) NOT NULL,"
    " listed_at TIMESTAMP NOT NULL, job_id BIGINT NOT NULL, PRIMARY KEY (team_id, label, listed_at, job_id))"
    " WITHOUT ROWID",
    "postgres": "CREATE TABLE IF NOT EXISTS workflow_job_label (team_id INT NOT NULL, label VARCHAR(255) NOT NULL,"
    " listed_at TIMESTAMPTZ NOT NULL, job_id BIGINT NOT NULL, PRIMARY KEY (team_id, label, listed_at, job_id))",
}


def _put(dialect: str, row: str) -> str:
    of_row = (
        LABELS_OF[dialect]
        .format(row=row)
        .replace("SELECT label.value", f"SELECT {row}.team_id, label.value, {row}.listed_at, {row}.job_id")
    )
    return (
        "INSERT INTO workflow_job_label (team_id, label, listed_at, job_id)"
        f" {of_row} WHERE {HAS_ROWS[dialect].format(row=row)} AND {SHORT} ON CONFLICT DO NOTHING"
    )


def _take(dialect: str) -> str:
    return (
        "DELETE FROM workflow_job_label WHERE team_id = OLD.team_id AND listed_at = OLD.listed_at"
        f" AND job_id = OLD.job_id AND label IN ({LABELS_OF[dialect].format(row='OLD')})"
    )


def _sqlite() -> list[str]:
    changed = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in ("team_id", "labels", "listed_at"))
    put, take = _put("sqlite", "NEW"), _take("sqlite")
    when = {
        "put AFTER INSERT": (HAS_ROWS["sqlite"].format(row="NEW"), put),
        "moved AFTER UPDATE OF team_id, labels, listed_at": (changed, f"{take}; {put}"),
        "taken AFTER DELETE": (HAS_ROWS["sqlite"].format(row="OLD"), take),
    }
    return [f"{TRIGGER.format(name)} WHEN {holds} BEGIN {done}; END" for name, (holds, done) in when.items()]


def _postgresql() -> list[str]:
    changed = "(OLD.team_id, OLD.labels, OLD.listed_at) IS DISTINCT FROM (NEW.team_id, NEW.labels, NEW.listed_at)"
    put, take = _put("postgres", "NEW"), _take("postgres")
    rows = f"IF TG_OP <> 'INSERT' THEN {take}; END IF; IF TG_OP <> 'DELETE' THEN {put}; END IF; RETURN NULL;"
    when = {
        "put AFTER INSERT": HAS_ROWS["postgres"].format(row="NEW"),
        "moved AFTER UPDATE OF team_id, labels, listed_at": changed,
        "taken AFTER DELETE": HAS_ROWS["postgres"].format(row="OLD"),
    }
    function = (
        f"CREATE OR REPLACE FUNCTION workflow_job_label_rows() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {rows} END$$"
    )
    run = "FOR EACH ROW WHEN ({}) EXECUTE FUNCTION workflow_job_label_rows()"
    return [function, *(f"{TRIGGER.format(name)} {run.format(holds)}" for name, holds in when.items())]


def _filling(dialect: str) -> list[str]:
    fill = _put(dialect, "job").replace("FROM ", "FROM workflow_job AS job CROSS JOIN ", 1)
    # Each by the index that holds all of it, and in the order in which it is kept.
    return [
        fill.replace(" ON CONFLICT", f" AND length(job.labels) {bound} ORDER BY 1, 2, 3, 4 ON CONFLICT")
        for bound in ("<= 500", "> 500")
    ]


async def make(_: StateApps, editor: BaseSchemaEditor) -> None:
    dialect = editor.client.capabilities.dialect
    triggers = _sqlite() if dialect == "sqlite" else _postgresql()
    # From the triggers on nobody else writes jobs, so that none is missed.
    for sql in [TABLES[dialect], *triggers, *_filling(dialect), "DROP INDEX IF EXISTS workflow_job_by_long_labels"]:
        await editor.client.execute_query(sql)


async def unmake(_: StateApps, editor: BaseSchemaEditor) -> None:
    of_postgresql = editor.client.capabilities.dialect == "postgres"
    for name in ("put", "moved", "taken"):
        on_table = " ON workflow_job" if of_postgresql else ""
        await editor.client.execute_query(f"DROP TRIGGER IF EXISTS workflow_job_label_{name}{on_table}")
    if of_postgresql:
        await editor.client.execute_query("DROP FUNCTION IF EXISTS workflow_job_label_rows")
    await editor.client.execute_query("DROP TABLE IF EXISTS workflow_job_label")
    await editor.client.execute_query(
        "CREATE INDEX IF NOT EXISTS workflow_job_by_long_labels ON workflow_job (team_id, listed_at, job_id)"
        " WHERE length(labels) > 500"
    )


class Migration(migrations.Migration):
    dependencies = [("models", "0009_runs_without_jobs")]

    initial = False

    operations = [ops.RunPython(make, unmake)]
