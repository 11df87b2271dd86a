from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.migrations.schema_generator.state_apps import StateApps

# So many sets of labels a team's jobs have of which each is led to by the index on labels; they come first, and stay.
MOST_SETS = 8
# An index leads to jobs with one label as well; what is longer is in no index.
HAS_SEVERAL = {
    "sqlite": "(json_array_length({row}.labels) > 1 OR length({row}.labels) > 500)",
    "postgres": "(jsonb_array_length({row}.labels::jsonb) > 1 OR length({row}.labels) > 500)",
}
LABELS_OF = {
    "sqlite": "json_each({row}.labels) AS label",
    "postgres": "jsonb_array_elements_text({row}.labels::jsonb) AS label(value)",
}
# A longer label can't be asked for.
SHORT = "length(label.value) <= 255"
TABLES = {
    "workflow_job_label_set": "team_id INT NOT NULL, labels TEXT NOT NULL, PRIMARY KEY (team_id, labels)",
    "workflow_job_label": "team_id INT NOT NULL, label VARCHAR(255) NOT NULL, listed_at {moment} NOT NULL,"
    " job_id BIGINT NOT NULL, PRIMARY KEY (team_id, label, listed_at, job_id)",
}
IS_OF_A_SET = (
    "EXISTS (SELECT 1 FROM workflow_job_label_set AS known"
    " WHERE known.team_id = {row}.team_id AND known.labels = {row}.labels)"
)
HAS_ROOM = f"(SELECT count(*) FROM workflow_job_label_set AS known WHERE known.team_id = NEW.team_id) < {MOST_SETS}"
ADD_SET = (
    "INSERT INTO workflow_job_label_set (team_id, labels) SELECT NEW.team_id, NEW.labels"
    f" WHERE length(NEW.labels) <= 500 AND {HAS_ROOM} ON CONFLICT DO NOTHING"
)
TRIGGER = "CREATE TRIGGER workflow_job_label_{} ON workflow_job"


def _tables(dialect: str) -> list[str]:
    moment, kind = ("TIMESTAMP", " WITHOUT ROWID") if dialect == "sqlite" else ("TIMESTAMPTZ", "")
    return [f"CREATE TABLE {name} ({columns.format(moment=moment)}){kind}" for name, columns in TABLES.items()]


def _put(dialect: str, row: str, jobs: str = "") -> str:
    return (
        "INSERT INTO workflow_job_label (team_id, label, listed_at, job_id)"
        f" SELECT {row}.team_id, label.value, {row}.listed_at, {row}.job_id"
        f" FROM {jobs}{LABELS_OF[dialect].format(row=row)} WHERE {HAS_SEVERAL[dialect].format(row=row)}"
        f" AND NOT {IS_OF_A_SET.format(row=row)} AND {SHORT} ON CONFLICT DO NOTHING"
    )


def _take(dialect: str) -> str:
    return (
        "DELETE FROM workflow_job_label WHERE team_id = OLD.team_id AND listed_at = OLD.listed_at"
        f" AND job_id = OLD.job_id AND label IN (SELECT label.value FROM {LABELS_OF[dialect].format(row='OLD')})"
    )


def _sqlite() -> list[str]:
    # Of new jobs whoever records them writes the rows: a statement with a trigger keeps a journal of its own.
    changed = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in ("team_id", "labels", "listed_at"))
    several = HAS_SEVERAL["sqlite"]
    add_set = ADD_SET.replace(" WHERE ", f" WHERE {several.format(row='NEW')} AND ", 1)
    put, take = f"{add_set}; {_put('sqlite', 'NEW')}", _take("sqlite")
    when = {
        "moved AFTER UPDATE OF team_id, labels, listed_at": (changed, f"{take}; {put}"),
        "taken AFTER DELETE": (several.format(row="OLD"), take),
    }
    return [f"{TRIGGER.format(name)} WHEN {holds} BEGIN {done}; END" for name, (holds, done) in when.items()]


def _postgresql() -> list[str]:
    changed = "(OLD.team_id, OLD.labels, OLD.listed_at) IS DISTINCT FROM (NEW.team_id, NEW.labels, NEW.listed_at)"
    several, put, take = HAS_SEVERAL["postgres"], _put("postgres", "NEW"), _take("postgres")
    # Whoever sees room lets nobody else fill it meanwhile: a job has rows, or is of a set.
    add_set = f"PERFORM pg_advisory_xact_lock(7215468, NEW.team_id); {ADD_SET};"
    new = f"{several.format(row='NEW')} AND NOT {IS_OF_A_SET.format(row='NEW')}"
    function = (
        "CREATE FUNCTION workflow_job_label_rows() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
        f" IF TG_OP <> 'INSERT' THEN {take}; END IF;"
        f" IF TG_OP <> 'DELETE' THEN IF {new} THEN IF {HAS_ROOM} THEN {add_set} END IF; {put}; END IF; END IF;"
        " RETURN NULL; END$$"
    )
    when = {
        "put AFTER INSERT": several.format(row="NEW"),
        "moved AFTER UPDATE OF team_id, labels, listed_at": changed,
        "taken AFTER DELETE": several.format(row="OLD"),
    }
    run = "FOR EACH ROW WHEN ({}) EXECUTE FUNCTION workflow_job_label_rows()"
    return [function, *(f"{TRIGGER.format(name)} {run.format(holds)}" for name, holds in when.items())]


def _filling(dialect: str) -> list[str]:
    put = _put(dialect, "job", "workflow_job AS job CROSS JOIN ")
    # Those of most jobs.
    sets = (
        "INSERT INTO workflow_job_label_set (team_id, labels) SELECT team_id, labels FROM"
        " (SELECT job.team_id, job.labels, row_number() OVER (PARTITION BY job.team_id ORDER BY count(*) DESC) AS place"
        f" FROM workflow_job AS job WHERE {HAS_SEVERAL[dialect].format(row='job')} AND length(job.labels) <= 500"
        f" GROUP BY job.team_id, job.labels) AS ranked WHERE place <= {MOST_SETS}"
    )
    # Each by the index that holds all of it, and in the order in which it is kept.
    rows = [
        put.replace(" ON CONFLICT", f" AND length(job.labels) {bound} ORDER BY 1, 2, 3, 4 ON CONFLICT")
        for bound in ("<= 500", "> 500")
    ]
    return [sets, *rows]


async def make(_: StateApps, editor: BaseSchemaEditor) -> None:
    dialect = editor.client.capabilities.dialect
    triggers = _sqlite() if dialect == "sqlite" else _postgresql()
    # From the triggers on nobody else writes jobs, so that none is missed.
    for sql in (*_tables(dialect), *triggers, *_filling(dialect)):
        await editor.client.execute_query(sql)


async def unmake(_: StateApps, editor: BaseSchemaEditor) -> None:
    of_postgresql = editor.client.capabilities.dialect == "postgres"
    for name in ("put", "moved", "taken"):
        on_table = " ON workflow_job" if of_postgresql else ""
        await editor.client.execute_query(f"DROP TRIGGER IF EXISTS workflow_job_label_{name}{on_table}")
    if of_postgresql:
        await editor.client.execute_query("DROP FUNCTION IF EXISTS workflow_job_label_rows")
    for table in TABLES:
        await editor.client.execute_query(f"DROP TABLE IF EXISTS {table}")


class Migration(migrations.Migration):
    dependencies = [("models", "0009_runs_without_jobs")]

    initial = False

    operations = [ops.RunPython(make, unmake)]
