from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0006_told_conclusions")]

    initial = False

    operations = [
        ops.CreateModel(
            name="JournalEntry",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("holder", fields.CharField(max_length=512)),
                ("written_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("deliveries", fields.IntField()),
                ("guids", fields.TextField(unique=False)),
                ("body", fields.BinaryField()),
                ("error", fields.TextField(null=True, unique=False)),
            ],
            options={
                "table": "journal_entry",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What a group of deliveries told that GitHub has been answered for, until it is recorded a moment later.",
            },
            bases=["Model"],
        ),
    ]
