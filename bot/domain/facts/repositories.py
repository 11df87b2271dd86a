"""Repositories, and the accounts that they are on."""

from functools import lru_cache

from msgspec import Struct

from bot.domain import ordering, payloads
from bot.domain.facts.base import Fact


class Account(Struct, frozen=True, array_like=True):
    """Who owns repositories: an organisation or a user."""

    account_id: int
    login: str
    type: str | None = None


class Repository(Fact, frozen=True, kw_only=True):
    """A repository as one snapshot shows it.

    `owner` is None where only its name was told, `hidden` where it is no longer to be seen. An `announced` snapshot
    comes from an event about the repository itself; the others, which ride along with every event, are compared first.
    """

    repository_id: int
    full_name: str
    owner: Account | None
    installation_id: int | None
    private: bool
    archived: bool | None = None
    default_branch: str | None = None
    html_url: str | None = None
    hidden: bool = False
    announced: bool = False
    past_name: str | None = None
    version: bytes


class AccountRename(Fact, frozen=True):
    """An account has a new login."""

    account: Account
    version: bytes


def account(payload: payloads.Account) -> Account:
    """Return an account as any body names it."""
    return Account(payload.id, payload.login, payload.type)


def repository(
    payload: payloads.Repository,
    installation_id: int | None,
    seen_at: int,
    *,
    announced: bool = False,
    hidden: bool = False,
    past_name: str | None = None,
) -> Repository:
    """Return what an event tells of its repository; `seen_at` is in microseconds, see `ordering.made_at`."""
    digest = _repository_digest(payload.full_name, installation_id, payload.private, payload.archived, hidden)
    return Repository(
        repository_id=payload.id,
        full_name=payload.full_name,
        owner=account(payload.owner),
        installation_id=installation_id,
        private=payload.private,
        archived=payload.archived,
        default_branch=payload.default_branch,
        html_url=payload.html_url,
        hidden=hidden,
        announced=announced,
        past_name=past_name,
        version=ordering.entity_version(None, seen_at, digest),
    )


def thin_repository(
    payload: payloads.ThinRepository, installation_id: int, owner: Account, seen_at: int, *, hidden: bool = False
) -> Repository:
    """Return what an event about an installation tells of one of its repositories."""
    digest = _repository_digest(payload.full_name, installation_id, payload.private, None, hidden)
    return Repository(
        repository_id=payload.id,
        full_name=payload.full_name,
        owner=owner,
        installation_id=installation_id,
        private=payload.private,
        hidden=hidden,
        announced=True,
        version=ordering.entity_version(None, seen_at, digest),
    )


# A repository rides along with each of its events, and seldom differs from the last time.
@lru_cache(maxsize=4096)
def _repository_digest(
    full_name: str, installation_id: int | None, private: bool, archived: bool | None, hidden: bool
) -> bytes:
    return ordering.digest(full_name, installation_id, private, archived, hidden)


def login_version(login: str, seen_at: int) -> bytes:
    """Return the version of a login, which an account may change apart from everything else."""
    return ordering.entity_version(None, seen_at, ordering.digest(login))
