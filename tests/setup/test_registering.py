"""From a code to an App that is kept: with the simulated GitHub, and with several who register at once."""

import asyncio
import hmac
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web

from bot.access import audit
from bot.access.sessions import open_session
from bot.clock import Clock, ManualClock
from bot.demo.github import SimulatedGitHub
from bot.demo.github.rest.keys import private_pem
from bot.errors import RunledgerError
from bot.github.errors import NotFound
from bot.settings import Settings, load_settings
from bot.setup import links, registering
from bot.setup.choices import Choice, WrongChoice, host_of, manifest_of
from bot.setup.registering import Left
from bot.store import models
from bot.store.database import Database
from bot.store.registration import (
    LOOK_AT_ONCE_SECONDS,
    AlreadyRegistered,
    Configuration,
    Registration,
    Secrets,
    find_registered_app,
    find_registration,
)
from bot.store.sealing import CannotOpen, Sealer
from bot.web.webhook import is_signed
from tests.demo.browser import browsing

KEY = "a key of more than thirty-two characters"
A_KEY: dict[str, Any] = {"secret_key": KEY}
OURS = "https://runledger.example.org"


@pytest.fixture
async def github() -> AsyncIterator[SimulatedGitHub]:
    async with SimulatedGitHub(Clock(), seed=5, registered=False) as github, github.serve():
        person = github.add_user("mona")
        github.people.add_owner(github.add_organization("acme"), person)
        github.rest.signed_in = person
        yield github


def left_for(github: SimulatedGitHub, name: str = "Runledger acme") -> Left:
    host = host_of(github.world.addresses.html)
    return Left(Choice(host=host, organization="acme", name=name, public_url=OURS), None)


async def code_for(github: SimulatedGitHub, left: Left) -> str:
    """Send the manifest as the browser does, and return the code that GitHub leads back with."""
    async with browsing(github.world.addresses.html) as browser:
        text = msgspec.json.encode(manifest_of(left.choice)).decode()
        await browser.open(f"{left.choice.posts_to}?state=x", manifest=text)
        assert browser.left_for.startswith(f"{OURS}/setup/registered")
        return browser.query["code"]


async def an_app(github: SimulatedGitHub, name: str = "Runledger acme") -> Registration:
    left = left_for(github, name)
    return await registering.convert(await code_for(github, left), left, Clock())


def a_configuration(**settings: Any) -> Configuration:
    return Configuration(Settings(_env_file=None, **{"secret_key": KEY} | settings), ManualClock())


async def kept(
    configuration: Configuration,
    registration: Registration,
    replacing: int | None = None,
    session_id: int | None = None,
) -> None:
    assert configuration.sealer is not None
    await registering.keep(configuration, configuration.sealer, registration, replacing, session_id)


async def test_the_app_is_what_github_made(github: SimulatedGitHub) -> None:
    app = await an_app(github)
    theirs = github.app
    assert (app.app_id, app.slug, app.name, app.owner_login) == (theirs.id, theirs.slug, theirs.name, "acme")
    assert (app.client_id, app.public_url) == (theirs.client_id, OURS)
    assert app.html_url == f"{github.world.addresses.html}/apps/{theirs.slug}"
    secrets = github.private_key_pem, github.webhook_secret, theirs.client_secret
    assert msgspec.structs.astuple(app.secrets) == secrets


async def test_a_code_is_good_once(github: SimulatedGitHub) -> None:
    left = left_for(github)
    code = await code_for(github, left)
    await registering.convert(code, left, Clock())
    with pytest.raises(NotFound) as error:
        await registering.convert(code, left, Clock())
    assert code not in str(error.value)


async def test_an_answer_that_is_no_app_is_refused(aiohttp_server: Any) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"id": 1, "pem": "nothing of the kind"}, status=201)

    app = web.Application()
    app.router.add_post("/api/v3/app-manifests/{code}/conversions", answer)
    server = await aiohttp_server(app)
    left = Left(
        Choice(host=host_of(str(server.make_url("")).rstrip("/")), organization=None, name="x", public_url=OURS), None
    )
    with pytest.raises(RunledgerError, match="not what it documents"):
        await registering.convert("code", left, Clock())


