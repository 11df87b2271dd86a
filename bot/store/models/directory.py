"""Who owns what: teams, installations of the App, repositories and their names."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from bot.store.models.sizes import NAME, WORD


class Team(Model):
    """Who reads a record together, made from the account that the App is installed on."""

    id = fields.IntField(primary_key=True)
    slug = fields.CharField(max_length=100, unique=True)
    name = fields.CharField(max_length=NAME)
    account_id = fields.BigIntField(unique=True, null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "team"


class Installation(Model):
    """The App on one account."""

    id = fields.IntField(primary_key=True)
    installation_id = fields.BigIntField(unique=True)
    team: fields.ForeignKeyRelation[Team] = fields.ForeignKeyField("models.Team", related_name="installations")
    account_id = fields.BigIntField()
    account_login = fields.CharField(max_length=NAME)
    account_type = fields.CharField(max_length=WORD, null=True)
    state = fields.CharField(max_length=16)
    repository_selection = fields.CharField(max_length=16, null=True)
    permissions = fields.JSONField[dict[str, str] | None](null=True)
    events = fields.JSONField[list[str] | None](null=True)
    version = fields.BinaryField()
    # The newest login of `account_login`, and since when: older versions of the program look for it here.
    login_version = fields.BinaryField()
    created_at = fields.DatetimeField()
    deleted_at = fields.DatetimeField(null=True)
    last_delivery_at = fields.DatetimeField(null=True)
    # When GitHub is to be asked what it sees, when that was done last, and since when it shows runs but sends nothing.
    sync_due_at = fields.DatetimeField(null=True)
    synced_at = fields.DatetimeField(null=True)
    silent_since = fields.DatetimeField(null=True)
    # Kept until what happened meanwhile, of which GitHub sends nothing, has been asked for.
    suspended_since = fields.DatetimeField(null=True)

    class Meta:
        table = "installation"
        indexes = [Index(fields=["account_id"], name="installation_by_account")]


class AccountLogin(Model):
    """Every login that an account has had, of which the one of the greatest version is what it is called now."""

    id = fields.IntField(primary_key=True)
    account_id = fields.BigIntField()
    login = fields.CharField(max_length=NAME)
    version = fields.BinaryField()

    class Meta:
        table = "account_login"
        unique_together = (("account_id", "login"),)


class Repository(Model):
    """A repository, whose team is that of its installation, or its owner's where there is none.

    `version` is that of owner, name and `private`, which whatever shows a repository tells together; of the rest many
    snapshots tell nothing. `parts_version` is what `version` was when all of them were written last: where they differ,
    an older version of the program has written since, to which `version` was that of everything.
    """

    id = fields.IntField(primary_key=True)
    repository_id = fields.BigIntField(unique=True)
    installation_id = fields.BigIntField(null=True)
    team: fields.ForeignKeyRelation[Team] = fields.ForeignKeyField("models.Team", related_name="repositories")
    account_id = fields.BigIntField()
    full_name = fields.CharField(max_length=NAME)
    private = fields.BooleanField()
    archived = fields.BooleanField()
    default_branch = fields.CharField(max_length=NAME, null=True)
    html_url = fields.TextField(null=True)
    hidden_at = fields.DatetimeField(null=True)
    version = fields.BinaryField()
    parts_version = fields.BinaryField(null=True)
    archived_version = fields.BinaryField(null=True)
    default_branch_version = fields.BinaryField(null=True)
    html_url_version = fields.BinaryField(null=True)
    # Since when it is in sight, without a break.
    created_at = fields.DatetimeField()
    # When the history from before it came into sight was asked for, and until when GitHub has refused to tell any.
    history_asked_at = fields.DatetimeField(null=True)
    refused_until = fields.DatetimeField(null=True)

    class Meta:
        table = "repository"
        indexes = [
            Index(fields=["team_id", "full_name"], name="repository_by_team"),
            Index(fields=["installation_id"], name="repository_by_installation"),
        ]


class RepositorySight(Model):
    """What an installation has told last of a repository: that it sees it, or does so no longer.

    `installation_id` is 0 for what was told without any.
    """

    id = fields.IntField(primary_key=True)
    repository_id = fields.BigIntField()
    installation_id = fields.BigIntField()
    is_hidden = fields.BooleanField()
    version = fields.BinaryField()

    class Meta:
        table = "repository_sight"
        unique_together = (("repository_id", "installation_id"),)
        indexes = [Index(fields=["installation_id"], name="repository_sight_by_installation")]


class RepositoryName(Model):
    """Every name that a repository has had, in lower case, as GitHub compares them.

    `account_id` is whose login the name begins with, where that was told.
    """

    id = fields.IntField(primary_key=True)
    repository_id = fields.BigIntField()
    name = fields.CharField(max_length=NAME)
    full_name = fields.CharField(max_length=NAME)
    account_id = fields.BigIntField(null=True)

    class Meta:
        table = "repository_name"
        unique_together = (("name", "repository_id"),)
