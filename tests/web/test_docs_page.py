"""The pages: what they say, what they load, and that nothing of it is elsewhere."""

import re

import pytest
from yarl import URL

from bot.errors import DatabaseUnavailable
from bot.web.pages.assets import ASSETS, STATIC, asset_url
from tests.web.conftest import Client, Serve
from tests.web.rooms import Rooms

LOADED = re.compile(r'<(?:link|script|img|iframe|form)\b[^>]*?\b(?:href|src|action)="([^"]*)"')


@pytest.mark.parametrize("path", ["/", "/docs"])
@pytest.mark.parametrize("secret", [None, "a secret"])
async def test_pages_load_only_what_is_here(serve: Serve, path: str, secret: str | None) -> None:
    client = await serve(webhook_secret=secret)
    answer = await client.get(path)
    text = await answer.text()
    loaded = LOADED.findall(text)
    assert (answer.status, answer.content_type, answer.charset) == (200, "text/html", "utf-8")
    assert loaded
    for address in loaded:
        assert address.startswith("/static/")
        assert (await client.get(address)).status == 200
    assert "<style" not in text
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=", text)


async def test_a_304_leaves_the_kept_pages_policy_alone(client: Client) -> None:
    first = await client.get("/docs")
    again = await client.get("/docs", headers={"If-None-Match": first.headers["ETag"]})
    assert "script-src 'self'" in first.headers["Content-Security-Policy"]
    assert again.status == 304
    assert "Content-Security-Policy" not in again.headers


@pytest.mark.parametrize(
    ("key", "told"), [(None, ("SECRET_KEY", "openssl")), ("a key", ("runledger setup-link", 'href="/setup"'))]
)
async def test_an_unconfigured_service_says_what_to_do(serve: Serve, key: str | None, told: tuple[str, ...]) -> None:
    client = await serve(webhook_secret=None, secret_key=key)
    text = await (await client.get("/")).text()
    for needed in (*told, "WEBHOOK_SECRET", "APP_ID", "runledger demo"):
        assert needed in text


async def test_a_configured_one_shows_its_state(client: Client, rooms: Rooms) -> None:
    assert "All is well" in await (await client.get("/")).text()
    rooms.failure = DatabaseUnavailable("gone")
    answer = await client.get("/")
    assert answer.status == 200
    assert "Something needs a look" in await answer.text()


async def test_what_a_setting_holds_is_escaped(serve: Serve) -> None:
    an_app = {"secret_key": "a key", "github_client_id": "Iv1.a", "github_client_secret": "hush"}
    client = await serve(public_url="http://a.example/<script>alert(1)</script>", **an_app)
    text = await (await client.get("/login")).text()
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize("name", sorted(ASSETS))
async def test_files_are_kept_by_browsers_for_good(client: Client, name: str) -> None:
    answer = await client.get(asset_url(name))
    assert answer.status == 200
    assert await answer.read() == (STATIC / ASSETS[name]).read_bytes()
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.content_type in {"text/css", "text/javascript", "image/svg+xml"}
    again = await client.get(asset_url(name), headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status == 304


@pytest.mark.parametrize(
    ("digest", "name", "status"),
    [
        ("0" * 16, "site.css", 404),
        ("0" * 16, "..%2f..%2f..%2fsettings.py", 404),
        ("0" * 16, "README.md", 404),
        ("nonsense", "site.css", 400),
        ("0" * 16, "%00", 400),
    ],
)
async def test_no_other_file_is_served(client: Client, digest: str, name: str, status: int) -> None:
    answer = await client.get(URL(f"/static/{digest}/{name}", encoded=True))
    assert (answer.status, answer.content_type) == (status, "application/problem+json")


def test_the_vendored_files_keep_their_license() -> None:
    vendored = STATIC / "vendor" / "swagger-ui"
    assert "Apache License" in (vendored / "LICENSE").read_text()
    version = re.search(r"\| version \| (\d+\.\d+\.\d+) \|", (vendored / "README.md").read_text())
    assert version is not None
    # The bundle carries its own version number.
    assert version[1] in (vendored / "swagger-ui-bundle.js").read_text()
