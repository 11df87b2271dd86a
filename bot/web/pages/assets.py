"""The files that pages load, under addresses that change with what they hold."""

from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from bot.web.answers import conditional_answer
from bot.web.parameters import parse
from bot.web.problems import Problem

STATIC = Path(__file__).parent.parent / "static"
IMMUTABLE = "public, max-age=31536000, immutable"
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# The only files that are served, by the name they are asked for: a path from outside never reaches the disk.
ASSETS = {
    "site.css": "site.css",
    "docs.js": "docs.js",
    "docs.css": "docs.css",
    "icon.svg": "icon.svg",
    "setup.js": "setup.js",
    "setup.css": "setup.css",
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
    content = (STATIC / ASSETS[name]).read_bytes()
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
