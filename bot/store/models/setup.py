"""What the set-up page keeps: the App it registered, and the links that lead to it."""

from tortoise import fields
from tortoise.models import Model

from bot.store.models.sizes import NAME


class AppRegistration(Model):
    """The App as GitHub registered it from our manifest. There is one at the most, in `slot` 1.

    `secrets` holds its private key, its webhook secret and its client secret, sealed; `public_url` is our
    address that it was registered with.
    """

    id = fields.IntField(primary_key=True)
    slot = fields.IntField(unique=True, db_default=1)
    app_id = fields.BigIntField()
    slug = fields.CharField(max_length=NAME)
    name = fields.CharField(max_length=NAME)
    owner_login = fields.CharField(max_length=NAME)
    html_url = fields.TextField()
    client_id = fields.CharField(max_length=NAME)
    api_url = fields.TextField()
    server_url = fields.TextField()
    public_url = fields.TextField()
    secrets = fields.BinaryField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "app_registration"


class SetupLink(Model):
    """A link to the set-up page that `serve` printed: it opens once, until `expires_at`. Only its SHA-256 is kept."""

    id = fields.IntField(primary_key=True)
    hash = fields.CharField(max_length=64, unique=True)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    opened_at = fields.DatetimeField(null=True)

    class Meta:
        table = "setup_link"
