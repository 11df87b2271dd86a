from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0005_query_indexes")]

    initial = False

    operations = [
        ops.AddField(
            model_name="CheckSummary",
            name="conclusion",
            field=fields.CharField(null=True, max_length=64),
        ),
        ops.AddField(
            model_name="CheckSummary",
            name="told_classes",
            field=fields.TextField(null=True, unique=False),
        ),
    ]
