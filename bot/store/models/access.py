"""Who may ask."""

from tortoise import fields
from tortoise.models import Model

from bot.store.models.directory import Team
from bot.store.models.sizes import NAME


class ApiToken(Model):
    """A credential for the API, of which only the SHA-256 is kept."""

    id = fields.IntField(primary_key=True)
    team: fields.ForeignKeyRelation[Team] = fields.ForeignKeyField("models.Team", related_name="tokens")
    name = fields.CharField(max_length=NAME)
    hash = fields.CharField(max_length=64, unique=True)
    hint = fields.CharField(max_length=16)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "api_token"
