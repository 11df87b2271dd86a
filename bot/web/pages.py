"""The pages for people, and the files they load. Nothing comes from another host."""

from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

import msgspec
from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from msgspec import Meta

from bot import __version__
from bot.web import keys
from bot.web.answers import conditional_answer, public_url
from bot.web.health import find_readiness
from bot.web.parameters import parse
from bot.web.problems import Problem

HERE = Path(__file__).parent
IMMUTABLE = "public, max-age=31536000, immutable"
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# The only files that are served, by the name they are asked for: a path from outside never reaches the disk.
ASSETS = {
    "site.css": "site.css",
    "docs.js": "docs.js",
    "docs.css": "docs.css",
    "icon.svg": "icon.svg",
    "swagger-ui.css": "vendor/swagger-ui/swagger-ui.css",
    "swagger-ui-bundle.js": "vendor/swagger-ui/swagger-ui-bundle.js",
}


class AssetPath(msgspec.Struct, frozen=True):
    """Which file, by the digest of what it holds and its name."""

    digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$", description="Digest of the file")]
    name: Annotated[str, Meta(min_length=1, max_length=100, description="Name of the file")]


@cache
def read_asset(name: str) -> tuple[bytes, str]:
    """Return the file `name` and the digest in its address. Raises KeyError for a file that isn't served."""
    content = (HERE / "static" / ASSETS[name]).read_bytes()
    return content, blake2b(content, digest_size=8).hexdigest()


def asset_url(name: str) -> str:
    """Return the address of a file; it changes with the file, so browsers may keep what they have for ever."""
    return f"/static/{read_asset(name)[1]}/{name}"


async def get_asset(request: web.Request) -> web.Response:
    """Answer with a file, to be kept for good; 404 for an address of an older version of it."""
    path = parse(AssetPath, list(request.match_info.items()))
    if path.name not in ASSETS:
        raise Problem(404)
    content, digest = read_asset(path.name)
    if path.digest != digest:
        raise Problem(404)
    return conditional_answer(request, content, MEDIA_TYPES[Path(path.name).suffix], IMMUTABLE)


async def get_front_page(request: web.Request) -> web.Response:
    """Answer with the front page, or, while nothing is configured, with what to do about it."""
    settings = request.app[keys.CONFIGURATION].current
    address = public_url(request)
    if settings.is_unconfigured:
        return _page("begin.html", webhook_url=f"{address}/api/github/webhooks", server_url=settings.github_server_url)
    return _page("front.html", readiness=await find_readiness(request.app[keys.CLOCK]))


async def get_docs(request: web.Request) -> web.Response:
    """Answer with the page on which Swagger UI shows /openapi.json."""
    return conditional_answer(request, _render("docs.html").encode(), "text/html", "public, no-cache")


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    templates.globals |= {"asset_url": asset_url, "version": __version__}
    return templates


def _render(template: str, **values: Any) -> str:
    return _templates().get_template(template).render(values)


def _page(template: str, **values: Any) -> web.Response:
    headers = {"Cache-Control": "private, no-cache"}
    return web.Response(text=_render(template, **values), content_type="text/html", headers=headers)
