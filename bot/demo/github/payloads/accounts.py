"""Accounts, organisations, Apps and installations as JSON."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.demo.github.payloads.values import Json, timestamp
from bot.demo.github.state.identity import node_id

if TYPE_CHECKING:
    from bot.demo.github.state.accounts import Account, AccountType, App, Installation
    from bot.demo.github.state.repositories import Repository
    from bot.demo.github.state.world import Addresses

_USER_URLS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
_ORGANIZATION_URLS = {
    "repos_url": "/repos",
    "events_url": "/events",
    "hooks_url": "/hooks",
    "issues_url": "/issues",
    "members_url": "/members{/member}",
    "public_members_url": "/public_members{/member}",
}


def user(at: Addresses, account: Account) -> Json:
    """Render an account as `sender`, `owner`, `actor` … show it, organisations and Apps included.

    The same object comes again for the same account, many times in one body: it is not to be changed.
    """
    return _user(at.api, at.html, account.id, account.login, account.type)


@lru_cache(maxsize=4096)
def _user(api: str, html: str, number: int, login: str, kind: AccountType) -> Json:
    url = f"{api}/users/{quote(login)}"
    page = f"{html}/apps/{login.removesuffix('[bot]')}" if kind == "Bot" else f"{html}/{login}"
    return {
        "login": login,
        "id": number,
        "node_id": node_id({"Organization": "O", "User": "U", "Bot": "BOT"}[kind], number),
        "avatar_url": f"https://avatars.githubusercontent.com/u/{number}?v=4",
        "gravatar_id": "",
        "url": url,
        "html_url": page,
        **{key: url + path for key, path in _USER_URLS.items()},
        "type": kind,
        "user_view_type": "public",
        "site_admin": False,
    }


def organization(at: Addresses, account: Account) -> Json:
    """Render an organisation as the `organization` of a webhook body."""
    url = f"{at.api}/orgs/{account.login}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": node_id("O", account.id),
        "url": url,
        **{key: url + path for key, path in _ORGANIZATION_URLS.items()},
        "avatar_url": f"https://avatars.githubusercontent.com/u/{account.id}?v=4",
        "description": account.name,
    }


def app(at: Addresses, app: App) -> Json:
    """Render an App as check runs and deployments name theirs."""
    return {
        "id": app.id,
        "client_id": app.client_id,
        "slug": app.slug,
        "node_id": node_id("A", app.id),
        "owner": user(at, app.owner),
        "name": app.name,
        "description": app.description,
        "external_url": app.external_url,
        "html_url": f"{at.html}/apps/{app.slug}",
        "created_at": timestamp(app.created_at),
        "updated_at": timestamp(app.created_at),
        "permissions": dict(app.permissions),
        "events": list(app.events),
    }


def installation(at: Addresses, installation: Installation) -> Json:
    """Render the full form, in the installation's own events and in REST."""
    account = installation.account
    settings = f"organizations/{account.login}/settings" if account.is_organization else "settings"
    return {
        "id": installation.id,
        "client_id": installation.app.client_id,
        "account": user(at, account),
        "repository_selection": installation.repository_selection,
        "access_tokens_url": f"{at.api}/app/installations/{installation.id}/access_tokens",
        "repositories_url": f"{at.api}/installation/repositories",
        "html_url": f"{at.html}/{settings}/installations/{installation.id}",
        "app_id": installation.app.id,
        "app_slug": installation.app.slug,
        "target_id": account.id,
        "target_type": account.type,
        "permissions": dict(installation.permissions),
        "events": list(installation.app.events),
        "created_at": timestamp(installation.created_at),
        "updated_at": timestamp(installation.updated_at),
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": None if installation.suspended_by is None else user(at, installation.suspended_by),
        "suspended_at": timestamp(installation.suspended_at),
    }


def simple_installation(installation: Installation) -> Json:
    """Render what every body of an App's webhook carries as its `installation`."""
    return {"id": installation.id, "node_id": node_id("I", installation.id)}


def installation_repository(repository: Repository) -> Json:
    """Render a repository as `repositories` and `repositories_added` list it."""
    return {
        "id": repository.id,
        "node_id": node_id("R", repository.id),
        "name": repository.name,
        "full_name": repository.full_name,
        "private": repository.private,
    }
