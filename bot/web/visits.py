"""A person's browser that asks for a page or sends a form: who it is, and what it is answered with."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from aiohttp import web

from bot import access
from bot.access import sessions
from bot.access.audit import Actor
from bot.access.callers import Caller
from bot.access.sessions import Session
from bot.store.queries import Scope
from bot.web import keys
from bot.web.authentication import find_session
from bot.web.hardening import page_policy
from bot.web.pages.rendering import render
from bot.web.problems import Problem, signed_out
from bot.web.service import Service, service_of

LOGIN = "/login"
NOT_SET_UP = "Open the link that the service printed when it started: it lets you set the service up."
_LOCAL = re.compile(r"/(?:[!-.0-\[\]-~][!-\[\]-~]*)?", re.ASCII)
_LONGEST_PATH = 2000


def is_local(path: str) -> bool:
    """Tell whether `path` is one of this service's own, whatever browser reads it: no scheme, no host, no backslash."""
    return len(path) <= _LONGEST_PATH and _LOCAL.fullmatch(path) is not None


@dataclass(slots=True)
class Visit:
    """One request of a browser.

    `session` is None for somebody who isn't signed in, and is a person's or that of whoever sets the service up.
    """

    request: web.Request
    service: Service
    session: Session | None
    _caller: Caller | None = None

    @property
    def caller(self) -> Caller:
        """Who visits; on routes for persons there always is somebody."""
        assert self._caller is not None  # noqa: S101, `get_caller` was there before
        return self._caller

    @property
    def actor(self) -> Actor:
        """In whose name something is done, for the audit."""
        return self.caller.actor

    @property
    def login(self) -> str | None:
        """The GitHub login of whoever is known to visit, for the top of each page."""
        return None if self._caller is None else self._caller.actor.name

    @property
    def csrf_token(self) -> str:
        """What each form must hold in the hidden field `csrf`; empty where there is no session to send one in."""
        return "" if self.session is None else self.session.csrf_token

    async def find_caller(self) -> Caller | None:
        """Return the person who visits, or None. Raises what asking GitHub for what they see may raise."""
        if self._caller is None and self.session is not None and not self.session.is_for_setup:
            self._caller = await self.service.people.caller_of_session(self.session)
        return self._caller

    async def leave_former(self, user_id: int | None) -> None:
        """End the session that the browser holds, for it begins one of `user_id`, or one to set the service up."""
        former = self.session
        if former is None:
            return
        if former.user_id in {None, user_id}:
            await sessions.revoke_session(former.id, self.service.clock.now())
        else:
            await self.service.people.sign_out(former)

    async def get_scope(self, team: str) -> Scope:
        """Return what the person may read of `team`. Raises NotFound where that is nothing, or no team."""
        return await access.get_scope(self.caller, team)

    def page(self, template: str, status: int = 200, *, posts_to: str | None = None, **values: Any) -> web.Response:
        """Answer with a page; the template sees `values` and `visit`.

        `posts_to` is an address elsewhere that a form of this page may send to, as no form of another page can.
        """
        response = web.Response(text=render(template, visit=self, **values), content_type="text/html", status=status)
        response.headers["Cache-Control"] = "private, no-cache" if self.session is None else "no-store"
        if posts_to is not None:
            address = urlsplit(posts_to)
            response.headers["Content-Security-Policy"] = page_policy(f"{address.scheme}://{address.netloc}")
        return response

    def redirect(self, path: str) -> web.Response:
        """Lead on to another page of ours. Raises ValueError for an address elsewhere."""
        if not is_local(path):
            message = "only pages of this service can be redirected to"
            raise ValueError(message)
        return self.redirect_outside(path)

    def redirect_outside(self, url: str) -> web.Response:
        """Lead on to an address that the service itself has made, such as GitHub's page for signing in."""
        return web.Response(status=303, headers={"Location": url, "Cache-Control": "no-store"})


async def open_visit(request: web.Request) -> Visit:
    """Return the visit that a request is, with the session that its cookie names.

    Raises Problem (429), DatabaseUnavailable.
    """
    session = await find_session(request)
    if session is None:
        request.app[keys.LIMITS].charge_stranger(request)
    return Visit(request, service_of(request.app), session)


async def admit_person(visit: Visit) -> None:
    """Let a person in; lead anybody else to the page for signing in and back, or refuse the form that they sent.

    Raises HTTPSeeOther, Problem (401), and what asking GitHub for what they see may raise.
    """
    if await visit.find_caller() is not None:
        return
    if visit.request.method not in {"GET", "HEAD"}:
        raise signed_out()
    here = visit.request.rel_url.raw_path_qs
    back = f"?return_to={quote(here, safe='/')}" if is_local(here) else ""
    raise web.HTTPSeeOther(LOGIN + back, headers={"Cache-Control": "no-store"})


def admit_setup(visit: Visit) -> None:
    """Let in whoever opened the link to the set-up page. Raises Problem (403)."""
    if visit.session is None or not visit.session.is_for_setup:
        raise Problem(403, NOT_SET_UP)
