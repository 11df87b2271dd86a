"""Who sits at a browser, and forms that only our own pages can send."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.demo.github.pages.html import Shown, lead, page, refusal
from bot.demo.github.rest.answers import Answer

if TYPE_CHECKING:
    from bot.demo.github.rest.asking import Ask
    from bot.demo.github.state.accounts import Account

COOKIE = "user_session"


@dataclass(frozen=True, slots=True)
class Session:
    """A person at a browser; each form of theirs carries the token."""

    person: Account
    authenticity_token: str


def find_session(ask: Ask) -> Session | None:
    """Return that of this browser, None where nobody has signed in."""
    rest = ask.github.rest
    return Session(rest.signed_in, "") if rest.signed_in else rest.sessions.get(ask.cookies.get(COOKIE, ""))


def require_session(ask: Ask) -> Session:
    """Return that of this browser, or lead to where one signs in and back."""
    session = find_session(ask)
    if session is None:
        raise Shown(lead("/login", return_to=ask.location, login=ask.query.get("login")))
    return session


def require_form(ask: Ask) -> Session:
    """Return who sends a form; a refusal for one that is not from a page of this session."""
    session = require_session(ask)
    if not hmac.compare_digest(sent(ask, "authenticity_token").encode(), session.authenticity_token.encode()):
        raise refusal(422, "Your browser did something unexpected", "Please go back and try again.")
    return session


def sent(ask: Ask, name: str) -> str:
    """Return a field of a form, empty where it was not sent."""
    value = ask.body.get(name) if isinstance(ask.body, dict) else None
    return value if isinstance(value, str) else ""


def show_login(ask: Ask) -> Answer:
    """Show the people that there are; whoever is asked for comes first."""
    people = [one for one in ask.world.accounts.values() if one.type == "User"]
    people.sort(key=lambda one: one.login != ask.query.get("login"))
    return page("login", title="Sign in to GitHub", people=people, return_to=ask.query.get("return_to", "/login"))


def sign_in(ask: Ask) -> Answer:
    """Begin a session for one of them, under an id that was not known before."""
    person = ask.world.find_account(sent(ask, "login"))
    if person is None or person.type != "User":
        raise refusal(422, "Sign in to GitHub", "There is no such person.")
    rest = ask.github.rest
    value = rest.credentials.random_text(48)
    rest.sessions.pop(ask.cookies.get(COOKIE, ""), None)
    rest.sessions[value] = Session(person, rest.credentials.random_text(48))
    cookie = f"{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax"
    return lead(_local(sent(ask, "return_to")), {"Set-Cookie": cookie})


def show_logout(ask: Ask) -> Answer:
    """Ask whether to end the session."""
    return page("logout", title="Sign out", session=require_session(ask))


def sign_out(ask: Ask) -> Answer:
    """End the session of this browser."""
    require_form(ask)
    ask.github.rest.sessions.pop(ask.cookies.get(COOKIE, ""), None)
    return lead("/login", {"Set-Cookie": f"{COOKIE}=; Path=/; Max-Age=0"})


def _local(url: str) -> str:
    """Return an address below our own host; another host is never led to."""
    is_local = url.startswith("/") and not url.startswith(("//", "/\\"))
    return url if is_local else "/login"
