"""The page of an App."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.pages.html import missing, page
from bot.demo.github.pages.sessions import find_session

if TYPE_CHECKING:
    from bot.demo.github.rest.answers import Answer
    from bot.demo.github.rest.asking import Ask
    from bot.demo.github.state.accounts import Account, App


def show_app(ask: Ask) -> Answer:
    """Show what an App is; one that is not public only to those who belong to its owner."""
    session = find_session(ask)
    app = app_named(ask, None if session is None else session.person)
    return page("app", title=app.name, session=session, app=app)


def app_named(ask: Ask, person: Account | None) -> App:
    """Return the App that the path names, if this person may see it; None is somebody unknown."""
    app = next((one for one in ask.world.apps.values() if one.slug == ask.path["slug"]), None)
    if app is None or not (app.public or _belongs(ask, app, person)):
        raise missing()
    return app


def _belongs(ask: Ask, app: App, person: Account | None) -> bool:
    return person is not None and (person is app.owner or (app.owner.id, person.id) in ask.world.memberships)
