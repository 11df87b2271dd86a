"""Who may ask: tokens, people and what they see, their sessions, and what was done in whose name."""

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from bot.store.models.directory import Team
from bot.store.models.sizes import NAME, WORD


class ApiToken(Model):
    """A credential for the API, of which only the SHA-256 is kept.

    One that an operator made reads its whole team. One that a person made has that person's eyes, by `user_id`.
    """

    id = fields.IntField(primary_key=True)
    team: fields.ForeignKeyRelation[Team] = fields.ForeignKeyField("models.Team", related_name="tokens")
    name = fields.CharField(max_length=NAME)
    hash = fields.CharField(max_length=64, unique=True)
    hint = fields.CharField(max_length=16)
    user_id = fields.BigIntField(null=True)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "api_token"
        indexes = [Index(fields=["user_id"], name="api_token_by_user")]


class Person(Model):
    """Somebody who has signed in with GitHub, with the sealed tokens by which GitHub is asked what they see.

    `looked_at` is when what they see was asked for last, and NULL where that must be done before they see anything.
    `revision` counts the reasons for that, so that an answer which was under way meanwhile is not taken for a new one.
    Without `refresh_token` and `access_token` there is no way to ask, and so nothing to be seen.
    """

    id = fields.IntField(primary_key=True)
    user_id = fields.BigIntField(unique=True)
    login = fields.CharField(max_length=NAME)
    created_at = fields.DatetimeField()
    access_token = fields.BinaryField(null=True)
    access_expires_at = fields.DatetimeField(null=True)
    refresh_token = fields.BinaryField(null=True)
    refresh_expires_at = fields.DatetimeField(null=True)
    granted_at = fields.DatetimeField(null=True)
    looked_at = fields.DatetimeField(null=True)
    revision = fields.BigIntField(db_default=0)

    class Meta:
        table = "person"


class PersonInstallation(Model):
    """An installation that a person saw when GitHub was asked last, and whether it was suspended there."""

    id = fields.BigIntField(primary_key=True)
    user_id = fields.BigIntField()
    installation_id = fields.BigIntField()
    is_suspended = fields.BooleanField(db_default=False)

    class Meta:
        table = "person_installation"
        unique_together = (("user_id", "installation_id"),)
        indexes = [Index(fields=["installation_id"], name="person_installation_by_installation")]


class PersonRepository(Model):
    """A repository that a person saw when GitHub was asked last, and whether they administer it."""

    id = fields.BigIntField(primary_key=True)
    user_id = fields.BigIntField()
    repository_id = fields.BigIntField()
    installation_id = fields.BigIntField()
    is_admin = fields.BooleanField()

    class Meta:
        table = "person_repository"
        unique_together = (("user_id", "repository_id"),)
        indexes = [Index(fields=["repository_id"], name="person_repository_by_repository")]


class Session(Model):
    """A browser that is signed in, or, without `user_id`, one that opened the link to the set-up page.

    Only the SHA-256 of what its cookie holds is kept.
    """

    id = fields.IntField(primary_key=True)
    hash = fields.CharField(max_length=64, unique=True)
    user_id = fields.BigIntField(null=True)
    created_at = fields.DatetimeField()
    used_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    revoked_at = fields.DatetimeField(null=True)

    class Meta:
        table = "session"
        indexes = [Index(fields=["user_id"], name="session_by_user")]


class PendingState(Model):
    """A browser that was sent to GitHub and is expected back once with this `state`, until `expires_at`.

    `browser` is the hash of the cookie that it must bring along. `verifier` is sealed (RFC 7636).
    """

    id = fields.IntField(primary_key=True)
    hash = fields.CharField(max_length=64, unique=True)
    purpose = fields.CharField(max_length=16)
    browser = fields.CharField(max_length=64)
    verifier = fields.BinaryField(null=True)
    details = fields.JSONField[dict[str, Any]]()
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()

    class Meta:
        table = "pending_state"


class AuditEntry(Model):
    """What was done, when, by whom (`person`, `token` or `operator`) and to what, under the names of that time."""

    id = fields.BigIntField(primary_key=True)
    at = fields.DatetimeField()
    team_id = fields.IntField(null=True)
    repository_id = fields.BigIntField(null=True)
    actor_kind = fields.CharField(max_length=16)
    actor_id = fields.BigIntField(null=True)
    actor = fields.CharField(max_length=NAME)
    action = fields.CharField(max_length=WORD)
    subject = fields.CharField(max_length=NAME)
    details = fields.JSONField[dict[str, Any]]()

    class Meta:
        table = "audit_entry"
        indexes = [Index(fields=["team_id", "id"], name="audit_entry_by_team")]
