"""Installing an App: on which account, and for which of its repositories.

https://docs.github.com/en/apps/using-github-apps/installing-a-github-app-from-a-third-party
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.pages.apps import app_named
from bot.demo.github.pages.html import Shown, lead, missing, page
from bot.demo.github.pages.sessions import require_form, require_session, sent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.demo.github.pages.sessions import Session
    from bot.demo.github.rest.answers import Answer
    from bot.demo.github.rest.asking import Ask
    from bot.demo.github.state.accounts import Account, App, Installation
    from bot.demo.github.state.repositories import Repository

NONE_CHOSEN = "Select at least one repository."


def choose_account(ask: Ask) -> Answer:
    """Show the accounts on which the person may install the App; where it is one, go on with it."""
    session = require_session(ask)
    app = app_named(ask, session.person)
    accounts = ask.github.installations.may_install(session.person, app)
    if len(accounts) == 1:
        return lead(_next(app), target_id=str(accounts[0].id), state=ask.query.get("state"))
    title, state = f"Install {app.name}", ask.query.get("state")
    return page("accounts", title=title, session=session, app=app, accounts=accounts, state=state)


def choose_repositories(ask: Ask) -> Answer:
    """Show the repositories of an account; where the App is installed already, lead to that installation."""
    session = require_session(ask)
    app = app_named(ask, session.person)
    account = _account(ask, session, app, ask.query.get("target_id", ""))
    installed = ask.github.installations.find(account, app=app)
    if installed is not None:
        return lead(f"/settings/installations/{installed.id}")
    return _form(ask, session, app, account, ask.query.get("state", ""))


def install(ask: Ask) -> Answer:
    """Install the App and lead to where it wants its people to go afterwards."""
    session = require_form(ask)
    app = app_named(ask, session.person)
    account, state = _account(ask, session, app, sent(ask, "target_id")), sent(ask, "state")
    if ask.github.installations.find(account, app=app) is not None:
        raise Shown(lead(_next(app), target_id=str(account.id)))
    chosen = chosen_repositories(ask, ask.github.installations.offered(session.person, account))
    if chosen == [] or (chosen is None and not ask.world.owns(session.person, account)):
        raise Shown(_form(ask, session, app, account, state, NONE_CHOSEN))
    installation = ask.github.installations.install(account, chosen, app=app, sender=session.person)
    return _afterwards(ask, session, installation, state or None)


def chosen_repositories(ask: Ask, offered: Sequence[Repository]) -> list[Repository] | None:
    """Return those among the offered ones that a form names, None where it asks for all."""
    if sent(ask, "repository_selection") == "all":
        return None
    return [one for one in offered if sent(ask, f"repository_{one.id}")]


def _afterwards(ask: Ask, session: Session, installation: Installation, state: str | None) -> Answer:
    """Lead on; an App that asks for people's authorization as well gets its code at the same time."""
    app, number = installation.app, str(installation.id)
    if app.request_oauth_on_install and app.callback_urls:
        authorizations, callback = ask.github.rest.authorizations, app.callback_urls[0]
        authorizations.authorize(app, session.person)
        code = authorizations.issue_code(app, session.person, callback)
        return lead(callback, code=code, installation_id=number, setup_action="install", state=state)
    if app.setup_url:
        return lead(app.setup_url, installation_id=number, setup_action="install", state=state)
    return lead(f"/settings/installations/{number}")


def _form(ask: Ask, session: Session, app: App, account: Account, state: str, problem: str | None = None) -> Answer:
    return page(
        "install",
        200 if problem is None else 422,
        title=f"Install {app.name} on {account.login}",
        session=session,
        app=app,
        account=account,
        repositories=ask.github.installations.offered(session.person, account),
        may_take_all=ask.world.owns(session.person, account),
        state=state,
        problem=problem,
    )


def _account(ask: Ask, session: Session, app: App, target_id: str) -> Account:
    for account in ask.github.installations.may_install(session.person, app):
        if str(account.id) == target_id:
            return account
    raise missing()


def _next(app: App) -> str:
    return f"/apps/{app.slug}/installations/new/permissions"