async def test_a_github_that_answers_is_reachable(github: SimulatedGitHub) -> None:
    await registering.check_reachable(host_of(github.world.addresses.html), Clock())


async def test_where_nobody_answers_is_said_to_whoever_chose_it(unused_tcp_port: int) -> None:
    with pytest.raises(WrongChoice) as wrong:
        await registering.check_reachable(host_of(f"http://127.0.0.1:{unused_tcp_port}"), Clock())
    assert wrong.value.field == "server"


async def test_what_is_kept_counts_at_once_and_elsewhere(github: SimulatedGitHub, database: Database) -> None:
    here, elsewhere = a_configuration(), a_configuration()
    assert (await elsewhere.refresh(database)).is_unconfigured
    app = await an_app(github)
    await kept(here, app)
    for configuration in (here, elsewhere):
        settings = await configuration.refresh(database)
        assert (settings.app_id, settings.public_url) == (app.app_id, OURS)
        assert settings.github_api_url == f"{github.world.addresses.html}/api/v3"
        assert settings.webhook_secrets == (github.webhook_secret.encode(),)
    (entry,) = await models.AuditEntry.all(using_db=database.client)
    assert (entry.action, entry.actor, entry.subject) == ("app.registered", audit.OPERATOR.name, app.slug)


async def test_an_app_of_the_environment_wins(github: SimulatedGitHub, database: Database) -> None:
    await kept(a_configuration(), await an_app(github))
    another = a_configuration(app_id=4, webhook_secret="theirs")
    settings = await another.refresh(database)
    assert (settings.app_id, settings.webhook_secrets, settings.github_client_id) == (4, (b"theirs",), None)


async def test_one_secret_in_the_environment_takes_the_place_of_the_one_that_is_kept(
    github: SimulatedGitHub, database: Database
) -> None:
    app = await an_app(github)
    await kept(a_configuration(), app)
    secrets = app.secrets
    rotated = await a_configuration(webhook_secret="the new one").refresh(database)
    assert (rotated.app_id, rotated.webhook_secrets) == (app.app_id, (b"the new one",))
    both = await a_configuration(webhook_secret_previous="the new one").refresh(database)
    assert set(both.webhook_secrets) == {secrets.webhook_secret.encode(), b"the new one"}
    signing_in = await a_configuration(github_client_secret="another").refresh(database)
    assert signing_in.github_client_secret is not None
    assert signing_in.github_client_secret.get_secret_value() == "another"
    moved = await a_configuration(public_url="https://moved.example.org").refresh(database)
    for settings in (rotated, both, signing_in, moved):
        assert settings.private_key is not None
        assert settings.private_key.get_secret_value() == secrets.private_key
    assert moved.public_url == "https://moved.example.org"


async def test_of_two_that_register_the_first_is_kept(github: SimulatedGitHub, database: Database) -> None:
    first, second = await an_app(github), await an_app(github, "Another")
    one, two = a_configuration(), a_configuration()
    await kept(one, first)
    with pytest.raises(AlreadyRegistered):
        await kept(two, second)
    assert await find_registered_app(database) == first.app_id
    await kept(two, second, replacing=first.app_id)
    assert await find_registered_app(database) == second.app_id
    assert await models.AuditEntry.all(using_db=database.client).count() == 2


async def test_what_others_could_register_by_is_void_then(github: SimulatedGitHub, database: Database) -> None:
    now = Clock().now()
    token = await links.new_link(now)
    mine, another, person = await open_session(None, now), await open_session(None, now), await open_session(7, now)
    await kept(a_configuration(), await an_app(github), session_id=mine.id)
    assert not await links.open_link(token, now)
    ended = await models.Session.exclude(revoked_at=None).using_db(database.client)
    assert [each.id for each in ended] == [another.id]
    assert await models.Session.filter(id__in=[mine.id, person.id]).using_db(database.client).count() == 2


