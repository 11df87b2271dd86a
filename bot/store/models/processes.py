"""What processes tell each other: who lives, who holds what, what is due."""

from tortoise import fields
from tortoise.models import Model

from bot.store.models.sizes import NAME, WORD


class Heartbeat(Model):
    """When each worker last said that it is alive."""

    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=NAME, unique=True)
    at = fields.DatetimeField()

    class Meta:
        table = "heartbeat"


class TimedJob(Model):
    """When each timed job is due next, where whoever moves `due_at` on does the work."""

    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=WORD, unique=True)
    due_at = fields.DatetimeField()

    class Meta:
        table = "timed_job"


class Lease(Model):
    """The right to do something that one process at a time may do, until it is given back or its time is over.

    Of a right to write to GitHub `silent_until` is the moment until which GitHub wants to hear nothing at all.
    """

    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=NAME, unique=True)
    holder = fields.CharField(max_length=NAME, null=True)
    until = fields.DatetimeField()
    left_at = fields.DatetimeField(null=True)
    silent_until = fields.DatetimeField(null=True)

    class Meta:
        table = "lease"
