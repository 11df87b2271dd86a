"""Changing an installation, and taking it away again.

https://docs.github.com/en/apps/using-github-apps/reviewing-and-modifying-installed-github-apps
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.pages.html import Shown, lead, missing, page
from bot.demo.github.pages.installing import NONE_CHOSEN, chosen_repositories
from bot.demo.github.pages.sessions import require_form, require_session, sent

if TYPE_CHECKING:
    from bot.demo.github.pages.sessions import Session
    from bot.demo.github.rest.answers import Answer
    from bot.demo.github.rest.asking import Ask
    from bot.demo.github.state.accounts import Installation


def show_installation(ask: Ask) -> Answer:
    """Show an installation to those who own the account."""
    session = require_session(ask)
    return _form(ask, session, _installation(ask, session))


def change_installation(ask: Ask) -> Answer:
    """Do what the button that was pressed says."""
    session = require_form(ask)
    installation, installations = _installation(ask, session), ask.github.installations
    match sent(ask, "action"):
        case "save":
            return _save(ask, session, installation)
        case "suspend":
            installations.suspend(installation, sender=session.person)
        case "unsuspend":
            installations.unsuspend(installation, sender=session.person)
        case "accept":
            installations.accept_permissions(installation, sender=session.person)
        case "uninstall":
            installations.delete(installation, sender=session.person)
            return lead(f"/apps/{installation.app.slug}")
        case _:
            raise missing()
    return lead(f"/settings/installations/{installation.id}")


def _save(ask: Ask, session: Session, installation: Installation) -> Answer:
    chosen = chosen_repositories(ask, ask.github.installations.repositories_of(installation.account))
    if chosen == []:
        raise Shown(_form(ask, session, installation, NONE_CHOSEN))
    ask.github.installations.select(installation, chosen, sender=session.person)
    if installation.app.setup_url and installation.app.setup_on_update:
        return lead(installation.app.setup_url, installation_id=str(installation.id), setup_action="update")
    return lead(f"/settings/installations/{installation.id}")


def _form(ask: Ask, session: Session, installation: Installation, problem: str | None = None) -> Answer:
    return page(
        "installation",
        200 if problem is None else 422,
        title=f"{installation.app.name} on {installation.account.login}",
        session=session,
        installation=installation,
        repositories=ask.github.installations.repositories_of(installation.account),
        asks_for_more=installation.permissions != installation.app.permissions,
        problem=problem,
    )


def _installation(ask: Ask, session: Session) -> Installation:
    found = ask.world.installations.get(ask.number("installation_id"))
    if found is None or found.deleted_at is not None or not ask.world.owns(session.person, found.account):
        raise missing()
    if ask.path.get("org", found.account.login).lower() != found.account.login.lower():
        raise missing()
    return found
