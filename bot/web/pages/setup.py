"""The set-up page: what is done, what is to be done, what is broken; and the link that opens it.

Chats and mail programs look at what is behind a link that somebody sends; only the button uses it up.
"""

import contextlib
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from bot.access import audit, sessions
from bot.checks.kept import ask_kept, judge_secret_key
from bot.errors import DatabaseUnavailable
from bot.setup import links
from bot.setup.progress import read_progress
from bot.setup.steps import Known, is_over, steps_of
from bot.store.database import current
from bot.store.registration import Configuration
from bot.web import cookies, keys
from bot.web.answers import public_url
from bot.web.route import NoQuery
from bot.web.visits import Visit

PAGE = "/setup"
OPENS_ONCE = "This link has been opened before, or is older than a day."


class LinkPath(msgspec.Struct, frozen=True):
    """The secret part of a link."""

    token: Annotated[str, Meta(min_length=1, max_length=200, description="What was printed")]


class InstalledQuery(msgspec.Struct, frozen=True):
    """What GitHub adds to the address after an installation. Anybody can add the same, so nothing of it is believed."""

    installation_id: str | None = None
    setup_action: str | None = None
    state: str | None = None
    code: str | None = None


async def get_setup_link(visit: Visit, _query: NoQuery, path: LinkPath) -> web.StreamResponse:
    """Show the button that opens the link, which stays good."""
    if may_set_up(visit):
        return visit.redirect(PAGE)
    address = public_url(visit.request)
    if not cookies.keeps_cookies(address):
        return visit.page("setup_link.html", 403, said=None, address=address)
    if not await links.is_good(path.token, visit.service.clock.now()):
        return visit.page("setup_link.html", 404, said=OPENS_ONCE, address=address)
    return visit.page("setup_open.html", token=path.token)


async def open_setup_link(visit: Visit, _form: NoQuery, path: LinkPath) -> web.StreamResponse:
    """Use the link up, begin a session that may set the service up, and lead away from the address at once."""
    if may_set_up(visit):
        return visit.redirect(PAGE)
    address, now = opened_at(visit.request), visit.service.clock.now()
    if not cookies.keeps_cookies(address):
        return visit.page("setup_link.html", 403, said=None, address=address)
    if not await links.open_link(path.token, now):
        return visit.page("setup_link.html", 404, said=OPENS_ONCE, address=address)
    await audit.note(audit.OPERATOR, "setup.opened", "set-up page", now)
    session = await sessions.open_session(None, now)
    await visit.leave_former(None)
    response = visit.redirect(PAGE)
    cookies.keep_session(response, session)
    return response


def opened_at(request: web.Request) -> str:
    """Return the address at which the browser has the page open whose form it has sent.

    What the browser itself says counts before what a proxy may tell of host and scheme.
    https://www.rfc-editor.org/rfc/rfc6454#section-7
    """
    origin = request.headers.get("Origin", "")
    return origin if origin.startswith(("https://", "http://")) else public_url(request)


def may_set_up(visit: Visit) -> bool:
    """Tell whether whoever visits has opened the link."""
    return visit.session is not None and visit.session.is_for_setup


async def get_setup(visit: Visit, _query: NoQuery) -> web.StreamResponse:
    """Show how far the set-up is to whoever opened the link, and to anybody else only how to get there."""
    if not may_set_up(visit):
        configuration = visit.service.configuration
        await _refresh(configuration)
        return visit.page("setup_closed.html", is_set_up=not configuration.current.is_unconfigured)
    return await show_setup(visit)


async def get_setup_progress(visit: Visit, _query: NoQuery) -> web.StreamResponse:
    """Answer with the steps alone, for the script that shows them as they change."""
    known = await look(visit)
    return visit.page("setup_steps.html", **_shown(visit, known))


async def get_installed(visit: Visit, _query: InstalledQuery) -> web.StreamResponse:
    """Lead from GitHub back to the steps, which tell what GitHub itself says of installations."""
    return visit.redirect(PAGE)


async def show_setup(
    visit: Visit,
    status: int = 200,
    *,
    given: dict[str, str] | None = None,
    wrong: dict[str, str] | None = None,
    carried: str | None = None,
) -> web.StreamResponse:
    """Show the page, with what was filled in and what is wrong with it by the field's name.

    `carried` is a link that opens the page at another address.
    """
    known = await look(visit)
    empty = dict.fromkeys(("host", "server", "owner", "organization", "name", "reruns"), "")
    form = {
        "given": empty | {"address": public_url(visit.request)} | (given or {}),
        "wrong": wrong or {},
        "carried": carried,
        "settings": visit.service.configuration.given,
    }
    return visit.page("setup.html", status, form=form, **_shown(visit, known))


async def look(visit: Visit) -> Known:
    """Return all that the steps go by, as it is now."""
    configuration = visit.service.configuration
    kept = await ask_kept(configuration, current())
    told = await visit.request.app[keys.WATCH].look()
    settings, now = configuration.current, visit.service.clock.now()
    kept = [*judge_secret_key(settings), *kept]
    return Known(settings=settings, kept=kept, told=told, progress=await read_progress(now), now=now)


def may_register(configuration: Configuration, known: Known) -> bool:
    """Tell whether the page may register an App: there is none yet, or the one that is kept here is of no use."""
    if configuration.sealer is None or not configuration.given.is_unconfigured:
        return False
    return configuration.registration is None or known.told.refused


def _shown(visit: Visit, known: Known) -> dict[str, Any]:
    configuration, steps = visit.service.configuration, steps_of(known)
    registers = may_register(configuration, known)
    return {
        "steps": steps,
        "registers": registers,
        "is_live": known.is_registered and not registers and not is_over(steps),
        "install_url": _install_url(configuration, known),
        "progress": known.progress,
    }


def _install_url(configuration: Configuration, known: Known) -> str | None:
    registration = configuration.registration
    page = known.told.html_url or (None if registration is None else registration.html_url)
    is_address = page is not None and page.startswith(("https://", "http://"))
    return f"{page}/installations/new" if is_address and known.is_registered and not known.told.refused else None


async def _refresh(configuration: Configuration) -> None:
    with contextlib.suppress(DatabaseUnavailable):
        await ask_kept(configuration, current())
