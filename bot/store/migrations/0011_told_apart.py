from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.migrations.schema_generator.state_apps import StateApps

OWNER = {
    "sqlite": "substr(full_name, 1, instr(full_name, '/') - 1)",
    "postgres": "split_part(full_name, '/', 1)",
}
FILL = """
INSERT INTO account_login (account_id, login, version)
SELECT account_id, login, version FROM (
  SELECT account_id, login, version,
    row_number() OVER (PARTITION BY account_id, login ORDER BY version DESC) AS place
  FROM (
    SELECT account_id, account_login AS login, login_version AS version FROM installation
    UNION ALL SELECT account_id, {owner}, version FROM repository
  ) AS told
) AS placed WHERE place = 1
"""


async def fill(_: StateApps, editor: BaseSchemaEditor) -> None:
    await editor.client.execute_query(FILL.format(owner=OWNER[editor.client.capabilities.dialect]))


class Migration(migrations.Migration):
    dependencies = [("models", "0010_job_labels")]

    initial = False

    operations = [
        ops.CreateModel(
            name="AccountLogin",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("account_id", fields.BigIntField()),
                ("login", fields.CharField(max_length=512)),
                ("version", fields.BinaryField()),
            ],
            options={
                "table": "account_login",
                "app": "models",
                "unique_together": (("account_id", "login"),),
                "pk_attr": "id",
                "table_description": "Every login that an account has had, of which the one of the greatest version is what it is called now.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RepositorySight",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("repository_id", fields.BigIntField()),
                ("installation_id", fields.BigIntField()),
                ("is_hidden", fields.BooleanField()),
                ("version", fields.BinaryField()),
            ],
            options={
                "table": "repository_sight",
                "app": "models",
                "unique_together": (("repository_id", "installation_id"),),
                "indexes": [Index(fields=["installation_id"], name="repository_sight_by_installation")],
                "pk_attr": "id",
                "table_description": "What an installation has told last of a repository: that it sees it, or does so no longer.",
            },
            bases=["Model"],
        ),
        *(
            ops.AddField(model_name="Repository", name=f"{part}_version", field=fields.BinaryField(null=True))
            for part in ("parts", "archived", "default_branch", "html_url")
        ),
        ops.AddField(model_name="RepositoryName", name="account_id", field=fields.BigIntField(null=True)),
        ops.RunPython(fill, ops.RunPython.noop),
    ]