async def test_another_key_opens_nothing_and_the_old_one_beside_it_does(
    github: SimulatedGitHub, database: Database
) -> None:
    app = await an_app(github)
    await kept(a_configuration(), app)
    wrong = a_configuration(secret_key="another key of more than thirty-two letters")
    assert (await wrong.begin(database)).is_unconfigured
    assert wrong.fault is not None
    with pytest.raises(CannotOpen):
        await find_registration(database, Sealer("another key of more than thirty-two letters"))
    both = a_configuration(secret_key="another key of more than thirty-two letters", secret_key_previous=KEY)
    assert (await both.begin(database)).app_id == app.app_id
    assert both.fault is None


async def test_the_database_is_looked_at_once_a_second_at_most(github: SimulatedGitHub, database: Database) -> None:
    clock = ManualClock()
    configuration = Configuration(Settings(_env_file=None, **A_KEY), clock)
    assert not await configuration.look_again(database)
    await kept(a_configuration(), await an_app(github))
    assert not await configuration.look_again(database)
    await clock.advance(1)
    assert await configuration.look_again(database)
    assert configuration.current.app_id == github.app.id


async def test_the_lines_for_the_environment_name_the_same_app(
    github: SimulatedGitHub, database: Database, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await an_app(github)
    configuration = a_configuration()
    await kept(configuration, app)
    lines = registering.environment_of(app)
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    names = [name.lower() for name in lines]
    assert {name: getattr(settings, name) for name in names} == {
        name: getattr(configuration.current, name) for name in names
    }
    monkeypatch.chdir("/")
    for name, value in lines.items():
        monkeypatch.setenv(name, value)
    assert load_settings().private_key == configuration.current.private_key


def test_the_lines_name_no_addresses_where_they_are_the_usual_ones() -> None:
    secrets = Secrets("pem", "hook", "client")
    told: dict[str, Any] = dict.fromkeys(Registration.__struct_fields__, "x")
    app = Registration(**told | {"secrets": secrets, "server_url": "https://github.com"})
    assert "GITHUB_API_URL" not in registering.environment_of(app)


async def test_what_an_app_of_another_process_signs_is_taken(github: SimulatedGitHub, database: Database) -> None:
    clock = ManualClock()
    configuration = Configuration(Settings(_env_file=None, **A_KEY), clock)
    app, body = await an_app(github), b"{}"
    digests = [hmac.digest(secret.encode(), body, "sha256") for secret in (app.secrets.webhook_secret, "nobody's")]
    assert not await is_signed(configuration, body, digests[0])
    await kept(a_configuration(), app)
    await clock.advance(LOOK_AT_ONCE_SECONDS)
    assert [await is_signed(configuration, body, digest) for digest in digests] == [True, False]


@pytest.mark.parametrize(
    ("left_out", "looks"), [((), False), (("github_client_secret",), True), (("secret_key",), False)]
)
async def test_the_database_is_looked_at_where_it_can_make_a_difference(
    database: Database, left_out: tuple[str, ...], looks: bool
) -> None:
    told = {
        "app_id": 4,
        "private_key": private_pem(4),
        "webhook_secret": "a",
        "github_client_id": "b",
        "github_client_secret": "c",
    }
    given: dict[str, Any] = {name: value for name, value in (A_KEY | told).items() if name not in left_out}
    clock = ManualClock()
    configuration = Configuration(Settings(_env_file=None, **given), clock)
    waiting = asyncio.create_task(configuration.changed_from(configuration.given, database))
    await clock.advance(0)
    assert (configuration.may_change, bool(clock._sleepers)) == (looks, looks)
    waiting.cancel()
    await asyncio.wait({waiting})
