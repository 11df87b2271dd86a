"""What is still to be asked of GitHub, so that whoever has the time and the budget goes on with it."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from bot.store.models.sizes import WORD


class Backfill(Model):
    """A request for history, and how far it has come: of one repository, or of all that an installation sees.

    `kind` says who asked: a person (request), a new repository (installation), what GitHub failed to hand over (gap),
    or the look back that is taken every hour (overlap) and every night (nightly).
    """

    id = fields.IntField(primary_key=True)
    team_id = fields.IntField()
    installation_id = fields.BigIntField(null=True)
    repository_id = fields.BigIntField(null=True)
    kind = fields.CharField(max_length=16, db_default="request")
    state = fields.CharField(max_length=16)
    since = fields.DatetimeField(null=True)
    until = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()
    finished_at = fields.DatetimeField(null=True)
    runs_at_github = fields.BigIntField(null=True)
    runs_stored = fields.BigIntField(default=0)
    jobs_stored = fields.BigIntField(default=0)
    error = fields.TextField(null=True)

    class Meta:
        table = "backfill"
        indexes = [
            Index(fields=["team_id"], name="backfill_by_team"),
            Index(fields=["repository_id"], name="backfill_by_repository"),
            Index(fields=["installation_id", "kind"], name="backfill_by_installation"),
        ]


class BackfillWindow(Model):
    """What a backfill has still to list page by page, where `page` is the next one to ask for.

    `what` is `runs`, created from `since` to `until`, or `pulls`, updated after `since`. It goes when it is done.
    """

    id = fields.BigIntField(primary_key=True)
    backfill_id = fields.IntField()
    installation_id = fields.BigIntField()
    repository_id = fields.BigIntField()
    what = fields.CharField(max_length=8)
    urgency = fields.IntField()
    since = fields.DatetimeField()
    until = fields.DatetimeField()
    page = fields.IntField()
    due_at = fields.DatetimeField()
    tries = fields.IntField()

    class Meta:
        table = "backfill_window"
        indexes = [
            Index(fields=["installation_id", "urgency", "until"], name="backfill_window_by_installation"),
            Index(fields=["backfill_id"], name="backfill_window_by_backfill"),
            Index(fields=["repository_id"], name="backfill_window_by_repository"),
        ]


class RunWanted(Model):
    """A run that GitHub is to be asked about once `due_at` has come, the most urgent ones and then the newest first."""

    id = fields.BigIntField(primary_key=True)
    run_id = fields.BigIntField(unique=True)
    installation_id = fields.BigIntField()
    repository_id = fields.BigIntField()
    backfill_id = fields.IntField(null=True)
    urgency = fields.IntField()
    with_jobs = fields.BooleanField()
    run_created_at = fields.DatetimeField()
    due_at = fields.DatetimeField()
    tries = fields.IntField()

    class Meta:
        table = "run_wanted"
        indexes = [
            Index(fields=["installation_id", "urgency", "run_created_at"], name="run_wanted_by_installation"),
            Index(fields=["backfill_id"], name="run_wanted_by_backfill"),
            Index(fields=["repository_id"], name="run_wanted_by_repository"),
        ]


class DeliveryScan(Model):
    """How far GitHub's list of deliveries has been gone through: one row, which moves on when a whole range is done.

    Everything made before `point` has been seen to; up to `listed_to` it has been listed, and what was missed is kept.
    While a range is listed, `began_at` is when that began and `cursor` the page to go on with.
    """

    id = fields.IntField(primary_key=True)
    point = fields.DatetimeField(null=True)
    listed_to = fields.DatetimeField(null=True)
    began_at = fields.DatetimeField(null=True)
    cursor = fields.TextField(null=True)

    class Meta:
        table = "delivery_scan"


class MissedDelivery(Model):
    """A delivery that GitHub made and the inbox does not have, with the id of an attempt to send it.

    `settled_at` is when it was left to a backfill, or given up. The row stays while GitHub lists the attempts, so that
    it is not taken for newly missed.
    """

    id = fields.BigIntField(primary_key=True)
    guid = fields.CharField(max_length=100, unique=True)
    delivery_id = fields.BigIntField()
    event = fields.CharField(max_length=WORD)
    action = fields.CharField(max_length=WORD, null=True)
    installation_id = fields.BigIntField(null=True)
    repository_id = fields.BigIntField(null=True)
    delivered_at = fields.DatetimeField()
    redeliveries = fields.IntField()
    redelivered_at = fields.DatetimeField(null=True)
    settled_at = fields.DatetimeField(null=True)

    class Meta:
        table = "missed_delivery"
