from tortoise import migrations
from tortoise.migrations import operations as ops
from orjson import loads
from tortoise.fields.data import JSON_DUMPS
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("models", "0003_feedback")]

    initial = False

    operations = [
        ops.CreateModel(
            name="AppRegistration",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("slot", fields.IntField(unique=True, db_default=1)),
                ("app_id", fields.BigIntField()),
                ("slug", fields.CharField(max_length=512)),
                ("name", fields.CharField(max_length=512)),
                ("owner_login", fields.CharField(max_length=512)),
                ("html_url", fields.TextField(unique=False)),
                ("client_id", fields.CharField(max_length=512)),
                ("api_url", fields.TextField(unique=False)),
                ("server_url", fields.TextField(unique=False)),
                ("public_url", fields.TextField(unique=False)),
                ("secrets", fields.BinaryField()),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "app_registration",
                "app": "models",
                "pk_attr": "id",
                "table_description": "The App as GitHub registered it from our manifest. There is one at the most, in `slot` 1.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("team_id", fields.IntField(null=True)),
                ("repository_id", fields.BigIntField(null=True)),
                ("actor_kind", fields.CharField(max_length=16)),
                ("actor_id", fields.BigIntField(null=True)),
                ("actor", fields.CharField(max_length=512)),
                ("action", fields.CharField(max_length=64)),
                ("subject", fields.CharField(max_length=512)),
                ("details", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
            ],
            options={
                "table": "audit_entry",
                "app": "models",
                "indexes": [Index(fields=["team_id", "id"], name="audit_entry_by_team")],
                "pk_attr": "id",
                "table_description": "What was done, when, by whom (`person`, `token` or `operator`) and to what, under the names of that time.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PendingState",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("hash", fields.CharField(unique=True, max_length=64)),
                ("purpose", fields.CharField(max_length=16)),
                ("browser", fields.CharField(max_length=64)),
                ("verifier", fields.BinaryField(null=True)),
                ("details", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "pending_state",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A browser that was sent to GitHub and is expected back once with this `state`, until `expires_at`.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Person",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("user_id", fields.BigIntField(unique=True)),
                ("login", fields.CharField(max_length=512)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("access_token", fields.BinaryField(null=True)),
                ("access_expires_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("refresh_token", fields.BinaryField(null=True)),
                ("refresh_expires_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("granted_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("looked_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("revision", fields.BigIntField(db_default=0)),
            ],
            options={
                "table": "person",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Somebody who has signed in with GitHub, with the sealed tokens by which GitHub is asked what they see.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PersonInstallation",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("user_id", fields.BigIntField()),
                ("installation_id", fields.BigIntField()),
                ("is_suspended", fields.BooleanField(db_default=False)),
            ],
            options={
                "table": "person_installation",
                "app": "models",
                "unique_together": (("user_id", "installation_id"),),
                "indexes": [Index(fields=["installation_id"], name="person_installation_by_installation")],
                "pk_attr": "id",
                "table_description": "An installation that a person saw when GitHub was asked last, and whether it was suspended there.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PersonRepository",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("user_id", fields.BigIntField()),
                ("repository_id", fields.BigIntField()),
                ("installation_id", fields.BigIntField()),
                ("is_admin", fields.BooleanField()),
            ],
            options={
                "table": "person_repository",
                "app": "models",
                "unique_together": (("user_id", "repository_id"),),
                "indexes": [Index(fields=["repository_id"], name="person_repository_by_repository")],
                "pk_attr": "id",
                "table_description": "A repository that a person saw when GitHub was asked last, and whether they administer it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RepositorySettings",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("repository_id", fields.BigIntField(unique=True)),
                ("comments", fields.BooleanField(db_default=True)),
                ("excerpts", fields.BooleanField(db_default=True)),
                ("drafts", fields.BooleanField(db_default=False)),
                ("muted", fields.BooleanField(db_default=False)),
                ("changed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "repository_settings",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What the administrators of a repository want told there. Without a row it is as the defaults here say.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Session",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("hash", fields.CharField(unique=True, max_length=64)),
                ("user_id", fields.BigIntField(null=True)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("used_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("revoked_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "session",
                "app": "models",
                "indexes": [Index(fields=["user_id"], name="session_by_user")],
                "pk_attr": "id",
                "table_description": "A browser that is signed in, or, without `user_id`, one that opened the link to the set-up page.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SetupLink",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("hash", fields.CharField(unique=True, max_length=64)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("opened_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "setup_link",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A link to the set-up page that `serve` printed: it opens once, until `expires_at`. Only its SHA-256 is kept.",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="FailureComment",
            name="queue_head_sha",
            field=fields.CharField(null=True, max_length=512),
        ),
        ops.AddField(
            model_name="FailureComment",
            name="told_causes",
            field=fields.TextField(null=True, unique=False),
        ),
        ops.AddField(
            model_name="ApiToken",
            name="user_id",
            field=fields.BigIntField(null=True),
        ),
        ops.AddIndex(
            model_name="ApiToken",
            index=Index(fields=["user_id"], name="api_token_by_user"),
        ),
    ]
