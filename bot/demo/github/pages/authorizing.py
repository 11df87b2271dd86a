"""Letting an App act for a person, and withdrawing that.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app#using-the-web-application-flow-to-generate-a-user-access-token
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from bot.demo.github.pages.html import Shown, lead, missing, page, refusal
from bot.demo.github.pages.sessions import find_session, require_form, require_session, sent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.demo.github.pages.sessions import Session
    from bot.demo.github.rest.answers import Answer
    from bot.demo.github.rest.asking import Ask
    from bot.demo.github.state.accounts import App

# What a SHA-256 is in the base64 of URLs.
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_PARAMETERS = ("client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method")


@dataclass(frozen=True, slots=True)
class _Wish:
    """What an App asks for, found to be in order."""

    app: App
    redirect_uri: str
    state: str | None
    challenge: str | None


def authorize(ask: Ask) -> Answer:
    """Lead back with a code, after a page that asks whoever has not authorized the App so far."""
    wish = _wish(ask, ask.query)
    session = _chosen_session(ask)
    is_known = ask.github.rest.authorizations.is_authorized(wish.app, session.person)
    if is_known or ask.github.rest.signed_in is not None:
        return _grant(ask, session, wish)
    asked = {name: ask.query[name] for name in _PARAMETERS if name in ask.query}
    return page("authorize", title=f"Authorize {wish.app.name}", session=session, app=wish.app, asked=asked)


def decide(ask: Ask) -> Answer:
    """Lead back with a code, or with a refusal."""
    session = require_form(ask)
    wish = _wish(ask, {name: sent(ask, name) for name in _PARAMETERS if sent(ask, name)})
    if sent(ask, "decision") == "authorize":
        return _grant(ask, session, wish)
    raise _back(wish, "access_denied", "The user has denied your application access.")


def show_authorizations(ask: Ask) -> Answer:
    """Show the Apps that the person has authorized."""
    session = require_session(ask)
    known = ask.github.rest.authorizations
    apps = [one for one in ask.world.apps.values() if known.is_authorized(one, session.person)]
    return page("authorizations", title="Authorized GitHub Apps", session=session, apps=apps)


def revoke(ask: Ask) -> Answer:
    """Withdraw the authorization of one of them; the App hears of it."""
    session = require_form(ask)
    app = _app(ask, sent(ask, "client_id"))
    if ask.github.rest.authorizations.is_authorized(app, session.person):
        ask.github.rest.authorizations.revoke(app, session.person)
        ask.github.events.authorization_revoked(app, session.person)
    return lead("/settings/apps/authorizations")


def _grant(ask: Ask, session: Session, wish: _Wish) -> Answer:
    authorizations = ask.github.rest.authorizations
    authorizations.authorize(wish.app, session.person)
    code = authorizations.issue_code(wish.app, session.person, wish.redirect_uri, wish.challenge)
    return lead(wish.redirect_uri, code=code, state=wish.state)


def _chosen_session(ask: Ask) -> Session:
    """Return who is to decide; `prompt=select_account` asks again who it is."""
    session = find_session(ask)
    asks_again = ask.query.get("prompt") == "select_account" and ask.github.rest.signed_in is None
    if session is None or not asks_again:
        return require_session(ask)
    path = ask.location.partition("?")[0]
    query = urlencode({name: value for name, value in ask.query.items() if name != "prompt"})
    raise Shown(lead("/login", return_to=f"{path}?{query}", login=ask.query.get("login")))


def _wish(ask: Ask, asked: Mapping[str, str]) -> _Wish:
    """Return what is asked for; a refusal for an address that the App did not register, to which nothing may go.

    A redirect URI has to be one of the callback URLs, letter for letter.
    """
    app = _app(ask, asked.get("client_id", ""))
    if not app.callback_urls:
        raise refusal(422, "Invalid callback URL", "The application has no callback URL.")
    redirect_uri = asked.get("redirect_uri") or app.callback_urls[0]
    if redirect_uri not in app.callback_urls:
        raise refusal(422, "Be careful!", "The redirect_uri is not associated with this application.")
    challenge = asked.get("code_challenge")
    wish = _Wish(app, redirect_uri, asked.get("state"), challenge)
    if challenge is not None and asked.get("code_challenge_method") != "S256":
        raise _back(wish, "invalid_request", "The code_challenge_method must be S256.")
    if challenge is not None and not _CHALLENGE.fullmatch(challenge):
        raise _back(wish, "invalid_request", "The code_challenge must have 43 characters.")
    return wish


def _app(ask: Ask, client_id: str) -> App:
    app = next((one for one in ask.world.apps.values() if one.client_id == client_id), None)
    if app is None:
        raise missing()
    return app


def _back(wish: _Wish, error: str, description: str) -> Shown:
    return Shown(lead(wish.redirect_uri, error=error, error_description=description, state=wish.state))
