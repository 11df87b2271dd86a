"""The page on which the API's document can be read and tried."""

from aiohttp import web

from bot.web.answers import conditional_answer
from bot.web.pages.rendering import render


async def get_docs(request: web.Request) -> web.Response:
    """Answer with the page on which Swagger UI shows /openapi.json."""
    return conditional_answer(request, render("docs.html").encode(), "text/html", "public, no-cache")
