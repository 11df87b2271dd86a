"""What GitHub delivered."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from bot.store.models.sizes import WORD


class Delivery(Model):
    """A webhook delivery, the inbox's row: waiting, handled, ignored or dead.

    A waiting one is taken once `available_at` has come. `body` is compressed (zstd) and goes once it is no longer
    needed. `handlings` counts how often its facts were committed, which is once unless an operator replays it.
    The indexes on waiting and dead rows are partial ones, which only a migration can say.
    """

    id = fields.BigIntField(primary_key=True)
    guid = fields.CharField(max_length=100, unique=True)
    event = fields.CharField(max_length=WORD)
    state = fields.CharField(max_length=16)
    body = fields.BinaryField(null=True)
    received_at = fields.DatetimeField()
    available_at = fields.DatetimeField()
    tries = fields.IntField()
    handlings = fields.IntField()
    handled_at = fields.DatetimeField(null=True)
    error = fields.TextField(null=True)

    class Meta:
        table = "delivery"
        indexes = [Index(fields=["received_at"], name="delivery_by_received_at")]
