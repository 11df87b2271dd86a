"""What GitHub delivered: acknowledged and not recorded yet, and every delivery's end."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from bot.store.models.sizes import NAME, WORD


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


class JournalEntry(Model):
    """What a group of deliveries told that GitHub has been answered for, until it is recorded a moment later.

    `body` is the group as `bot.inbox.journal` writes it, `guids` are its GUIDs between blanks, and `holder` is the
    process that is about to record it. An entry with an `error` can't be read and stays.
    """

    id = fields.BigIntField(primary_key=True)
    holder = fields.CharField(max_length=NAME)
    written_at = fields.DatetimeField()
    deliveries = fields.IntField()
    guids = fields.TextField()
    body = fields.BinaryField()
    error = fields.TextField(null=True)

    class Meta:
        table = "journal_entry"
