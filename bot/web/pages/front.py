"""The front page."""

from itertools import groupby

from aiohttp import web

from bot.web.health import find_readiness
from bot.web.pages.teams import seen_installations
from bot.web.route import NoQuery
from bot.web.visits import Visit


async def get_front_page(visit: Visit, _query: NoQuery) -> web.StreamResponse:
    """Answer with the front page, or, while nothing is configured, with what to do about it."""
    configuration = visit.service.configuration
    if configuration.current.is_unconfigured:
        return visit.page("begin.html", has_secret_key=configuration.sealer is not None)
    caller = await visit.find_caller()
    seen = [] if caller is None else await seen_installations(visit)
    teams = [list(theirs) for _, theirs in groupby(seen, key=lambda each: each.team_id)]
    return visit.page("front.html", readiness=await find_readiness(visit.service.clock), teams=teams)
