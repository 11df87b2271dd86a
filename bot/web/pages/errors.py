"""What a person is told when something went wrong, with the status that a program would get."""

from collections.abc import Sequence

from aiohttp import web

from bot.errors import ParameterError
from bot.web.pages.rendering import render
from bot.web.problems import Problem, title_of


def error_page(problem: Problem, faults: Sequence[ParameterError] = (), request_id: str | None = None) -> web.Response:
    """Return `problem` as a page that nobody caches."""
    text = render("error.html", title=title_of(problem.status), problem=problem, faults=faults, request_id=request_id)
    headers = {"Cache-Control": "no-store"} | problem.headers
    return web.Response(text=text, status=problem.status, content_type="text/html", headers=headers)
